/*
 * pool_sim.c - stands in for node/client/pool.c, socket.c, client_clock.c and the kernel's
 * random numbers: the rest of the shipping client runs on it as it is.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "node/client/pool.h"
#include "node/client/socket.h"
#include "tests/sim/port.h"

struct pool {
    uint64_t cluster_id;
    uint64_t requests;
};

enum status pool_new(struct pool **ret_pool)
{
    *ret_pool = calloc(1, sizeof **ret_pool);
    assert(*ret_pool);
    return STATUS_OK;
}

void pool_free(struct pool *pool)
{
    free(pool);
}

enum status pool_use_secret_file(struct pool *pool, const char *path)
{
    (void)pool;
    (void)path;
    return STATUS_OK; /* the simulated world has no strangers */
}

void pool_expect_cluster(struct pool *pool, uint64_t cluster_id)
{
    pool->cluster_id = cluster_id;
}

static enum status fail(struct pool_call *call, enum status status)
{
    call->is_open = status == STATUS_CLOSED || status == STATUS_TIMEOUT;
    call->error.code = status;
    (void)snprintf(call->error.text, sizeof call->error.text, "%s: %s", call->address,
                   status_text(status));
    return status;
}

enum status pool_call(struct pool *pool, struct pool_call *call, struct message *ret_reply)
{
    struct port *port = port_current();
    struct message reply = {0};
    int node = world_node_at(port->world, call->address);
    assert(node >= 0);
    call->request->request_id = ++pool->requests;
    enum status status = port_ask(port, node, call->request, call->deadline_ns / 1000, &reply);
    if (status != STATUS_OK) {
        return fail(call, status);
    }
    if (reply.type != call->request->type + 1) {
        message_release(&reply);
        return fail(call, STATUS_BAD_MESSAGE);
    }
    *ret_reply = reply;
    return STATUS_OK;
}

uint64_t client_now_ns(void)
{
    return port_now_us(port_current()) * 1000;
}

bool socket_pause_until(uint64_t until_ns)
{
    port_sleep_until(port_current(), (until_ns + 999) / 1000);
    return true;
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    (void)flags;
    uint8_t *bytes = buffer;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)world_random(port_current()->world);
    }
    return (ssize_t)size;
}
