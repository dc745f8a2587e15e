/*
 * world_links.c - messages on their way: connections that keep their order and break, and
 * weather that loses, doubles, reorders and delays.
 */
#include <assert.h>
#include <string.h>

#include "node/wire/codec.h"
#include "tests/sim/world_internal.h"

struct item item_of_message(struct world *world, const struct message *message)
{
    struct item item = {.call = -1};
    codec_encode(message, &item.bytes);
    assert(!item.bytes.failed);
    assert((unsigned)message->type < MESSAGE_TYPES);
    world->sent[message->type]++;
    return item;
}

static bool happens(struct world *world, uint16_t of_a_thousand)
{
    return of_a_thousand > 0 && world_random(world) % 1000 < of_a_thousand;
}

static uint64_t latency(struct world *world, const struct world_weather *weather)
{
    uint64_t us =
        world_between(world, world->options.latency_min_us, world->options.latency_max_us);
    us *= weather->slow > 1 ? weather->slow : 1;
    if (happens(world, weather->reorder)) {
        us *= world_between(world, 1, 20);
    }
    return us < DELAY_MAX_US ? us : DELAY_MAX_US;
}

uint64_t message_arrival(struct world *world, int from, int to, uint64_t *last_us)
{
    const struct world_weather *weather = &world->weather[from][to];
    uint64_t at = world->now_us + latency(world, weather);
    if (weather->reorder > 0 || !last_us) {
        return at; /* this one may overtake */
    }
    *last_us = at > *last_us ? at : *last_us;
    return *last_us;
}

/* A put that is forwarded is coordinated where it arrives: twice is two writes, and none of
 * the network's doing. Greetings make the connection. */
static bool may_be_doubled(enum message_type type)
{
    return type != MESSAGE_PUT && type != MESSAGE_HELLO && type != MESSAGE_HELLO_REPLY;
}

static struct item item_double(const struct item *item)
{
    struct item twin = *item;
    twin.bytes = (struct buffer){0};
    buffer_append_slice(&twin.bytes, buffer_slice(&item->bytes));
    assert(!twin.bytes.failed);
    return twin;
}

void message_leave(struct world *world, struct item item, int from, enum message_type type,
                   uint64_t *last_us)
{
    int to = item.type == ITEM_REPLY ? WORLD_CLIENTS : item.node;
    const struct world_weather *weather = &world->weather[from][to];
    if (happens(world, weather->loss)) {
        world_trace(world, item.node, "lost %s", message_type_name(type));
        item_release(&item);
        return;
    }
    bool is_inside = from != WORLD_CLIENTS && to != WORLD_CLIENTS;
    if (is_inside && may_be_doubled(type) && happens(world, weather->duplicate)) {
        struct item twin = item_double(&item);
        twin.at_us = message_arrival(world, from, to, NULL);
        world_trace(world, item.node, "doubled %s", message_type_name(type));
        queue_push(world, twin);
    }
    item.at_us = message_arrival(world, from, to, last_us);
    queue_push(world, item);
}

void send_on_link(struct world *world, int from, uint16_t peer, struct message *message)
{
    struct link *link = &world->nodes[from].links[peer];
    struct item item = item_of_message(world, message);
    item.type = ITEM_REQUEST;
    item.node = link->to;
    item.life = world->nodes[link->to].life;
    item.from = from;
    item.peer = peer;
    item.connection = link->connection;
    message_leave(world, item, from, message->type, &link->last_there_us);
}

static void connect_later(struct world *world, int owner, uint16_t peer, uint64_t after_us)
{
    queue_push(world, (struct item){.at_us = world->now_us + after_us,
                                    .type = ITEM_CONNECT,
                                    .node = owner,
                                    .life = world->nodes[owner].life,
                                    .peer = peer,
                                    .call = -1,
                                    .connection = world->nodes[owner].links[peer].connection});
}

void link_break(struct world *world, int owner, uint16_t peer)
{
    struct world_node *node = &world->nodes[owner];
    struct link *link = &node->links[peer];
    bool was_up = link->up;
    link->up = false;
    link->connection++;
    if (!node->up) {
        return;
    }
    connect_later(world, owner, peer, RECONNECT_US);
    if (was_up) {
        struct event down = {.type = EVENT_PEER_DOWN, .peer = peer};
        world_pump(world, owner, &down);
    }
}

void links_break(struct world *world, int from, int to)
{
    for (uint16_t peer = 0; peer < PEER_SLOTS; peer++) {
        if (world->nodes[from].links[peer].wanted && world->nodes[from].links[peer].to == to) {
            link_break(world, from, peer);
        }
    }
}

void link_greet(struct world *world, struct item *item)
{
    struct world_node *node = &world->nodes[item->node];
    struct link *link = &node->links[item->peer];
    if (link->connection != item->connection || link->up) {
        return;
    }
    int to = link->to;
    if (to < 0 || !world->nodes[to].up || world->cut[item->node][to] ||
        world->cut[to][item->node]) {
        connect_later(world, item->node, item->peer, RECONNECT_US);
        return;
    }
    struct message hello = {.type = MESSAGE_HELLO};
    const struct ring *ring = core_ring(node->core);
    hello.hello = (struct message_hello){.protocol = PROTOCOL_VERSION,
                                         .role = ROLE_NODE,
                                         .cluster_id = ring ? ring->cluster_id : 0,
                                         .node = node->state.node,
                                         .forming = false};
    memcpy(hello.hello.address, node->address, ADDRESS_SIZE);
    hello.ring_epoch = core_ring_mark(node->core);
    link->connection++;
    world_trace(world, item->node, "connects to n%d", to);
    send_on_link(world, item->node, item->peer, &hello);
    connect_later(world, item->node, item->peer, GREETING_US);
}
