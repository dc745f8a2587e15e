/*
 * server_pump.c - events into the core, actions out of it.
 *
 * The only place that calls core_step. What an action brings about at once (a store result, a
 * message that cannot be sent) is queued and fed after the step, so that nothing recurses.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/now.h"
#include "node/server/server_internal.h"

static void on_hello_wanted(void *context, struct message *ret_hello)
{
    const struct server *server = context;
    const struct ring *ring = core_ring(server->core);
    struct message_hello *hello = &ret_hello->hello;

    hello->role = ROLE_NODE;
    hello->cluster_id = ring ? ring->cluster_id : 0;
    hello->node = server->data.identity.node;
    hello->forming = !ring;
    memcpy(hello->address, server->address, sizeof hello->address);
    ret_hello->ring_epoch = core_ring_mark(server->core);
    if (!hello->forming) {
        return;
    }
    hello->seeds = calloc(server->seeds.count, ADDRESS_SIZE);
    if (hello->seeds) {
        hello->seed_count = server->seeds.count;
        memcpy(hello->seeds, server->seeds.addresses,
               (size_t)server->seeds.count * ADDRESS_SIZE);
    }
}

static void on_peer_up(void *context, uint16_t number, struct message *hello_reply)
{
    struct server *server = context;
    struct event event = {.type = EVENT_PEER_UP, .peer = number, .message = hello_reply};

    server->secret.denials = 0;
    log_write(&server->log, LOG_LEVEL_INFO, "peer_up", "peer",
              peer_address(server->peers[number]), NULL);
    server_pump(server, &event);
}

static void on_peer_reply(void *context, uint16_t number, struct message *reply)
{
    struct event event = {.type = EVENT_RESPONSE, .peer = number, .message = reply};

    server_pump(context, &event);
}

static void on_peer_down(void *context, uint16_t number, const char *text)
{
    struct server *server = context;
    struct event event = {.type = EVENT_PEER_DOWN, .peer = number};

    log_write(&server->log, LOG_LEVEL_WARNING, "peer_down", "peer",
              peer_address(server->peers[number]), "reason", text, NULL);
    server_pump(server, &event);
}

static void end_refused(struct server *server, const char *address, const char *text,
                        const char *more)
{
    server->is_refused = true;
    snprintf(server->refusal, sizeof server->refusal, "%s: %.100s%s", address, text, more);
    server_begin_stop(server);
}

/* A node that was to be joined is of another cluster: going on alone would pretend that it was
 * joined. A member of our own ring is none of that; its address may have found another use. */
static void judge_refusal(struct server *server, const char *address, const char *text)
{
    const struct ring *ring = core_ring(server->core);

    if (!ring || ring_find_address(ring, address) >= 0 || server->is_refused) {
        return;
    }
    end_refused(server, address, text, "; the data directory holds a cluster of its own");
}

/* Without the secret nothing can be joined or formed, and waiting does not bring it. */
static void judge_denial(struct server *server, const char *address, const char *text)
{
    if (!core_ring(server->core) && !server->is_refused &&
        ++server->secret.denials >= SERVER_DENIALS_MAX) {
        end_refused(server, address, text, "");
    }
}

static void on_peer_failed(void *context, uint16_t number, enum status status, const char *text)
{
    struct server *server = context;

    core_count(server->core, "peer_attempts_failed", 1);
    log_write(&server->log, LOG_LEVEL_WARNING, "peer_failed", "peer",
              peer_address(server->peers[number]), "status", status_name(status), "reason",
              text, NULL);
    if (status == STATUS_DENIED) {
        core_count(server->core, "peers_denied", 1);
        judge_denial(server, peer_address(server->peers[number]), text);
    }
    if (status == STATUS_REFUSED) {
        judge_refusal(server, peer_address(server->peers[number]), text);
    }
}

/* A node that was let in can surely be connected to: one that comes back need not be waited for
 * until the backoff is over. */
void server_on_node(void *context, const char *address)
{
    struct server *server = context;

    for (size_t i = 0; i < SERVER_PEERS_MAX; i++) {
        struct peer *peer = server->peers[i];
        if (peer && address_equal(peer_address(peer), address)) {
            peer_hurry(peer);
        }
    }
}

void server_on_request(void *context, uint64_t handle, enum role role, struct message *message)
{
    struct event event = {
        .type = EVENT_REQUEST, .handle = handle, .role = role, .message = message};

    server_pump(context, &event);
}

void server_on_misbehaviour(void *context, const char *remote, enum status status,
                            const char *text)
{
    struct server *server = context;
    const char *counter = "connections_misbehaved";

    if (status == STATUS_BAD_VERSION) {
        counter = "connections_bad_version";
    } else if (status == STATUS_BUSY) {
        counter = "connections_overflowed";
    } else if (status == STATUS_TIMEOUT) {
        counter = "connections_timed_out";
    } else if (status == STATUS_DENIED) {
        counter = "connections_denied";
    }
    core_count(server->core, counter, 1);
    log_write(&server->log, LOG_LEVEL_WARNING, counter, "remote", remote, "status",
              status_name(status), "reason", text, NULL);
}

static void carry_out_connect(struct server *server, const struct action *action)
{
    assert(action->peer < SERVER_PEERS_MAX);
    struct peer **slot = &server->peers[action->peer];

    if (*slot) {
        /* A peer's number stands for one address as long as the core lives. */
        assert(address_equal(peer_address(*slot), action->address));
        return;
    }
    struct peer_options options = {
        .loop = &server->loop,
        .group = &server->group,
        .number = action->peer,
        .address = action->address,
        .random_seed = server->random + action->peer,
        .context = server,
        .fill_hello = on_hello_wanted,
        .prove = server_secret_prove,
        .on_up = on_peer_up,
        .on_reply = on_peer_reply,
        .on_down = on_peer_down,
        .on_failed = on_peer_failed,
    };
    enum status status = peer_new(&options, slot);
    if (status != STATUS_OK) {
        *slot = NULL;
        log_write(&server->log, LOG_LEVEL_ERROR, "peer_unusable", "peer", action->address,
                  "reason", status_text(status), NULL);
    }
}

/* The core learns at once what it would otherwise wait a deadline for. If memory is too short
 * even for that, the deadline it is. */
static void answer_unsent(struct server *server, const struct action *action,
                          enum status status)
{
    struct unsent *unsent = calloc(1, sizeof *unsent);

    core_count(server->core, "requests_unsent", 1);
    if (!unsent) {
        return;
    }
    unsent->peer = action->peer;
    /* A request's reply type follows it. */
    unsent->reply.type = (enum message_type)(action->message.type + 1);
    unsent->reply.request_id = action->message.request_id;
    unsent->reply.status = status;
    *server->last_unsent = unsent;
    server->last_unsent = &unsent->next;
}

static void carry_out_send(struct server *server, const struct action *action)
{
    assert(action->peer < SERVER_PEERS_MAX);
    struct peer *peer = server->peers[action->peer];

    if (!peer) {
        return;
    }
    enum status status = peer_send(peer, &action->message);
    if (status != STATUS_OK && status != STATUS_CLOSED) {
        answer_unsent(server, action, status);
    }
}

static void carry_out_note(struct server *server, const struct action *action)
{
    struct log *log = &server->log;
    const char *text = action->text;

    switch (action->note) {
    case NOTE_FORMED:
        log_write(log, LOG_LEVEL_INFO, "cluster_formed", "ring", text, NULL);
        break;
    case NOTE_JOINED:
        log_write(log, LOG_LEVEL_INFO, "cluster_joined", "ring", text, NULL);
        break;
    case NOTE_RING_CHANGED:
        log_write(log, LOG_LEVEL_INFO, "ring_changed", "ring", text, NULL);
        break;
    case NOTE_JOIN_REFUSED:
        log_write(log, LOG_LEVEL_ERROR, "join_refused", "reason", text, NULL);
        server->is_refused = true;
        snprintf(server->refusal, sizeof server->refusal, "%.190s", text);
        server_begin_stop(server);
        break;
    case NOTE_JOIN_WAITS:
        log_write(log, LOG_LEVEL_WARNING, "waits", "reason", text, NULL);
        break;
    case NOTE_RING_REFUSED:
        log_write(log, LOG_LEVEL_ERROR, "ring_refused", "reason", text, NULL);
        break;
    case NOTE_RING_SPLIT:
        log_write(log, LOG_LEVEL_ERROR, "ring_split", "reason", text, NULL);
        break;
    case NOTE_PEER_REFUSED:
        log_write(log, LOG_LEVEL_WARNING, "peer_refused", "reason", text, NULL);
        break;
    case NOTE_CLOCK_AHEAD:
        log_write(log, LOG_LEVEL_WARNING, "clock_ahead", "by", text, NULL);
        break;
    case NOTE_CORRUPT:
        log_write(log, LOG_LEVEL_ERROR, "corrupt", "key", text, NULL);
        break;
    case NOTE_COPY_REFUSED:
        log_write(log, LOG_LEVEL_ERROR, "copy_refused", "key", text, NULL);
        break;
    case NOTE_SALVAGED:
        log_write(log, LOG_LEVEL_WARNING, "salvaged", "done", text, NULL);
        break;
    case NOTE_OLD_COPY:
        log_write(log, LOG_LEVEL_ERROR, "old_copy", "reason", text, NULL);
        break;
    case NOTE_REFILLED:
        log_write(log, LOG_LEVEL_INFO, "refilled", "by", text, NULL);
        break;
    }
}

static void carry_out(struct server *server, struct action *action)
{
    switch (action->type) {
    case ACTION_CONNECT:
        carry_out_connect(server, action);
        break;
    case ACTION_SEND:
        carry_out_send(server, action);
        break;
    case ACTION_REPLY:
        listener_reply(server->listener, action->handle, &action->message, action->close);
        break;
    case ACTION_STORE:
        executor_submit_take(server->executor, &action->request);
        break;
    case ACTION_NOTE:
        carry_out_note(server, action);
        break;
    }
}

static void step(struct server *server, struct event *event)
{
    struct outbox *outbox = server->outbox;

    event->now_us = now_monotonic_us();
    event->wall_us = now_wall_us();
    core_step(server->core, event, outbox);
    assert(outbox->count <= OUTBOX_ACTIONS_MAX);
    for (uint32_t i = 0; i < outbox->count; i++) {
        carry_out(server, &outbox->actions[i]);
        action_release(&outbox->actions[i]);
    }
    outbox->count = 0;
}

static bool step_stored(struct server *server)
{
    struct store_result result;

    if (!executor_collect(server->executor, &result)) {
        return false;
    }
    if (result.status == STATUS_IO || result.status == STATUS_NO_SPACE) {
        server_disk_look(&server->disk_watch, true);
    }
    struct event event = {.type = EVENT_STORED, .result = &result};
    step(server, &event);
    store_result_release(&result);
    return true;
}

static bool step_unsent(struct server *server)
{
    struct unsent *unsent = server->first_unsent;

    if (!unsent) {
        return false;
    }
    server->first_unsent = unsent->next;
    if (!server->first_unsent) {
        server->last_unsent = &server->first_unsent;
    }
    struct event event = {
        .type = EVENT_RESPONSE, .peer = unsent->peer, .message = &unsent->reply};
    step(server, &event);
    message_release(&unsent->reply);
    free(unsent);
    return true;
}

void server_pump(struct server *server, struct event *event)
{
    assert(!server->is_pumping);
    server->is_pumping = true;
    if (event) {
        step(server, event);
    }
    while (step_stored(server) || step_unsent(server)) {
    }
    server->is_pumping = false;
}
