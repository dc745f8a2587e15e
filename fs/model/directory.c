/*
 * directory.c - listing a directory: rows in batches, siblings shown, positions kept.
 *
 * Shape:    a table of every name that this handle has listed; a position is an index into it,
 *           so that it stays that of its name whatever is made or removed meanwhile. Only the
 *           last two batches (the *window*) have their rows in memory. Going back further asks
 *           for the rows of those very names again: what is gone is passed over, what is new
 *           in between is left to the next rewind.
 * Memory:   a name and 48 bytes for each name listed, and the rows of two batches.
 */
#include "fs/model/directory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/listing.h"
#include "fs/model/place.h"

enum { BATCH_ROWS = 512, DOTS = 2 };

struct directory {
    struct fs *fs;
    struct inode *inode; /* referenced */
    pthread_mutex_t lock;
    struct listing listed; /* by position; rows only within the window */
    bool is_loaded;        /* the first batch is there */
    bool more;             /* ... and there are further ones, */
    struct blob *after;    /* after this name */
    size_t first;          /* the window: from here ... */
    size_t latest;         /* ... its latest batch from here ... */
    size_t end;            /* ... to here */
    /* As counted when the batches of the window were asked for. */
    uint64_t removals_first;
    uint64_t removals_latest;
    struct inode **pending; /* files that only this mount shows, behind the dots; referenced */
    size_t pending_count;
};

int directory_open(struct fs *fs, uint64_t id, struct directory **ret_directory)
{
    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_id(&fs->inodes, id);
    if (inode) {
        inode_ref(inode);
    }
    inodes_unlock(&fs->inodes);
    if (!inode) {
        return ESTALE;
    }
    if (inode->type != VERSION_DIRECTORY) {
        hold_release(fs, inode);
        return ENOTDIR;
    }
    struct directory *directory = calloc(1, sizeof *directory);
    if (!directory) {
        hold_release(fs, inode);
        return ENOMEM;
    }
    directory->fs = fs;
    directory->inode = inode;
    pthread_mutex_init(&directory->lock, NULL);
    *ret_directory = directory;
    return 0;
}

/* Drops the rows of the window; the names stay. */
static void clear_window(struct directory *directory)
{
    listing_drop_rows(&directory->listed, directory->first, directory->end);
    directory->first = directory->latest = directory->end = 0;
}

/* Forgets everything: the next read starts from the beginning. */
static void rewind_all(struct directory *directory)
{
    listing_reset(&directory->listed);
    for (size_t i = 0; i < directory->pending_count; i++) {
        hold_release(directory->fs, directory->pending[i]);
    }
    free(directory->pending);
    directory->pending = NULL;
    directory->pending_count = 0;
    blob_unref(directory->after);
    directory->after = NULL;
    directory->first = directory->latest = directory->end = 0;
    directory->is_loaded = false;
    directory->more = true;
}

void directory_close(struct fs *fs, struct directory *directory)
{
    rewind_all(directory);
    listing_release(&directory->listed);
    pthread_mutex_destroy(&directory->lock);
    hold_release(fs, directory->inode);
    free(directory);
}

void directory_lock(struct directory *directory)
{
    pthread_mutex_lock(&directory->lock);
}

void directory_unlock(struct directory *directory)
{
    pthread_mutex_unlock(&directory->lock);
}

/* The dots, and the files that only this mount shows. These come first, so that one which is
 * put while the listing goes on is neither left out nor shown twice. */
static int add_local(struct directory *directory)
{
    assert(directory->listed.count == 0);

    struct fs *fs = directory->fs;
    struct listing *listed = &directory->listed;
    size_t count = 0;
    int failed = 0;

    if (!listing_add(listed, slice_of_string(".")) ||
        !listing_add(listed, slice_of_string(".."))) {
        return ENOMEM;
    }
    inodes_lock(&fs->inodes);
    for (struct inode *inode = fs->inodes.pending; inode; inode = inode->next_pending) {
        count += inode->parent == directory->inode;
    }
    directory->pending = count > 0 ? calloc(count, sizeof(struct inode *)) : NULL;
    failed = count > 0 && !directory->pending ? ENOMEM : 0;
    for (struct inode *inode = fs->inodes.pending; failed == 0 && inode;
         inode = inode->next_pending) {
        if (inode->parent != directory->inode) {
            continue;
        }
        failed = !listing_add(listed, inode_name(inode)) ? ENOMEM : 0;
        if (failed == 0) {
            directory->pending[directory->pending_count++] = inode_ref(inode);
        }
    }
    inodes_unlock(&fs->inodes);
    listed->local_count = listed->count;
    return failed;
}

/* Asks for the rows from the name `start` on, or after it, and appends what they show to
 * `to`. */
static int ask(struct directory *directory, struct slice start, bool after_start,
               struct listing *to, struct kv_rows *ret_rows)
{
    struct fs *fs = directory->fs;
    struct buffer key = {0};
    struct kv_rows rows = {0};
    struct kv_list list = {.start = start, .after_start = after_start, .limit = BATCH_ROWS};
    int failed = hold_key(fs, directory->inode, &key);

    if (failed == 0) {
        list.directory = buffer_slice(&key);
        failed = errno_of_status(kv_list(fs->config.kv, &list, &fs->options, &rows));
    }
    if (failed == 0) {
        failed = listing_add_rows(to, fs, buffer_slice(&key), &rows);
    }
    if (failed == 0) {
        *ret_rows = rows;
    } else {
        kv_rows_release(&rows);
    }
    buffer_release(&key);
    return failed;
}

static uint64_t count_removals(struct fs *fs)
{
    inodes_lock(&fs->inodes);
    uint64_t removals = fs->inodes.removals;
    inodes_unlock(&fs->inodes);
    return removals;
}

/* The window ends at the end of the table, and a batch is about to be appended there: of what
 * is in it the latest batch stays, since the kernel reads ahead and comes back. */
static void move_window(struct directory *directory, uint64_t removals)
{
    assert(directory->first <= directory->latest && directory->latest <= directory->end);

    if (directory->end != directory->listed.count) {
        clear_window(directory);
        directory->first = directory->latest = directory->end = directory->listed.count;
        directory->removals_first = removals;
    } else if (directory->latest < directory->end) {
        listing_drop_rows(&directory->listed, directory->first, directory->latest);
        directory->first = directory->latest;
        directory->latest = directory->end;
        directory->removals_first = directory->removals_latest;
    }
    directory->removals_latest = removals;
}

/* A directory that this mount removed while somebody is in it can be opened; there is nothing
 * to list. */
static bool is_removed(struct directory *directory)
{
    inodes_lock(&directory->fs->inodes);
    bool is_unlinked = directory->inode->is_unlinked;
    inodes_unlock(&directory->fs->inodes);
    return is_unlinked;
}

/* Lists the next names. On failure the table is as before, and the next call tries again. */
static int load_next(struct directory *directory)
{
    struct listing *listed = &directory->listed;
    struct kv_rows rows = {0};
    int failed = 0;

    if (is_removed(directory)) {
        return ENOENT;
    }
    move_window(directory, count_removals(directory->fs));
    if (!directory->is_loaded) {
        failed = add_local(directory);
        directory->end = directory->latest = directory->first = listed->count;
    }
    size_t count = listed->count;
    if (failed == 0) {
        failed = ask(directory, blob_slice(directory->after), directory->after, listed, &rows);
    }
    if (failed != 0 && !directory->is_loaded) {
        rewind_all(directory);
    } else if (failed != 0) {
        listing_truncate(listed, count);
    } else {
        directory->is_loaded = true;
        directory->end = listed->count;
        directory->more = rows.more;
        blob_unref(directory->after);
        directory->after = blob_ref(rows.resume);
        kv_rows_release(&rows);
    }
    return failed;
}

/* Makes a window of the names from `position` on, which were listed before. */
static int load_again(struct directory *directory, size_t position)
{
    assert(position < directory->listed.count);

    struct listing *listed = &directory->listed;
    struct listing again = {0};
    struct blob *after = NULL;
    uint64_t removals = count_removals(directory->fs);
    int failed = 0;

    clear_window(directory);
    directory->first = directory->latest = directory->end = position;
    directory->removals_first = directory->removals_latest = removals;
    while (failed == 0 && directory->end == position) {
        struct kv_rows rows = {0};
        struct slice start = after ? blob_slice(after) : listing_base(listed, position);
        failed = ask(directory, start, after, &again, &rows);
        if (failed == 0) {
            directory->end =
                listing_fill(listed, position, &again,
                             rows.more ? blob_slice(rows.resume) : (struct slice){0});
            blob_unref(after);
            after = blob_ref(rows.resume);
        }
        kv_rows_release(&rows);
    }
    blob_unref(after);
    listing_release(&again);
    return failed;
}

/* True if nothing has to be asked to show the name at `position`. */
static bool is_at_hand(const struct directory *directory, uint64_t position)
{
    return position < directory->listed.local_count ||
           (position >= directory->first && position < directory->end);
}

/* Finds the first name at or behind `position`, that is there; *ret_entry is NULL past the
 * end. */
static int seek(struct directory *directory, uint64_t *position, struct entry **ret_entry)
{
    struct listing *listed = &directory->listed;
    int failed = 0;

    if (*position == 0 && directory->is_loaded) {
        rewind_all(directory); /* a rewind reads the directory anew */
    }
    *ret_entry = NULL;
    while (failed == 0) {
        if (directory->is_loaded && *position < listed->count) {
            if (!is_at_hand(directory, *position)) {
                failed = load_again(directory, *position);
                continue;
            }
            struct entry *entry = &listed->entries[*position];
            if (*position < listed->local_count || entry->row) {
                *ret_entry = entry;
                return 0;
            }
            ++*position; /* it was there once */
            continue;
        }
        if (directory->is_loaded && !directory->more) {
            return 0;
        }
        failed = load_next(directory);
    }
    return failed;
}

static void fill_entry(struct directory *directory, const struct entry *entry,
                       uint64_t position, struct directory_entry *ret_entry)
{
    struct fs *fs = directory->fs;
    struct fs_entry shown;

    ret_entry->name = listing_name(&directory->listed, entry);
    ret_entry->position = position;
    if (position >= DOTS && position < directory->listed.local_count) {
        current_entry(fs, directory->pending[position - DOTS], &shown);
        ret_entry->attributes = shown.attributes;
        return;
    }
    if (position < DOTS) {
        inodes_lock(&fs->inodes);
        struct inode *above = directory->inode->parent;
        struct inode *inode = position == 0 || !above ? directory->inode : above;
        inode_ref(inode);
        inodes_unlock(&fs->inodes);
        current_entry(fs, inode, &shown);
        hold_release(fs, inode);
        ret_entry->attributes = shown.attributes;
        return;
    }
    const struct version *version = resolve_version(entry->row, entry->dot);
    struct attributes attributes = version->attributes;
    struct buffer key = {0};
    if (entry->kind == ROW_DIRECTORY) {
        attributes.type = VERSION_DIRECTORY;
    }
    if (attributes.file_id == 0 && hold_key(fs, directory->inode, &key) == 0) {
        struct slice base = listing_base(&directory->listed, position);
        struct buffer child = {0};
        key_append_child(&child, buffer_slice(&key), base, entry->kind);
        buffer_release(&key);
        key = child;
    }
    uint64_t inode_number =
        attributes_inode_number(&attributes, buffer_slice(&key), entry->number);
    attributes_to_stat(&attributes, inode_number, 1, &ret_entry->attributes);
    attributes_present(&fs->config.ownership, &ret_entry->attributes);
    buffer_release(&key);
}

int directory_at(struct directory *directory, uint64_t position,
                 struct directory_entry *ret_entry, bool *ret_is_end)
{
    assert(ret_entry && ret_is_end);

    struct entry *entry = NULL;
    int failed = seek(directory, &position, &entry);

    if (failed != 0) {
        return failed;
    }
    *ret_is_end = !entry;
    if (entry) {
        fill_entry(directory, entry, position, ret_entry);
    }
    return 0;
}

/* The found that a lookup of the entry would have given. */
static int found_of_entry(const struct entry *entry, struct slice base, struct found *ret_found)
{
    assert(entry->row);

    struct found found = {.number = entry->number};
    int failed = 0;

    if (entry->number == 0) {
        found.kind = entry->kind == ROW_DIRECTORY ? FOUND_DIRECTORY : FOUND_FILE;
        shown_set_all(&found.shown, entry->row);
    } else {
        found.kind = FOUND_SIBLING;
        found.base = blob_new(base);
        failed = !found.base ? ENOMEM : 0;
    }
    if (failed == 0 && entry->number > 0) {
        failed = resolve_group_of_dot(entry->row, entry->dot, &found.shown);
    }
    if (failed == 0) {
        found.version = resolve_version(entry->row, entry->dot);
        *ret_found = found;
    } else {
        found_release(&found);
    }
    return failed;
}

int directory_enter(struct directory *directory, uint64_t position, struct fs_entry *ret_entry)
{
    struct fs *fs = directory->fs;
    struct listing *listed = &directory->listed;
    struct found found = {0};

    assert(position >= DOTS && position < listed->count && is_at_hand(directory, position));
    struct entry *entry = &listed->entries[position];
    bool is_pending = position < listed->local_count;
    struct place place = {.directory = directory->inode,
                          .name = slice_of(listing_name(listed, entry), entry->name_size)};
    struct inode *inode = is_pending ? directory->pending[position - DOTS] : NULL;
    uint64_t removals =
        position < directory->latest ? directory->removals_first : directory->removals_latest;
    int failed = is_pending ? 0 : found_of_entry(entry, listing_base(listed, position), &found);

    inodes_lock(&fs->inodes);
    if (inodes_was_removed(&fs->inodes, place.directory, place.name, removals)) {
        failed = ENOENT;
    } else if (failed == 0 && !inode) {
        inode = place_inode_of_found(fs, &place, &found);
        failed = !inode ? ENOMEM : 0;
    } else if (failed == 0) {
        inode_ref(inode);
    }
    if (failed == 0) {
        inode->lookups++;
    }
    inodes_unlock(&fs->inodes);
    if (failed == 0) {
        current_entry(fs, inode, ret_entry);
        hold_release(fs, inode);
    }
    found_release(&found);
    return failed;
}

int directory_sync(struct fs *fs, uint64_t id)
{
    struct inode *inode;
    struct buffer key = {0};

    inodes_lock(&fs->inodes);
    inode = inode_by_id(&fs->inodes, id);
    bool is_removed = inode && inode->is_unlinked;
    inodes_unlock(&fs->inodes);
    if (is_removed) {
        return 0; /* it holds nothing that could be lost */
    }
    int failed = hold_inode(fs, id, &inode);
    if (failed != 0) {
        return failed;
    }
    failed = hold_key(fs, inode, &key);
    if (failed == 0) {
        struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_NONE, .sync = true};
        failed = errno_of_status(kv_put(fs->config.kv, &put, &fs->options, NULL));
    }
    buffer_release(&key);
    hold_release(fs, inode);
    return failed;
}
