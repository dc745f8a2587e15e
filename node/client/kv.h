/*
 * kv.h - the cluster as a key-value store: the only door for fs/, the tools and the examples.
 *
 * Threads:  every function from any thread, several at once; each call blocks its caller until
 *           it is answered or its deadline has passed.
 *
 * Source:   DeCandia et al., section 4.1: get(key) -> versions and a context; put(key, context,
 *           value). The context is the clock of the object that get returned.
 */
#ifndef NODE_CLIENT_KV_H
#define NODE_CLIENT_KV_H

#include "ring/key.h"
#include "ring/object.h"
#include "ring/row.h"
#include "ring/view.h"

struct kv;

struct kv_options {
    uint32_t deadline_ms; /* 0: KV_DEADLINE_DEFAULT_MS */
    /* 0: the default quorum. REPLICAS_MAX: all who hold the key, themselves: what others keep
     * for one that is away is no answer. */
    uint8_t r;
    uint8_t w;
    /* The file with the cluster's secret; NULL: see pool_use_secret_file. Looked at by
     * kv_open_cluster alone, which copies it. */
    const char *secret_file;
};

enum { KV_DEADLINE_DEFAULT_MS = 10000, KV_ROWS_MAX = 1024 };

/* A put or delete. Everything is borrowed. */
struct kv_put {
    struct slice key;
    enum update_mode mode;
    struct clock context; /* UPDATE_ALL: what is superseded; empty: nothing, so the put makes a
                             sibling */
    const struct dot *dots; /* UPDATE_SOME: the siblings superseded */
    uint32_t dot_count;
    /* NULL deletes. Its attributes.size, dot, write_id and content_hash are filled in by the
     * client. */
    const struct version *value;
    bool sync; /* survive a power cut */
};

struct kv_list {
    struct slice directory; /* a directory key */
    struct slice start;     /* names after or from this one; empty: from the beginning */
    bool after_start;
    struct slice end;   /* the last name wanted, included; empty: no end */
    bool end_is_prefix; /* only names that begin with `end` */
    uint16_t limit;     /* 1 to KV_ROWS_MAX */
};

struct kv_rows {
    size_t count;
    struct row *rows; /* live rows, ascending by (name, kind); perhaps fewer than the limit,
                         even none, although more is set */
    bool more;
    struct blob *resume; /* with more: the next call's start, with after_start */
};

struct kv_space {
    uint64_t total; /* bytes */
    uint64_t free_bytes;
};

/*
 * What bounds all the calls that one thread makes for one operation of its own, so that their
 * deadlines do not add up: beside its own deadline each call ends when the operation's has
 * passed (STATUS_TIMEOUT), and within a tenth of a second of is_interrupted becoming true
 * (STATUS_INTERRUPTED).
 */
struct kv_limits {
    uint32_t budget_ms; /* of all calls together; 0: no bound */
    /* Asked by the thread itself while it waits; may be NULL. */
    bool (*is_interrupted)(void *context);
    void *context;
};

/* From now on, until kv_limits_end, this thread's calls are bounded so; `limits` is copied. */
void kv_limits_begin(const struct kv_limits *limits);
void kv_limits_end(void);
/* The operation has come on: its budget begins anew. For what consists of any number of steps,
 * each of which is waited for. */
void kv_limits_renew(void);
/* The earlier of `deadline_ns` (CLOCK_MONOTONIC) and the end of the thread's budget. */
uint64_t kv_limits_deadline(uint64_t deadline_ns);
bool kv_limits_is_interrupted(void);
bool kv_limits_are_set(void);
/* True if the thread's budget is spent. */
bool kv_limits_are_over(void);
/* How long a wait may last until kv_limits_is_interrupted is to be asked: `wanted_ms`, or less
 * where somebody may interrupt. */
uint32_t kv_limits_wait_ms(uint32_t wanted_ms);

/* What can be said of a key that cannot be read. */
struct kv_census {
    unsigned holders;   /* nodes whose place it is to hold the key */
    unsigned answering; /* of these, those that answer anything at all */
    unsigned needed;    /* so many must have answered for a read */
};

struct kv_operations {
    enum status (*get)(struct kv *kv, struct slice key, const struct kv_options *options,
                       struct object **ret_object, uint64_t *ret_names_us);
    enum status (*put)(struct kv *kv, const struct kv_put *put,
                       const struct kv_options *options, struct object **ret_row);
    enum status (*list)(struct kv *kv, const struct kv_list *list,
                        const struct kv_options *options, struct kv_rows *ret_rows);
    enum status (*space)(struct kv *kv, const struct kv_options *options,
                         struct kv_space *ret_space);
    enum status (*replicas)(struct kv *kv, struct slice key, struct buffer *ret_text);
    void (*census)(struct kv *kv, struct slice key, const struct kv_options *options,
                   struct kv_census *ret_census);
    enum status (*settled)(struct kv *kv, const struct kv_options *options,
                           struct error *ret_why);
    void (*close)(struct kv *kv);
};

struct kv {
    const struct kv_operations *operations;
};

/*
 * Reads a key. STATUS_OK: *ret_object is live, caller unrefs. STATUS_NOT_FOUND: *ret_object is
 * NULL or a tombstone whose clock is the context. NO_QUORUM, TIMEOUT, UNREACHABLE, CORRUPT,
 * BUSY, INTERRUPTED, BAD_KEY ...: untouched.
 */
MUST_CHECK enum status kv_get(struct kv *kv, struct slice key, const struct kv_options *options,
                              struct object **ret_object);

/* The same of a directory; also, with STATUS_OK and STATUS_NOT_FOUND, when a name in it
 * appeared or vanished last, microseconds since 1970, 0: never (row_names_us). */
MUST_CHECK enum status kv_get_directory(struct kv *kv, struct slice key,
                                        const struct kv_options *options,
                                        struct object **ret_object, uint64_t *ret_names_us);

/*
 * Writes a key. STATUS_OK once W copies are acknowledged; *ret_row (may be NULL if not wanted)
 * is the projection of the object after the put: its clock is the context that supersedes what
 * is now there. TIMEOUT, NO_QUORUM, INTERRUPTED, IO and NO_SPACE are indeterminate: a replica
 * may have written it before another could not, and it may yet appear.
 */
MUST_CHECK enum status kv_put(struct kv *kv, const struct kv_put *put,
                              const struct kv_options *options, struct object **ret_row);

/* Reads rows of a directory. A listing that lacks its quorum is an error, never a shorter list.
 */
MUST_CHECK enum status kv_list(struct kv *kv, const struct kv_list *list,
                               const struct kv_options *options, struct kv_rows *ret_rows);

/* Room on the disk of a node that is asked; for statfs. */
MUST_CHECK enum status kv_space(struct kv *kv, const struct kv_options *options,
                                struct kv_space *ret_space);
/* Appends the addresses of the nodes that hold `key`, parted by commas, coordinator first. */
MUST_CHECK enum status kv_replicas(struct kv *kv, struct slice key, struct buffer *ret_text);
/* Asks the nodes that hold `key` (a valid one), one after the other, whether they are there.
 * The deadline is that of all questions. */
void kv_census(struct kv *kv, struct slice key, const struct kv_options *options,
               struct kv_census *ret_census);
/*
 * Asks every member of the cluster. STATUS_OK: whatever was acknowledged before the call is found
 * by gets and lists that begin after it and ask all holders of a key (r = REPLICAS_MAX); nobody
 * keeps anything for a member that was away. Else ret_why, for people, says who does, or who does
 * not answer.
 */
MUST_CHECK enum status kv_settled(struct kv *kv, const struct kv_options *options,
                                  struct error *ret_why);
void kv_rows_release(struct kv_rows *rows);
void kv_close(struct kv *kv); /* no call may be under way; NULL is allowed */

/* True if the outcome of a put that failed so is open. */
bool kv_status_is_indeterminate(enum status status);

/* Appends a context as one word of text, `c1.` and letters, digits, `-` and `_`, for people and
 * scripts to hand back. */
MUST_CHECK enum status kv_context_format(const struct clock *context, struct buffer *ret_text);
/* Reads what kv_context_format wrote: *ret_object is a tombstone whose clock is the context;
 * the caller unrefs it. STATUS_BAD_MESSAGE for anything else, also if a single letter was
 * changed. */
MUST_CHECK enum status kv_context_parse(struct slice text, struct object **ret_object);

/*
 * A client of the cluster that the nodes at `addresses` (HOST:PORT[,...], tried in turn) belong
 * to. Asks one of them for the ring before it returns. On failure `error` says why.
 */
MUST_CHECK enum status kv_open_cluster(const char *addresses, const struct kv_options *defaults,
                                       struct kv **ret_kv, struct error *error);

/* A store in memory, one replica, for tests: the real ring/object rules, no network. */
MUST_CHECK enum status kv_open_memory(struct kv **ret_kv);

#endif
