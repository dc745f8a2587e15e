/*
 * fake_node.c - see fake_node.h.
 */
#include "tests/client/fake_node.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/base/registry.h"
#include "node/client/socket.h"
#include "node/wire/codec.h"
#include "node/wire/frame.h"
#include "node/wire/greeting.h"

enum { SCRIPT_MAX = 64, CONNECTIONS_MAX = 1024, HINT_OWNERS_MAX = 4 };

struct fake_connection {
    struct fake_node *node;
    pthread_t thread;
    struct greeting said;
    int fd; /* closed by fake_node_free, so that its number is not used again before */
};

struct fake_node {
    struct kv *store;
    int listener;
    char address[ADDRESS_SIZE];
    char claimed_address[ADDRESS_SIZE];
    pthread_t acceptor;
    struct secret secret;
    struct registry registry;

    pthread_mutex_t lock; /* around all below */
    bool is_stopped;
    bool is_frozen;
    pthread_cond_t thawed;
    uint32_t delay_ms;
    struct step script[SCRIPT_MAX];
    unsigned step_count;
    unsigned step_next;
    bool has_always;
    struct step always;
    bool has_ring;
    struct ring ring;
    uint64_t cluster_id;
    node_id id;
    struct statistic statistic; /* its name is "" if there is none */
    struct hint_owner hints[HINT_OWNERS_MAX];
    uint16_t hint_count;
    struct message_repair_reply repair[SCRIPT_MAX];
    unsigned repair_count;
    unsigned repair_next;
    enum status greeting_status;
    enum fake_proof proof;
    unsigned proofs;
    struct fake_connection connections[CONNECTIONS_MAX];
    unsigned connection_count;
    unsigned ring_requests;
    struct fake_request requests[FAKE_REQUESTS_MAX];
    unsigned request_count;
};

static bool send_bytes(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool send_message(int fd, const struct message *message, bool is_slow)
{
    struct buffer frame = {0};
    bool is_sent = frame_append(message, &frame) == STATUS_OK;
    if (is_slow) {
        for (size_t i = 0; is_sent && i < frame.size; i++) {
            is_sent = send_bytes(fd, frame.data + i, 1);
        }
    } else if (is_sent) {
        is_sent = send_bytes(fd, frame.data, frame.size);
    }
    buffer_release(&frame);
    return is_sent;
}

static bool send_twice(int fd, const struct message *message)
{
    struct buffer frame = {0};
    bool is_sent = frame_append(message, &frame) == STATUS_OK;
    size_t size = frame.size;
    uint8_t *again = is_sent ? buffer_reserve(&frame, size) : NULL;
    if (again) {
        memcpy(again, frame.data, size);
        is_sent = send_bytes(fd, frame.data, frame.size);
    }
    buffer_release(&frame);
    return is_sent;
}

/* Reads the next message. False once the connection has ended. */
static bool receive_message(int fd, struct frame_splitter *input, struct message *ret_message)
{
    struct slice payload;
    while (frame_splitter_next(input, &payload) != STATUS_OK) {
        size_t room;
        uint8_t *space = frame_splitter_space(input, 4096, &room);
        ssize_t size = space ? recv(fd, space, room, 0) : 0;
        if (size <= 0) {
            return false;
        }
        frame_splitter_received(input, (size_t)size);
    }
    return codec_decode(payload, ret_message) == STATUS_OK;
}

static void serve_put(struct fake_node *node, const struct message_put *from,
                      struct message *reply)
{
    struct kv_put put = {
        .key = blob_slice(from->key),
        .mode = from->mode,
        .context = {.count = from->context_count, .pair = from->context},
        .dots = from->dots,
        .dot_count = from->dot_count,
        .value = from->has_value ? &from->value : NULL,
        .sync = from->sync,
    };
    reply->status = kv_put(node->store, &put, NULL, &reply->put_reply.row);
}

static void serve_list(struct fake_node *node, const struct message_list *from,
                       struct message *reply)
{
    struct kv_list list = {
        .directory = blob_slice(from->directory),
        .start = blob_slice(from->start),
        .after_start = from->after_start,
        .end = blob_slice(from->end),
        .end_is_prefix = from->end_is_prefix,
        .limit = from->limit,
    };
    struct kv_rows rows = {0};
    reply->status = kv_list(node->store, &list, NULL, &rows);
    reply->list_reply = (struct message_list_reply){.row_count = (uint16_t)rows.count,
                                                    .rows = rows.rows,
                                                    .more = rows.more,
                                                    .resume = rows.resume};
}

static void serve_status(struct fake_node *node, struct message_status_reply *reply)
{
    reply->ready = true;
    reply->disk_total = 1000;
    reply->disk_free = 400;
    memcpy(reply->address, node->address, sizeof node->address);
    pthread_mutex_lock(&node->lock);
    reply->node = node->id;
    if (node->statistic.name[0] != '\0') {
        reply->stats = malloc(sizeof *reply->stats);
        assert(reply->stats);
        reply->stats[0] = node->statistic;
        reply->stat_count = 1;
    }
    pthread_mutex_unlock(&node->lock);
}

static void serve_hints(struct fake_node *node, struct message_hints_reply *reply)
{
    pthread_mutex_lock(&node->lock);
    reply->owners = malloc(sizeof node->hints);
    assert(reply->owners);
    memcpy(reply->owners, node->hints, sizeof node->hints);
    reply->count = node->hint_count;
    pthread_mutex_unlock(&node->lock);
}

static void serve_repair(struct fake_node *node, struct message_repair_reply *reply)
{
    pthread_mutex_lock(&node->lock);
    if (node->repair_count > 0) {
        *reply = node->repair[node->repair_next];
        node->repair_next += node->repair_next + 1 < node->repair_count;
    }
    pthread_mutex_unlock(&node->lock);
}

/* Does what is asked and fills the reply. */
static void serve(struct fake_node *node, const struct message *request, struct message *reply)
{
    if (request->type == MESSAGE_GET) {
        reply->status =
            kv_get(node->store, blob_slice(request->get.key), NULL, &reply->get_reply.object);
    } else if (request->type == MESSAGE_PUT) {
        serve_put(node, &request->put, reply);
    } else if (request->type == MESSAGE_LIST) {
        serve_list(node, &request->list, reply);
    } else if (request->type == MESSAGE_STATUS) {
        serve_status(node, &reply->status_reply);
    } else if (request->type == MESSAGE_HINTS) {
        serve_hints(node, &reply->hints_reply);
    } else if (request->type == MESSAGE_REPAIR) {
        serve_repair(node, &reply->repair_reply);
    }
}

static void fill_corrupt(struct message *reply)
{
    struct dot dot = {.actor = {1, 1}, .counter = 1};
    struct clock clock = {.count = 1, .pair = &dot};
    struct version version = {.dot = dot,
                              .attributes = {.type = VERSION_FILE, .size = 3},
                              .content = blob_new(slice_of_string("bad"))};
    enum status status =
        object_new(&clock, &version, 1, (struct actor){0}, &reply->get_reply.object);
    assert(status == STATUS_OK);
    (void)status;
    blob_unref(version.content);
}

static void fill_stuck(struct message *reply)
{
    reply->list_reply.more = true;
    reply->list_reply.resume = blob_new(slice_of_string("!"));
}

/* The bytes of a step that sends no message. */
static bool send_malformed(int fd, enum step_kind kind)
{
    static const uint8_t garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const uint8_t huge[] = {'D', 'y', 'n', PROTOCOL_VERSION, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t version[] = {'D', 'y', 'n', PROTOCOL_VERSION + 1, 0, 0, 0, 1, 0};
    switch (kind) {
    case STEP_GARBAGE:
        return send_bytes(fd, garbage, sizeof garbage);
    case STEP_HUGE:
        return send_bytes(fd, huge, sizeof huge);
    case STEP_VERSION:
        return send_bytes(fd, version, sizeof version);
    case STEP_SERVE:
    case STEP_STATUS:
    case STEP_CLOSE:
    case STEP_SERVE_CLOSE:
    case STEP_SILENT:
    case STEP_SLOW:
    case STEP_WRONG_ID:
    case STEP_WRONG_TYPE:
    case STEP_TWICE:
    case STEP_CORRUPT:
    case STEP_STUCK_LIST:
        break;
    }
    return false;
}

/* Answers a request as the step says. False: the connection is to be closed. */
static bool answer(struct fake_connection *connection, struct step step,
                   const struct message *request, struct message *reply)
{
    struct fake_node *node = connection->node;
    bool is_served = step.kind == STEP_SERVE || step.kind == STEP_SERVE_CLOSE ||
                     step.kind == STEP_SLOW || step.kind == STEP_WRONG_ID ||
                     step.kind == STEP_TWICE;
    if (is_served) {
        serve(node, request, reply);
    }
    if (step.kind == STEP_CLOSE || step.kind == STEP_SERVE_CLOSE) {
        return false;
    }
    if (step.kind == STEP_SILENT) {
        return true;
    }
    if (step.kind == STEP_GARBAGE || step.kind == STEP_HUGE || step.kind == STEP_VERSION) {
        return send_malformed(connection->fd, step.kind);
    }
    if (step.kind == STEP_STATUS) {
        reply->status = step.status;
    } else if (step.kind == STEP_WRONG_ID) {
        reply->request_id++;
    } else if (step.kind == STEP_WRONG_TYPE) {
        reply->type = MESSAGE_RING_REPLY;
    } else if (step.kind == STEP_CORRUPT) {
        fill_corrupt(reply);
    } else if (step.kind == STEP_STUCK_LIST) {
        fill_stuck(reply);
    } else if (step.kind == STEP_TWICE) {
        return send_twice(connection->fd, reply);
    }
    return send_message(connection->fd, reply, step.kind == STEP_SLOW);
}

/* Notes the request and takes its step; the lock is held. */
static struct step note(struct fake_node *node, const struct message *request)
{
    struct fake_request noted = {.type = request->type};
    if (request->type == MESSAGE_PUT) {
        noted.deadline_ms = request->put.deadline_ms;
        memcpy(noted.write_id, request->put.value.write_id, WRITE_ID_SIZE);
    } else if (request->type == MESSAGE_GET) {
        noted.deadline_ms = request->get.deadline_ms;
    } else if (request->type == MESSAGE_LIST) {
        noted.deadline_ms = request->list.deadline_ms;
    } else if (request->type == MESSAGE_REPAIR) {
        noted.start = request->repair.start;
    }
    assert(node->request_count < FAKE_REQUESTS_MAX);
    node->requests[node->request_count++] = noted;
    if (node->has_always) {
        return node->always;
    }
    if (node->step_next < node->step_count) {
        return node->script[node->step_next++];
    }
    return (struct step){.kind = STEP_SERVE};
}

/* Greets back; the lock is held. */
static void greet(struct fake_connection *connection, const struct message *hello,
                  struct message *reply)
{
    struct fake_node *node = connection->node;
    struct secret secret = node->secret;
    reply->status = node->greeting_status;
    reply->hello = (struct message_hello){.protocol = PROTOCOL_VERSION,
                                          .role = ROLE_NODE,
                                          .cluster_id = node->cluster_id,
                                          .node = node->id};
    memcpy(reply->hello.address, node->claimed_address, sizeof node->claimed_address);
    if (reply->status != STATUS_OK || node->proof == FAKE_PROOF_NONE) {
        return;
    }
    enum status status = greeting_note_hello(&connection->said, hello);
    assert(status == STATUS_OK);
    status = greeting_note_reply(&connection->said, reply);
    assert(status == STATUS_OK);
    (void)status;
    secret.bytes[0] ^= node->proof == FAKE_PROOF_WRONG;
    greeting_prove(&connection->said, &secret, GREETING_OTHER_END, reply->hello.proof);
    reply->hello.has_proof = true;
}

/* Takes the opener's proof; the lock is held. */
static void take_proof(struct fake_connection *connection, const struct message *proof)
{
    struct fake_node *node = connection->node;
    node->proofs += greeting_is_proved(&connection->said, &node->secret, GREETING_OPENER,
                                       proof->proof.proof);
}

static bool handle(struct fake_connection *connection, const struct message *request)
{
    struct fake_node *node = connection->node;
    struct message reply = {.type = request->type + 1, .request_id = request->request_id};
    struct step step = {.kind = STEP_SERVE};
    uint32_t delay_ms = 0;
    pthread_mutex_lock(&node->lock);
    while (node->is_frozen) {
        pthread_cond_wait(&node->thawed, &node->lock);
    }
    reply.ring_epoch = node->has_ring ? node->ring.epoch : 0;
    if (request->type == MESSAGE_HELLO) {
        greet(connection, request, &reply);
    } else if (request->type == MESSAGE_PROOF) {
        take_proof(connection, request);
    } else if (request->type == MESSAGE_RING) {
        node->ring_requests++;
        reply.ring = node->has_ring ? malloc(sizeof *reply.ring) : NULL;
        if (reply.ring) {
            *reply.ring = node->ring;
        }
    } else {
        step = note(node, request);
        delay_ms = node->delay_ms;
    }
    pthread_mutex_unlock(&node->lock);
    (void)socket_pause_until(client_now_ns() + delay_ms * NS_PER_MS);
    bool goes_on = answer(connection, step, request, &reply);
    message_release(&reply);
    return goes_on;
}

static void *connection_run(void *argument)
{
    struct fake_connection *connection = argument;
    struct frame_splitter input = {.size_max = FRAME_SIZE_MAX};
    struct message request;
    bool goes_on = true;
    while (goes_on && receive_message(connection->fd, &input, &request)) {
        goes_on = handle(connection, &request);
        message_release(&request);
    }
    shutdown(connection->fd, SHUT_RDWR);
    frame_splitter_release(&input);
    return NULL;
}

static void *acceptor_run(void *argument)
{
    struct fake_node *node = argument;
    int fd;
    while ((fd = accept(node->listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&node->lock);
        assert(node->connection_count < CONNECTIONS_MAX);
        struct fake_connection *connection = &node->connections[node->connection_count];
        *connection = (struct fake_connection){.node = node, .fd = fd};
        if (pthread_create(&connection->thread, NULL, connection_run, connection) == 0) {
            node->connection_count++;
        } else {
            close(fd);
        }
        pthread_mutex_unlock(&node->lock);
    }
    return NULL;
}

static void leave_secret(struct fake_node *node)
{
    struct error error = {.text = ""};
    bool is_left =
        secret_make(&node->secret, &error) == STATUS_OK &&
        registry_lock(&node->registry, 10000, &error) == STATUS_OK &&
        registry_enter(&node->registry, node->address, &node->secret, &error) == STATUS_OK;
    if (!is_left) {
        fprintf(stderr, "fake node: %s\n", error.text);
    }
    assert(is_left);
    registry_unlock(&node->registry);
}

struct fake_node *fake_node_new(struct kv *shared)
{
    struct fake_node *node = calloc(1, sizeof *node);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof name;
    assert(node && shared);
    node->store = shared;
    node->id = 1;
    node->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failure = bind(node->listener, (struct sockaddr *)&name, sizeof name);
    failure |= listen(node->listener, 64);
    failure |= getsockname(node->listener, (struct sockaddr *)&name, &size);
    snprintf(node->address, sizeof node->address, "127.0.0.1:%u",
             (unsigned)ntohs(name.sin_port));
    memcpy(node->claimed_address, node->address, sizeof node->address);
    leave_secret(node);
    failure |= pthread_mutex_init(&node->lock, NULL);
    failure |= pthread_cond_init(&node->thawed, NULL);
    failure |= pthread_create(&node->acceptor, NULL, acceptor_run, node);
    assert(failure == 0);
    (void)failure;
    return node;
}

void fake_node_break_connections(struct fake_node *node)
{
    pthread_mutex_lock(&node->lock);
    unsigned count = node->connection_count;
    pthread_mutex_unlock(&node->lock);
    for (unsigned i = 0; i < count; i++) {
        struct fake_connection *connection = &node->connections[i];
        if (connection->fd >= 0) {
            shutdown(connection->fd, SHUT_RDWR);
            pthread_join(connection->thread, NULL);
            close(connection->fd);
            connection->fd = -1;
        }
    }
}

void fake_node_stop(struct fake_node *node)
{
    if (!node->is_stopped) {
        fake_node_thaw(node); /* or its threads would never end */
        node->is_stopped = true;
        shutdown(node->listener, SHUT_RDWR);
        pthread_join(node->acceptor, NULL);
        close(node->listener);
        fake_node_break_connections(node);
    }
}

void fake_node_set_proof(struct fake_node *node, enum fake_proof proof)
{
    pthread_mutex_lock(&node->lock);
    node->proof = proof;
    pthread_mutex_unlock(&node->lock);
}

unsigned fake_node_proofs(struct fake_node *node)
{
    pthread_mutex_lock(&node->lock);
    unsigned proofs = node->proofs;
    pthread_mutex_unlock(&node->lock);
    return proofs;
}

void fake_node_set_claimed_address(struct fake_node *node, const char *address)
{
    pthread_mutex_lock(&node->lock);
    snprintf(node->claimed_address, sizeof node->claimed_address, "%s", address);
    pthread_mutex_unlock(&node->lock);
}

void fake_node_free(struct fake_node *node)
{
    if (node) {
        fake_node_stop(node);
        registry_leave(&node->registry);
        pthread_cond_destroy(&node->thawed);
        pthread_mutex_destroy(&node->lock);
        free(node);
    }
}

const char *fake_node_address(const struct fake_node *node)
{
    return node->address;
}

void fake_node_script(struct fake_node *node, const struct step *steps, unsigned count)
{
    assert(count <= SCRIPT_MAX);
    pthread_mutex_lock(&node->lock);
    memcpy(node->script, steps, count * sizeof *steps);
    node->step_count = count;
    node->step_next = 0;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_always(struct fake_node *node, struct step step)
{
    pthread_mutex_lock(&node->lock);
    node->has_always = true;
    node->always = step;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_delay(struct fake_node *node, uint32_t delay_ms)
{
    pthread_mutex_lock(&node->lock);
    node->delay_ms = delay_ms;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_freeze(struct fake_node *node)
{
    pthread_mutex_lock(&node->lock);
    node->is_frozen = true;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_thaw(struct fake_node *node)
{
    pthread_mutex_lock(&node->lock);
    node->is_frozen = false;
    pthread_cond_broadcast(&node->thawed);
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_id(struct fake_node *node, node_id id)
{
    pthread_mutex_lock(&node->lock);
    node->id = id;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_statistic(struct fake_node *node, const char *name, uint64_t value)
{
    pthread_mutex_lock(&node->lock);
    snprintf(node->statistic.name, sizeof node->statistic.name, "%s", name);
    node->statistic.value = value;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_hints(struct fake_node *node, const struct hint_owner *owners,
                         uint16_t count)
{
    assert(count <= HINT_OWNERS_MAX);
    pthread_mutex_lock(&node->lock);
    if (count > 0) {
        memcpy(node->hints, owners, count * sizeof *owners);
    }
    node->hint_count = count;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_repair(struct fake_node *node, const struct message_repair_reply *replies,
                          unsigned count)
{
    assert(count <= SCRIPT_MAX);
    pthread_mutex_lock(&node->lock);
    memcpy(node->repair, replies, count * sizeof *replies);
    node->repair_count = count;
    node->repair_next = 0;
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_ring(struct fake_node *node, const struct ring *ring)
{
    pthread_mutex_lock(&node->lock);
    node->has_ring = ring;
    if (ring) {
        node->ring = *ring;
        node->cluster_id = ring->cluster_id;
    }
    pthread_mutex_unlock(&node->lock);
}

void fake_node_set_greeting(struct fake_node *node, uint64_t cluster_id, enum status status)
{
    pthread_mutex_lock(&node->lock);
    node->cluster_id = cluster_id;
    node->greeting_status = status;
    pthread_mutex_unlock(&node->lock);
}

static unsigned read_count(struct fake_node *node, const unsigned *count)
{
    pthread_mutex_lock(&node->lock);
    unsigned value = *count;
    pthread_mutex_unlock(&node->lock);
    return value;
}

unsigned fake_node_connections(struct fake_node *node)
{
    return read_count(node, &node->connection_count);
}

unsigned fake_node_ring_requests(struct fake_node *node)
{
    return read_count(node, &node->ring_requests);
}

unsigned fake_node_requests(struct fake_node *node)
{
    return read_count(node, &node->request_count);
}

struct fake_request fake_node_request(struct fake_node *node, unsigned index)
{
    assert(index < fake_node_requests(node));
    pthread_mutex_lock(&node->lock);
    struct fake_request request = node->requests[index];
    pthread_mutex_unlock(&node->lock);
    return request;
}
