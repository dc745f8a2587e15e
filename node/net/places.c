/*
 * places.c - who has a place among the inbound connections, and who must leave it.
 */
#include "node/net/places.h"

#include <assert.h>

enum {
    SWEEP_INTERVAL_MS = 100,    /* how late a deadline may be noticed */
    CONNECTIONS_FOR_OTHERS = 8, /* one of eight is not for clients */
};

void places_watch(struct listener *listener)
{
    if (!listener->is_closing && !uv_is_active((uv_handle_t *)&listener->sweep)) {
        (void)uv_timer_start(&listener->sweep, listener->on_sweep, SWEEP_INTERVAL_MS,
                             SWEEP_INTERVAL_MS);
    }
}

static bool is_idle(const struct inbound *inbound)
{
    return inbound->state == INBOUND_GREETED && inbound->role == ROLE_CLIENT &&
           inbound->in_flight == 0 && connection_is_flushed(inbound->connection) &&
           !connection_is_midway(inbound->connection);
}

/* How well it can be done without, 0 being not at all: strangers that had their time, clients
 * that want nothing, those that go anyway. Of those that are alike the older one goes. */
static unsigned spare_rank(const struct inbound *inbound)
{
    switch (inbound->state) {
    case INBOUND_FREE:
        return 0;
    case INBOUND_FINISHING:
        return inbound->deadline_ms != UINT64_MAX;
    case INBOUND_GREETED:
        return is_idle(inbound) ? 2 : 0;
    case INBOUND_GREETING:
    case INBOUND_PROVING:
        return 3;
    }
    return 0;
}

static uint64_t age_of(const struct inbound *inbound)
{
    return inbound->state == INBOUND_GREETED ? inbound->idle_ms : inbound->deadline_ms;
}

static bool is_better_spared(const struct inbound *inbound, const struct inbound *than)
{
    unsigned rank = spare_rank(inbound);
    unsigned other = than ? spare_rank(than) : 0;

    return rank > other || (rank > 0 && rank == other && age_of(inbound) < age_of(than));
}

/* Its client opens another connection when it wants one: no word is needed, for none is under
 * way. */
bool places_close_spare(struct listener *listener, bool only_idle)
{
    struct inbound *spare = NULL;

    for (uint32_t i = 0; i < listener->connections_max; i++) {
        struct inbound *inbound = &listener->inbound[i];
        if ((!only_idle || inbound->state == INBOUND_GREETED) &&
            is_better_spared(inbound, spare)) {
            spare = inbound;
        }
    }
    if (!spare) {
        return false;
    }
    spare->state = INBOUND_FINISHING;
    spare->deadline_ms = UINT64_MAX; /* it is closed already */
    connection_close(spare->connection, STATUS_CLOSED, "others want its place");
    return true;
}

bool places_count_client(struct inbound *inbound)
{
    struct listener *listener = inbound->listener;
    uint32_t max = listener->connections_max;

    assert(inbound->role == ROLE_CLIENT && !inbound->is_counted);
    if (listener->client_count >= max - max / CONNECTIONS_FOR_OTHERS &&
        !places_close_spare(listener, true)) {
        return false;
    }
    inbound->is_counted = true;
    listener->client_count++;
    return true;
}
