/*
 * directory.c - listing a directory: rows in batches, siblings shown, positions kept.
 *
 * Shape:    a position is a number that is given to each name that this handle lists, and stays
 *           that of its name whatever is made or removed meanwhile. The last two batches are in
 *           memory; going back further lists the range of an older one again, in which the
 *           names are known by what the trail keeps of them: what is gone is passed over, what
 *           is new is left to the next rewind.
 * Memory:   two batches, and 8 bytes for each name that was listed.
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
#include "fs/model/trail.h"

enum { BATCH_ROWS = 512, DOTS = 2 };

/* Names in memory, with their rows. */
struct batch {
    uint64_t first; /* the position of the first name */
    struct listing listing;
    uint64_t removals; /* as counted when it was asked for */
};

struct directory {
    struct fs *fs;
    struct inode *inode; /* referenced */
    pthread_mutex_t lock;
    bool is_loaded;       /* the first batch was listed */
    bool more;            /* ... and there are further ones, */
    struct blob *after;   /* after this name */
    uint64_t known;       /* positions that were given to names */
    struct listing local; /* the first positions: the dots, and ... */
    struct inode *
        *pending; /* ... the files that only this mount shows, behind them; referenced */
    size_t pending_count;
    uint64_t local_removals;  /* as counted before these were looked for */
    struct batch held[2];     /* the later asked for is the second */
    struct trail trail;       /* of all batches */
    struct given_names given; /* of siblings */
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
    ghosts_open(&fs->ghosts, &directory->given, id);
    *ret_directory = directory;
    return 0;
}

static void batch_release(struct batch *batch)
{
    listing_release(&batch->listing);
    *batch = (struct batch){0};
}

/* Takes the batch over, in place of the one that was asked for longest ago. */
static void hold_batch(struct directory *directory, struct batch *batch)
{
    batch_release(&directory->held[0]);
    directory->held[0] = directory->held[1];
    directory->held[1] = *batch;
    *batch = (struct batch){0};
}

/* The batch in memory with that position; NULL if there is none. */
static struct batch *held_batch(struct directory *directory, uint64_t position)
{
    for (size_t i = 0; i < 2; i++) {
        struct batch *batch = &directory->held[i];
        if (position >= batch->first && position - batch->first < batch->listing.count) {
            return batch;
        }
    }
    return NULL;
}

/* Forgets everything: the next read starts from the beginning. */
static void rewind_all(struct directory *directory)
{
    batch_release(&directory->held[0]);
    batch_release(&directory->held[1]);
    listing_release(&directory->local);
    trail_release(&directory->trail);
    for (size_t i = 0; i < directory->pending_count; i++) {
        hold_release(directory->fs, directory->pending[i]);
    }
    free(directory->pending);
    directory->pending = NULL;
    directory->pending_count = 0;
    blob_unref(directory->after);
    directory->after = NULL;
    directory->known = 0;
    directory->is_loaded = false;
    directory->more = true;
}

void directory_close(struct fs *fs, struct directory *directory)
{
    ghosts_close(&fs->ghosts, &directory->given);
    rewind_all(directory);
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
    assert(directory->local.count == 0);

    struct fs *fs = directory->fs;
    struct listing *listed = &directory->local;
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
    directory->known = listed->count;
    return failed;
}

/* Asks for the rows behind the name `after` (NULL: from the first on) up to `end` (NULL: no
 * end), and appends what they show to `to`. */
static int ask(struct directory *directory, const struct blob *after, const struct blob *end,
               struct listing *to, struct kv_rows *ret_rows)
{
    struct fs *fs = directory->fs;
    struct buffer key = {0};
    struct kv_rows rows = {0};
    struct kv_list list = {.start = blob_slice(after),
                           .after_start = after,
                           .end = blob_slice(end),
                           .limit = BATCH_ROWS};
    int failed = hold_key(fs, directory->inode, &key);

    if (failed == 0) {
        list.directory = buffer_slice(&key);
        failed = errno_of_status(kv_list(fs->config.kv, &list, &fs->options, &rows));
    }
    if (failed == 0) {
        failed = listing_add_rows(to, fs, buffer_slice(&key), &rows, &directory->local);
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

/* A directory that this mount removed while somebody is in it can be opened; there is nothing
 * to list. */
static bool is_removed(struct directory *directory)
{
    inodes_lock(&directory->fs->inodes);
    bool is_unlinked = directory->inode->is_unlinked;
    inodes_unlock(&directory->fs->inodes);
    return is_unlinked;
}

/* Gives the names of a batch their positions. ENOMEM. */
static int add_batch(struct directory *directory, struct batch *batch,
                     const struct kv_rows *rows)
{
    size_t count = batch->listing.count;

    batch->first = directory->known;
    if (count > 0) {
        int failed = trail_add(&directory->trail, directory->known, &batch->listing,
                               rows->more ? rows->resume : NULL);
        if (failed != 0) {
            return failed;
        }
        directory->known += count;
        hold_batch(directory, batch);
    }
    directory->is_loaded = true;
    directory->more = rows->more;
    blob_unref(directory->after);
    directory->after = blob_ref(rows->resume);
    return 0;
}

/* Lists the next names. On failure all is as before, and the next call tries again. */
static int load_next(struct directory *directory)
{
    struct kv_rows rows = {0};
    struct batch batch = {.removals = count_removals(directory->fs)};
    int failed = 0;

    if (is_removed(directory)) {
        return ENOENT;
    }
    if (!directory->is_loaded) {
        directory->local_removals = batch.removals;
        failed = add_local(directory);
    }
    if (failed == 0) {
        failed = ask(directory, directory->after, NULL, &batch.listing, &rows);
    }
    if (failed == 0) {
        failed = add_batch(directory, &batch, &rows);
    }
    if (failed != 0 && !directory->is_loaded) {
        rewind_all(directory);
    }
    batch_release(&batch);
    kv_rows_release(&rows);
    return failed;
}

/* Lists the batch with the position, which was listed before, once more. */
static int load_again(struct directory *directory, uint64_t position)
{
    assert(position >= directory->local.count && position < directory->known);

    const struct trail *trail = &directory->trail;
    size_t number = trail_find(trail, position);
    const struct trail_batch *known = &trail->batches[number];
    struct batch batch = {.first = known->first, .removals = count_removals(directory->fs)};
    struct blob *after = number > 0 ? blob_ref(trail->batches[number - 1].end) : NULL;
    size_t next = 0;
    int failed = 0;

    while (failed == 0 && next < known->count) {
        struct listing page = {0};
        struct kv_rows rows = {0};
        failed = ask(directory, after, known->end, &page, &rows);
        if (failed == 0) {
            failed = trail_match(known, &next, &page, !rows.more, &batch.listing);
        }
        if (failed == 0) {
            blob_unref(after);
            after = blob_ref(rows.resume);
        }
        listing_release(&page);
        kv_rows_release(&rows);
    }
    blob_unref(after);
    if (failed == 0) {
        hold_batch(directory, &batch);
    }
    batch_release(&batch);
    return failed;
}

/* A name that is given out, and the listing that it is in. */
struct spot {
    const struct listing *listing; /* NULL: past the end */
    size_t at;
};

/* Finds the first name at or behind `position` that is there. */
static int seek(struct directory *directory, uint64_t *position, struct spot *ret_spot)
{
    int failed = 0;

    if (*position == 0 && directory->is_loaded) {
        rewind_all(directory); /* a rewind reads the directory anew */
    }
    *ret_spot = (struct spot){0};
    while (failed == 0) {
        if (directory->is_loaded && *position < directory->local.count) {
            *ret_spot = (struct spot){.listing = &directory->local, .at = *position};
            return 0;
        }
        if (directory->is_loaded && *position < directory->known) {
            struct batch *batch = held_batch(directory, *position);
            if (!batch) {
                failed = load_again(directory, *position);
                continue;
            }
            size_t at = *position - batch->first;
            if (batch->listing.entries[at].row) {
                *ret_spot = (struct spot){.listing = &batch->listing, .at = at};
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

static void fill_entry(struct directory *directory, const struct spot *spot, uint64_t position,
                       struct directory_entry *ret_entry)
{
    const struct entry *entry = &spot->listing->entries[spot->at];
    struct fs *fs = directory->fs;
    struct fs_entry shown;

    ret_entry->name = listing_name(spot->listing, entry);
    ret_entry->position = position;
    if (position >= DOTS && position < directory->local.count) {
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
    if (entry->number > 0) {
        ghosts_give(&fs->ghosts, &directory->given, slice_of_string(ret_entry->name));
    }
    const struct version *version = resolve_version(entry->row, entry->dot);
    struct attributes attributes = version->attributes;
    struct buffer key = {0};
    if (entry->kind == ROW_DIRECTORY) {
        attributes.type = VERSION_DIRECTORY;
    }
    if (attributes.file_id == 0 && hold_key(fs, directory->inode, &key) == 0) {
        struct slice base = listing_base(spot->listing, spot->at);
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

    struct spot spot;
    int failed = seek(directory, &position, &spot);

    if (failed != 0) {
        return failed;
    }
    *ret_is_end = !spot.listing;
    if (spot.listing) {
        fill_entry(directory, &spot, position, ret_entry);
    }
    return 0;
}

/* The found that a lookup of the entry would have given. */
static int found_of_entry(const struct listing *listing, size_t at, struct found *ret_found)
{
    const struct entry *entry = &listing->entries[at];

    assert(entry->row);

    struct found found = {.number = entry->number};
    int failed = 0;

    if (entry->number == 0) {
        found.kind = entry->kind == ROW_DIRECTORY ? FOUND_DIRECTORY : FOUND_FILE;
        shown_set_all(&found.shown, entry->row);
    } else {
        found.kind = FOUND_SIBLING;
        found.base = blob_new(listing_base(listing, at));
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
    struct found found = {0};
    bool is_pending = position < directory->local.count;
    const struct batch *batch = is_pending ? NULL : held_batch(directory, position);

    assert(position >= DOTS && (is_pending || batch));
    const struct listing *listing = is_pending ? &directory->local : &batch->listing;
    size_t at = is_pending ? position : position - batch->first;
    const struct entry *entry = &listing->entries[at];
    struct place place = {.directory = directory->inode,
                          .name = slice_of(listing_name(listing, entry), entry->name_size)};
    struct inode *inode = is_pending ? directory->pending[position - DOTS] : NULL;
    uint64_t removals = is_pending ? directory->local_removals : batch->removals;
    int failed = is_pending ? 0 : found_of_entry(listing, at, &found);

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
