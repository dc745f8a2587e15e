/*
 * port.c - waiting, under virtual time.
 */
#include "tests/sim/port.h"

#include <assert.h>

static struct port *current;

struct port *port_current(void)
{
    return current;
}

static void resume(struct port *port)
{
    assert(!current);
    current = port;
    fiber_resume(port->fiber);
    current = NULL;
}

void port_step(struct port *port)
{
    bool is_answered = port->call >= 0 && world_answered(port->world, port->call);
    bool is_ready = is_answered || port->wake_us <= world_now(port->world);
    if (is_ready && !fiber_is_done(port->fiber)) {
        resume(port);
    }
}

bool port_unwind(struct port *port)
{
    port->is_dead = true;
    if (!fiber_is_done(port->fiber)) {
        resume(port);
    }
    return fiber_is_done(port->fiber);
}

void port_kill(struct port *port)
{
    while (!port_unwind(port)) {
    }
}

uint64_t port_now_us(struct port *port)
{
    static const uint64_t a_thousand_years_us = UINT64_C(31557600) * 1000 * 1000000 / 2;
    static const uint64_t an_hour_us = UINT64_C(3600) * 1000000;
    return port->is_dead ? a_thousand_years_us + an_hour_us * port->dead_looks++
                         : world_now(port->world);
}

void port_sleep_until(struct port *port, uint64_t until_us)
{
    while (!port->is_dead && world_now(port->world) < until_us) {
        port->wake_us = until_us;
        fiber_yield(port->fiber);
    }
}

void port_pass(struct port *port)
{
    port->wake_us = world_now(port->world);
    fiber_yield(port->fiber);
}

enum status port_ask(struct port *port, int node, const struct message *request,
                     uint64_t deadline_us, struct message *ret_reply)
{
    if (port->is_dead) {
        return STATUS_UNREACHABLE;
    }
    port->call = world_ask_copy(port->world, node, request);
    port->wake_us = deadline_us;
    while (!port->is_dead && !world_answered(port->world, port->call) &&
           world_now(port->world) < deadline_us) {
        fiber_yield(port->fiber);
    }
    int call = port->call;
    port->call = -1;
    if (port->is_dead || !world_answered(port->world, call)) {
        world_forget(port->world, call);
        return STATUS_TIMEOUT;
    }
    world_take(port->world, call, ret_reply);
    /* What no node said. */
    return ret_reply->type == 0 ? ret_reply->status : STATUS_OK;
}
