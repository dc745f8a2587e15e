/*
 * rename_directory.c - moving a directory: the target is made, the children follow one by one,
 * then the source goes.
 *
 * The target is marked with what it is being filled from, so that the same rename finds its own
 * half-done work after a failure and goes on. The mark is an attribute that users cannot see.
 * Since `mv a b` moves a *into* a directory b that is there, that is what the rerun of one that
 * was cut short asks for: if b is marked as the unfinished move of a, it is finished instead.
 *
 * While both names exist they are two directories, with two inode numbers: the target takes
 * over the source's when the source is gone.
 */
#include "fs/model/rename_directory.h"

#include <assert.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/move.h"
#include "fs/model/remove.h"
#include "fs/model/times.h"
#include "fs/model/xattrs.h"

enum {
    PAGE_ROWS = 128,
    PASSES_MAX = 16, /* beyond it somebody keeps adding to the source: EBUSY */
    MARK_SIZE_MAX = KEY_SIZE_MAX + 8,
};

static const char mark_name[] = "dynamofs.moving-from";

/* One directory on its way. */
struct tree {
    struct inode *source;
    struct inode *staging; /* the target's inode, which the children move to */
    struct buffer from;    /* keys */
    struct buffer to;
    struct object *object;         /* of the source */
    const struct version *version; /* its newest, inside */
    struct shown shown;            /* of the target */
    struct attributes attributes;  /* what the target gets: times as the source shows them */
    uint64_t interim_id;           /* the target's file id while the source exists */
    bool is_top;                   /* carries the mark, and has a new name */
    bool finishes;                 /* an earlier rename, whose target the kernel knows */
};

static void tree_release(struct fs *fs, struct tree *tree)
{
    hold_release(fs, tree->staging);
    hold_release(fs, tree->source);
    buffer_release(&tree->from);
    buffer_release(&tree->to);
    object_unref(tree->object);
    shown_release(&tree->shown);
}

/* The mark names the source by id and path: a later directory of that path is another one. */
static void append_mark(const struct tree *tree, struct buffer *mark)
{
    buffer_append(mark, &tree->version->attributes.file_id, sizeof(uint64_t));
    buffer_append_slice(mark, buffer_slice(&tree->from));
}

/* The target as it is while it is filled (marked at the top), or once it is whole. */
static int put_target(struct fs *fs, struct tree *tree, bool is_whole)
{
    assert(tree->version);

    bool marked = tree->is_top && !is_whole;
    struct version version = *tree->version;
    version.attributes = tree->attributes;
    struct kv_put put = {.key = buffer_slice(&tree->to), .value = &version};
    struct buffer mark = {0};
    struct blob *xattrs = blob_ref(version.xattrs);
    struct object *row = NULL;
    struct dot dot;
    int failed = 0;

    if (!is_whole) {
        version.attributes.file_id = tree->interim_id;
    }
    if (marked) {
        append_mark(tree, &mark);
        struct xattr_change change = {.name = mark_name, .value = buffer_slice(&mark)};
        blob_unref(xattrs);
        xattrs = NULL;
        failed = mark.failed
                     ? ENOMEM
                     : xattrs_change(version.xattrs, &change, attributes_now_ns(), &xattrs);
    }
    if (failed == 0) {
        version.xattrs = xattrs;
        shown_apply(&tree->shown, &put);
        failed = errno_of_status(times_put(fs, &put, &row));
    }
    if (failed == 0) {
        failed = errno_of_status(
            shown_after_put(&tree->shown, row, version.content_hash, false, &dot));
    }
    object_unref(row);
    blob_unref(xattrs);
    buffer_release(&mark);
    return failed;
}

/* 0 if the directory at `key` is what an earlier try of this very rename left, otherwise
 * ENOTEMPTY. */
static int check_mark(struct fs *fs, const struct tree *tree, struct slice key)
{
    assert(tree->version);

    struct object *object = NULL;
    struct buffer mark = {0};
    struct slice value;
    enum status status = kv_get(fs->config.kv, key, &fs->options, &object);
    int failed = errno_of_status(status);

    if (failed == 0) {
        append_mark(tree, &mark);
        failed = xattrs_get(blob_slice(object_newest(object)->xattrs),
                            slice_of_string(mark_name), &value);
        bool is_own = failed == 0 && slice_equal(value, buffer_slice(&mark));
        failed = is_own ? 0 : ENOTEMPTY;
    }
    object_unref(object);
    buffer_release(&mark);
    return status == STATUS_NOT_FOUND ? ENOTEMPTY : failed;
}

/* The child's inode, with one reference and the token: also if the kernel does not know it, so
 * that who opens it meanwhile waits. NULL for a file that only this mount shows beside the row,
 * which moves with its directory. */
static int take_child(struct fs *fs, struct inode *directory, const struct row *row,
                      struct inode **ret_inode)
{
    assert(directory->type == VERSION_DIRECTORY);
    assert(object_is_live(row->object));

    struct place place = {.directory = directory, .name = blob_slice(row->name)};
    struct found found = {.kind = FOUND_FILE, .version = object_newest(row->object)};
    shown_set_all(&found.shown, row->object);

    inodes_lock(&fs->inodes);
    struct inode *inode = place_inode_of_found(fs, &place, &found);
    bool is_pending = inode && inode->is_pending;
    if (is_pending) {
        inode_unref(&fs->inodes, inode);
    }
    inodes_unlock(&fs->inodes);
    found_release(&found);
    if (!inode) {
        return ENOMEM;
    }
    int failed = is_pending ? 0 : hold_take_token(fs, inode);
    if (failed != 0) {
        hold_release(fs, inode);
        return failed;
    }
    *ret_inode = is_pending ? NULL : inode;
    return 0;
}

/*
 * True if all versions of the left-behind row were already superseded at the target: a later
 * flush of this mount went there and named them in its context. To put them again would make
 * the older content the newest.
 */
static bool is_superseded(struct fs *fs, const struct tree *tree, const struct row *row)
{
    struct object *directory = NULL;
    struct object *file = NULL;
    int failed =
        resolve_rows(fs, buffer_slice(&tree->to), blob_slice(row->name), &directory, &file);
    bool is_covered = failed == 0 && file;

    for (uint32_t i = 0; is_covered && i < row->object->version_count; i++) {
        is_covered = clock_covers(&file->clock, row->object->versions[i].dot);
    }
    if (failed == 0) {
        object_unref(directory);
        object_unref(file);
    }
    return is_covered;
}

static int drop_left_behind(struct fs *fs, struct slice key, const struct row *row)
{
    struct kv_put put = {.key = key, .mode = UPDATE_ALL, .context = row->object->clock};

    return errno_of_status(times_put(fs, &put, NULL));
}

/* Moves one file with all its versions, and its inode after it. */
static int move_file(struct fs *fs, struct tree *tree, const struct row *row)
{
    struct slice name = blob_slice(row->name);
    struct inode *inode = NULL;
    struct buffer from = {0};
    struct buffer to = {0};
    struct shown shown = {0};
    int failed = take_child(fs, tree->source, row, &inode);
    if (failed != 0) {
        return failed;
    }

    key_append_child(&from, buffer_slice(&tree->from), name, ROW_FILE);
    key_append_child(&to, buffer_slice(&tree->to), name, ROW_FILE);
    failed = from.failed || to.failed ? ENOMEM : 0;
    if (failed == 0 && to.size > KEY_SIZE_MAX) {
        failed = ENAMETOOLONG;
    }
    bool is_left_behind = !tree->staging;
    if (failed == 0 && is_left_behind && is_superseded(fs, tree, row)) {
        failed = drop_left_behind(fs, buffer_slice(&from), row);
        goto out;
    }
    if (failed == 0) {
        failed = move_versions(fs, buffer_slice(&from), buffer_slice(&to), &shown, false, 0);
    }
    if (failed == 0 && inode) {
        failed = current_moved(fs, inode, tree->staging, name, NULL, &shown);
    }
out:
    if (inode) {
        hold_return_token(fs, inode);
        hold_release(fs, inode);
    }
    shown_release(&shown);
    buffer_release(&from);
    buffer_release(&to);
    return failed == ENOENT ? 0 : failed; /* gone meanwhile: nothing to move */
}

static int move_tree(struct fs *fs, struct tree *tree);

/* An inode for the directory `name` of `parent`, with one reference. */
static struct inode *obtain_directory(struct fs *fs, struct inode *parent, struct slice name)
{
    struct inode_description description = {
        .name = name, .base = name, .type = VERSION_DIRECTORY};

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, parent, name);
    if (inode && inode->type == VERSION_DIRECTORY) {
        inode_ref(inode);
    } else {
        if (inode) {
            inode_unname(&fs->inodes, inode);
        }
        inode = inode_add(&fs->inodes, parent, &description);
    }
    inodes_unlock(&fs->inodes);
    return inode;
}

static int move_directory(struct fs *fs, struct tree *above, struct slice name)
{
    struct tree tree = {0};
    int failed = ENOMEM;

    tree.source = obtain_directory(fs, above->source, name);
    tree.staging = obtain_directory(fs, above->staging, name);
    if (tree.source && tree.staging) {
        failed = hold_take_token(fs, tree.source);
    }
    if (failed == 0) {
        failed = move_tree(fs, &tree);
        hold_return_token(fs, tree.source);
    }
    tree_release(fs, &tree);
    return failed == ENOENT ? 0 : failed;
}

/* One pass over the source. *ret_count is the number of names that were there. With
 * `files_only` directories are left alone. */
static int move_children(struct fs *fs, struct tree *tree, bool files_only, size_t *ret_count)
{
    assert(ret_count);

    struct blob *resume = NULL;
    struct kv_rows rows = {0};
    size_t count = 0;
    bool more = true;
    int failed = 0;

    while (failed == 0 && more) {
        struct kv_list list = {.directory = buffer_slice(&tree->from),
                               .start = blob_slice(resume),
                               .after_start = resume,
                               .limit = PAGE_ROWS};
        failed = errno_of_status(kv_list(fs->config.kv, &list, &fs->options, &rows));
        if (failed != 0) {
            break;
        }
        for (size_t i = 0; i < rows.count && failed == 0; i++) {
            struct slice name = blob_slice(rows.rows[i].name);
            count++;
            if (rows.rows[i].kind == ROW_FILE) {
                failed = move_file(fs, tree, &rows.rows[i]);
            } else if (!files_only) {
                failed = move_directory(fs, tree, name);
            }
            kv_limits_renew(); /* any number of names, each within the deadline */
        }
        blob_unref(resume);
        resume = blob_ref(rows.resume);
        more = rows.more;
        kv_rows_release(&rows);
    }
    blob_unref(resume);
    *ret_count = count;
    return failed;
}

/* The source's inode takes the target's place, with all that moved there. */
static int enter_target(struct fs *fs, struct tree *tree)
{
    assert(tree->source->is_token_taken);
    assert(tree->staging);

    struct inode *staging = tree->staging;

    inodes_lock(&fs->inodes);
    struct inode *parent = staging->parent;
    struct buffer name = {0};
    buffer_append_slice(&name, inode_name(staging));
    enum status status = name.failed ? STATUS_NO_MEMORY : STATUS_OK;
    if (status == STATUS_OK) {
        status = inode_move(&fs->inodes, tree->source, parent, buffer_slice(&name), NULL);
    }
    if (status == STATUS_OK) {
        inode_unname_siblings(&fs->inodes, tree->source);
        inode_adopt(&fs->inodes, staging, tree->source);
        /* What it knew was of the old path, where names vanished one by one. */
        tree->source->names_ns = staging->names_ns;
        tree->source->names_fresh_until_ns = 0;
        status = shown_copy(&tree->source->shown, &tree->shown);
    }
    inodes_unlock(&fs->inodes);
    buffer_release(&name);
    return errno_of_status(status);
}

/* The source's inode goes; what only this mount shows below it stays, at the target. */
static int leave_source(struct fs *fs, struct tree *tree)
{
    assert(tree->source->is_token_taken);
    assert(tree->staging);

    inodes_lock(&fs->inodes);
    inode_unname_siblings(&fs->inodes, tree->source);
    inode_adopt(&fs->inodes, tree->source, tree->staging);
    inode_unlink(&fs->inodes, tree->source);
    enum status status = shown_copy(&tree->staging->shown, &tree->shown);
    inodes_unlock(&fs->inodes);
    return errno_of_status(status);
}

/* Neither the move nor the names that appear below the target change the times that a directory
 * shows. */
static void read_attributes(struct fs *fs, struct tree *tree)
{
    tree->attributes = tree->version->attributes;
    inodes_lock(&fs->inodes);
    times_of_directory(tree->source, &tree->attributes);
    inodes_unlock(&fs->inodes);
    times_set(fs, tree->source, &tree->attributes);
    if (tree->is_top) {
        tree->attributes.named_ns = attributes_now_ns();
    }
}

static int read_source(struct fs *fs, struct tree *tree)
{
    assert(tree->source->type == VERSION_DIRECTORY);

    int failed = hold_key(fs, tree->source, &tree->from);

    tree->interim_id = attributes_new_file_id();
    if (failed == 0) {
        failed = errno_of_status(
            times_get_directory(fs, tree->source, buffer_slice(&tree->from), &tree->object));
    }
    if (failed == 0) {
        tree->version = object_newest(tree->object);
        read_attributes(fs, tree);
    }
    return failed;
}

static int delete_source(struct fs *fs, const struct tree *tree)
{
    assert(tree->object);

    struct kv_put put = {
        .key = buffer_slice(&tree->from), .mode = UPDATE_ALL, .context = tree->object->clock};

    return errno_of_status(times_put(fs, &put, NULL));
}

/* Both inodes are set; at the top the source has been read and the target checked. */
static int move_tree(struct fs *fs, struct tree *tree)
{
    assert(tree->source->is_token_taken && tree->staging);

    size_t count = 1;
    int failed = tree->is_top ? 0 : read_source(fs, tree);

    if (failed == 0 && !tree->is_top) {
        failed = hold_key(fs, tree->staging, &tree->to);
    }
    if (failed == 0) {
        failed = put_target(fs, tree, false);
    }
    for (int pass = 0; failed == 0 && count > 0; pass++) {
        failed = pass == PASSES_MAX ? EBUSY : move_children(fs, tree, false, &count);
    }
    if (failed == 0) {
        failed = tree->finishes ? leave_source(fs, tree) : enter_target(fs, tree);
    }
    if (failed == 0) {
        /* What an own flush put between the last pass and the move of the inode. From now on
         * flushes go to the new place. A directory that appeared there revives the source. */
        hold_release(fs, tree->staging);
        tree->staging = NULL;
        failed = move_children(fs, tree, true, &count);
    }
    if (failed == 0) {
        failed = delete_source(fs, tree);
    }
    if (failed == 0) {
        /* The mark and the interim id have done their work; if they stay they do no harm: they
         * name a source that is gone. */
        (void)put_target(fs, tree, true);
    }
    return failed;
}

/* True if `inode` is `directory` or below it. */
static bool is_within(struct fs *fs, const struct inode *inode, const struct inode *directory)
{
    inodes_lock(&fs->inodes);
    while (inode && inode != directory) {
        inode = inode->parent;
    }
    inodes_unlock(&fs->inodes);
    return inode;
}

/*
 * The inode to move to: a new one at the place, or, if the place's directory is itself the
 * unfinished target of this rename, that. *ret_inode has one more reference.
 */
static int find_staging(struct fs *fs, struct tree *tree, const struct inode *target,
                        const struct place *to)
{
    int failed = target ? ENOTEMPTY : check_mark(fs, tree, buffer_slice(&to->key));

    if (failed != 0 && failed != ENOTEMPTY) {
        return failed;
    }
    tree->finishes = failed == 0;
    if (tree->finishes) {
        inodes_lock(&fs->inodes);
        tree->staging = inode_ref(to->directory);
        enum status status = shown_copy(&tree->shown, &to->directory->shown);
        inodes_unlock(&fs->inodes);
        failed = errno_of_status(status);
    } else {
        tree->staging = obtain_directory(fs, to->directory, to->name);
        failed = !tree->staging ? ENOMEM : 0;
    }
    return failed != 0 ? failed : hold_key(fs, tree->staging, &tree->to);
}

/* A directory that is replaced is empty, or what an earlier try left. */
static int check_target(struct fs *fs, struct tree *tree, struct inode *target)
{
    assert(target->type == VERSION_DIRECTORY);

    int failed = remove_check_empty(fs, target);

    if (failed == ENOTEMPTY) {
        failed = check_mark(fs, tree, buffer_slice(&tree->to));
    }
    inodes_lock(&fs->inodes);
    enum status status = shown_copy(&tree->shown, &target->shown);
    inodes_unlock(&fs->inodes);
    return failed != 0 ? failed : errno_of_status(status);
}

int rename_directory(struct fs *fs, struct inode *source, struct inode *target,
                     const struct place *to)
{
    assert(source->is_token_taken);
    assert(!target || target->type == VERSION_DIRECTORY);

    struct tree tree = {.is_top = true};

    if (source->id == INODE_ID_ROOT || is_within(fs, to->directory, source)) {
        return EINVAL;
    }
    inodes_lock(&fs->inodes);
    tree.source = inode_ref(source);
    inodes_unlock(&fs->inodes);
    int failed = read_source(fs, &tree);
    if (failed == 0) {
        failed = find_staging(fs, &tree, target, to);
    }
    if (failed == 0 && target) {
        failed = check_target(fs, &tree, target);
    }
    if (failed == 0) {
        failed = move_tree(fs, &tree);
    }
    if (failed == 0) {
        struct inode *moved = tree.finishes ? to->directory : source;
        inodes_lock(&fs->inodes);
        shown_move(&moved->shown, &tree.shown);
        inodes_unlock(&fs->inodes);
    }
    tree_release(fs, &tree);
    return failed;
}
