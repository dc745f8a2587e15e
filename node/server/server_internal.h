/*
 * server_internal.h - the server's own state, shared by its files.
 *
 *   server.c        made and run
 *   server_end.c    drained, closed, freed
 *   server_pump.c   events into the core, actions out of it
 *   server_data.c   the data directory
 *   server_secret.c the cluster's secret, and the greetings of peers
 */
#ifndef NODE_SERVER_SERVER_INTERNAL_H
#define NODE_SERVER_SERVER_INTERNAL_H

#include "node/core/core.h"
#include "node/net/listener.h"
#include "node/net/peer.h"
#include "node/server/log.h"
#include "node/server/options.h"
#include "node/server/server.h"
#include "node/server/server_data.h"
#include "node/server/server_disk.h"
#include "node/server/server_secret.h"
#include "node/store/executor.h"

enum {
    SERVER_PEERS_MAX = 2 * MEMBERS_MAX, /* members and seeds */
    SERVER_DRAIN_MS = 5000,
    SERVER_DISK_INTERVAL_MS = 1000,
};

/*
 *   NEW --server_run--> RUNNING --server_stop, refusal--> DRAINING --in flight 0, 5 s--> CLOSED
 *    +------------------------- server_free ---------------------------------------------^
 */
enum server_state { SERVER_NEW, SERVER_RUNNING, SERVER_DRAINING, SERVER_CLOSED };

/* A request that could not be sent: the core gets this answer instead. */
struct unsent {
    struct unsent *next;
    uint16_t peer;
    struct message reply;
};

struct server {
    enum server_state state;
    uv_loop_t loop;
    bool has_loop;
    uv_prepare_t prepare; /* before the loop waits */
    uv_async_t wake;      /* store results are there */
    uv_async_t stop;
    uv_timer_t tick;  /* core_deadline */
    uv_timer_t disk;  /* figures of the disk */
    uv_timer_t drain; /* bounds DRAINING */

    char address[ADDRESS_SIZE];
    struct address_list seeds; /* the own address among them, sorted */
    struct server_data data;
    struct server_secret secret;
    struct server_disk disk_watch;
    struct log log;

    struct core *core;
    struct outbox *outbox;
    struct executor *executor;
    struct listener *listener;
    uint32_t connections_max;
    struct peer *peers[SERVER_PEERS_MAX];
    struct connection_group group;
    struct unsent *first_unsent;
    struct unsent **last_unsent;
    bool is_pumping;
    uint64_t random;

    bool is_refused;
    char refusal[192];
};

/* Gives the core one event (or none) and does all that follows from it. */
void server_pump(struct server *server, struct event *event);

/* Begins to drain. */
void server_begin_stop(struct server *server);
/* True if nothing is in flight any more. */
bool server_is_drained(const struct server *server);
/* Closes all but what server_stop needs; a second time it does nothing. */
MUST_CHECK enum status server_close(struct server *server, struct error *error);

/* The callbacks of listener and peers. */
void server_on_request(void *context, uint64_t handle, enum role role, struct message *message);
void server_on_node(void *context, const char *address);
void server_on_misbehaviour(void *context, const char *remote, enum status status,
                            const char *text);

#endif
