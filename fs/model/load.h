/*
 * load.h - the content of an open file, fetched from the cluster.
 */
#ifndef FS_MODEL_LOAD_H
#define FS_MODEL_LOAD_H

#include "fs/model/file.h"

struct opened {
    struct file *file;
    bool keep_cache;  /* the kernel's pages hold this very content */
    bool has_changed; /* the kernel was told other attributes: invalidate them */
    bool is_another;  /* the file that took the place of the inode: none of its pages count */
};

enum open_flag {
    OPEN_TRUNCATE = 1,  /* O_TRUNC; counts as writing */
    OPEN_READ_ONLY = 2, /* O_RDONLY */
    OPEN_AGAIN = 4,     /* ESTALE was answered, and the name looked up since */
};

/* Fetches what the file holds, and says in *opened what the kernel may keep of it. ESTALE if
 * its name shows another file. A file that has lost its name is opened as those hold it who
 * have it open. */
int load_or_share(struct file *file, unsigned flags, struct opened *opened);
/*
 * The content cannot be had (a bad block at the only node, say), and is not wanted: the file is
 * emptied. What its row showed is what the write supersedes. False if even that is not known.
 */
bool load_nothing(struct file *file);
/* Reads a stale file anew. No lock is held. 0 also if its name shows another file by now: what
 * is open goes on as it is. */
int load_refresh(struct file *file);

#endif
