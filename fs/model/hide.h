/*
 * hide.h - in which directories listings leave out the versions of a name that is in conflict.
 *
 * Rule:     a directory's attribute user.dynamofs.show_siblings ("1" or "0") counts for it and
 *           for what is below, until another directory says otherwise; where none does, the
 *           mount's option. What is hidden can still be named: `BASE~vN`.
 * Source:   docs/design.md, The mount.
 */
#ifndef FS_MODEL_HIDE_H
#define FS_MODEL_HIDE_H

#include "fs/model/fs.h"

#define HIDE_ATTRIBUTE "user.dynamofs.show_siblings"

/* Asks for the directory, and for those above it until one has the attribute. Errno. */
int hide_siblings_in(struct fs *fs, struct slice directory_key, bool *ret_are_hidden);

/* True if the attribute may have that value. */
bool hide_value_is_valid(struct slice value);

#endif
