/*
 * internal.h - the core's own state, shared by the files of node/core/ and by nobody else.
 *
 *   core.c             step, dispatch, ticks, status
 *   request.c          the table of requests in flight; sending; replying
 *   coordinate_put.c   a put or delete at its coordinator
 *   put_legs.c         who gets which part of it: primaries, fallbacks
 *   coordinate_get.c   a get: digests, merge, read repair
 *   read_legs.c        what gets and listings share
 *   heal.c             copies whose content does not match its hash
 *   coordinate_list.c  a listing: streams of rows merged
 *   list_compare.c     a listing by live rows alone, where the streams agree
 *   forward.c          a request that another node must coordinate
 *   replica.c          what a coordinator asks of this node
 *   intents.c          rows that still have to be pushed
 *   revive.c           a live row revives its directory
 *   detector.c         which peers are passed over, and when they are asked again
 *   hints.c            what is kept for members that were away is handed over
 *   repair.h           anti-entropy, scrubbing, reaping, sources, and their share of the time
 *   join.c             a node asks to be let in, or comes back without its disk
 *   membership.c       greeting, forming a cluster, taking up new rings
 */
#ifndef NODE_CORE_INTERNAL_H
#define NODE_CORE_INTERNAL_H

#include <assert.h>
#include <stddef.h>

#include "node/core/core.h"
#include "node/core/repair.h"
#include "node/core/stats.h"
#include "ring/mark.h"
#include "ring/preference_list.h"

enum {
    REQUESTS_MAX = 4096,
    /* The rest of the table is for replicas' work, so that clients cannot starve coordinators
       elsewhere. */
    CLIENT_REQUESTS_MAX = 3072,
    REQUEST_BYTES_DEFAULT = 256 << 20, /* of contents in requests in flight */
    CLIENT_SHARE =
        4, /* three of four parts of it may be clients', the last one is for replicas */
    LEGS_MAX = OWNERS_MAX,       /* replicas of an object, and of its row */
    PEERS_MAX = 2 * MEMBERS_MAX, /* members and seeds */
    PEER_SELF = 0xffff,
    CLEARED_INTENTS_MAX = 64,
    DRIVER_STATS_MAX = 16,
    REVIVE_LIMIT = 16,      /* intents taken from the disk at a time */
    HEDGE_AFTER_US = 30000, /* a read asks one replica more when an answer takes this long */
    DRAIN_US = 1000000,     /* how long a put that was answered waits for its last copies */
    /* A leg is given up, or a put's replaced by a fallback, after its peer's usual latency and
       four deviations, within these. */
    PATIENCE_MIN_US = 100000,
    PATIENCE_MAX_US = 1000000,
    PATIENCE_SYNC_US = 300000, /* more for a write that waits for the disk */
    SUSPECT_MIN_US = 500000,   /* a suspected peer is asked again after this, then ... */
    SUSPECT_MAX_US = 5000000,  /* ... twice as long each time */
    WELL_AFTER_US = 10000000,  /* one that was well for so long begins at the minimum again */
    HEDGE_SHARE = 10,          /* one read in ten may be hedged ... */
    HEDGE_BURST = 64,          /* ... and so many at once */
    CLEAR_INTENTS_AFTER_US = 50000,
    INTENT_AFTER_US = 3000000, /* what a put left undone is taken up again after this */
    RETRY_MIN_US = 1000000,
    RETRY_MAX_US = 30000000,
    HOLD_US = 5500000, /* writes are held still at most so long while a member joins */
    JOIN_DEADLINE_US = 5000000,
    JOIN_RETRY_US = 300000,
    FORMING_RETRY_US = 1000000,
    WAITS_NOTE_US = 30000000,
    SPLIT_NOTE_US = 60000000, /* what stays wrong is told once a minute */
};

/* A node that this one keeps a connection to. */
struct peer {
    char address[ADDRESS_SIZE];
    bool connected;      /* greeted, and the greeting told what follows */
    bool is_replica;     /* connected, and the member of our ring that lives at this address */
    bool is_suspect;     /* it missed a deadline, and has not answered since */
    uint64_t probe_us;   /* when a suspect is asked again */
    uint64_t pinged_us;  /* when it was last asked; 0: it answered */
    uint64_t backoff_us; /* how long it was left alone last */
    uint64_t well_since_us;
    uint64_t latency_us;   /* smoothed */
    uint64_t deviation_us; /* smoothed */
    node_id node;
    uint64_t cluster_id;
    bool forming;
    bool seeds_equal;       /* while forming: it was told the same set of nodes as we were */
    uint64_t join_after_us; /* when JOIN may be sent to it (again) */
    node_id noted_by;       /* the member here that has taken our incarnation down; 0: none */
    bool has_vouched;       /* ... and had seen an earlier one last */
};

/* May own pairs of earlier incarnations be extended? See vouch.c. */
struct vouch {
    uint64_t incarnation;
    uint64_t nonce; /* 0: not drawn yet */
    uint64_t due_us;
    uint16_t next_member; /* the first to be asked */
    bool is_settled;      /* every member has taken it down */
    bool is_trusted;      /* every member has vouched */
    bool is_old;          /* the data directory is an older copy of itself */
    uint64_t note_after_us;
};

enum leg_state {
    LEG_IDLE,   /* not asked yet */
    LEG_SENT,   /* asked; the answer is awaited */
    LEG_DONE,   /* answered well */
    LEG_EMPTY,  /* get: a fallback that holds nothing; it counts for nothing */
    LEG_FAILED, /* answered badly, or gone */
};

/* One replica's part in a request. */
struct leg {
    uint16_t peer; /* PEER_SELF for this node */
    enum leg_state state;
    uint8_t parts;    /* put: REPLICA_OBJECT | REPLICA_ROW */
    bool asks_digest; /* put: the digest of its copy is awaited; list: live rows with marks */
    bool is_hint;     /* a fallback's: what it holds, or is to hold, is a hint */
    node_id owner;    /* put: the primary whose copy this is */
    uint64_t sent_us;
    bool has_digest; /* get */
    bool has_object; /* get: `object` is the whole answer (NULL: the replica has none) */
    uint8_t digest[DIGEST_SIZE];
    struct object *object;
    uint64_t names_us; /* get of a directory: as the replica knows it */
    struct message_list_reply list;
};

/*
 * PUT:     READING (UPDATE_SOME only) -> STORING -> REPLICATING -> DRAINING -> HINTING
 * GET:     ASKING                         LIST: ASKING
 * REVIVE:  FINDING -> CHECKING_ROW -> CHECKING_DIRECTORY -> CREATING
 * JOIN:    PREPARING -> SAVING            the others: WAITING
 */
enum request_state {
    STATE_WAITING,
    STATE_READING,
    STATE_STORING,
    STATE_REPLICATING,
    STATE_DRAINING,
    STATE_HINTING,
    STATE_PUSHING,
    STATE_ASKING,
    STATE_FINDING,
    STATE_CHECKING_ROW,
    STATE_CHECKING_DIRECTORY,
    STATE_CREATING,
    STATE_PREPARING,
    STATE_SAVING,
};

struct put_state {
    struct message_put *put; /* until it goes to the store */
    bool sync;
    bool is_fallback; /* this node is no primary: its own copy is a hint */
    bool has_intent;
    bool met_full_disk; /* a replica had no room for its copy */
    bool by_digest; /* done again in the background: whoever holds the object gets just its row
                     */
    uint16_t next_fallback; /* place in the preference list of the next one to be tried */
    uint16_t next_suspect;  /* the same of fallbacks that are suspected */
    uint16_t owners_asked;  /* bits: legs whose owner was asked after a fallback in its place */
    uint8_t w, w_row;       /* w_row 0: there is no row (the root) */
    uint8_t object_acks, row_acks;
    uint64_t intent_stamp;
    struct object *object; /* after the local copy was written */
};

struct get_state {
    struct dot *dots; /* owned: what a put waits to know */
    uint32_t dot_count;
    uint8_t r;
    bool for_repair; /* copies of nodes that refill are wanted too */
    bool heals;      /* the own copy is bad: what the others hold takes its place */
    bool for_dots;   /* a put waits to know the versions it names: whoever knows them will do */
};

struct list_state {
    struct message_list list; /* its directory is request->key */
    bool by_marks; /* live rows with marks are asked for; else all rows, to be merged */
    uint8_t r;
};

struct forward_state {
    struct message message; /* sent again to each node tried */
    uint8_t next;           /* next leg to be tried */
};

struct replica_state {
    enum message_type type; /* of the reply */
    bool digest_only;
    bool from_hints;
    bool with_intent; /* a handed-off object left a row intent */
};

struct scan_state {
    enum intent_kind kind;
    struct blob *cursor;
    uint16_t children; /* retries under way */
    bool failed;       /* one of them failed: back off */
    bool more;
};

struct revive_state {
    uint64_t stamp;
    struct row row; /* the live row that was found */
    struct message_put *put;
};

/* Either the hints of one owner, page by page, or (a child of that) one hint on its way. */
struct hints_state {
    node_id owner;
    struct hint cursor; /* its kind and key, owned */
    uint16_t children;
    bool failed, more;
    bool drops;       /* forgets them, by hand */
    uint64_t dropped; /* so many */
    struct hint hint; /* owned: the one on its way */
};

struct join_state {
    struct member member;
    node_id replaced;  /* the member whose disk was lost; 0: none */
    bool by_hand;      /* a REPLACE asked for it, not the newcomer */
    struct ring *ring; /* owned: the ring being saved */
};

struct adopt_state {
    struct ring *ring; /* owned: the ring being saved */
};

struct core;
struct request;
struct child_result;

/*
 * What requests of one kind do; each is defined at the end of the file that it is about. A
 * handler may free its request. NULL: nothing.
 */
struct request_kind {
    const char *name;
    size_t own_size;     /* of the kind's own state in a request */
    bool outlives_reply; /* a put waits for its last copies, a join for its ring */
    /* An answer to a leg that waits for one. The message's payload may be taken. */
    void (*on_reply)(struct core *core, struct request *request, uint8_t leg,
                     struct message *message);
    /* The own store has answered; `leg` is what the store request named. */
    void (*on_stored)(struct core *core, struct request *request, uint8_t leg,
                      struct store_result *result);
    void (*on_child)(struct core *core, struct request *request, struct child_result *result);
    /* Its deadline, or the time of its hedge, has come. NULL: it waits for the own store, which
     * always answers, and has no deadline. */
    void (*on_due)(struct core *core, struct request *request);
    /* A connection broke: legs that waited for it have failed. */
    void (*on_leg_failed)(struct core *core, struct request *request);
    /* Frees what its own state owns. */
    void (*release)(struct request *request);
};

extern const struct request_kind put_kind, get_kind, list_kind, forward_kind, replica_kind,
    scan_kind, revive_kind, join_kind, prepare_kind, adopt_kind, hints_kind;

enum { REQUEST_OWN_SIZE = 512 };

struct request {
    const struct request_kind *kind; /* NULL: the slot is free */
    enum request_state state;
    uint32_t generation; /* grows with each use of the slot */
    uint16_t slot;
    uint16_t previous, next; /* the list of active requests, or of free slots */
    size_t bytes;            /* of contents, as far as they are counted */
    uint64_t started_us;
    uint64_t deadline_us;
    uint64_t hedge_us; /* UINT64_MAX: no */
    bool replied;
    bool met_other_ring; /* get, list: a replica goes by the ring of another epoch */
    enum status told;    /* the most telling failure of those it was forwarded to; OK: none */
    bool is_child;       /* its result goes to the request `parent`, not to a connection */
    uint16_t parent;
    uint32_t parent_generation;
    uint64_t handle;   /* the connection to reply to */
    uint64_t reply_id; /* the request_id to echo */
    bool is_client;    /* counts against CLIENT_REQUESTS_MAX */
    struct blob *key;
    uint8_t leg_count;
    struct leg leg[LEGS_MAX];
    void *own; /* the kind's own state: `own_space`, or what its release frees */
    _Alignas(max_align_t) unsigned char own_space[REQUEST_OWN_SIZE];
};

/* The own state of a request of that kind. */
static inline struct put_state *put_of(const struct request *request)
{
    assert(request->kind == &put_kind);
    return request->own;
}

static inline struct get_state *get_of(const struct request *request)
{
    assert(request->kind == &get_kind);
    return request->own;
}

static inline struct list_state *list_of(const struct request *request)
{
    assert(request->kind == &list_kind);
    return request->own;
}

static inline struct forward_state *forward_of(const struct request *request)
{
    assert(request->kind == &forward_kind);
    return request->own;
}

static inline struct replica_state *replica_of(const struct request *request)
{
    assert(request->kind == &replica_kind);
    return request->own;
}

static inline struct scan_state *scan_of(const struct request *request)
{
    assert(request->kind == &scan_kind);
    return request->own;
}

static inline struct revive_state *revive_of(const struct request *request)
{
    assert(request->kind == &revive_kind);
    return request->own;
}

static inline struct join_state *join_of(const struct request *request)
{
    assert(request->kind == &join_kind);
    return request->own;
}

static inline struct adopt_state *adopt_of(const struct request *request)
{
    assert(request->kind == &adopt_kind);
    return request->own;
}

static inline struct hints_state *hints_of(const struct request *request)
{
    assert(request->kind == &hints_kind);
    return request->own;
}

/* What a child hands to its parent. Borrowed for the call. */
struct child_result {
    enum status status;
    struct object *object;           /* GET, PUT */
    struct message_list_reply *list; /* LIST */
};

/* When the intents of one kind are looked through next. */
struct scan_timer {
    uint64_t due_us;
    uint64_t backoff_us;
    bool running;
};

struct core {
    node_id node;
    char address[ADDRESS_SIZE];
    struct ring *ring; /* NULL: none yet */
    int self;          /* index into ring->members */
    uint16_t partition_count, replica_count;
    uint16_t seed_count;
    char (*seeds)[ADDRESS_SIZE]; /* own address included, sorted */

    uint16_t peer_count;
    struct peer peers[PEERS_MAX];
    uint16_t member_peer[MEMBERS_MAX]; /* peer of each ring member; PEER_SELF for this node */

    struct request *requests; /* REQUESTS_MAX */
    uint16_t active_head, free_head;
    uint16_t used_slots; /* those above were never touched: their memory is not there yet */
    uint32_t active_count, client_count;
    size_t bytes_in_flight, bytes_max;

    struct scan_timer scans[2]; /* row intents, revival intents */
    struct scan_timer hints_timer;
    uint32_t hedges; /* tokens, in units of HEDGE_SHARE */
    struct intent cleared[CLEARED_INTENTS_MAX];
    uint16_t cleared_count;
    uint64_t clear_due_us;

    bool started;
    bool draining;
    bool is_adopting;   /* a ring is being saved */
    uint64_t ring_mark; /* of `ring`; 0: none */
    uint64_t split_note_after_us;
    uint64_t refused_epoch; /* of the ring that was refused last */
    uint64_t waits_note_after_us;
    char
        waits[NOTE_TEXT_SIZE]; /* why the node is not let in, or cannot end its refill; or "" */
    bool place_is_new;         /* while joining: the cluster had no member at this address */
    uint64_t hold_until_us;    /* the ring is about to change: nobody else may change it */
    bool holds_writes;         /* ... and writes are refused */
    node_id hold_proposer;
    uint64_t due_us;
    uint64_t now_us, wall_us;
    uint64_t random;
    uint64_t clock_note_after_us;
    bool in_step;
    struct outbox *outbox; /* during a step */

    bool completes_alone; /* by hand: a refill may end though no complete copy was met */
    bool is_complete; /* false: copies may be missing after a lost disk; reads do not count them
                       */
    struct repair_config repair_config;
    struct repair repair;
    struct background background;
    struct source source;
    struct vouch vouch;

    uint64_t disk_total, disk_free;
    enum disk_state disk_state;
    struct core_stats stats;
    struct statistic driver_stats[DRIVER_STATS_MAX];
    uint16_t driver_stat_count;
};

enum { NO_SLOT = 0xffff, LEG_OF_STORE = 0xfe, LEG_OF_SECOND_STORE = 0xfd };

/* request.c ------------------------------------------------------------------------------- */

/* A zeroed request with its deadline set, or NULL when the table is full. Takes no ownership.
 */
struct request *request_new(struct core *core, const struct request_kind *kind,
                            uint64_t deadline_us, bool is_client);
/* True if this node coordinates any put now. */
bool puts_in_flight(const struct core *core);
/* True if a request that brings so many bytes of contents may begin now; else it was counted as
 * refused: BUSY. One is always let in, however large it is. */
bool request_has_room(struct core *core, bool is_client, size_t bytes);
/* The request holds so many bytes more, until it is freed. */
void request_charge(struct core *core, struct request *request, size_t bytes);
/* The request begins anew: it has no legs, and late answers to those before find nothing. */
void request_drop_legs(struct core *core, struct request *request);
/* Drops all it owns; its slot is free for another. */
void request_free(struct core *core, struct request *request);
struct request *request_of_token(struct core *core, uint64_t token, uint8_t *ret_leg);
uint64_t request_token(const struct request *request, uint8_t leg);
/* The parent, if it still is the request that asked; else NULL. */
struct request *request_parent(struct core *core, const struct request *child);
void request_due(struct core *core, uint64_t at_us);
void request_set_hedge(struct core *core, struct request *request, uint64_t at_us);

struct action *core_act(struct core *core, enum action_type type);
/* True if what one request sends at a time still fits into this step; else a tick comes at
 * once. */
bool core_has_room(struct core *core);
void core_note(struct core *core, enum note note, const char *text);
uint64_t core_random(struct core *core);
/* Counters of the leg's message; a request to the leg's peer. Type and payload are filled in by
 * the caller. */
struct message *request_send(struct core *core, struct request *request, uint8_t leg,
                             enum message_type type);
/* A store request that answers to this request. */
struct store_request *request_store(struct core *core, struct request *request, uint8_t leg,
                                    enum store_operation operation);
/* A store request whose result nobody awaits. */
struct store_request *core_store(struct core *core, enum store_operation operation);
/* A message to a peer whose reply nobody awaits. */
struct message *core_send(struct core *core, uint16_t peer, enum message_type type);
/* The reply to the request's connection, to be filled in. Counts as replied. */
struct message *request_reply(struct core *core, struct request *request,
                              enum message_type type, enum status status);
/* A reply to a message that needs no request in the table. */
struct message *core_reply(struct core *core, const struct event *event, enum message_type type,
                           enum status status);
void message_set_text(struct message *message, const char *text);
bool peer_is_usable(const struct core *core, uint16_t peer);
/* Legs for the primaries of `partition` (this node first, then connected ones, suspects last).
 */
void request_add_primaries(struct core *core, struct request *request, uint16_t partition);
/* Places of the partition's primaries in the ring, and whether this node is one. */
void core_fill_owners(const struct core *core, struct slice key, struct store_request *store);
/* Legs for fallbacks that may hold hints, in all two for each primary that is away or
 * suspected, and this node if it is no primary. Those that have one already get no second. */
void request_add_fallbacks(struct core *core, struct request *request, uint16_t partition);
/* Suspects the peers that left a leg unanswered for longer than their patience. True if there
 * was one. */
bool request_suspect_slow(struct core *core, struct request *request);
/* Fails the request's unanswered legs to `peer`. True if there was one. */
bool request_fail_legs(struct request *request, uint16_t peer);
/* True if the peer (or this node) is among the first N of the key. */
bool peer_holds(const struct core *core, uint16_t peer, struct slice key);
/* True if this node is among the first N of the partition. */
bool core_is_primary(const struct core *core, uint16_t partition);
uint8_t core_quorum(const struct core *core, uint8_t wanted);
uint64_t core_deadline_of(const struct core *core, uint32_t deadline_ms);
/* Hands a finished child's result to its parent, if that still waits. Frees the child first. */
void child_finish(struct core *core, struct request *child, struct child_result *result);

/* detector.c ------------------------------------------------------------------------------ */
/* True while a peer that missed a deadline has not answered again: it is passed over. */
bool peer_is_suspect(const struct core *core, uint16_t peer);
/* The peer did not answer in time. */
void peer_failed(struct core *core, uint16_t peer);
/* The peer answered; after `latency_us`, or 0 if that is not known. */
void peer_answered(struct core *core, uint16_t peer, uint64_t latency_us);
/* How long an answer of the peer is waited for before someone else is asked as well. */
uint64_t peer_patience_us(const struct core *core, uint16_t peer, bool sync);
/* In which order peers are asked: less is sooner. 0 is this node. */
unsigned peer_rank(const struct core *core, uint16_t peer);
/* One more read may be sent than R asks for. */
bool detector_take_hedge(struct core *core);
void detector_note_read(struct core *core);
void detector_on_tick(struct core *core);

/* coordinate_put.c ------------------------------------------------------------------------ */
void put_on_request(struct core *core, struct event *event);
/* Coordinates here what no primary could be asked to coordinate. Takes the payload out of
 * `message`; the reply goes where `from` would have replied. */
void put_start_fallback(struct core *core, struct request *from, struct message *message);
/* Takes `put`, also on failure. False when the table is full or this node is no primary.
 * `intent_stamp`: of the intent that it carries out; 0: none. */
bool put_start_child(struct core *core, struct request *parent, struct message_put *put,
                     uint64_t intent_stamp);
/* Bytes of contents that a put brings. */
size_t put_size(const struct message_put *put);

/* put_legs.c ------------------------------------------------------------------------------ */
/* Sets up all legs of a put whose own copy is written, and sends the objects. */
void put_legs_start(struct core *core, struct request *request);
/* The object has its quorum: those that hold just the row are sent to. */
void put_legs_send_rows(struct core *core, struct request *request);
/* Legs whose peer was waited for long enough are given to fallbacks. */
void put_legs_on_due(struct core *core, struct request *request);
/* Gives the legs that have failed to fallbacks, and asks suspects if it must be. */
void put_legs_replace_failed(struct core *core, struct request *request);
/* Gives the leg to the next fallback. False if there is none: the leg stays as it is. */
bool put_leg_replace(struct core *core, struct request *request, uint8_t leg);
/* The digest of a replica's copy came: is the object there already? */
void put_leg_compare(struct core *core, struct request *request, uint8_t leg,
                     const struct message *message);
/* True if the leg was sent to a suspect that has been given its time. */
bool put_leg_is_outlasted(const struct core *core, const struct request *request,
                          const struct leg *leg);
void put_count_acknowledged(struct request *request, const struct leg *leg);
/* What a planted bug sends instead of the whole object. Never called in the shipping build. */
struct object *object_newest_alone(const struct object *object);

/* read_legs.c ----------------------------------------------------------------------------- */
typedef void read_ask(struct core *core, struct request *request, uint8_t leg);
uint8_t read_legs_in(const struct request *request, enum leg_state state);
/* Fallbacks whose answer is awaited: they may hold nothing. */
uint8_t read_hints_awaited(const struct request *request);
/* Answers that are in, or that a primary owes. */
unsigned read_answers_expected(const struct request *request);
/* Asks replicas not asked yet until `wanted` answers are in or awaited. */
void read_ask_more(struct core *core, struct request *request, unsigned wanted, read_ask *ask);
/* The reply of a replica: does it go by the ring of another epoch? */
void read_note_ring(const struct core *core, struct request *request,
                    const struct message *message);
/* There are too few answers. True if that is so since a ring is being handed round: all is
 * asked anew in a moment, when the newer one is known, so the request waits (STATE_WAITING, and
 * its hedge) without legs. */
bool read_waits_for_ring(struct core *core, struct request *request);
/* The moment has come to ask one more, and to suspect the slow. */
void read_hedge(struct core *core, struct request *request, read_ask *ask);

/* coordinate_get.c ------------------------------------------------------------------------ */
void get_on_request(struct core *core, struct event *event);
/* Coordinates a get here although this node is no primary. */
void get_start_fallback(struct core *core, struct request *from, struct message *message);
/* Reads the key with all replicas, for the sake of the read repair alone. */
void get_start_repair(struct core *core, struct blob *key);
/* Reads the key with the other primaries that are well, to replace a bad own copy. */
void get_start_heal(struct core *core, struct blob *key);
bool get_start_child(struct core *core, struct request *parent, struct blob *key);
/* The read before a put that names versions: done as soon as all of them are known, or when
 * `r` replicas have answered. */
bool get_start_for_dots(struct core *core, struct request *put, const struct dot *dots,
                        uint32_t dot_count, uint8_t r);

/* heal.c ---------------------------------------------------------------------------------- */
/* A copy of the key came whose content does not match its hash: counted and told. */
void copy_refused(struct core *core, struct slice key);
/* True if the received copy's contents match their hashes; else it was counted as refused. */
bool copy_is_sound(struct core *core, struct slice key, const struct object *object);
/* The own copy of the key has a content that does not match its hash. */
void heal_start(struct core *core, struct blob *key);
/* The others' copies, merged, take its place. */
void heal_finish(struct core *core, const struct request *request, struct object *merged);

/* coordinate_list.c ----------------------------------------------------------------------- */
void list_on_request(struct core *core, struct event *event);
bool list_start_child(struct core *core, struct request *parent, struct blob *directory,
                      struct blob *name);
void list_start_fallback(struct core *core, struct request *from, struct message *message);
void list_check(struct core *core, struct request *request);

void list_ask(struct core *core, struct request *request, uint8_t leg);
/* Ends the listing: frees the request, and takes the rows if it succeeds. */
void list_end(struct core *core, struct request *request, enum status status,
              struct message_list_reply *list);

/* list_compare.c -------------------------------------------------------------------------- */
/* True if the listing may be answered by live rows alone, as long as replicas agree. */
bool list_may_compare(const struct request *request);
/* R replicas have answered with live rows and marks: answers with what they have in common, or
 * asks them for all their rows. */
void list_compare_answer(struct core *core, struct request *request);

/* forward.c ------------------------------------------------------------------------------- */
void forward_start(struct core *core, struct event *event, uint16_t partition,
                   enum message_type reply_type);
/* What is passed on when the request fails with `status`: that, or what tells more of those it
 * was forwarded to before. An answer that is none of one node alone is passed on as it is. */
enum status forward_telling(const struct request *request, enum status status);

/* replica.c ------------------------------------------------------------------------------- */
void replica_on_request(struct core *core, struct event *event);

/* intents.c ------------------------------------------------------------------------------- */
/* The intent is done: dropped from the disk soon, in company. Takes a reference to key. */
void intents_clear(struct core *core, enum intent_kind kind, struct blob *key, uint64_t stamp);
void intents_flush(struct core *core);
/* Something was left to an intent of this kind: look after `delay_us`. */
void intents_wanted(struct core *core, enum intent_kind kind, uint64_t delay_us);
void intents_on_tick(struct core *core);

/* A put without an update: sends the own copy, object and row, to all that hold them. `sync`:
 * the result is OK only when what was sent is durable. */
bool push_object(struct core *core, struct request *parent, struct blob *key, bool sync);

void hints_on_tick(struct core *core);
/* A member can be asked again, or something was kept for one: look after `delay_us`. */
void hints_wanted(struct core *core, uint64_t delay_us);
/* MESSAGE_DROP_HINTS */
void hints_on_drop(struct core *core, struct event *event);

/* revive.c -------------------------------------------------------------------------------- */
bool revive_start(struct core *core, struct request *scan, const struct intent *intent);

/* membership.c ---------------------------------------------------------------------------- */
void membership_start(struct core *core);
void membership_on_hello(struct core *core, struct event *event);
void membership_on_peer_up(struct core *core, struct event *event);
void membership_on_peer_down(struct core *core, struct event *event);
void membership_on_request(struct core *core, struct event *event);
void membership_on_response(struct core *core, struct event *event);
void membership_on_tick(struct core *core);
/* True if a node's request was placed by another ring; counted, and by a ring of the same epoch
 * told. */
bool membership_is_other_ring(struct core *core, const struct event *event);
/* After core_reply: closes the connection of a node of the other half. */
void membership_close_split(struct core *core, const struct event *event);
/* The ring is on the disk: from now on keys are placed by it. */
void membership_ring_in_force(struct core *core, const struct ring *ring);
void membership_push_ring(struct core *core);

/* vouch.c --------------------------------------------------------------------------------- */
/* The members are others than before. */
void vouch_on_ring(struct core *core);
/* A member can be asked now. */
void vouch_wanted(struct core *core);
void vouch_on_tick(struct core *core);
void vouch_on_reply(struct core *core, struct event *event);
/* An object knows of writes by this node that this node knows nothing of. */
void vouch_on_outdone(struct core *core);

/* join.c ---------------------------------------------------------------------------------- */
void join_on_request(struct core *core, struct event *event);
/* MESSAGE_REPLACE: the same by hand. */
void replace_on_request(struct core *core, struct event *event);
void prepare_on_request(struct core *core, struct event *event);
/* A peer knows a newer ring: fetch it. */
void membership_fetch(struct core *core, uint16_t peer);
/* Fills in the HELLO payload that this node greets with. */
/* Remembers, and tells once, why the node waits; "" for no more. */
void membership_waits(struct core *core, const char *text);
void membership_fill_hello(const struct core *core, struct message *message);
void membership_map_peers(struct core *core);

#endif
