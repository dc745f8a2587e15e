/*
 * server_end.c - how a server ends: it answers what is in flight, then all is closed.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/server/server_internal.h"

static void on_drain_timeout(uv_timer_t *timer)
{
    struct server *server = timer->data;

    log_write(&server->log, LOG_LEVEL_WARNING, "drain_timeout", "text",
              "stopped with requests in flight", NULL);
    uv_stop(&server->loop);
}

void server_begin_stop(struct server *server)
{
    if (server->state != SERVER_RUNNING) {
        return;
    }
    server->state = SERVER_DRAINING;
    core_drain(server->core);
    listener_stop(server->listener);
    (void)uv_timer_start(&server->drain, on_drain_timeout, SERVER_DRAIN_MS, 0);
    log_write(&server->log, LOG_LEVEL_INFO, "stopping", NULL);
}

bool server_is_drained(const struct server *server)
{
    return core_requests_in_flight(server->core) == 0 && listener_is_flushed(server->listener);
}

static void close_handle(uv_handle_t *handle)
{
    /* One that was never initialised has no loop. */
    if (handle->loop && !uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void close_network(struct server *server)
{
    listener_close(server->listener);
    server->listener = NULL;
    for (size_t i = 0; i < SERVER_PEERS_MAX; i++) {
        peer_close(server->peers[i]);
        server->peers[i] = NULL;
    }
    close_handle((uv_handle_t *)&server->prepare);
    close_handle((uv_handle_t *)&server->wake);
    close_handle((uv_handle_t *)&server->tick);
    close_handle((uv_handle_t *)&server->disk);
    close_handle((uv_handle_t *)&server->drain);
    if (server->stop.loop) {
        /* It stays: server_stop may come until server_free. */
        uv_unref((uv_handle_t *)&server->stop);
    }
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
}

static void free_unsent(struct server *server)
{
    while (server->first_unsent) {
        struct unsent *unsent = server->first_unsent;
        server->first_unsent = unsent->next;
        message_release(&unsent->reply);
        free(unsent);
    }
}

/* The threads first, for they wake the loop; then the connections, which hold nothing that is
 * still wanted; the store last. */
enum status server_close(struct server *server, struct error *error)
{
    if (server->state == SERVER_CLOSED) {
        return STATUS_OK;
    }
    server->state = SERVER_CLOSED;
    executor_free(server->executor);
    server->executor = NULL;
    if (server->has_loop) {
        close_network(server);
    }
    free_unsent(server);
    server_secret_close(server);
    core_free(server->core);
    server->core = NULL;
    free(server->outbox);
    server->outbox = NULL;
    return server_data_close(&server->data, error);
}

void server_free(struct server *server)
{
    struct error ignored;

    if (!server) {
        return;
    }
    /* Only a server that never ran still has something to close: no data to lose. */
    (void)!server_close(server, &ignored);
    if (server->has_loop) {
        close_handle((uv_handle_t *)&server->stop);
        (void)uv_run(&server->loop, UV_RUN_DEFAULT);
        int failure = uv_loop_close(&server->loop);
        assert(failure == 0);
    }
    free(server);
}
