/*
 * directory.h - listing a directory: rows in batches, siblings shown, positions kept.
 */
#ifndef FS_MODEL_DIRECTORY_H
#define FS_MODEL_DIRECTORY_H

#include "fs/model/fs.h"

struct directory; /* a directory being listed; one for each handle */

int directory_open(struct fs *fs, uint64_t id, struct directory **ret_directory);
void directory_close(struct fs *fs, struct directory *directory);
/* Rows of the directory that were acknowledged before survive a power cut. */
int directory_sync(struct fs *fs, uint64_t id);

/* One name of a listing; valid until directory_unlock. */
struct directory_entry {
    const char *name;
    struct stat attributes;
    uint64_t position;
};

/*
 * One reader at a time. A position is that of a name as long as the handle is not rewound: 0
 * (which rewinds) and 1 are the dots, and reading on from any position gives each name behind
 * it that stays exactly once, whatever is made or removed meanwhile.
 *
 * directory_at gives the name at `position`, or the next one that is still there (*ret_is_end
 * past the last); directory_enter hands out the inode of the one given last as lookup_name
 * would (the dots have none), ENOENT if this mount has removed it since.
 */
void directory_lock(struct directory *directory);
void directory_unlock(struct directory *directory);
int directory_at(struct directory *directory, uint64_t position,
                 struct directory_entry *ret_entry, bool *ret_is_end);
int directory_enter(struct directory *directory, uint64_t position, struct fs_entry *ret_entry);

#endif
