/*
 * object.h - the state of a key on a replica, and every rule of causality.
 *
 * Shape:    clock, versions (each under its dot), the time of the last delete, and `own`, the
 *           actor under which this copy's node writes to it. An empty version set under a clock
 *           is a tombstone.
 * Threads:  an object is immutable once made; its count is atomic.
 * Source:   docs/design.md, The model, The six rules; DeCandia et al., section 4.4.
 * Never:    a version whose actor has no pair in the clock, or whose counter is above it.
 *
 * The six rules, each with what happens without it in docs/design.md, The six rules:
 *
 *   1  One dot per version: a write supersedes what its context covers and nothing else
 *      (object_update: the new dot; struct version).
 *   2  A node extends only a pair that it opened in this very copy; any other copy opens a new
 *      pair (object_update: `own`, coordinator.trusted_since; object_merge keeps x's own, and
 *      `own` is never sent).
 *   3  Superseding some siblings names their dots and adds nothing to the clock (UPDATE_SOME).
 *   4  Objects travel whole: a merge may only be given a clock with every version under it
 *      (object_new refuses what breaks that; the core sends whole objects).
 *   5  Only a coordinator truncates, never a pair that a live version needs, nor the one just
 *      opened (object_update; a merge only above CLOCK_PAIRS_MERGED_MAX pairs, decision 12).
 *   6  A put is coordinated once: replicas only merge (node/core/replica.c, forward.c).
 *
 * No merge drops a version because it equals another: that is a matter of view.h.
 */
#ifndef RING_OBJECT_H
#define RING_OBJECT_H

#include "ring/bytes.h"
#include "ring/clock.h"
#include "ring/hash.h"

enum {
    VALUE_SIZE_MAX = 1 << 20,   /* content of one version */
    XATTRS_SIZE_MAX = 64 << 10, /* user attributes of one version, encoded */
    WRITE_ID_SIZE = 16,
    VERSIONS_MAX = 1024,             /* refused beyond, when read from the network or a disk */
    VERSIONS_PUT_MAX = 32,           /* a put that would leave more siblings is refused */
    SIBLINGS_SIZE_PUT_MAX = 8 << 20, /* ... or more content than this in all */
};
/* Readings further ahead of the wall clock than this do not advance a counter. */
#define COUNTER_AHEAD_MAX_US UINT64_C(60000000)

enum version_type {
    VERSION_FILE = 1,
    VERSION_SYMLINK = 2,
    VERSION_DIRECTORY = 3,
    VERSION_LARGE_FILE = 4, /* the content is a manifest (ring/manifest.h), the size that of the
                               file */
    VERSION_FIFO = 5,       /* these have no content */
    VERSION_SOCKET = 6,
    VERSION_CHARACTER_DEVICE = 7, /* the size is the device's number, as of makedev(3) */
    VERSION_BLOCK_DEVICE = 8,
};
bool version_type_is_valid(uint64_t type);

/* What `ls -l` shows. Rows carry it as objects do. */
struct attributes {
    enum version_type type;
    uint32_t mode; /* permission bits, 07777 */
    uint32_t user;
    uint32_t group;
    int64_t accessed_ns; /* since 1970 */
    int64_t modified_ns;
    int64_t changed_ns;
    uint64_t size;    /* bytes of content, or what the type says */
    uint64_t file_id; /* random, kept through overwrites and renames; 0 if unknown */
    /* When the name appeared in its directory: made, or renamed to. Kept through overwrites; 0
     * lets the coordinator fill it in. */
    int64_t named_ns;
    /* When modified_ns and accessed_ns were set last, by a write or by utimes; the mode; user
     * and group. Of versions with one content each field is that of who set it last
     * (ring/attributes.h). Names that appear in a directory or vanish later than it was set
     * make its modified_ns later. */
    int64_t modified_set_ns;
    int64_t mode_set_ns;
    int64_t owner_set_ns;
};

struct version {
    struct dot dot;
    uint8_t write_id[WRITE_ID_SIZE]; /* random per put; retries of one put share it */
    struct attributes attributes;
    uint8_t content_hash[CONTENT_HASH_SIZE]; /* SHA-256 of the content, also in rows */
    struct blob *content;                    /* NULL in a row */
    struct blob *xattrs; /* opaque user attributes; NULL if none, or in a row */
};

struct object {
    atomic_uint_fast32_t references;
    struct actor own;   /* node 0: none. Local to this copy, never sent */
    struct clock clock; /* owned */
    /* When this key was deleted last, as far as this copy knows: the counter of the delete's
     * coordinator, microseconds; 0: never. The age of a tombstone is that of its delete, not of
     * what was written before. Also known to live versions: a merge takes the greater one. */
    uint64_t deleted_us;
    uint32_t version_count;
    struct version *versions; /* owned; ascending by dot_compare, so the newest is last */
};

/* True if the size and type are those of a version with this content. */
bool attributes_fit_content(const struct attributes *attributes, struct slice content);
/* The size of a version with this content, where it follows from it; else as it is. */
uint64_t attributes_size_with(const struct attributes *attributes, struct slice content);

struct object *object_ref(struct object *object); /* NULL gives NULL */
void object_unref(struct object *object);         /* NULL is allowed */

/*
 * Makes an object out of parts, for decoders and tests. Copies the pairs and takes one more
 * reference to each blob. STATUS_BAD_MESSAGE if the parts break a rule of this file (order, a
 * duplicate dot, a dot outside the clock, a size that does not match the content).
 */
MUST_CHECK enum status object_new(const struct clock *clock, const struct version *versions,
                                  uint32_t version_count, struct actor own,
                                  struct object **ret_object);

/* For decoders: completes an object that was just made and is known to nobody else. */
void object_set_deleted(struct object *object, uint64_t deleted_us);

bool object_is_live(const struct object *object); /* false for NULL and tombstones */
/* True for NULL and for what a delete of nothing leaves: an empty clock. It is the same as no
 * object, and is never stored: replicas that hold it and replicas that do not could not agree.
 */
bool object_is_nothing(const struct object *object);
/* The newest version (greatest dot), or NULL. Inside the object. */
const struct version *object_newest(const struct object *object);
/* Same clock, same dots and same time of delete, which is all that replicas compare. NULL
 * equals an object with an empty clock. */
bool object_equal(const struct object *a, const struct object *b);
/* Digest of clock, dots and time of delete (not of bytes, not of own); that of NULL is fixed.
 */
void object_digest(const struct object *object, uint8_t ret_digest[DIGEST_SIZE]);
/* True if every content that is there matches its content_hash. Hashes them all. */
bool object_is_sound(const struct object *object);
/* Bytes of content and xattrs of all versions. */
size_t object_content_size(const struct object *object);

/*
 * merge(x, y): what both know. Versions in both, those of x that y's clock does not cover,
 * those of y that x's clock does not cover; pairwise maximum of the clocks; the later delete;
 * own is x's. NULL is the copy that knows nothing. Commutative (but for own), associative,
 * idempotent. Returns a new reference (x itself, referenced, when y adds nothing), or NULL when
 * memory is short or both are NULL. A version that one side holds with content and the other as
 * a row keeps the content.
 */
struct object *object_merge(struct object *x, struct object *y);

/* The row of the object: the same with contents and xattrs left out, own left out. NULL only
 * when memory is short. */
struct object *object_project(const struct object *object);

enum update_mode {
    UPDATE_ALL = 1,  /* supersedes all that the context covers */
    UPDATE_SOME = 2, /* supersedes just the named dots; the context adds nothing. The copy must
                        know them all: else the drop would be told and forgotten */
    UPDATE_NONE = 3, /* changes nothing: stores and sends the copy again */
};

/* A put or delete, as its coordinator applies it. Everything is borrowed. */
struct update {
    enum update_mode mode;
    struct clock context;   /* UPDATE_ALL: what the client was handed; may be empty */
    const struct dot *dots; /* UPDATE_SOME */
    uint32_t dot_count;
    const struct version *value; /* NULL deletes; its dot is ignored */
};

/* Where and when a put is coordinated. */
struct coordinator {
    node_id node;
    uint64_t counter; /* from object_counter_floor and the node's counter source */
    uint64_t birth;   /* of a pair that this update opens: no other pair of the node that any
                               copy of the key ever had has it */
    uint64_t
        trusted_since; /* own pairs of lesser births are not extended: they were opened before
                               the node's last unclean start */
};

/*
 * The reading that the next counter must exceed because of what this copy and this context
 * know: the greatest counter not over a minute ahead of wall_us. (The node's own issued
 * counters come on top.)
 */
uint64_t object_counter_floor(const struct object *current, const struct clock *context,
                              uint64_t wall_us);

/*
 * update() and update_some() of docs/design.md, The model, and truncation. `current` is this
 * node's copy or NULL. When the own pair's counter is not below coordinator->counter (a context
 * or a copy from a clock in the far future), or the pair was truncated since, a new pair is
 * opened, so that no dot is covered early. Its birth and the new dot's counter are then the
 * coordinator's or greater: the caller's counter source must go on above it.
 *
 * ret_object  a new reference, untouched on failure
 * Returns STATUS_OK; STATUS_TOO_MANY_VERSIONS when the key would hold more than
 * VERSIONS_PUT_MAX versions or SIBLINGS_SIZE_PUT_MAX bytes and this put adds one without
 * superseding any; STATUS_UNKNOWN_VERSION when a named dot is not covered by the copy's clock;
 * STATUS_NO_MEMORY.
 */
MUST_CHECK enum status object_update(struct object *current, const struct update *update,
                                     const struct coordinator *coordinator,
                                     struct object **ret_object);

#endif
