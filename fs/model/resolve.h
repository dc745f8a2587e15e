/*
 * resolve.h - what a name in a directory stands for.
 *
 * Rule:     a live directory has the name; else the newest version of the file; else, for
 *           `BASE~vN`, that sibling of BASE. Siblings are numbered while two or more versions
 *           of BASE are live, or one and a directory of that name.
 * Source:   docs/design.md, The mount.
 */
#ifndef FS_MODEL_RESOLVE_H
#define FS_MODEL_RESOLVE_H

#include "fs/model/shown.h"

struct fs;

enum found_kind { FOUND_NOTHING, FOUND_DIRECTORY, FOUND_FILE, FOUND_SIBLING };

struct found {
    enum found_kind kind;
    const struct version *version; /* inside shown.row */
    struct shown shown;
    uint32_t number;   /* of a sibling, otherwise 0 */
    struct blob *base; /* of a sibling: the name of the file that it is a version of */
};

void found_release(struct found *found);
/* The name of the file or directory that was found as `name`: that, but for siblings. */
struct slice found_base(const struct found *found, struct slice name);
/* What the name is; something was found. */
enum version_type found_type(const struct found *found);

/* The live rows of one name; NULL where there is none. Errno. */
int resolve_rows(struct fs *fs, struct slice directory_key, struct slice name,
                 struct object **ret_directory, struct object **ret_file);

/* Errno of a failed listing; nothing there is FOUND_NOTHING and 0. */
int resolve_name(struct fs *fs, struct slice directory_key, struct slice name,
                 struct found *ret_found);

/* True if versions of `view` show as siblings. */
bool resolve_is_conflict(const struct view *view, bool has_directory);

/* The versions of the file `base`, in a conflict. Everything is borrowed. */
struct siblings {
    struct slice directory_key;
    struct slice base;
    const struct object *row;
    const struct view *view; /* of the row */
};

/*
 * The number of each group of the view, asking for the real files called `base~vN` if a group
 * has none yet, or always (`is_listing`). ret_numbers has room for view->count.
 */
int resolve_numbers(struct fs *fs, const struct siblings *siblings, bool is_listing,
                    uint32_t *ret_numbers);

/* The conflict of file `base` is over, if there was one: its numbers are free. */
void resolve_no_conflict(struct fs *fs, struct slice directory_key, struct slice base);

/* The version of `row` with that dot, which is there. */
const struct version *resolve_version(const struct object *row, struct dot dot);
/* What a write to the sibling with that dot supersedes. Errno. */
int resolve_group_of_dot(struct object *row, struct dot dot, struct shown *ret_shown);

#endif
