/*
 * key.h - the rules for keys, and how a key names its directory.
 *
 * A file or symlink has the key of its path, as `carts/alice.json`; a directory that of its
 * path with a trailing slash, as `carts/`; the root directory is `/`. Names are bytes: no
 * encoding is assumed. A row is named by (directory key, name, kind).
 */
#ifndef RING_KEY_H
#define RING_KEY_H

#include <stdbool.h>

#include "ring/bytes.h"

enum {
    /* What programs expect of Linux. */
    NAME_SIZE_MAX = 255,
    /* Twice Linux' PATH_MAX: whatever can be named from a directory that can be named from the
     * top. */
    KEY_SIZE_MAX = 8192,
};

/* What a row stands for. A file and a directory of one name are two rows. The values are in
 * keys on disk: 'd' sorts first, so that a reader of rows meets the directory before the file.
 */
enum row_kind { ROW_DIRECTORY = 'd', ROW_FILE = 'f' };

/*
 * True if `key` is a legal key: 1 to KEY_SIZE_MAX bytes; `/` alone, or names of 1 to
 * NAME_SIZE_MAX bytes parted by single slashes, with one trailing slash for a directory; no
 * leading slash, no NUL, no name `.` or `..`; or an internal key, which has a leading slash and
 * names parted by further ones, at least one of them a directory's.
 */
bool key_is_valid(struct slice key);
/*
 * True for what no user names: the blocks of large files and what is noted of them
 * (node/client/block_key.h), under keys with a leading slash. They have rows, so that they can
 * be listed, but their directories have no objects.
 */
bool key_is_internal(struct slice key);
/* What a valid key is placed by: itself, or, for an internal one, its directory, so that such a
 * key and its row are on the same nodes, and those of one directory together. Borrowed. */
struct slice key_placed_by(struct slice key);
/* True if `name` is one legal component: no slash, no NUL, not `.` or `..`, 1 to NAME_SIZE_MAX.
 */
bool key_name_is_valid(struct slice name);
bool key_is_directory(struct slice key);
bool key_is_root(struct slice key);

/* The key of the directory that holds `key`; `/` for top-level names. `key` is valid and not
 * the root. Borrowed from `key`, or static. */
struct slice key_directory(struct slice key);
/* The last name of a valid key that is not the root, without a trailing slash. Borrowed. */
struct slice key_name(struct slice key);
/* ROW_DIRECTORY for a key with a trailing slash. */
enum row_kind key_row_kind(struct slice key);
/* Appends the key of `name` in `directory` (a valid directory key). */
void key_append_child(struct buffer *buffer, struct slice directory, struct slice name,
                      enum row_kind kind);

#endif
