/*
 * pool.c - see pool.h.
 */
#include "node/client/pool.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/base/numeric.h"
#include "node/base/registry.h"
#include "node/client/socket.h"
#include "node/wire/codec.h"
#include "node/wire/frame.h"
#include "node/wire/greeting.h"

enum {
    /* One receive takes most replies whole. */
    RECEIVE_SIZE = 16 << 10,
    /* Idle connections keep buffers for one value of the greatest size, not for a rare large
     * reply. */
    BUFFER_KEPT_MAX = VALUE_SIZE_MAX + (64 << 10),
};

struct connection {
    struct connection *next; /* in the stack of idle ones */
    int fd;
    uint64_t last_request_id;
    struct frame_splitter input;
    struct buffer output;
    char address[ADDRESS_SIZE];
};

/* The idle connections to one address, the last used on top. */
struct pool_node {
    char address[ADDRESS_SIZE]; /* "": the slot is free */
    struct connection *idle;
    unsigned idle_count;
};

struct pool {
    atomic_uint_fast64_t cluster_id;
    char *secret_file;    /* NULL: none was named */
    pthread_mutex_t lock; /* around all below; never held over a system call that may wait */
    unsigned node_count;
    unsigned next_victim;
    struct pool_node nodes[POOL_NODES_MAX];
};

static void connection_free(struct connection *connection)
{
    if (!connection) {
        return;
    }
    if (connection->fd >= 0) {
        close(connection->fd);
    }
    frame_splitter_release(&connection->input);
    buffer_release(&connection->output);
    free(connection);
}

static void connections_free(struct connection *first)
{
    while (first) {
        struct connection *next = first->next;
        connection_free(first);
        first = next;
    }
}

static struct pool_node *find_node(struct pool *pool, const char *address)
{
    for (unsigned i = 0; i < pool->node_count; i++) {
        if (address_equal(pool->nodes[i].address, address)) {
            return &pool->nodes[i];
        }
    }
    return NULL;
}

/* A slot for `address`. When all are in use one is cleared in turn: *ret_dropped is then to be
 * freed outside the lock. */
static struct pool_node *add_node(struct pool *pool, const char *address,
                                  struct connection **ret_dropped)
{
    struct pool_node *node;
    if (pool->node_count < POOL_NODES_MAX) {
        node = &pool->nodes[pool->node_count++];
    } else {
        node = &pool->nodes[pool->next_victim];
        pool->next_victim = (pool->next_victim + 1) % POOL_NODES_MAX;
        *ret_dropped = node->idle;
    }
    *node = (struct pool_node){0};
    snprintf(node->address, sizeof node->address, "%s", address);
    return node;
}

static struct connection *take_idle(struct pool *pool, const char *address)
{
    struct connection *connection = NULL;
    pthread_mutex_lock(&pool->lock);
    struct pool_node *node = find_node(pool, address);
    if (node && node->idle) {
        connection = node->idle;
        node->idle = connection->next;
        node->idle_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

static void put_idle(struct pool *pool, struct connection *connection)
{
    if (connection->output.capacity > BUFFER_KEPT_MAX) {
        buffer_release(&connection->output);
    }
    if (connection->input.input.capacity > BUFFER_KEPT_MAX) {
        frame_splitter_release(&connection->input);
        connection->input = (struct frame_splitter){.size_max = FRAME_SIZE_MAX};
    }
    struct connection *dropped = NULL;
    pthread_mutex_lock(&pool->lock);
    struct pool_node *node = find_node(pool, connection->address);
    if (!node) {
        node = add_node(pool, connection->address, &dropped);
    }
    if (node->idle_count < POOL_IDLE_MAX) {
        connection->next = node->idle;
        node->idle = connection;
        node->idle_count++;
        connection = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    connections_free(dropped);
    connection_free(connection);
}

/* One idle connection was found closed: the others are most likely so as well. */
static void drop_idle(struct pool *pool, const char *address)
{
    struct connection *dropped = NULL;
    pthread_mutex_lock(&pool->lock);
    struct pool_node *node = find_node(pool, address);
    if (node) {
        dropped = node->idle;
        node->idle = NULL;
        node->idle_count = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    connections_free(dropped);
}

static enum status fail(struct pool_call *call, enum status status, const char *what)
{
    call->error.code = status;
    snprintf(call->error.text, sizeof call->error.text, "%s: %.180s", call->address, what);
    return status;
}

/* Receives one whole frame and reads it as a message. `ret_silent` is cleared by the first byte
 * that arrives. */
static enum status receive_message(struct connection *connection, uint64_t deadline_ns,
                                   bool *ret_silent, struct message *ret_message)
{
    struct slice payload;
    enum status status;
    while ((status = frame_splitter_next(&connection->input, &payload)) == STATUS_NOT_FOUND) {
        size_t wanted = frame_splitter_wanted(&connection->input);
        size_t room = 0;
        uint8_t *space = frame_splitter_space(
            &connection->input, wanted > RECEIVE_SIZE ? wanted : RECEIVE_SIZE, &room);
        if (!space) {
            return STATUS_NO_MEMORY;
        }
        size_t size = 0;
        status = socket_receive(connection->fd, space, room, deadline_ns, &size);
        if (status != STATUS_OK) {
            return status;
        }
        *ret_silent = false;
        frame_splitter_received(&connection->input, size);
    }
    return status == STATUS_OK ? codec_decode(payload, ret_message) : status;
}

/* What a node may answer to a greeting that it does not accept; anything else is no node of
 * ours. */
static enum status refusal_status(enum status status)
{
    bool is_known = status == STATUS_BAD_VERSION || status == STATUS_BUSY ||
                    status == STATUS_NOT_READY || status == STATUS_CLOSED ||
                    status == STATUS_DENIED;
    return is_known ? status : STATUS_REFUSED;
}

/* Why the node will not have us, in its own words. */
static enum status fail_as_answered(struct pool_call *call, const struct message *reply)
{
    char text[160];
    struct slice words = blob_slice(reply->text);
    if (words.size == 0) {
        words = slice_of_string(status_text(reply->status));
    }
    int length = words.size < sizeof text ? (int)words.size : (int)sizeof text - 1;
    snprintf(text, sizeof text, "%.*s", length, (const char *)words.data);
    return fail(call, refusal_status(reply->status), text);
}

/* What a node says at any time of a connection that it is about to close. */
static bool is_last_word(const struct message *reply)
{
    return reply->type == MESSAGE_HELLO_REPLY && reply->request_id == 0 &&
           reply->status != STATUS_OK;
}

/*
 * Sends the request and receives its reply. After a failure the connection is to be freed.
 * `ret_silent`: no byte came back.
 */
static enum status exchange(struct connection *connection, struct pool_call *call,
                            bool *ret_silent, struct message *ret_reply)
{
    struct message *request = call->request;
    *ret_silent = true;
    request->request_id = ++connection->last_request_id;
    buffer_reset(&connection->output);
    enum status status = frame_append(request, &connection->output);
    if (status != STATUS_OK) {
        *ret_silent = false; /* it is the request that is wrong, not the connection */
        return fail(call, status, status_text(status));
    }
    status = socket_send(connection->fd, buffer_slice(&connection->output), call->deadline_ns);
    if (status != STATUS_OK) {
        return fail(call, status, "sending failed");
    }
    call->is_open = true;
    struct message reply;
    status = receive_message(connection, call->deadline_ns, ret_silent, &reply);
    if (status != STATUS_OK) {
        return fail(call, status,
                    status == STATUS_CLOSED ? "the connection broke" : status_text(status));
    }
    if (is_last_word(&reply)) {
        status = fail_as_answered(call, &reply);
        message_release(&reply);
        return status;
    }
    struct slice excess;
    if (reply.type != request->type + 1 || reply.request_id != request->request_id ||
        frame_splitter_next(&connection->input, &excess) != STATUS_NOT_FOUND) {
        message_release(&reply);
        return fail(call, STATUS_BAD_MESSAGE, "sent no answer to what was asked");
    }
    *ret_reply = reply;
    return STATUS_OK;
}

/* Is the other side a node that speaks our protocol, of the cluster that is expected? */
static enum status check_greeting(struct pool_call *call, const struct message *reply,
                                  uint64_t cluster_id)
{
    if (reply->status != STATUS_OK) {
        return fail_as_answered(call, reply);
    }
    if (reply->hello.protocol != PROTOCOL_VERSION) {
        return fail(call, STATUS_BAD_VERSION, "speaks another protocol version");
    }
    if (reply->hello.role != ROLE_NODE) {
        return fail(call, STATUS_REFUSED, "is not a node");
    }
    if (cluster_id != 0 && reply->hello.cluster_id == 0) {
        return fail(call, STATUS_NOT_READY, status_text(STATUS_NOT_READY));
    }
    if (cluster_id != 0 && reply->hello.cluster_id != cluster_id) {
        char text[96];
        snprintf(text, sizeof text, "belongs to another cluster (%016" PRIx64 ")",
                 reply->hello.cluster_id);
        return fail(call, STATUS_REFUSED, text);
    }
    return STATUS_OK;
}

/* The secret for the node at the other end. */
static enum status find_secret(const struct pool *pool, const struct connection *connection,
                               struct pool_call *call, struct secret *ret_secret)
{
    const char *named = secret_file_named(pool->secret_file);
    if (named) {
        struct error why;
        enum status status = secret_read_file(named, ret_secret, &why);
        return status == STATUS_OK ? STATUS_OK : fail(call, STATUS_DENIED, why.text);
    }
    if (registry_find_connected(call->address, connection->fd, false, ret_secret) !=
        STATUS_OK) {
        return fail(call, STATUS_DENIED,
                    "its cluster's secret is not known here: name it with --secret-file");
    }
    return STATUS_OK;
}

/* Has the node that answered proved that it knows the secret? Then ours is its due. */
static enum status prove(const struct pool *pool, struct connection *connection,
                         struct pool_call *call, struct greeting *said,
                         const struct message *reply)
{
    if (!reply->hello.has_proof || numeric_differ(reply->hello.address, call->address)) {
        return fail(call, STATUS_DENIED,
                    reply->hello.has_proof ? "answers as a node at another address"
                                           : "does not prove that it knows the secret");
    }
    struct secret secret;
    enum status status = find_secret(pool, connection, call, &secret);
    if (status != STATUS_OK) {
        return status;
    }
    if (greeting_note_reply(said, reply) != STATUS_OK) {
        return fail(call, STATUS_NO_MEMORY, status_text(STATUS_NO_MEMORY));
    }
    if (!greeting_is_proved(said, &secret, GREETING_OTHER_END, reply->hello.proof)) {
        return fail(call, STATUS_DENIED, status_text(STATUS_DENIED));
    }
    struct message proof = {.type = MESSAGE_PROOF};
    struct message answer;
    bool silent;
    greeting_prove(said, &secret, GREETING_OPENER, proof.proof.proof);
    call->request = &proof;
    status = exchange(connection, call, &silent, &answer);
    if (status == STATUS_OK) {
        message_release(&answer);
    }
    return status;
}

static enum status say_hello(struct pool *pool, struct connection *connection,
                             struct pool_call *call)
{
    uint64_t cluster_id = atomic_load(&pool->cluster_id);
    struct message hello = {
        .type = MESSAGE_HELLO,
        .request_id = connection->last_request_id + 1, /* that exchange will give it */
        .hello = {.role = ROLE_CLIENT, .cluster_id = cluster_id},
    };
    struct greeting said;
    struct message reply;
    bool silent;
    if (greeting_begin(&said, &hello, &call->error) != STATUS_OK) {
        return call->error.code;
    }
    call->request = &hello;
    enum status status = exchange(connection, call, &silent, &reply);
    if (status != STATUS_OK) {
        return status;
    }
    status = check_greeting(call, &reply, cluster_id);
    if (status == STATUS_OK) {
        status = prove(pool, connection, call, &said, &reply);
    }
    message_release(&reply);
    return status;
}

static enum status greet(struct pool *pool, struct connection *connection,
                         struct pool_call *call)
{
    struct pool_call greeting = {.address = call->address, .deadline_ns = call->deadline_ns};
    enum status status = say_hello(pool, connection, &greeting);
    if (status != STATUS_OK) {
        call->error = greeting.error;
        return status;
    }
    connection->input.size_max = FRAME_SIZE_MAX;
    return STATUS_OK;
}

static enum status open_connection(struct pool *pool, struct pool_call *call,
                                   struct connection **ret_connection)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        return fail(call, STATUS_NO_MEMORY, "out of memory");
    }
    connection->fd = -1;
    connection->input.size_max = FRAME_SIZE_MAX_GREETING;
    snprintf(connection->address, sizeof connection->address, "%s", call->address);
    enum status status =
        socket_connect(call->address, call->deadline_ns, &connection->fd, &call->error);
    if (status == STATUS_OK) {
        status = greet(pool, connection, call);
    }
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    *ret_connection = connection;
    return STATUS_OK;
}

enum status pool_call(struct pool *pool, struct pool_call *call, struct message *ret_reply)
{
    assert(pool && call && ret_reply);
    assert(call->address && call->request && message_type_is_request(call->request->type));
    call->is_open = false;
    struct connection *connection = take_idle(pool, call->address);
    bool silent = false;
    enum status status;
    if (connection) {
        status = exchange(connection, call, &silent, ret_reply);
        if (status == STATUS_OK) {
            put_idle(pool, connection);
            return STATUS_OK;
        }
        connection_free(connection);
        if (status != STATUS_CLOSED || !silent) {
            return status;
        }
        drop_idle(pool, call->address);
    }
    status = open_connection(pool, call, &connection);
    if (status != STATUS_OK) {
        return status;
    }
    status = exchange(connection, call, &silent, ret_reply);
    if (status != STATUS_OK) {
        connection_free(connection);
        return status;
    }
    put_idle(pool, connection);
    return STATUS_OK;
}

enum status pool_use_secret_file(struct pool *pool, const char *path)
{
    free(pool->secret_file);
    pool->secret_file = path ? strdup(path) : NULL;
    return path && !pool->secret_file ? STATUS_NO_MEMORY : STATUS_OK;
}

void pool_expect_cluster(struct pool *pool, uint64_t cluster_id)
{
    atomic_store(&pool->cluster_id, cluster_id);
}

enum status pool_new(struct pool **ret_pool)
{
    assert(ret_pool);
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        return STATUS_NO_MEMORY;
    }
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        free(pool);
        return STATUS_NO_MEMORY;
    }
    *ret_pool = pool;
    return STATUS_OK;
}

void pool_free(struct pool *pool)
{
    if (!pool) {
        return;
    }
    for (unsigned i = 0; i < pool->node_count; i++) {
        connections_free(pool->nodes[i].idle);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool->secret_file);
    free(pool);
}
