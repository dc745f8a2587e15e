/*
 * server.c - a whole storage node: core, net and store on one event loop.
 */
#include "node/server/server.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "node/base/error.h"
#include "node/base/now.h"
#include "node/server/server_internal.h"

enum {
    CONNECTIONS_MIN = 32,
    DESCRIPTORS_WANTED = 4096, /* enough for all */
};

static enum status fail(struct error *error, enum status code, const char *what,
                        const char *where)
{
    return error_set(error, code, "%.32s: %.150s: %s", what, where, status_text(code));
}

/* Any thread. */
static void wake(void *context)
{
    struct server *server = context;

    (void)uv_async_send(&server->wake);
}

static void on_wake(uv_async_t *async)
{
    server_pump(async->data, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct event event = {.type = EVENT_TICK};

    if (core_deadline(server->core) <= now_monotonic_us()) {
        server_pump(server, &event);
    }
}

static void arm_tick(struct server *server)
{
    uint64_t deadline_us = core_deadline(server->core);
    uint64_t now_us = now_monotonic_us();

    if (deadline_us == UINT64_MAX) {
        (void)uv_timer_stop(&server->tick);
        return;
    }
    uint64_t wait_us = deadline_us > now_us ? deadline_us - now_us : 0;
    (void)uv_timer_start(&server->tick, on_tick, (wait_us + 999) / 1000, 0);
}

static void set_disk_figures(struct server *server)
{
    uint64_t total = 0;
    uint64_t free_bytes = 0;

    if (server_data_space(&server->data, &total, &free_bytes)) {
        core_set_disk(server->core, total, free_bytes);
    }
}

static void on_disk_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;

    set_disk_figures(server);
    server_disk_look(&server->disk_watch, false);
}

/* All that this round of the loop has brought about goes out in as few writes as possible. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;

    connections_flush(&server->group);
    arm_tick(server);
    if (server->state == SERVER_DRAINING && server_is_drained(server)) {
        uv_stop(&server->loop);
    }
}

static void on_stop(uv_async_t *async)
{
    server_begin_stop(async->data);
}

static enum status open_loop(struct server *server, struct error *error)
{
    if (uv_loop_init(&server->loop) != 0) {
        return fail(error, STATUS_IO, "event loop", "kernel");
    }
    server->has_loop = true;
    /* Only the two that need a descriptor can fail. */
    if (uv_async_init(&server->loop, &server->stop, on_stop) != 0 ||
        uv_async_init(&server->loop, &server->wake, on_wake) != 0) {
        return fail(error, STATUS_IO, "event loop", "kernel");
    }
    (void)uv_prepare_init(&server->loop, &server->prepare);
    (void)uv_timer_init(&server->loop, &server->tick);
    (void)uv_timer_init(&server->loop, &server->disk);
    (void)uv_timer_init(&server->loop, &server->drain);
    server->stop.data = server;
    server->wake.data = server;
    server->prepare.data = server;
    server->tick.data = server;
    server->disk.data = server;
    server->drain.data = server;
    return STATUS_OK;
}

/* Connections, databases and peers share the descriptors of the process: as many as it may
 * have. Of these three of five are for inbound connections. */
static uint32_t raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return CONNECTIONS_MIN;
    }
    if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < DESCRIPTORS_WANTED) {
        limit.rlim_cur =
            limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
        /* If that is not allowed, there are fewer. */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    uint64_t share = limit.rlim_cur / 5 * 3;
    if (share < CONNECTIONS_MIN) {
        return CONNECTIONS_MIN;
    }
    return share < LISTENER_CONNECTIONS_MAX ? (uint32_t)share : LISTENER_CONNECTIONS_MAX;
}

static enum status open_listener(struct server *server, const struct server_options *options,
                                 struct error *error)
{
    struct address address;
    struct sockaddr_storage socket_address;
    struct error why;
    struct listener_options listener_options = {
        .loop = &server->loop,
        .group = &server->group,
        .connections_max = server->connections_max,
        .context = server,
        .on_request = server_on_request,
        .secret = server_secret_current,
        .on_node = server_on_node,
        .on_misbehaviour = server_on_misbehaviour,
    };

    enum status status = options_parse_listen(options->listen, options->insecure, &address,
                                              &socket_address, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = listener_new(&listener_options, &socket_address, &server->listener, &why);
    if (status != STATUS_OK) {
        server->listener = NULL;
        error->code = status;
        snprintf(error->text, sizeof error->text, "listen on %.64s: %.160s", options->listen,
                 why.text);
        return status;
    }
    address.port = listener_port(server->listener);
    server_secret_note_socket(server, &socket_address);
    if (!address_format(&address, server->address)) {
        return fail(error, STATUS_REFUSED, "listen on", options->listen);
    }
    return STATUS_OK;
}

/* What a forming node is told in common with the others: every address, its own included. */
static void add_self(struct address_list *list, const char *address)
{
    memcpy(list->addresses[list->count++], address, ADDRESS_SIZE);
    qsort(list->addresses, list->count, ADDRESS_SIZE, address_compare);
}

static enum status check_counts(const struct server *server,
                                const struct server_options *options, struct error *error)
{
    const struct ring *ring = &server->data.identity.ring;
    uint16_t partitions = options->partition_count;
    uint16_t replicas = options->replica_count;

    if (!server->data.identity.has_ring) {
        return STATUS_OK;
    }
    if ((partitions != 0 && partitions != ring->partition_count) ||
        (replicas != 0 && replicas != ring->replica_count)) {
        error->code = STATUS_REFUSED;
        snprintf(error->text, sizeof error->text,
                 "data directory: %.150s: its cluster has %u partitions and %u replicas for "
                 "ever",
                 options->data_directory, (unsigned)ring->partition_count,
                 (unsigned)ring->replica_count);
        return STATUS_REFUSED;
    }
    return STATUS_OK;
}

static enum status open_core(struct server *server, const struct server_options *options,
                             struct error *error)
{
    const struct store_identity *identity = &server->data.identity;
    struct core_config config = {
        .node = identity->node,
        .incarnation = identity->incarnation,
        .ring = identity->has_ring ? &identity->ring : NULL,
        .is_source = options->is_source,
        .is_incomplete = identity->has_ring && !identity->is_complete,
        .partition_count = PARTITIONS_DEFAULT,
        .replica_count = REPLICAS_DEFAULT,
    };
    struct address_list seeds;

    enum status status = options_parse_addresses(options->join, server->address, &seeds, error);
    if (status == STATUS_OK) {
        status = server_data_random(&config.random_seed, error);
    }
    if (status == STATUS_OK) {
        status = server_data_random(&server->random, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(config.address, server->address, sizeof config.address);
    config.seed_count = seeds.count;
    config.seeds = (const char(*)[ADDRESS_SIZE])seeds.addresses;
    if (options->partition_count != 0) {
        config.partition_count = options->partition_count;
    }
    if (options->replica_count != 0) {
        config.replica_count = options->replica_count;
    }
    server->core = core_new(&config);
    server->outbox = calloc(1, sizeof *server->outbox);
    if (!server->core || !server->outbox) {
        return fail(error, STATUS_NO_MEMORY, "start node", server->address);
    }
    set_disk_figures(server);
    server->seeds = seeds;
    add_self(&server->seeds, server->address);
    return STATUS_OK;
}

static enum status open_executor(struct server *server, const struct server_options *options,
                                 struct error *error)
{
    struct executor_options executor_options = {
        .state = &server->data.state,
        .always_queue = options->store_always_queue,
        .wake = wake,
        .wake_context = server,
    };

    enum status status = executor_new(&executor_options, &server->executor);
    if (status != STATUS_OK) {
        server->executor = NULL;
        return fail(error, status, "start store threads", options->data_directory);
    }
    return STATUS_OK;
}

/* The lock first, so that a second node on one directory hears of that and not of its port; the
 * port before anything is written. */
static enum status open_all(struct server *server, const struct server_options *options,
                            struct error *error)
{
    node_id expect = 0;
    enum status status =
        options_check_counts(options->partition_count, options->replica_count, error);

    /* Before the databases: they use a share of what is allowed then. */
    server->connections_max = raise_descriptors();
    if (status == STATUS_OK && options->expect) {
        status = options_parse_identity(options->expect, &expect, error);
    }
    if (status == STATUS_OK && expect != 0) {
        status = server_data_expect(options->data_directory, expect, error);
    }
    if (status == STATUS_OK) {
        status = server_data_open(&server->data, options->data_directory, false, error);
    }
    if (status == STATUS_OK) {
        status = server_data_check(&server->data, expect, error);
    }
    if (status == STATUS_OK) {
        status = open_loop(server, error);
    }
    if (status == STATUS_OK) {
        status = open_listener(server, options, error);
    }
    if (status == STATUS_OK) {
        status = server_data_identify(&server->data, error);
    }
    if (status == STATUS_OK) {
        status = check_counts(server, options, error);
    }
    if (status == STATUS_OK && options->is_source && !server->data.identity.has_ring) {
        status =
            fail(error, STATUS_REFUSED, "--source: no member's data", options->data_directory);
    }
    if (status == STATUS_OK && !options->is_source) {
        status = server_data_settle(&server->data, server->address, error);
    }
    if (status == STATUS_OK) {
        status = open_core(server, options, error);
    }
    if (status == STATUS_OK) {
        status = open_executor(server, options, error);
    }
    if (status == STATUS_OK) {
        status = server_secret_open(server, options, error);
    }
    if (status == STATUS_OK) {
        status = server_data_publish(&server->data, server->address, error);
    }
    return status;
}

enum status server_new(const struct server_options *options, struct server **ret_server,
                       struct error *error)
{
    assert(options && options->listen);
    assert(ret_server && error);
    struct server *server = calloc(1, sizeof *server);

    if (!server) {
        return fail(error, STATUS_NO_MEMORY, "start node", options->listen);
    }
    server->last_unsent = &server->first_unsent;
    enum status status = open_all(server, options, error);
    if (status != STATUS_OK) {
        server_free(server);
        return status;
    }
    log_init(&server->log, stderr, server->address);
    *ret_server = server;
    return STATUS_OK;
}

const char *server_address(const struct server *server)
{
    return server->address;
}

/* A write to a connection that was reset must be an error here, not the end of the process. */
static void block_broken_pipe_signal(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

enum status server_run(struct server *server, struct error *error)
{
    struct event first = {.type = EVENT_TICK};

    assert(server->state == SERVER_NEW);
    assert(error);
    block_broken_pipe_signal();
    server->state = SERVER_RUNNING;
    (void)uv_prepare_start(&server->prepare, on_prepare);
    (void)uv_timer_start(&server->disk, on_disk_timer, SERVER_DISK_INTERVAL_MS,
                         SERVER_DISK_INTERVAL_MS);
    log_write(&server->log, LOG_LEVEL_INFO, "started", "data", server->data.directory,
              "clean_stop_before", server->data.identity.was_clean ? "yes" : "no", NULL);
    server_secret_report(server);
    server->disk_watch = (struct server_disk){.loop = &server->loop,
                                              .data = &server->data,
                                              .core = server->core,
                                              .log = &server->log};
    server_disk_start(&server->disk_watch);
    server_pump(server, &first);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    enum status status = server_close(server, error);
    log_write(&server->log, LOG_LEVEL_INFO, "stopped", NULL);
    log_release(&server->log);
    if (status == STATUS_OK && server->is_refused) {
        error->code = STATUS_REFUSED;
        snprintf(error->text, sizeof error->text, "join: %s", server->refusal);
        return STATUS_REFUSED;
    }
    return status;
}

void server_stop(struct server *server)
{
    (void)uv_async_send(&server->stop);
}
