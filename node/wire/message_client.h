/*
 * message_client.h - what clients ask of any node: GET, PUT, LIST, STATUS and RING.
 *
 * Memory:   as in message.h, which defines the functions.
 */
#ifndef NODE_WIRE_MESSAGE_CLIENT_H
#define NODE_WIRE_MESSAGE_CLIENT_H

#include "ring/object.h"
#include "ring/ring.h"
#include "ring/row.h"

enum {
    ROWS_MAX = 1024,         /* rows in one list reply */
    DOTS_MAX = VERSIONS_MAX, /* dots named by one put */
    LIST_MARKS_MAX = 512,    /* marks in one reply of a replica */
    STATS_MAX = 64,
    DEADLINE_MAX_MS = 600000,
};

struct message_get {
    struct blob *key;
    uint8_t r;            /* answers wanted; 0: the default */
    uint8_t hops;         /* 1 when a node forwards it */
    uint32_t deadline_ms; /* from receipt */
};

struct message_get_reply {
    struct object *object; /* NULL if the key was never seen; a tombstone with NOT_FOUND */
    uint8_t answers;       /* replicas that agreed or were merged */
    uint64_t names_us;     /* of a directory: when a name in it appeared or vanished last; 0 */
};

struct message_put {
    struct blob *key;
    enum update_mode mode;
    uint32_t context_count;
    /* Owned array: the clock that the client was handed, ascending by actor. */
    struct dot *context;
    uint32_t dot_count;
    struct dot *dots;     /* owned array, for UPDATE_SOME */
    bool has_value;       /* false: a delete */
    struct version value; /* its blobs are owned; its dot and content_hash are ignored */
    uint8_t w;
    bool sync; /* W copies must survive a power cut, not just a crash */
    uint8_t hops;
    uint32_t deadline_ms;
};

struct message_put_reply {
    /* The projection of the object after the put: clock and dots; NULL on failure. */
    struct object *row;
};

/* Bytes of contents that a put brings. */
size_t message_put_size(const struct message_put *put);

/* The rows of a directory from `start` on (or after it) to `end`. */
struct message_list {       /* LIST and REPLICA_LIST */
    struct blob *directory; /* a directory key */
    struct blob *start;     /* a name; NULL: from the beginning */
    bool after_start;       /* leave out `start` itself */
    struct blob *end;       /* last name wanted, included; NULL: to the end */
    bool end_is_prefix;     /* `end` bounds to the names that begin with it, instead */
    uint16_t limit;         /* rows wanted, 1 to ROWS_MAX */
    bool live_only;  /* leave out tombstones. A replica adds marks, by which it can be seen
                        whether others hold the same ones */
    bool for_repair; /* REPLICA_LIST: answered also by a node that is refilling */
    uint8_t r;
    uint8_t hops;
    uint32_t deadline_ms;
};

/*
 * What a replica holds in a part of a directory, tombstones too: the digest of all rows from
 * the beginning of the listing up to and with `name`. Where marks are set depends on names
 * alone, so that replicas whose rows differ in one place have those before it in common.
 * Replicas with a mark in common hold the same rows up to there.
 */
struct list_mark {
    struct blob *name; /* NULL: up to the end of what was asked for */
    uint8_t digest[DIGEST_SIZE];
};

struct message_list_reply { /* LIST_REPLY and REPLICA_LIST_REPLY */
    uint16_t row_count;
    struct row *rows;    /* owned array, ascending by (name, kind) */
    bool more;           /* rows beyond the last one may exist */
    struct blob *resume; /* with more: ask again with start = resume, after_start = true */
    uint16_t mark_count; /* REPLICA_LIST_REPLY of live rows: at least one, else none */
    /* Owned array, in the order of names; the last one ends the page. */
    struct list_mark *marks;
};

void list_marks_free(struct list_mark *marks, size_t count);
/* Drops all that the reply owns, and zeroes it. */
void list_reply_release(struct message_list_reply *reply);
/*
 * True if the reply, whose rows and marks are in order as the codec demands, may be one to
 * `list`: all that it names is in the range that was asked for, and the next page lies beyond
 * this one, or a reader would go round for ever.
 */
bool list_reply_fits(const struct message_list_reply *reply, const struct message_list *list);
/*
 * Makes the object of a row that has just its record (ring/row.h). STATUS_BAD_MESSAGE if the
 * bytes are no row of its kind, STATUS_NO_MEMORY; then the row is as it was.
 */
MUST_CHECK enum status message_open_row(struct row *row);
/* True if the row holds a live version, as far as an unopened record's head shows. */
bool message_row_is_live(const struct row *row);

/* One counter or gauge of a node, for `dynamoctl status`. */
struct statistic {
    char name[32];
    uint64_t value;
};

/* What a node makes of the disk under its data directory, the worst last. */
enum disk_state {
    DISK_WELL = 0,
    DISK_FULL = 1,    /* reads, deletes and resolutions go on; new content is refused */
    DISK_FAILING = 2, /* it answered with an error: nothing more is acknowledged */
    DISK_GONE = 3,    /* the data directory is not the one that was opened any more */
    DISK_STATE_COUNT,
};

struct message_status_reply {
    node_id node;
    char address[ADDRESS_SIZE];
    uint64_t cluster_id;
    uint64_t epoch;
    bool ready;          /* a member of a ring */
    uint64_t disk_total; /* bytes, of the file system under the data directory */
    uint64_t disk_free;
    enum disk_state disk_state;
    uint16_t peer_count;
    struct status_peer {
        node_id id;
        char address[ADDRESS_SIZE];
        bool up;
    } * peers; /* owned array: every other member, as this node sees it */
    uint16_t stat_count;
    struct statistic *stats; /* owned array */
};

/* "well", "full", "failing", "gone"; "?" for a foreign number. */
const char *disk_state_name(enum disk_state state);

#endif
