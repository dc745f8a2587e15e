/*
 * move.h - versions from one key to another.
 *
 * Never:    a source deleted before its target has its quorum.
 */
#ifndef FS_MODEL_MOVE_H
#define FS_MODEL_MOVE_H

#include "fs/model/model.h"

/* Puts one version at `key`, which appeared at named_ns (0: when it did where it comes from).
 * *shown is what it supersedes, and becomes what is shown then. */
int move_version(struct fs *fs, struct slice key, const struct version *version,
                 struct shown *shown, bool only_own, int64_t named_ns);

/*
 * Moves all versions of the file `from` to `to`: the first put there supersedes *to_shown,
 * which then is what `to` shows; the others become siblings. ENOENT if there is nothing to
 * move. `only_own`: `to` is shown as a sibling. `named_ns`: when the name `to` appeared, or 0:
 * as `from` did, for what moves along with its directory.
 */
int move_versions(struct fs *fs, struct slice from, struct slice to, struct shown *to_shown,
                  bool only_own, int64_t named_ns);

#endif
