/*
 * world_pump.c - events into a node, and its actions carried out.
 */
#include <assert.h>
#include <string.h>

#include "node/wire/codec.h"
#include "tests/sim/world_internal.h"

static void act_reply(struct world *world, int node, struct action *action)
{
    struct item item = item_of_message(world, &action->message);
    if (action->handle >= CLIENT_HANDLE) {
        item.type = ITEM_REPLY;
        item.call = (int)((action->handle - CLIENT_HANDLE) % WORLD_CALLS_MAX);
        item.uses = (uint32_t)((action->handle - CLIENT_HANDLE) / WORLD_CALLS_MAX);
        item.node = node;
        item.life = world->nodes[node].life;
        message_leave(world, item, node, action->message.type, NULL);
        return;
    }
    int to = (int)(action->handle / PEER_SLOTS % WORLD_NODES_MAX);
    uint16_t peer = (uint16_t)(action->handle % PEER_SLOTS);
    uint64_t connection = action->handle / PEER_SLOTS / WORLD_NODES_MAX;
    struct link *link = &world->nodes[to].links[peer];
    item.type = ITEM_RESPONSE;
    item.node = to;
    item.life = world->nodes[to].life;
    item.from = node;
    item.peer = peer;
    item.connection = connection;
    message_leave(world, item, node, action->message.type, &link->last_back_us);
}

static uint64_t store_time(struct world *world, const struct world_node *node)
{
    uint64_t us =
        world_between(world, world->options.store_min_us, world->options.store_max_us);
    us *= node->store_slow > 1 ? node->store_slow : 1;
    return us < DELAY_MAX_US ? us : DELAY_MAX_US;
}

static void act(struct world *world, int index, struct action *action)
{
    struct world_node *node = &world->nodes[index];
    switch (action->type) {
    case ACTION_CONNECT: {
        struct link *link = &node->links[action->peer];
        link->wanted = true;
        link->to = world_node_at(world, action->address);
        queue_push(world, (struct item){.at_us = world->now_us,
                                        .type = ITEM_CONNECT,
                                        .node = index,
                                        .life = node->life,
                                        .call = -1,
                                        .peer = action->peer,
                                        .connection = link->connection});
        return;
    }
    case ACTION_SEND:
        if (node->links[action->peer].up) {
            send_on_link(world, index, action->peer, &action->message);
        }
        return;
    case ACTION_REPLY:
        act_reply(world, index, action);
        return;
    case ACTION_STORE: {
        uint64_t at = world->now_us + store_time(world, node);
        node->store_last_us = at > node->store_last_us ? at : node->store_last_us;
        queue_push(world, (struct item){.at_us = node->store_last_us,
                                        .type = ITEM_STORE,
                                        .node = index,
                                        .life = node->life,
                                        .store = action->request});
        memset(&action->request, 0, sizeof action->request);
        return;
    }
    case ACTION_NOTE:
        return;
    }
}

/* A newer ring is never given up for an older one. */
static void check_ring(struct world_node *node)
{
    const struct ring *ring = core_ring(node->core);
    uint64_t epoch = ring ? ring->epoch : 0;
    assert(epoch >= node->ring_epoch);
    node->ring_epoch = epoch;
}

void world_pump(struct world *world, int index, struct event *event)
{
    struct world_node *node = &world->nodes[index];
    struct outbox *outbox = world->outbox;
    event->now_us = world->now_us;
    event->wall_us = world_wall(world, node);
    outbox->count = 0;
    core_step(node->core, event, outbox);
    core_check(node->core);
    check_ring(node);
    for (uint32_t i = 0; i < outbox->count; i++) {
        act(world, index, &outbox->actions[i]);
        action_release(&outbox->actions[i]);
    }
    outbox->count = 0;
    uint64_t due_us = core_deadline(node->core);
    if (due_us < node->tick_at_us) {
        node->tick_at_us = due_us > world->now_us ? due_us : world->now_us + 1;
        queue_push(world, (struct item){.at_us = node->tick_at_us,
                                        .type = ITEM_TICK,
                                        .node = index,
                                        .life = node->life});
    }
}

/* Taking events --------------------------------------------------------------------------- */

static void take_message(struct world *world, struct item *item, struct message *message)
{
    struct event event = {.message = message};
    if (item->type == ITEM_REQUEST) {
        event.type = EVENT_REQUEST;
        bool is_client = item->call >= 0 && !world->calls[item->call].is_node;
        event.role = is_client ? ROLE_CLIENT : ROLE_NODE;
        event.handle =
            item->call >= 0
                ? (uint64_t)CLIENT_HANDLE + (uint64_t)item->uses * WORLD_CALLS_MAX +
                      (uint64_t)item->call
                : (item->connection * WORLD_NODES_MAX + (uint64_t)item->from) * PEER_SLOTS +
                      item->peer;
    } else {
        event.type = EVENT_RESPONSE;
        event.peer = item->peer;
        if (message->type == MESSAGE_HELLO_REPLY) {
            if (message->status != STATUS_OK) {
                link_break(world, item->node, item->peer);
                return;
            }
            world->nodes[item->node].links[item->peer].up = true;
            event.type = EVENT_PEER_UP;
        }
    }
    world_pump(world, item->node, &event);
}

static bool is_between_nodes(const struct item *item)
{
    return item->type == ITEM_RESPONSE || (item->type == ITEM_REQUEST && item->call < 0);
}

/* True if the connection that carries the item is still the same one and not cut. */
static bool is_connected(const struct world *world, const struct item *item)
{
    int owner = item->type == ITEM_RESPONSE ? item->node : item->from;
    return world->nodes[owner].links[item->peer].connection == item->connection &&
           !world->cut[item->from][item->node];
}

static void take(struct world *world, struct item *item)
{
    struct world_node *node = &world->nodes[item->node];
    struct message message = {0};
    switch (item->type) {
    case ITEM_TICK:
        if (node->tick_at_us == item->at_us) {
            node->tick_at_us = UINT64_MAX;
            world_trace(world, item->node, "tick");
            struct event tick = {.type = EVENT_TICK};
            world_pump(world, item->node, &tick);
        }
        return;
    case ITEM_CONNECT:
        link_greet(world, item);
        return;
    case ITEM_STORE: {
        struct store_result result = {0};
        enum store_operation operation = item->store.operation;
        bool coordinates = operation == STORE_COORDINATE || operation == STORE_COORDINATE_HINT;
        if (coordinates && item->store.coordinate.put->mode != UPDATE_NONE) {
            world->coordinators |= UINT32_C(1) << item->node;
        }
        if ((node->holds_hints && operation == STORE_HINT_OWNERS) ||
            (world->options.refuses_trees && operation == STORE_TREE)) {
            result = (struct store_result){
                .operation = operation, .token = item->store.token, .status = STATUS_BUSY};
        } else {
            store_apply(&node->state, &item->store, 1, &result);
        }
        trace_stored(world, item->node, &item->store, &result);
        struct event stored = {.type = EVENT_STORED, .result = &result};
        world_pump(world, item->node, &stored);
        store_result_release(&result);
        return;
    }
    case ITEM_REPLY:
    case ITEM_REQUEST:
    case ITEM_RESPONSE:
        break;
    }
    if (is_between_nodes(item) && !is_connected(world, item)) {
        return;
    }
    enum status status = codec_decode(buffer_slice(&item->bytes), &message);
    assert(status == STATUS_OK);
    (void)status;
    trace_message(world, item, &message);
    if (item->type == ITEM_REPLY) {
        calls_answer(world, item, &message);
    } else {
        take_message(world, item, &message);
    }
    message_release(&message);
}

bool world_step(struct world *world)
{
    if (world->count == 0) {
        return false;
    }
    struct item item = queue_pop(world);
    world->steps++;
    assert(item.at_us >= world->now_us);
    world->now_us = item.at_us;
    struct world_node *node = &world->nodes[item.node];
    if (node->up && node->life == item.life) {
        if (node->paused) {
            queue_park(node, item);
            return true;
        }
        take(world, &item);
    }
    item_release(&item);
    return true;
}

uint64_t world_steps(const struct world *world)
{
    return world->steps;
}

void world_run(struct world *world, uint64_t us)
{
    uint64_t end_us = world->now_us + us;
    while (world->count > 0 && world->heap[0]->at_us <= end_us) {
        (void)world_step(world);
    }
    world->now_us = end_us;
}
