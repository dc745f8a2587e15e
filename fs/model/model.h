/*
 * model.h - what the files of the model share.
 *
 * Locks:    a file's lock may be held when the inode table's is taken, never the other way
 *           round; neither during a kv call.
 */
#ifndef FS_MODEL_MODEL_H
#define FS_MODEL_MODEL_H

#include <errno.h>

#include "fs/model/conflicts.h"
#include "fs/model/content.h"
#include "fs/model/errno_map.h"
#include "fs/model/fs.h"
#include "fs/model/ghosts.h"
#include "fs/model/inode.h"

struct fs {
    struct fs_config config;
    struct kv_options options;
    struct inodes inodes;
    struct conflicts *conflicts;
    struct ghosts ghosts;
    struct content_keeper keeper;
    struct blocks blocks;
    void *session; /* of libfuse, for notifications; opaque to the model */
};

/* Until when what was read of the cluster just now is taken as current, on the monotonic
 * clock. */
uint64_t model_fresh_until_ns(const struct fs *fs);
/* What is left until then, on that clock; 0 if it has passed. */
double model_seconds_until(uint64_t monotonic_ns);

/* Tells people one line. No lock is held. */
void model_note(struct fs *fs, const char *text);

#endif
