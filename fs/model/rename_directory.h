/*
 * rename_directory.h - moving a directory, path by path.
 *
 * Never:    a source deleted before its target has its quorum.
 */
#ifndef FS_MODEL_RENAME_DIRECTORY_H
#define FS_MODEL_RENAME_DIRECTORY_H

#include "fs/model/place.h"

/*
 * Moves a directory, path by path, to `to`, where `target` (an empty directory, or NULL) is. It
 * may be seen half done; after a failure the same rename goes on where it stopped. ENOTEMPTY,
 * EINVAL (into itself).
 */
int rename_directory(struct fs *fs, struct inode *source, struct inode *target,
                     const struct place *to);

#endif
