/*
 * server_data.c - the data directory of a node: its lock, its identity, its ring, its address.
 */
#include "node/server/server_data.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "node/base/error.h"
#include "node/base/now.h"
#include "node/server/options.h"
#include "node/store/kept.h"

enum {
    /* Of LevelDB, for the hints: they come seldom. */
    HINTS_BUFFER_SIZE = 16 << 20,
};

enum status server_data_random(uint64_t *ret_random, struct error *error)
{
    uint64_t random = 0;

    while (random == 0) {
        ssize_t size = getrandom(&random, sizeof random, 0);
        if (size < 0 && errno != EINTR) {
            return error_set(error, STATUS_IO, "random numbers: kernel: %s", strerror(errno));
        }
    }
    *ret_random = random;
    return STATUS_OK;
}

static bool make_path(const struct server_data *data, const char *name,
                      char path[SERVER_PATH_SIZE])
{
    int size = snprintf(path, SERVER_PATH_SIZE, "%s/%s", data->directory, name);

    return size > 0 && size < SERVER_PATH_SIZE;
}

static enum status open_engine(const struct engine_leveldb_options *options,
                               struct engine **ret_engine, struct engine_start *ret_start,
                               struct error *error)
{
    struct error why = {.code = STATUS_OK};
    struct engine *engine = NULL;
    enum status status = engine_open_leveldb_with(options, &engine, ret_start, &why);

    if (status != STATUS_OK) {
        /* LevelDB knows only text; a second mount of the directory asks for just this. */
        bool is_locked = strstr(why.text, "in use by another process");
        return error_set(error, is_locked ? STATUS_BUSY : status, "open data: %.230s",
                         why.text);
    }
    *ret_engine = engine;
    return STATUS_OK;
}

/* Is the node one of several, so that what is lost here is there? */
static bool others_have_copies(const char *directory)
{
    struct buffer kept = {0};
    struct ring ring;
    bool is_known = engine_leveldb_kept(directory, &kept) == STATUS_OK &&
                    settings_kept_ring(buffer_slice(&kept), &ring);

    buffer_release(&kept);
    return is_known && ring_replicas(&ring) > 1;
}

/* Nobody else has what is damaged. */
static void advise(const char *directory, struct error *error)
{
    char what[160];

    (void)snprintf(what, sizeof what, "%.150s", error->text);
    (void)error_set(error, STATUS_CORRUPT,
                    "%s; dynamod --check --data %.60s tells what is lost", what, directory);
}

enum status server_data_open(struct server_data *data, const char *directory, bool can_salvage,
                             struct error *error)
{
    memset(data, 0, sizeof *data);
    enum status status = options_make_directory(directory, error);
    if (status != STATUS_OK) {
        return status;
    }
    data->directory = strdup(directory);
    if (!data->directory) {
        return error_set(error, STATUS_NO_MEMORY, "data directory: %.150s: no memory",
                         directory);
    }
    struct engine_leveldb_options options = {
        .path = directory, .can_salvage = can_salvage || others_have_copies(directory)};
    status = open_engine(&options, &data->engine, &data->start, error);
    if (status == STATUS_CORRUPT) {
        advise(directory, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    char path[SERVER_PATH_SIZE];
    if (!make_path(data, "hints", path)) {
        return error_set(error, STATUS_IO, "data directory: %.100s: path too long", directory);
    }
    /* Without them the node starts, and what they stood for is found by comparing copies. */
    struct engine_leveldb_options hints_options = {.path = path,
                                                   .buffer_size_max = HINTS_BUFFER_SIZE,
                                                   .without_reserve = true,
                                                   .can_salvage = true};
    return open_engine(&hints_options, &data->hints, &data->hints_start, error);
}

enum status server_data_expect(const char *directory, node_id expect, struct error *error)
{
    char path[SERVER_PATH_SIZE];

    int size = snprintf(path, sizeof path, "%s/db/CURRENT", directory);
    if (size < 0 || (size_t)size >= sizeof path || access(path, F_OK) != 0) {
        return error_set(error, STATUS_REFUSED,
                         "data directory: %.120s: holds no data, but those of node %016llx are "
                         "expected: is its volume mounted?",
                         directory, (unsigned long long)expect);
    }
    return STATUS_OK;
}

enum status server_data_check(const struct server_data *data, node_id expect,
                              struct error *error)
{
    node_id node = 0;

    if (expect == 0) {
        return STATUS_OK;
    }
    enum status status = store_state_node(data->engine, &node);
    if (status != STATUS_OK) {
        return error_set(error, status, "data directory: %.150s: %s", data->directory,
                         status_text(status));
    }
    if (node != expect) {
        return error_set(error, STATUS_REFUSED,
                         "data directory: %.120s: holds the data of node %016llx, but those of "
                         "%016llx are expected: is the right volume mounted?",
                         data->directory, (unsigned long long)node, (unsigned long long)expect);
    }
    return STATUS_OK;
}

enum status server_data_identify(struct server_data *data, struct error *error)
{
    uint64_t random = 0;

    enum status status = server_data_random(&random, error);
    if (status == STATUS_OK) {
        status = store_state_open(&data->state, data->engine, random, now_wall_us(),
                                  &data->identity, error);
    }
    data->is_identified = status == STATUS_OK;
    bool is_alone = data->identity.has_ring && ring_replicas(&data->identity.ring) < 2;
    if (status == STATUS_OK && is_alone && !data->identity.is_complete) {
        /* There is nobody to refill from: what was salvaged is all there is. */
        status = store_state_set_complete(&data->state, true);
        data->identity.is_complete = true;
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct error why = {.code = STATUS_OK};
    status = store_hints_open(&data->state, data->hints, &why);
    if (status != STATUS_OK) {
        return error_set(error, status, "open data: %.120s/hints: %.100s", data->directory,
                         why.text);
    }
    return STATUS_OK;
}

static enum status save_ring(struct server_data *data, struct error *error)
{
    struct store_request request = {.operation = STORE_SAVE_RING, .wall_us = now_wall_us()};
    struct store_result result = {.operation = STORE_SAVE_RING};

    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    if (!request.save_ring.ring) {
        return error_set(error, STATUS_NO_MEMORY, "ring: %.150s: no memory", data->directory);
    }
    *request.save_ring.ring = data->identity.ring;
    store_apply(&data->state, &request, 1, &result);
    enum status status = result.status;
    store_request_release(&request);
    store_result_release(&result);
    if (status == STATUS_NO_SPACE) {
        return STATUS_OK; /* the node only reads; its next start says it again */
    }
    if (status != STATUS_OK) {
        return error_set(error, status, "save ring: %.150s: %s", data->directory,
                         status_text(status));
    }
    return STATUS_OK;
}

enum status server_data_settle(struct server_data *data, const char *address,
                               struct error *error)
{
    struct ring *ring = &data->identity.ring;

    assert(data->is_identified);
    if (!data->identity.has_ring) {
        return STATUS_OK;
    }
    int self = ring_find(ring, data->identity.node);
    if (self < 0) {
        return error_set(error, STATUS_CORRUPT,
                         "data directory: %.150s: its node is no member of its own cluster",
                         data->directory);
    }
    struct member *member = &ring->members[self];
    if (address_equal(member->address, address)) {
        return STATUS_OK;
    }
    if (ring->member_count > 1) {
        return error_set(error, STATUS_REFUSED,
                         "listen on %s: this node is known to its cluster as %s: "
                         "start it with --listen %s",
                         address, member->address, member->address);
    }
    snprintf(member->address, sizeof member->address, "%s", address);
    ring->epoch++;
    return save_ring(data, error);
}

static bool write_file(const char *path, const char *text)
{
    size_t size = strlen(text);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (descriptor < 0) {
        return false;
    }
    bool is_written = write(descriptor, text, size) == (ssize_t)size;
    int reason = errno;
    bool is_closed = close(descriptor) == 0;
    if (!is_written) {
        errno = reason;
    }
    return is_written && is_closed;
}

enum status server_data_publish(struct server_data *data, const char *address,
                                struct error *error)
{
    char path[SERVER_PATH_SIZE];
    char new_path[SERVER_PATH_SIZE];
    char text[ADDRESS_SIZE + 1];

    if (!make_path(data, "address", path) || !make_path(data, "address.new", new_path)) {
        return error_set(error, STATUS_IO, "data directory: %.100s: path too long",
                         data->directory);
    }
    snprintf(text, sizeof text, "%s\n", address);
    /* Renamed into place: a reader sees the whole address or the one before. */
    if (!write_file(new_path, text) || rename(new_path, path) != 0) {
        if (errno == ENOSPC) {
            return STATUS_OK; /* a node that only reads is better than none */
        }
        return error_set(error, STATUS_IO, "write address: %.150s: %s", path, strerror(errno));
    }
    data->is_published = true;
    return STATUS_OK;
}

enum status server_data_close(struct server_data *data, struct error *error)
{
    char path[SERVER_PATH_SIZE];
    enum status status = STATUS_OK;

    if (data->is_published && make_path(data, "address", path)) {
        (void)unlink(path);
    }
    if (data->is_identified) {
        status = store_state_close(&data->state);
    }
    if (status != STATUS_OK) {
        (void)error_set(error, status, "close store: %.150s: %s", data->directory,
                        status_text(status));
    }
    if (data->hints) {
        data->hints->operations->close(data->hints);
    }
    if (data->engine) {
        data->engine->operations->close(data->engine);
    }
    free(data->directory);
    memset(data, 0, sizeof *data);
    return status;
}

bool server_data_secret_path(const struct server_data *data, char ret_path[SERVER_PATH_SIZE])
{
    return make_path(data, "secret", ret_path);
}

bool server_data_space(const struct server_data *data, uint64_t *ret_total, uint64_t *ret_free)
{
    struct statvfs figures;

    if (statvfs(data->directory, &figures) != 0) {
        return false;
    }
    *ret_total = (uint64_t)figures.f_blocks * figures.f_frsize;
    *ret_free = (uint64_t)figures.f_bavail * figures.f_frsize;
    return true;
}
