/*
 * rename.c - moving a name: first the target has its quorum, only then the source goes.
 *
 * Source:   docs/design.md, The mount: `mv name~v1 name` settles a conflict, `mv name~v1 other`
 *           makes that version `other`, `mv name other` takes all versions along.
 */
#include "fs/model/rename.h"

#include <assert.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/move.h"
#include "fs/model/pick.h"
#include "fs/model/put.h"
#include "fs/model/remove.h"
#include "fs/model/rename_directory.h"
#include "fs/model/times.h"

/* What is needed of both ends, taken once. */
struct ends {
    struct place from;
    struct place to;
    struct inode *source;
    struct inode *target; /* NULL if the new name shows nothing */
    struct buffer from_key;
    struct buffer to_key;
    struct shown to_shown; /* what the target supersedes; later what it shows */
    bool has_tokens;       /* of both inodes: what is replaced must not be put any more */
    struct file *file;     /* of the source, if it is open */
};

static void return_tokens(struct fs *fs, struct ends *ends)
{
    hold_return_token(fs, ends->source);
    if (ends->target) {
        hold_return_token(fs, ends->target);
    }
}

/* Takes the tokens of both ends, the lower id first, so that two renames do not wait for each
 * other. */
static int take_tokens(struct fs *fs, struct ends *ends)
{
    assert(ends->source && ends->source != ends->target);

    struct inode *first = ends->source;
    struct inode *second = ends->target;
    const struct place *first_place = &ends->from;
    const struct place *second_place = &ends->to;

    if (second && second->id < first->id) {
        first = ends->target;
        first_place = &ends->to;
        second = ends->source;
        second_place = &ends->from;
    }
    int failed = place_take_token(fs, first_place, first);
    if (failed == 0 && second) {
        failed = place_take_token(fs, second_place, second);
        if (failed != 0) {
            hold_return_token(fs, first);
        }
    }
    ends->has_tokens = failed == 0;
    return failed;
}

static void ends_release(struct fs *fs, struct ends *ends)
{
    if (ends->has_tokens) {
        return_tokens(fs, ends);
    }
    if (ends->file) {
        file_unref(ends->file);
    }
    shown_release(&ends->to_shown);
    buffer_release(&ends->from_key);
    buffer_release(&ends->to_key);
    hold_release(fs, ends->source);
    hold_release(fs, ends->target);
    if (ends->to.directory) {
        place_release(fs, &ends->to);
    }
    if (ends->from.directory) {
        place_release(fs, &ends->from);
    }
}

/* The rules of rename(2) about kinds. */
static int check_kinds(const struct ends *ends, bool no_replace)
{
    assert(ends->source);

    if (!ends->target) {
        return place_check_new_name(ends->to.name);
    }
    if (no_replace) {
        return EEXIST;
    }
    bool is_directory = ends->source->type == VERSION_DIRECTORY;
    if (ends->target->type == VERSION_DIRECTORY) {
        return is_directory ? 0 : EISDIR;
    }
    return is_directory ? ENOTDIR : 0;
}

static int ends_open(struct fs *fs, const struct rename_names *names, struct ends *ends)
{
    int failed = place_open(fs, names->parent, names->name, &ends->from);

    if (failed == 0) {
        failed = place_open(fs, names->new_parent, names->new_name, &ends->to);
    }
    if (failed == 0) {
        failed = place_shown_inode(fs, &ends->from, &ends->source);
    }
    if (failed == 0) {
        failed = place_shown_inode(fs, &ends->to, &ends->target);
        failed = failed == ENOENT ? 0 : failed;
    }
    if (failed == 0) {
        failed = check_kinds(ends, names->no_replace);
    }
    return failed;
}

/* Keys, and what is shown. The target's key is that of the file it is a sibling of. */
static int ends_prepare(struct fs *fs, struct ends *ends)
{
    assert(ends->has_tokens);

    ends->file = file_of_inode(fs, ends->source);
    int failed = hold_key(fs, ends->source, &ends->from_key);

    if (failed == 0 && ends->target) {
        failed = hold_key(fs, ends->target, &ends->to_key);
    } else if (failed == 0) {
        failed = place_key(&ends->to, ends->to.name, ROW_FILE, &ends->to_key);
    }
    if (failed == 0 && ends->target) {
        inodes_lock(&fs->inodes);
        failed = errno_of_status(shown_copy(&ends->to_shown, &ends->target->shown));
        inodes_unlock(&fs->inodes);
    }
    return failed;
}

/* True if a version of `moved` is still in the row shown now: within one key the put has
 * normally superseded it. */
static bool is_left(const struct shown *moved, const struct shown *now)
{
    for (uint32_t i = 0; now->row && i < now->row->version_count; i++) {
        for (uint32_t j = 0; j < moved->dot_count; j++) {
            if (dot_equal(now->row->versions[i].dot, moved->dots[j])) {
                return true;
            }
        }
    }
    return !now->row;
}

/* A version moves to another key: it is put there, then dropped here. */
static int move_sibling(struct fs *fs, struct ends *ends, bool only_own)
{
    assert(ends->has_tokens);
    assert(ends->source->number > 0);

    struct object *object = NULL;
    const struct version *version;
    struct shown shown = {0};
    bool is_same_key = slice_equal(buffer_slice(&ends->from_key), buffer_slice(&ends->to_key));
    int failed = pick_version(fs, ends->source, buffer_slice(&ends->from_key), &object,
                              &version, &shown);

    if (failed == 0) {
        failed = move_version(fs, buffer_slice(&ends->to_key), version, &ends->to_shown,
                              only_own, attributes_now_ns());
    }
    if (failed == 0 && (!is_same_key || is_left(&shown, &ends->to_shown))) {
        struct kv_put put = {.key = buffer_slice(&ends->from_key)};
        shown_apply(&shown, &put);
        failed = errno_of_status(times_put(fs, &put, NULL));
    }
    shown_release(&shown);
    object_unref(object);
    return failed;
}

/* True if the file holds what the cluster does not have. */
static bool is_unsaved(struct file *file)
{
    if (!file) {
        return false;
    }
    file_lock(file);
    bool is_dirty = file->is_dirty;
    file_unlock(file);
    return is_dirty;
}

/* The content of an open, unsaved file goes straight to its new key; what the cluster has of it
 * at the old one goes. */
static int move_unsaved(struct fs *fs, struct ends *ends, bool only_own)
{
    assert(ends->has_tokens);
    assert(ends->file);

    int failed =
        put_file_at(ends->file, buffer_slice(&ends->to_key), &ends->to_shown, only_own);

    inodes_lock(&fs->inodes);
    bool is_pending = ends->source->is_pending;
    inodes_unlock(&fs->inodes);
    if (failed == 0 && !is_pending) {
        failed = remove_shown(fs, ends->source);
        if (failed != 0) {
            file_lock(ends->file);
            file_touch(ends->file); /* it keeps its old name, where it is not saved */
            file_unlock(ends->file);
        }
    }
    return failed;
}

static int move_file(struct fs *fs, struct ends *ends)
{
    assert(ends->has_tokens);

    bool only_own = ends->target && ends->target->number > 0;
    bool is_same_key = slice_equal(buffer_slice(&ends->from_key), buffer_slice(&ends->to_key));
    struct shown replaced = {0};
    int failed = 0;

    if (is_same_key && ends->source->number == 0) {
        return EINVAL; /* all versions cannot take the place of one of them */
    }
    failed = errno_of_status(shown_copy(&replaced, &ends->to_shown));
    if (failed == 0 && is_unsaved(ends->file)) {
        failed = move_unsaved(fs, ends, only_own);
    } else if (failed == 0 && ends->source->number > 0) {
        failed = move_sibling(fs, ends, only_own);
    } else if (failed == 0) {
        failed = move_versions(fs, buffer_slice(&ends->from_key), buffer_slice(&ends->to_key),
                               &ends->to_shown, only_own, attributes_now_ns());
    }
    if (failed == 0 && only_own && ends->to_shown.dot_count > 0) {
        conflicts_rewritten(fs->conflicts, buffer_slice(&ends->to_key), replaced.dots,
                            replaced.dot_count,
                            ends->to_shown.dots[ends->to_shown.dot_count - 1]);
    }
    if (failed == 0) {
        failed = current_moved(fs, ends->source, ends->to.directory, ends->to.name,
                               ends->target, &ends->to_shown);
    }
    shown_release(&replaced);
    return failed;
}

int rename_name(struct fs *fs, const struct rename_names *names)
{
    assert(names->name && names->new_name);

    struct ends ends = {0};
    int failed = ends_open(fs, names, &ends);

    if (failed == 0 && ends.source == ends.target) {
        goto out;
    }
    if (failed == 0) {
        failed = take_tokens(fs, &ends);
    }
    if (failed == 0 && ends.source->type == VERSION_DIRECTORY) {
        failed = rename_directory(fs, ends.source, ends.target, &ends.to);
    } else if (failed == 0) {
        failed = ends_prepare(fs, &ends);
        if (failed == 0) {
            failed = move_file(fs, &ends);
        }
    }
out:
    ends_release(fs, &ends);
    return failed == ESTALE ? ENOENT : failed;
}
