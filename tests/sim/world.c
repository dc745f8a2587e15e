/*
 * world.c - the simulator's pump: a queue of events, links, and disks that outlive their nodes.
 */
#include "tests/sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/codec.h"
#include "tests/sim/disk.h"

enum {
    PEER_SLOTS = 64,
    RECONNECT_US = 100000,
    CLIENT_HANDLE = 1 << 30, /* handles of calls; those of links are below */
    MESSAGE_TYPES = 64,
};

enum item_type { ITEM_REQUEST, ITEM_RESPONSE, ITEM_CONNECT, ITEM_STORE, ITEM_TICK, ITEM_REPLY };

struct item {
    uint64_t at_us;
    uint64_t sequence;
    enum item_type type;
    int node;      /* where it happens */
    uint64_t life; /* of that node; another life does not see it */
    int from;      /* REQUEST from a link; RESPONSE */
    uint64_t from_life;
    uint16_t peer;       /* of the link's owner */
    uint64_t connection; /* a broken connection's messages are gone */
    int call;            /* REQUEST of a client, REPLY */
    uint32_t uses;
    struct buffer bytes;
    struct store_request store;
};

/* One node's connection to a peer. */
struct link {
    bool wanted, up;
    int to;
    uint64_t connection;                  /* counts connections */
    uint64_t last_there_us, last_back_us; /* TCP keeps the order */
};

struct world_node {
    bool up, paused;
    uint64_t life;
    struct core *core;
    struct disk *disk;
    struct disk *hints; /* what is kept for others, in a database of its own */
    struct store_state state;
    char address[ADDRESS_SIZE];
    int64_t clock_offset_us;
    struct link links[PEER_SLOTS];
    uint64_t tick_at_us;
    uint64_t store_last_us;
};

struct call {
    bool used, done;
    uint32_t uses; /* so that a late answer does not meet the next call in its place */
    int node;
    struct message reply;
};

struct world {
    struct world_options options;
    uint64_t now_us, sequence, random, steps;
    struct item *heap;
    size_t count, capacity;
    struct world_node nodes[WORLD_NODES_MAX];
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];
    struct call calls[WORLD_CALLS_MAX];
    uint64_t sent[MESSAGE_TYPES];
    struct outbox *outbox;
};

uint64_t world_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t between(struct world *world, uint64_t low, uint64_t high)
{
    return high > low ? low + world_random(world) % (high - low + 1) : low;
}

/* The queue ------------------------------------------------------------------------------- */

static bool is_before(const struct item *a, const struct item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

static void queue_push(struct world *world, struct item item)
{
    if (world->count == world->capacity) {
        world->capacity = world->capacity ? world->capacity * 2 : 256;
        world->heap = realloc(world->heap, world->capacity * sizeof *world->heap);
        assert(world->heap);
    }
    item.sequence = world->sequence++;
    size_t i = world->count++;
    while (i > 0 && is_before(&item, &world->heap[(i - 1) / 2])) {
        world->heap[i] = world->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->heap[i] = item;
}

static struct item queue_pop(struct world *world)
{
    assert(world->count > 0);
    struct item first = world->heap[0];
    struct item last = world->heap[--world->count];
    size_t i = 0;
    while (2 * i + 1 < world->count) {
        size_t child = 2 * i + 1;
        if (child + 1 < world->count &&
            is_before(&world->heap[child + 1], &world->heap[child])) {
            child++;
        }
        if (!is_before(&world->heap[child], &last)) {
            break;
        }
        world->heap[i] = world->heap[child];
        i = child;
    }
    world->heap[i] = last;
    return first;
}

static void item_release(struct item *item)
{
    buffer_release(&item->bytes);
    store_request_release(&item->store);
}

/* Nodes ----------------------------------------------------------------------------------- */

static void pump(struct world *world, int node, struct event *event);

static struct world_node *node_of(struct world *world, int node)
{
    assert(node >= 0 && node < world->options.nodes);
    return &world->nodes[node];
}

static int node_at(struct world *world, const char *address)
{
    for (int i = 0; i < world->options.nodes; i++) {
        if (strcmp(world->nodes[i].address, address) == 0) {
            return i;
        }
    }
    return -1;
}

struct world *world_new(const struct world_options *options)
{
    assert(options->nodes > 0 && options->nodes <= WORLD_NODES_MAX);
    struct world *world = calloc(1, sizeof *world);
    assert(world);
    world->options = *options;
    world->random = options->seed;
    world->now_us = 1000000;
    world->outbox = calloc(1, sizeof *world->outbox);
    assert(world->outbox);
    for (int i = 0; i < options->nodes; i++) {
        (void)snprintf(world->nodes[i].address, ADDRESS_SIZE, "10.0.0.%d:7450", i + 1);
        world_wipe(world, i);
    }
    return world;
}

void world_free(struct world *world)
{
    for (int i = 0; i < world->options.nodes; i++) {
        if (world->nodes[i].up) {
            world_kill(world, i);
        }
        disk_free(world->nodes[i].disk);
        disk_free(world->nodes[i].hints);
    }
    while (world->count > 0) {
        struct item item = queue_pop(world);
        item_release(&item);
    }
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        message_release(&world->calls[i].reply);
    }
    free(world->outbox);
    free(world->heap);
    free(world);
}

void world_wipe(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    if (node->disk) {
        disk_free(node->disk);
        disk_free(node->hints);
    }
    node->disk = disk_new();
    node->hints = disk_new();
}

static uint64_t wall_of(const struct world *world, const struct world_node *node)
{
    return UINT64_C(1700000000000000) + world->now_us + (uint64_t)node->clock_offset_us;
}

/* Until apply_hints.c has it. */
extern enum status store_hints_open(struct store_state *state, struct engine *hints,
                                    struct error *error) __attribute__((weak));

static void store_start(struct world *world, struct world_node *node,
                        struct store_identity *identity)
{
    struct error error = {0};
    memset(&node->state, 0, sizeof node->state);
    enum status status =
        store_state_open(&node->state, disk_engine(node->disk), world_random(world) | 1,
                         wall_of(world, node), identity, &error);
    assert(status == STATUS_OK);
    if (store_hints_open) {
        status = store_hints_open(&node->state, disk_engine(node->hints), &error);
        assert(status == STATUS_OK);
    }
    (void)status;
}

void world_start(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(!node->up);
    struct store_identity *identity = calloc(1, sizeof *identity);
    assert(identity);
    store_start(world, node, identity);
    char seeds[WORLD_NODES_MAX][ADDRESS_SIZE];
    uint16_t seed_count = 0;
    for (int i = 0; i < world->options.nodes; i++) {
        bool named = world->options.seeds_chain ? i == 0 && index != 0 : i != index;
        if (named) {
            memcpy(seeds[seed_count++], world->nodes[i].address, ADDRESS_SIZE);
        }
    }
    struct core_config config = {
        .node = identity->node,
        .seed_count = seed_count,
        .seeds = (const char(*)[ADDRESS_SIZE])seeds,
        .ring = identity->has_ring ? &identity->ring : NULL,
        .partition_count = world->options.partition_count,
        .replica_count = world->options.replica_count,
        .random_seed = world_random(world),
        .is_incomplete = store_hints_open && identity->has_ring && !identity->is_complete,
        .repair_interval_us = world->options.repair_interval_us,
        .scrub_interval_us = world->options.scrub_interval_us,
        .confirm_after_us = world->options.confirm_after_us,
        .grace_us = world->options.grace_us,
    };
    memcpy(config.address, node->address, ADDRESS_SIZE);
    node->core = core_new(&config);
    assert(node->core);
    free(identity);
    node->up = true;
    node->life++;
    node->tick_at_us = UINT64_MAX;
    node->store_last_us = world->now_us;
    memset(node->links, 0, sizeof node->links);
    struct event tick = {.type = EVENT_TICK};
    pump(world, index, &tick);
}

/* The owner of the link learns that it broke, and tries again later. */
static void link_break(struct world *world, int owner, uint16_t peer)
{
    struct world_node *node = &world->nodes[owner];
    struct link *link = &node->links[peer];
    bool was_up = link->up;
    link->up = false;
    link->connection++;
    if (!node->up) {
        return;
    }
    queue_push(world, (struct item){.at_us = world->now_us + RECONNECT_US,
                                    .type = ITEM_CONNECT,
                                    .node = owner,
                                    .life = node->life,
                                    .peer = peer,
                                    .connection = link->connection});
    if (was_up) {
        struct event down = {.type = EVENT_PEER_DOWN, .peer = peer};
        pump(world, owner, &down);
    }
}

static void links_break(struct world *world, int from, int to)
{
    for (uint16_t peer = 0; peer < PEER_SLOTS; peer++) {
        if (world->nodes[from].links[peer].wanted && world->nodes[from].links[peer].to == to) {
            link_break(world, from, peer);
        }
    }
}

void world_kill(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    assert(node->up);
    node->up = false;
    node->paused = false;
    node->life++;
    core_free(node->core);
    node->core = NULL;
    for (int i = 0; i < world->options.nodes; i++) {
        if (i != index) {
            links_break(world, i, index);
        }
    }
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        struct call *call = &world->calls[i];
        if (call->used && !call->done && call->node == index) {
            call->done = true;
            call->reply = (struct message){.status = STATUS_CLOSED};
        }
    }
}

void world_power_cut(struct world *world, int index)
{
    struct world_node *node = node_of(world, index);
    world_kill(world, index);
    disk_power_cut(node->disk, (size_t)between(world, 0, disk_unsynced(node->disk)));
    disk_power_cut(node->hints, (size_t)between(world, 0, disk_unsynced(node->hints)));
}

void world_fill_disk(struct world *world, int node, bool full)
{
    disk_set_full(node_of(world, node)->disk, full);
    disk_set_full(node_of(world, node)->hints, full);
}

void world_cut(struct world *world, int from, int to, bool cut)
{
    world->cut[from][to] = cut;
    if (cut) {
        links_break(world, from, to);
        links_break(world, to, from);
    }
}

void world_pause(struct world *world, int node, bool paused)
{
    node_of(world, node)->paused = paused;
}

void world_set_clock(struct world *world, int node, int64_t offset_us)
{
    node_of(world, node)->clock_offset_us = offset_us;
}

uint64_t world_now(const struct world *world)
{
    return world->now_us;
}

bool world_is_up(const struct world *world, int node)
{
    return world->nodes[node].up;
}

const struct core *world_core(const struct world *world, int node)
{
    return world->nodes[node].core;
}

struct store_state *world_store(struct world *world, int node)
{
    return &world->nodes[node].state;
}

uint64_t world_sent(const struct world *world, enum message_type type)
{
    return world->sent[type];
}

/* Carrying out actions -------------------------------------------------------------------- */

static struct item item_of_message(struct world *world, const struct message *message)
{
    struct item item = {0};
    codec_encode(message, &item.bytes);
    assert(!item.bytes.failed);
    assert((unsigned)message->type < MESSAGE_TYPES);
    world->sent[message->type]++;
    return item;
}

/* Later than what went before on the same connection. */
static uint64_t arrival(struct world *world, uint64_t *last_us)
{
    uint64_t at = world->now_us +
                  between(world, world->options.latency_min_us, world->options.latency_max_us);
    *last_us = at > *last_us ? at : *last_us;
    return *last_us;
}

static void send_on_link(struct world *world, int from, uint16_t peer, struct message *message)
{
    struct link *link = &world->nodes[from].links[peer];
    struct item item = item_of_message(world, message);
    item.type = ITEM_REQUEST;
    item.node = link->to;
    item.life = world->nodes[link->to].life;
    item.from = from;
    item.from_life = world->nodes[from].life;
    item.peer = peer;
    item.connection = link->connection;
    item.call = -1;
    item.at_us = arrival(world, &link->last_there_us);
    queue_push(world, item);
}

static void act_reply(struct world *world, int node, struct action *action)
{
    struct item item = item_of_message(world, &action->message);
    if (action->handle >= CLIENT_HANDLE) {
        item.type = ITEM_REPLY;
        item.call = (int)((action->handle - CLIENT_HANDLE) % WORLD_CALLS_MAX);
        item.uses = (uint32_t)((action->handle - CLIENT_HANDLE) / WORLD_CALLS_MAX);
        item.node = node;
        item.at_us = world->now_us;
        item.life = world->nodes[node].life;
        queue_push(world, item);
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
    item.at_us = arrival(world, &link->last_back_us);
    queue_push(world, item);
}

static void act(struct world *world, int index, struct action *action)
{
    struct world_node *node = &world->nodes[index];
    switch (action->type) {
    case ACTION_CONNECT: {
        struct link *link = &node->links[action->peer];
        link->wanted = true;
        link->to = node_at(world, action->address);
        queue_push(world, (struct item){.at_us = world->now_us,
                                        .type = ITEM_CONNECT,
                                        .node = index,
                                        .life = node->life,
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
        uint64_t at = world->now_us +
                      between(world, world->options.store_min_us, world->options.store_max_us);
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

/* One step of a node, and what it asks for. */
static void pump(struct world *world, int index, struct event *event)
{
    struct world_node *node = &world->nodes[index];
    struct outbox *outbox = world->outbox;
    event->now_us = world->now_us;
    event->wall_us = wall_of(world, node);
    outbox->count = 0;
    core_step(node->core, event, outbox);
    core_check(node->core);
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

static void take_connect(struct world *world, struct item *item)
{
    struct world_node *node = &world->nodes[item->node];
    struct link *link = &node->links[item->peer];
    if (link->connection != item->connection) {
        return;
    }
    int to = link->to;
    if (to < 0 || !world->nodes[to].up || world->cut[item->node][to] ||
        world->cut[to][item->node]) {
        struct item again = *item;
        again.at_us = world->now_us + RECONNECT_US;
        queue_push(world, again);
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
    send_on_link(world, item->node, item->peer, &hello);
}

static void take_message(struct world *world, struct item *item, struct message *message)
{
    struct event event = {.message = message};
    if (item->type == ITEM_REQUEST) {
        event.type = EVENT_REQUEST;
        event.role = item->call >= 0 ? ROLE_CLIENT : ROLE_NODE;
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
    pump(world, item->node, &event);
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
            struct event tick = {.type = EVENT_TICK};
            pump(world, item->node, &tick);
        }
        return;
    case ITEM_CONNECT:
        take_connect(world, item);
        return;
    case ITEM_STORE: {
        struct store_result result = {0};
        store_apply(&node->state, &item->store, 1, &result);
        struct event stored = {.type = EVENT_STORED, .result = &result};
        pump(world, item->node, &stored);
        store_result_release(&result);
        return;
    }
    case ITEM_REPLY:
    case ITEM_REQUEST:
    case ITEM_RESPONSE:
        break;
    }
    bool is_client = item->type == ITEM_REPLY || item->call >= 0;
    if (item->type == ITEM_RESPONSE) {
        is_client = false;
    }
    if (!is_client && !is_connected(world, item)) {
        return;
    }
    enum status status = codec_decode(buffer_slice(&item->bytes), &message);
    assert(status == STATUS_OK);
    (void)status;
    if (item->type == ITEM_REPLY) {
        struct call *call = &world->calls[item->call];
        if (call->used && !call->done && call->uses == item->uses) {
            call->done = true;
            call->reply = message;
            return;
        }
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
            /* It waits for the process to go on. */
            item.at_us = world->now_us + 1000;
            if (item.type == ITEM_TICK) {
                node->tick_at_us = item.at_us;
            }
            queue_push(world, item);
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
    while (world->count > 0 && world->heap[0].at_us <= end_us) {
        (void)world_step(world);
    }
    world->now_us = end_us;
}

/* Clients --------------------------------------------------------------------------------- */

int world_ask(struct world *world, int node, struct message *request)
{
    int index = 0;
    while (index < WORLD_CALLS_MAX && world->calls[index].used) {
        index++;
    }
    assert(index < WORLD_CALLS_MAX);
    struct call *call = &world->calls[index];
    *call = (struct call){.used = true, .node = node, .uses = call->uses + 1};
    if (!world->nodes[node].up) {
        call->done = true;
        call->reply.status = STATUS_UNREACHABLE;
        message_release(request);
        return index;
    }
    struct item item = item_of_message(world, request);
    message_release(request);
    item.type = ITEM_REQUEST;
    item.node = node;
    item.life = world->nodes[node].life;
    item.call = index;
    item.uses = call->uses;
    item.at_us = world->now_us +
                 between(world, world->options.latency_min_us, world->options.latency_max_us);
    queue_push(world, item);
    return index;
}

bool world_answered(const struct world *world, int call)
{
    return world->calls[call].done;
}

void world_take(struct world *world, int call, struct message *ret_reply)
{
    assert(world->calls[call].done);
    *ret_reply = world->calls[call].reply;
    world->calls[call] = (struct call){.uses = world->calls[call].uses};
}

void world_forget(struct world *world, int call)
{
    message_release(&world->calls[call].reply);
    world->calls[call].used = false;
}

bool world_wait(struct world *world, int call, uint64_t limit_us, struct message *ret_reply)
{
    uint64_t end_us = world->now_us + limit_us;
    while (!world_answered(world, call) && world->count > 0 && world->heap[0].at_us <= end_us) {
        (void)world_step(world);
    }
    if (!world_answered(world, call)) {
        return false;
    }
    world_take(world, call, ret_reply);
    return true;
}
