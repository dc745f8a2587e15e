/*
 * main.c - dynamofs: mounts a Dynamo cluster.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/dynamofs/background.h"
#include "fs/dynamofs/embed.h"
#include "fs/dynamofs/options.h"
#include "fs/fuse/ops.h"
#include "fs/fuse/session.h"
#include "fs/model/collect.h"
#include "node/base/now.h"
#include "node/base/text.h"
#include "node/client/kv.h"

enum {
    EXIT_USAGE = 2,
    /* A node that has just been started needs a moment to form or to join its ring. */
    NODE_READY_MS = 20 * 1000,
    /* So may the node of another mount that was started in the same moment. */
    FOREIGN_NODE_READY_MS = 3 * 1000,
    /* A mount whose first answer is an error for so long is taken down again; with an own node,
     * which the others may have to let in, for longer, unless -o timeout= says how long. */
    FIRST_ANSWER_MS = KV_DEADLINE_DEFAULT_MS,
    FIRST_ANSWER_EMBEDDED_MS = 25 * 1000,
    CENSUS_MS = 2 * 1000,
    RETRY_MS = 50,
    TIMEOUT_DEFAULT_MS = 1000, /* of the kernel's caches */
};

/* Everything that a mount consists of, in the order in which it is set up. */
struct mount {
    const struct options *options;
    struct background background;
    struct embed *embed; /* NULL with --cluster */
    struct kv *kv;
    struct fs *fs;
    struct collect *collect; /* NULL with -o ro, which writes nothing */
    struct session *session;
    pthread_t prober;
    bool probing;
    struct error probe_error; /* the prober's, until it is joined */
    atomic_bool probe_failed;
};

/* While the mount is being set up, errors are returned to the one who prints them. */
static atomic_bool is_serving;

static void print_line(const char *text)
{
    /* It may quote a name, or what a node said. One write, so that lines stay whole. */
    struct buffer line = {.data = NULL};
    struct slice rest = slice_of_string(text);

    while (rest.size > 0) {
        char piece[TEXT_PIECE_SIZE];
        text_take(&rest, piece);
        buffer_append_slice(&line, slice_of_string(piece));
    }
    buffer_append_byte(&line, '\0');
    (void)fprintf(stderr, "dynamofs: %s\n",
                  line.failed ? "out of memory" : (const char *)line.data);
    buffer_release(&line);
}

/* Standard output on a full disk is a failure too. */
static int end_of_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("dynamofs: standard output");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void on_note(void *context, const char *text)
{
    (void)context;
    print_line(text);
}

static void on_node_failed(const struct error *error)
{
    if (atomic_load(&is_serving)) {
        char text[ERROR_TEXT_SIZE + 32];
        (void)snprintf(text, sizeof text, "the embedded node stopped: %s", error->text);
        print_line(text);
    }
}

static void pause_before_retry(void)
{
    struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

    (void)nanosleep(&pause, NULL);
}

static void prefix_error(struct error *error, const char *prefix)
{
    char text[ERROR_TEXT_SIZE];

    (void)snprintf(text, sizeof text, "%.100s: %.150s", prefix, error->text);
    memcpy(error->text, text, sizeof text);
}

/* What the own node keeps beside its data, unless a secret was named; NULL: to be looked
 * for. */
static const char *secret_file_of(const struct mount *mount, char *path, size_t size)
{
    const struct options *options = mount->options;

    if (options->secret_file || !mount->embed) {
        return options->secret_file;
    }
    int length = snprintf(path, size, "%s/secret", options->data);
    return length > 0 && (size_t)length < size ? path : NULL;
}

static uint32_t first_answer_ms(const struct mount *mount)
{
    uint32_t most_ms = FIRST_ANSWER_EMBEDDED_MS; /* the parent waits no longer */
    uint32_t wanted_ms = mount->options->timeout_ms;

    if (wanted_ms == 0) {
        wanted_ms = mount->embed ? FIRST_ANSWER_EMBEDDED_MS : FIRST_ANSWER_MS;
    }
    return wanted_ms < most_ms ? wanted_ms : most_ms;
}

/* A client of the node or cluster at `address`. An embedded node is given time to get ready,
 * and so is one that says that it is on its way. */
static enum status open_client(struct mount *mount, const char *address, struct error *error)
{
    char path[PATH_MAX];
    struct kv_options defaults = {
        .secret_file = secret_file_of(mount, path, sizeof path),
        .deadline_ms = mount->options->timeout_ms,
        .r = mount->options->r,
        .w = mount->options->w,
    };
    uint64_t limit_ms = !mount->embed                    ? first_answer_ms(mount)
                        : embed_is_foreign(mount->embed) ? FOREIGN_NODE_READY_MS
                                                         : NODE_READY_MS;
    uint64_t begin = now_monotonic_ms();
    enum status status;

    for (;;) {
        status = kv_open_cluster(address, &defaults, &mount->kv, error);
        if (status == STATUS_OK || now_monotonic_ms() - begin >= limit_ms ||
            (!mount->embed && status != STATUS_NOT_READY)) {
            return status;
        }
        if (mount->embed && embed_has_failed(mount->embed, error)) {
            return error->code;
        }
        pause_before_retry();
    }
}

static enum status open_node(struct mount *mount, struct error *error)
{
    const struct options *options = mount->options;
    struct embed_options embed_options = {
        .data = options->data,
        .listen = options->listen,
        .join = options->join,
        .secret_file = options->secret_file,
        .expect = options->expect,
        .insecure = options->insecure,
        .on_failed = on_node_failed,
    };
    char prefix[ERROR_TEXT_SIZE];
    enum status status;

    status = embed_start(&embed_options, &mount->embed, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = open_client(mount, embed_address(mount->embed), error);
    if (status != STATUS_OK && embed_is_foreign(mount->embed)) {
        (void)snprintf(prefix, sizeof prefix, "%.60s is in use, but its node at %.60s",
                       options->data, embed_address(mount->embed));
        prefix_error(error, prefix);
    }
    return status;
}

static double cache_seconds(int64_t option_ms)
{
    return (double)(option_ms < 0 ? TIMEOUT_DEFAULT_MS : option_ms) / 1000;
}

static enum status open_file_system(struct mount *mount, struct error *error)
{
    const struct options *options = mount->options;
    struct fs_config config = {
        .kv = mount->kv,
        .deadline_ms = options->timeout_ms,
        .r = options->r,
        .w = options->w,
        .attribute_timeout = cache_seconds(options->attr_timeout_ms),
        .entry_timeout = cache_seconds(options->entry_timeout_ms),
        .block_grace_us = (uint64_t)options->block_grace_ms * 1000,
        .hide_siblings = options->hide_siblings,
        .ownership = options->ownership,
        .user = getuid(),
        .group = getgid(),
        .on_note = on_note,
    };

    mount->fs = fs_new(&config);
    if (mount->fs && !options->read_only) {
        mount->collect = collect_start(mount->fs);
    }
    if (!mount->fs || (!mount->collect && !options->read_only)) {
        error->code = STATUS_NO_MEMORY;
        (void)snprintf(error->text, sizeof error->text, "out of memory");
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status open_session(struct mount *mount, struct error *error)
{
    struct session_options session_options = {
        .operations = ops_table(),
        .userdata = mount->fs,
        .fuse = mount->options->fuse,
        .debug = mount->options->debug,
    };
    enum status status = session_new(&session_options, &mount->session, error);

    if (status != STATUS_OK) {
        return status;
    }
    ops_set_session(mount->fs, session_fuse(mount->session));
    return session_mount(mount->session, mount->options->mountpoint, error);
}

static enum status open_mount(struct mount *mount, struct error *error)
{
    const struct options *options = mount->options;
    char prefix[ERROR_TEXT_SIZE];
    enum status status;

    if (options->cluster) {
        status = open_client(mount, options->cluster, error);
    } else {
        status = open_node(mount, error);
    }
    if (status == STATUS_OK) {
        status = open_file_system(mount, error);
    }
    if (status != STATUS_OK) {
        (void)snprintf(prefix, sizeof prefix, "mount on %.80s", options->mountpoint);
        prefix_error(error, prefix);
        return status;
    }
    return open_session(mount, error);
}

/* The mount answered `reason` for all that time: says what is missing. */
static void describe_silence(struct mount *mount, int reason, struct error *error)
{
    const char *mountpoint = mount->options->mountpoint;
    struct kv_options options = {.deadline_ms = CENSUS_MS, .r = mount->options->r};
    struct kv_census census;

    error->code = STATUS_IO;
    if (reason == ENOTCONN) {
        (void)snprintf(error->text, sizeof error->text,
                       "mount on %.120s: unmounted before its first answer", mountpoint);
        return;
    }
    kv_census(mount->kv, slice_of_string("/"), &options, &census);
    (void)snprintf(error->text, sizeof error->text,
                   "mount on %.100s: %.40s: %u of the %u nodes that hold its root answer%s, "
                   "%u needed",
                   mountpoint, strerror(reason), census.answering, census.holders,
                   census.answering == 1 ? "s" : "", census.needed);
}

/*
 * Asks the mount itself, through the kernel, until it answers. An answer that is an error is
 * asked for again: replicas may still be on their way up.
 */
static void *probe_thread(void *argument)
{
    struct mount *mount = argument;
    uint64_t end = now_monotonic_ms() + first_answer_ms(mount);
    struct stat attributes;

    while (stat(mount->options->mountpoint, &attributes) != 0) {
        int reason = errno;

        if (now_monotonic_ms() < end && reason != ENOTCONN) {
            pause_before_retry();
            continue;
        }
        describe_silence(mount, reason, &mount->probe_error);
        atomic_store(&mount->probe_failed, true);
        (void)kill(getpid(), SIGTERM);
        return NULL;
    }
    background_ready(&mount->background);
    return NULL;
}

static enum status serve(struct mount *mount, struct error *error)
{
    atomic_store(&is_serving, true);
    if (!mount->options->foreground) {
        if (pthread_create(&mount->prober, NULL, probe_thread, mount) != 0) {
            error->code = STATUS_NO_MEMORY;
            (void)snprintf(error->text, sizeof error->text, "cannot start a thread");
            return STATUS_NO_MEMORY;
        }
        mount->probing = true;
    }
    return session_run(mount->session, error);
}

/* Tears down what open_mount set up, as far as it came. The prober waits for the kernel, so it
 * ends at the latest when the connection is closed. */
static enum status close_mount(struct mount *mount, enum status status, struct error *error)
{
    session_free(mount->session);
    if (mount->probing) {
        (void)pthread_join(mount->prober, NULL);
        if (status == STATUS_OK && atomic_load(&mount->probe_failed)) {
            *error = mount->probe_error;
            status = error->code;
        }
    }
    if (status != STATUS_OK && !background_fail(&mount->background, error)) {
        print_line(error->text);
    }
    collect_stop(mount->collect);
    fs_free(mount->fs);
    kv_close(mount->kv);
    embed_stop(mount->embed);
    return status;
}

static int run(const struct options *options)
{
    struct mount mount = {.options = options, .background = {.report = -1}};
    struct error error = {.code = STATUS_OK};
    enum status status;

    if (!options->foreground &&
        !background_start(&mount.background, options->mountpoint, &error)) {
        print_line(error.text);
        return EXIT_FAILURE;
    }
    session_block_signals();
    status = open_mount(&mount, &error);
    if (status == STATUS_OK) {
        status = serve(&mount, &error);
    }
    status = close_mount(&mount, status, &error);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    struct options options;
    struct error error = {.code = STATUS_OK};
    int result;

    if (options_parse(argc, argv, &options, &error) != STATUS_OK) {
        print_line(error.text);
        return EXIT_USAGE;
    }
    if (options.help) {
        (void)fputs(options_help(), stdout);
        result = end_of_output();
    } else if (options.version) {
        (void)puts("dynamofs " DYNAMOFS_VERSION);
        result = end_of_output();
    } else if (options_resolve(&options, &error) != STATUS_OK) {
        print_line(error.text);
        result = EXIT_FAILURE;
    } else {
        result = options.fake ? EXIT_SUCCESS : run(&options);
    }
    options_release(&options);
    return result;
}
