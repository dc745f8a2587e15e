/*
 * rename.h - moving a name.
 */
#ifndef FS_MODEL_RENAME_H
#define FS_MODEL_RENAME_H

#include "fs/model/fs.h"

struct rename_names {
    uint64_t parent;
    const char *name;
    uint64_t new_parent;
    const char *new_name;
    bool no_replace; /* EEXIST if the new name is taken */
};

int rename_name(struct fs *fs, const struct rename_names *names);

#endif
