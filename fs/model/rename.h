/*
 * rename.h - the parts of rename that move what is on the cluster.
 *
 * Never:    a source deleted before its target has its quorum.
 */
#ifndef FS_MODEL_RENAME_H
#define FS_MODEL_RENAME_H

#include "fs/model/model.h"

/*
 * Moves all versions of the file `from` to `to`: the first put there supersedes *to_shown,
 * which then is what `to` shows; the others become siblings. ENOENT if there is nothing to
 * move. `only_own`: `to` is shown as a sibling. `named_ns`: when the name `to` appeared, or 0:
 * as `from` did, for what moves along with its directory.
 */
int rename_move_versions(struct fs *fs, struct slice from, struct slice to,
                         struct shown *to_shown, bool only_own, int64_t named_ns);

/*
 * Moves a directory, path by path, to `to`, where `target` (an empty directory, or NULL) is. It
 * may be seen half done; after a failure the same rename goes on where it stopped. ENOTEMPTY,
 * EINVAL (into itself).
 */
int rename_directory(struct fs *fs, struct inode *source, struct inode *target,
                     const struct place *to);

#endif
