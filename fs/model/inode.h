/*
 * inode.h - the inodes that the kernel knows: names in directories, by id and by name.
 *
 * Shape:    an inode lives while the kernel counts lookups of it or somebody here refers to it
 *           (children, an open file, a request under way), so the table is as large as what the
 *           kernel remembers. An inode's key is found by walking up its parents, so that
 *           renaming a directory moves everything below it. At most one inode is found under a
 *           name: the one that was shown last.
 * Threads:  everything here with the table's lock held, except for inodes_init and _release.
 * Never:    a kv call or a file's lock taken with the table's lock held.
 */
#ifndef FS_MODEL_INODE_H
#define FS_MODEL_INODE_H

#include <pthread.h>

#include "fs/model/shown.h"
#include "ring/key.h"

struct file;

enum { INODE_ID_ROOT = 1, REMOVALS_REMEMBERED = 1024 };

struct inode {
    uint64_t id;
    uint64_t lookups;     /* counted by the kernel */
    uint32_t references;  /* counted here */
    uint32_t children;    /* inodes with this parent, which refer to it */
    struct inode *parent; /* referenced; NULL for the root */
    struct inode *next_by_id;
    struct inode *next_by_name;
    struct inode *next_pending;
    size_t name_size;
    char *name;        /* as shown, owned; the base where it is no part of that follows */
    size_t base_start; /* the name without `~vN`: where it is, and its size */
    size_t base_size;
    uint32_t number; /* N of a sibling, otherwise 0 */
    enum version_type type;
    bool is_named;    /* found by its name */
    bool is_unlinked; /* removed or replaced by this mount: no more puts */
    bool is_pending;  /* created here, not yet on the cluster */
    bool is_ghost;    /* a sibling that is gone, which a listing gave: fs/model/ghosts.h */
    bool is_cached;   /* cached_hash is set */
    bool is_token_taken;
    uint64_t heir_id; /* of the file that an open of this one got in its place; 0 for none */
    int lost;         /* errno of a put that no close could report; for the next fsync */
    struct attributes attributes; /* as last sent to the kernel */
    struct dot sent;              /* the version they are of */
    /* When another version was sent (monotonic), by a reply that the kernel may not have taken
     * in yet, and may drop, for another one that began later, if is_sent_unsure: until an open
     * invalidates what it took in. */
    uint64_t sent_ns;
    bool is_sent_unsure;
    uint64_t fresh_until_ns; /* monotonic; until then they are sent again without asking */
    /* Of a directory: when a name in it appeared or vanished last, as far as is known (since
     * 1970), and until when the cluster need not be asked for it (monotonic). */
    int64_t names_ns;
    uint64_t names_fresh_until_ns;
    struct shown shown;
    uint8_t cached_hash[CONTENT_HASH_SIZE]; /* of the content in the kernel's pages */
    struct file *file;                      /* while open */
};

struct inodes {
    pthread_mutex_t lock;
    pthread_cond_t token_returned; /* of any inode */
    uint64_t next_id;
    uint32_t count;
    uint32_t bucket_count; /* a power of two */
    struct inode **by_id;
    struct inode **by_name;
    struct inode *pending; /* the few that only this mount shows */
    struct inode *root;
    uint64_t removals;                     /* names that this mount took away, ever */
    uint64_t removed[REMOVALS_REMEMBERED]; /* hashes of the last ones; count modulo size */
};

/* What a new inode is. */
struct inode_description {
    struct slice name;
    struct slice base; /* the name, unless it is a sibling's: that of its file */
    uint32_t number;
    enum version_type type;
};

/* False when memory is short. */
bool inodes_init(struct inodes *inodes);
/* Drops every inode; no file may be open. */
void inodes_release(struct inodes *inodes);

void inodes_lock(struct inodes *inodes);
void inodes_unlock(struct inodes *inodes);

/*
 * An inode's token serialises whatever puts it, moves it, removes it, or loads it first; who
 * has it may make kv calls. False if it was not returned before `deadline_ns`
 * (CLOCK_MONOTONIC), or the thread was interrupted meanwhile (kv_limits_begin). Of several
 * inodes take that with the lower id first, but a directory before what is in it.
 */
bool inode_take_token(struct inodes *inodes, struct inode *inode, uint64_t deadline_ns);
void inode_return_token(struct inodes *inodes, struct inode *inode);

/* NULL if there is none. */
struct inode *inode_by_id(struct inodes *inodes, uint64_t id);
/* The same, or, of a file that has no name any more and is not open, the one that was opened in
 * its place. */
struct inode *inode_or_heir(struct inodes *inodes, uint64_t id);
/* Any inode with an open file; NULL if there is none. */
struct inode *inode_open(const struct inodes *inodes);
struct inode *inode_by_name(struct inodes *inodes, const struct inode *parent,
                            struct slice name);

/* True if this mount took the name away after it had counted `since` removals, or may have: an
 * answer of the cluster that was asked for before must not bring it back. */
bool inodes_was_removed(const struct inodes *inodes, const struct inode *parent,
                        struct slice name, uint64_t since);

/* A new inode under a name that has none yet, with one reference. NULL when memory is short. */
struct inode *inode_add(struct inodes *inodes, struct inode *parent,
                        const struct inode_description *description);
struct inode *inode_ref(struct inode *inode);
/* NULL is allowed. May free the inode, and parents that only it kept. */
void inode_unref(struct inodes *inodes, struct inode *inode);
/* The kernel forgets `count` lookups. */
void inode_forget(struct inodes *inodes, struct inode *inode, uint64_t count);

/* No longer found by its name; its key stays what it was. */
void inode_unname(struct inodes *inodes, struct inode *inode);
/* Unnamed, and nothing will be put for it any more. */
void inode_unlink(struct inodes *inodes, struct inode *inode);
void inode_set_pending(struct inodes *inodes, struct inode *inode, bool is_pending);
/* Moves an inode to another name; whatever had that name is unlinked. The inode becomes an
 * ordinary file or directory, or the sibling that `as` (NULL: none) is. STATUS_NO_MEMORY. */
MUST_CHECK enum status inode_move(struct inodes *inodes, struct inode *inode,
                                  struct inode *parent, struct slice name,
                                  const struct inode *as);
/* Gives all children of `from` to `to`. */
void inode_adopt(struct inodes *inodes, struct inode *from, struct inode *to);
/* The children that show siblings must be looked up again: their versions have other dots
 * now. */
void inode_unname_siblings(struct inodes *inodes, const struct inode *parent);
/* True if a pending inode is a child of `parent`. */
bool inode_has_pending_child(const struct inodes *inodes, const struct inode *parent);

/* Appends the key of the inode (for a sibling, of the file it is a version of).
 * STATUS_BAD_KEY if it would be longer than KEY_SIZE_MAX. */
MUST_CHECK enum status inode_append_key(const struct inode *inode, struct buffer *buffer);
/* The name; of a sibling that of its file. Inside the inode. */
struct slice inode_base(const struct inode *inode);
struct slice inode_name(const struct inode *inode);

#endif
