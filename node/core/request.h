/*
 * request.h - requests in flight: a bounded table, and what they send.
 *
 * A request has a kind, which says what it does on each event; a state, a deadline, and legs:
 * one for each node that has a part in it. A new kind is a file of its own that defines its
 * struct request_kind and the struct of its own state.
 */
#ifndef NODE_CORE_REQUEST_H
#define NODE_CORE_REQUEST_H

#include <assert.h>
#include <stddef.h>

#include "node/core/state.h"

enum {
    REQUESTS_MAX = 4096,
    /* The rest of the table is for replicas' work, so that clients cannot starve coordinators
       elsewhere. */
    CLIENT_REQUESTS_MAX = 3072,
    REQUEST_BYTES_DEFAULT = 256 << 20, /* of contents in requests in flight */
    LEGS_MAX = OWNERS_MAX,             /* replicas of an object, and of its row */
    REQUEST_OWN_SIZE = 512,
    CHILD_DEADLINE_US = 5000000, /* for what a request asks of another in its place */
    LEG_OF_STORE = 0xfe,         /* of store requests that concern no leg */
    LEG_BEFORE_STORE = 0xfd,     /* one whose result is not waited for: another follows it */
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

/* What a child hands to its parent. Borrowed for the call. */
struct child_result {
    enum status status;
    struct object *object;           /* get, put, key repair */
    struct message_list_reply *list; /* list */
};

/* Which of them a kind goes through is said in its file. */
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
    STATE_COUNT,
};

#define FROM(state) (1U << (state))

/*
 * What requests of one kind do; each is defined at the end of the file that it is about. A
 * handler may free its request. NULL: nothing.
 */
struct request_kind {
    const char *name;
    size_t own_size; /* of the kind's own state in a request */
    /* Into each state that it enters: from which ones, bits. All begin in STATE_WAITING. */
    uint32_t comes_from[STATE_COUNT];
    bool outlives_reply; /* a put waits for its last copies, a join for its ring */
    /* An answer to a leg that waits for one. The message's payload may be taken. */
    void (*on_reply)(struct core *core, struct request *request, uint8_t leg,
                     struct message *message);
    /* The own store has answered; `leg` is what the store request named. */
    void (*on_stored)(struct core *core, struct request *request, uint8_t leg,
                      struct store_result *result);
    void (*on_child)(struct core *core, struct request *request, struct child_result *result);
    /* Its deadline, or its wake_us, has come. NULL: it waits for the own store, which
     * always answers, and has no deadline. */
    void (*on_due)(struct core *core, struct request *request);
    /* A connection broke: legs that waited for it have failed. */
    void (*on_leg_failed)(struct core *core, struct request *request);
    /* Frees what its own state owns. */
    void (*release)(struct request *request);
};

struct request {
    const struct request_kind *kind; /* NULL: the slot is free */
    enum request_state state;
    uint32_t generation; /* grows with each use of the slot */
    uint16_t slot;
    uint16_t previous, next; /* the list of active requests, or of free slots */
    size_t bytes;            /* of contents, as far as they are counted */
    uint64_t started_us;
    uint64_t deadline_us;
    uint64_t wake_us; /* on_due is called then too; why, says who sets it. UINT64_MAX: no */
    bool replied;
    bool met_other_ring; /* get, list, put: a replica goes by the ring of another epoch */
    uint64_t ring_mark;  /* get, list, put: the ring by which replicas were asked */
    enum status failure; /* of those it was forwarded to, the one that says most; OK: none */
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

/* The own state of a request of the kind whose state has this size. */
static inline void *request_own(const struct request *request, size_t size)
{
    assert(request->kind && request->kind->own_size == size);
    return request->own;
}

/* A zeroed request with its deadline set, or NULL when the table is full. Takes no ownership.
 */
struct request *request_new(struct core *core, const struct request_kind *kind,
                            uint64_t deadline_us, bool is_client);
/* The request is in that state now. Asserts that its kind may go there from where it is. */
void request_go(struct request *request, enum request_state state);
/* Makes it a child of `parent`, which hears of its end. */
void request_set_parent(struct request *request, const struct request *parent);
/* Makes it a child of nobody: nobody hears of its end. */
void request_set_orphan(struct request *request);
/* True if a request that brings so many bytes of contents may begin now; else it was counted as
 * refused: BUSY. One is always let in, however large it is. */
bool request_has_room(struct core *core, bool is_client, size_t bytes);
/* The request holds so many bytes more, until it is freed. */
void request_charge(struct core *core, struct request *request, size_t bytes);
/* The request begins anew: it has no legs, and late answers to those before find nothing. */
void request_drop_legs(struct core *core, struct request *request);
/* Frees what it owns; its slot is free for another. */
void request_free(struct core *core, struct request *request);
struct request *request_of_token(struct core *core, uint64_t token, uint8_t *ret_leg);
uint64_t request_token(const struct request *request, uint8_t leg);
/* The parent, if it still is the request that asked; else NULL. */
struct request *request_parent(struct core *core, const struct request *child);
void request_set_deadline(struct core *core, struct request *request, uint64_t at_us);
/* on_due is called then, too. */
void request_wake_at(struct core *core, struct request *request, uint64_t at_us);

/* A request to the leg's peer. Type and payload are filled in by the caller. */
struct message *request_send(struct core *core, struct request *request, uint8_t leg,
                             enum message_type type);
/* A store request that answers to this request. */
struct store_request *request_store(struct core *core, struct request *request, uint8_t leg,
                                    enum store_operation operation);
/* The reply to the request's connection, to be filled in. Counts as replied. */
struct message *request_reply(struct core *core, struct request *request,
                              enum message_type type, enum status status);
/* Hands a finished child's result to its parent, if that still waits. Frees the child first. */
void child_finish(struct core *core, struct request *child, struct child_result *result);

#endif
