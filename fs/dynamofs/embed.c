/*
 * embed.c - the storage node inside the mount's own process.
 */
#include "fs/dynamofs/embed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/server/server.h"

static const char DEFAULT_LISTEN[] = "127.0.0.1:7450";

struct embed {
    struct server_options options; /* borrowed strings: until `opened` is posted */
    struct server *server; /* the node's thread's; NULL: another process runs the node */
    pthread_t thread;
    sem_t opened; /* posted by the node's thread once `status` is known */
    enum status status;
    struct error error; /* of opening; then, once `failed` is true, of running */
    atomic_bool failed;
    atomic_bool stopping;
    sem_t stop; /* posted after `stopping` was set */
    void (*on_failed)(const struct error *error);
    char address[ADDRESS_SIZE];
};

static void run(struct embed *embed)
{
    struct error error = {.code = STATUS_OK};
    enum status status = server_run(embed->server, &error);

    if (atomic_load(&embed->stopping)) {
        return;
    }
    if (status == STATUS_OK) {
        error.code = STATUS_CLOSED;
        (void)snprintf(error.text, sizeof error.text, "it stopped");
    }
    embed->error = error;
    atomic_store(&embed->failed, true);
    embed->on_failed(&error);
}

/* The whole life of a server is on one thread. */
static void *node_thread(void *argument)
{
    struct embed *embed = argument;
    struct server *server = NULL;

    embed->status = server_new(&embed->options, &server, &embed->error);
    if (embed->status != STATUS_OK) {
        (void)sem_post(&embed->opened);
        return NULL;
    }
    embed->server = server;
    (void)snprintf(embed->address, sizeof embed->address, "%s", server_address(server));
    (void)sem_post(&embed->opened);
    run(embed);
    /* The server is freed after the mount: until then server_stop may be called. */
    while (!atomic_load(&embed->stopping)) {
        (void)sem_wait(&embed->stop);
    }
    server_free(server);
    return NULL;
}

/* Every signal is for the thread that waits for signals. */
static int start_thread(struct embed *embed)
{
    sigset_t all;
    sigset_t before;
    int result;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&embed->thread, NULL, node_thread, embed);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static enum status make_parents(const char *directory, struct error *error)
{
    char *path = strdup(directory);
    enum status status = STATUS_OK;

    if (!path) {
        error->code = STATUS_NO_MEMORY;
        (void)snprintf(error->text, sizeof error->text, "out of memory");
        return STATUS_NO_MEMORY;
    }
    for (char *slash = strchr(path + 1, '/'); slash && status == STATUS_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            status = error->code = STATUS_IO;
            (void)snprintf(error->text, sizeof error->text, "data directory %.100s: %s", path,
                           strerror(errno));
        }
        *slash = '/';
    }
    free(path);
    return status;
}

/* Reads DATA/address, which the running node wrote: HOST:PORT and a newline. */
static bool read_address(const char *data, char address[static ADDRESS_SIZE])
{
    char *path = NULL;
    ssize_t size = -1;
    int fd = -1;

    if (asprintf(&path, "%s/address", data) < 0) {
        return false;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd >= 0) {
        size = read(fd, address, ADDRESS_SIZE - 1);
        (void)close(fd);
    }
    if (size <= 0) {
        return false;
    }
    address[size] = '\0';
    address[strcspn(address, "\r\n")] = '\0';
    return strchr(address, ':');
}

/* True if `error` of server_new says that another process holds the data. */
static bool is_in_use(enum status status, const struct error *error)
{
    return status == STATUS_BUSY && strstr(error->text, "in use by another");
}

/* Starts the node's thread and waits until it has opened the node, or could not. */
static enum status open_server(struct embed *embed, struct error *error)
{
    if (start_thread(embed) != 0) {
        error->code = STATUS_NO_MEMORY;
        (void)snprintf(error->text, sizeof error->text, "cannot start a thread");
        return STATUS_NO_MEMORY;
    }
    while (sem_wait(&embed->opened) != 0) {
        assert(errno == EINTR);
    }
    if (embed->status != STATUS_OK) {
        (void)pthread_join(embed->thread, NULL);
        *error = embed->error;
    }
    return embed->status;
}

static void free_embed(struct embed *embed)
{
    (void)sem_destroy(&embed->opened);
    (void)sem_destroy(&embed->stop);
    free(embed);
}

enum status embed_start(const struct embed_options *options, struct embed **ret_embed,
                        struct error *error)
{
    struct embed *embed;
    enum status status;

    assert(options->data && options->on_failed);
    assert(ret_embed && error);
    status = make_parents(options->data, error);
    if (status != STATUS_OK) {
        return status;
    }
    embed = calloc(1, sizeof *embed);
    if (!embed) {
        error->code = STATUS_NO_MEMORY;
        (void)snprintf(error->text, sizeof error->text, "out of memory");
        return STATUS_NO_MEMORY;
    }
    embed->options = (struct server_options){
        .data_directory = options->data,
        .listen = options->listen ? options->listen : DEFAULT_LISTEN,
        .join = options->join,
        .secret_file = options->secret_file,
        .expect = options->expect,
        .insecure = options->insecure,
    };
    embed->on_failed = options->on_failed;
    (void)sem_init(&embed->opened, 0, 0);
    (void)sem_init(&embed->stop, 0, 0);
    status = open_server(embed, error);
    if (status != STATUS_OK &&
        !(is_in_use(status, error) && read_address(options->data, embed->address))) {
        free_embed(embed);
        return status;
    }
    *ret_embed = embed;
    return STATUS_OK;
}

const char *embed_address(const struct embed *embed)
{
    assert(embed);
    return embed->address;
}

bool embed_is_foreign(const struct embed *embed)
{
    assert(embed);
    return !embed->server;
}

bool embed_has_failed(struct embed *embed, struct error *ret_error)
{
    assert(embed && ret_error);
    if (!atomic_load(&embed->failed)) {
        return false;
    }
    *ret_error = embed->error;
    return true;
}

void embed_stop(struct embed *embed)
{
    if (!embed) {
        return;
    }
    if (embed->server) {
        atomic_store(&embed->stopping, true);
        server_stop(embed->server);
        (void)sem_post(&embed->stop);
        (void)pthread_join(embed->thread, NULL);
    }
    free_embed(embed);
}
