/*
 * world_internal.h - the simulator's own state, shared by the files world*.c and by nobody
 * else.
 *
 *   world.c        nodes: their disks, clocks, lives and deaths
 *   world_queue.c  everything that is going to happen, in order
 *   world_links.c  messages on their way, and what the weather does to them
 *   world_pump.c   events into a node, actions out of it
 *   world_calls.c  clients' requests
 *   world_reach.c  since when nodes and links have been well
 *   world_trace.c  a line for each event
 *   world_marks.c  what a node was in the middle of when it died
 */
#ifndef TESTS_SIM_WORLD_INTERNAL_H
#define TESTS_SIM_WORLD_INTERNAL_H

#include "tests/sim/disk.h"
#include "tests/sim/world.h"

enum {
    PEER_SLOTS = 64,
    RECONNECT_US = 100000,
    GREETING_US = 1000000,   /* a greeting that stays without an answer is given up */
    CLIENT_HANDLE = 1 << 30, /* handles of calls; those of links are below */
    MESSAGE_TYPES = 64,
    DELAY_MAX_US = 1500000, /* the slowest disk or link: below every grace time */
};

enum item_type { ITEM_REQUEST, ITEM_RESPONSE, ITEM_CONNECT, ITEM_STORE, ITEM_TICK, ITEM_REPLY };

struct item {
    uint64_t at_us;
    uint64_t sequence;
    enum item_type type;
    int node;            /* where it happens */
    uint64_t life;       /* of that node; another life does not see it */
    int from;            /* REQUEST from a link; RESPONSE */
    uint16_t peer;       /* of the link's owner */
    uint64_t connection; /* a broken connection's messages are gone */
    int call;            /* REQUEST of a client (else -1), REPLY */
    uint32_t uses;
    struct buffer bytes;
    struct store_request store;
    struct item *next_free; /* of places that are not in use */
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
    bool holds_hints;
    uint64_t life;
    struct core *core;
    struct disk *disk;
    struct disk *other_disk, *other_hints; /* not mounted; NULL: there are none */
    struct disk *hints;                 /* what is kept for others, in a database of its own */
    struct disk *backup, *backup_hints; /* NULL: none was made */
    struct store_state state;
    char address[ADDRESS_SIZE];
    int64_t clock_offset_us;
    int64_t drift_ppm;
    struct link links[PEER_SLOTS];
    uint64_t tick_at_us;
    uint64_t ring_epoch; /* the greatest since it was started */
    uint64_t store_last_us;
    uint32_t store_slow;
    struct item *waiting; /* what reached it while it was paused */
    size_t waiting_count, waiting_capacity;
};

struct call {
    bool used, done;
    bool is_node;  /* asked in the role of a node */
    uint32_t uses; /* so that a late answer does not meet the next call in its place */
    int node;
    struct message reply;
};

struct world {
    struct world_options options;
    uint64_t now_us, sequence, random, steps;
    struct item **heap;
    struct item *free_items;
    size_t count, capacity;
    struct world_node nodes[WORLD_NODES_MAX];
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];
    /* The last row and column are the clients'. */
    struct world_weather weather[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1];
    bool has_weather;
    struct call calls[WORLD_CALLS_MAX];
    uint64_t sent[MESSAGE_TYPES];
    uint32_t coordinators; /* bits; see world_take_coordinators */
    /* Since when; UINT64_MAX: it is not. A link: in both directions. */
    uint64_t well_us[WORLD_NODES_MAX];
    uint64_t fair_us[WORLD_NODES_MAX][WORLD_NODES_MAX + 1];
    struct outbox *outbox;
    FILE *trace;
};

uint64_t world_between(struct world *world, uint64_t low, uint64_t high);
int world_node_at(const struct world *world, const char *address);
uint64_t world_wall(const struct world *world, const struct world_node *node);

/* world_queue.c */
void queue_push(struct world *world, struct item item);
struct item queue_pop(struct world *world);
void queue_free(struct world *world);
void item_release(struct item *item);
/* A paused node's item waits until the node goes on. Takes it. */
void queue_park(struct world_node *node, struct item item);
void queue_unpark(struct world *world, struct world_node *node);

/* world_links.c */
struct item item_of_message(struct world *world, const struct message *message);
/* When a message between the two arrives; `last_us` of its connection, or NULL. */
uint64_t message_arrival(struct world *world, int from, int to, uint64_t *last_us);
/* Pushes a message that leaves now, as often as the weather lets it through. Takes the item. */
void message_leave(struct world *world, struct item item, int from, enum message_type type,
                   uint64_t *last_us);
void send_on_link(struct world *world, int from, uint16_t peer, struct message *message);
/* The owner of the link learns that it broke, and tries again later. */
void link_break(struct world *world, int owner, uint16_t peer);
void links_break(struct world *world, int from, int to);
void link_greet(struct world *world, struct item *item);

/* world_pump.c: one step of a node, and what it asks for. */
void world_pump(struct world *world, int index, struct event *event);

/* world_calls.c */
void calls_break(struct world *world, int node);
void calls_answer(struct world *world, const struct item *item, struct message *reply);

/* world_reach.c: to be called after each change of what it looks at. */
void world_note_reach(struct world *world);

/* world_trace.c */
void trace_message(struct world *world, const struct item *item, const struct message *message);
void trace_stored(struct world *world, int node, const struct store_request *request,
                  const struct store_result *result);

/* world_marks.c: counts what the node was in the middle of, which dies now. */
void mark_death(const struct core *core);

#endif
