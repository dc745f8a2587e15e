/*
 * fsck_file.c - one file or directory that is listed.
 */
#include <assert.h>
#include <string.h>

#include "node/client/block_set.h"
#include "node/client/fsck_internal.h"

/* A version of a large file. What is wrong with it counts only if it is there still, when that is
 * known: its blocks go with it. */
struct large {
    struct fsck *fsck;
    struct slice key;
    struct dot dot;
    struct manifest manifest;
    uint64_t bad;        /* blocks */
    uint64_t bad_offset; /* of the first */
    uint32_t stripe;     /* the last one that was found announced, or not */
    bool has_stripe;
    bool is_unannounced;
    enum status announced; /* now, with `repair` */
};

static enum status get_all(struct fsck *fsck, struct slice key, struct object **ret_object)
{
    return kv_get(fsck->options->kv, key, &fsck->all, ret_object);
}

static bool is_there(enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_FOUND;
}

/* Is the version there still? An error says that this is not known, and is told. */
static bool is_current(struct large *large)
{
    struct object *object = NULL;
    enum status status = get_all(large->fsck, large->key, &object);
    bool is_it = false;

    for (uint32_t i = 0; status == STATUS_OK && i < object->version_count; i++) {
        is_it |= dot_equal(object->versions[i].dot, large->dot);
    }
    object_unref(object);
    if (!is_there(status)) {
        fsck_unread(large->fsck, large->key, NULL, status);
    }
    return is_it;
}

/* Is anything at the key, in any copy? STATUS_OK, STATUS_NOT_FOUND or an error. */
static enum status look_for(struct fsck *fsck, const struct buffer *key)
{
    struct object *object = NULL;

    if (key->failed) {
        return STATUS_NO_MEMORY;
    }
    enum status status = kv_get(fsck->options->kv, buffer_slice(key), &fsck->quorum, &object);
    object_unref(object);
    object = NULL;
    if (status == STATUS_NOT_FOUND) {
        status = get_all(fsck, buffer_slice(key), &object);
        object_unref(object);
    }
    return status;
}

/* What the version's set does not know. */
static void tell_of_set(struct large *large, enum fsck_kind kind, enum status repaired)
{
    struct fsck_finding finding = {.kind = kind,
                                   .key = large->key,
                                   .set = &large->manifest.set,
                                   .is_repaired =
                                       repaired == STATUS_OK && large->fsck->options->repair};
    fsck_found(large->fsck, &finding);
}

/* The path is to be noted, or the collector does not know of this version. */
static void look_at_note(struct large *large)
{
    struct fsck *fsck = large->fsck;
    struct buffer key = {0};

    block_key_path(&key, &large->manifest.set, large->key);
    enum status status = look_for(fsck, &key);
    buffer_release(&key);
    if (status == STATUS_NOT_FOUND && is_current(large)) {
        enum status repaired = fsck->options->repair
                                   ? block_set_name(fsck->options->kv, &large->manifest.set,
                                                    large->key, &fsck->quorum)
                                   : STATUS_OK;
        tell_of_set(large, FSCK_UNNOTED, repaired);
    } else if (!is_there(status)) {
        fsck_unread(fsck, large->key, &large->manifest.set, status);
    }
}

/* The stripe that `index` lies in is to be announced, once for each. */
static void look_at_stripe(struct large *large, uint32_t index)
{
    struct fsck *fsck = large->fsck;
    const struct block_set *set = &large->manifest.set;
    uint32_t stripe = index / STRIPE_BLOCKS;
    struct buffer key = {0};

    if (large->has_stripe && stripe == large->stripe) {
        return;
    }
    large->has_stripe = true;
    large->stripe = stripe;
    if (stripe == 0) {
        block_key_head(&key, set);
    } else {
        block_key_mark(&key, set, stripe);
    }
    enum status status = look_for(fsck, &key);
    buffer_release(&key);
    if (status == STATUS_NOT_FOUND) {
        large->is_unannounced = true;
        if (fsck->options->repair && large->announced == STATUS_OK) {
            large->announced =
                block_set_announce(fsck->options->kv, set, stripe, &fsck->quorum);
        }
    } else if (status != STATUS_OK) {
        fsck_unread(fsck, large->key, set, status);
    }
}

/* With `repair` all copies are compared, so that what lags or is bad is mended by the nodes. */
static enum status fetch(struct large *large, uint32_t index, const struct block_entry *entry,
                         struct blob **ret_content)
{
    struct fsck *fsck = large->fsck;
    struct block_place place = {.set = large->manifest.set, .index = index};
    struct buffer key = {0};
    struct object *object = NULL;
    enum status status = STATUS_OK;

    if (fsck->options->repair) {
        block_key_block(&key, &place.set, index, entry);
        status = key.failed ? STATUS_NO_MEMORY : get_all(fsck, buffer_slice(&key), &object);
        object_unref(object);
        buffer_release(&key);
    }
    if (is_there(status) || status == STATUS_CORRUPT) {
        status = block_get(fsck->options->kv, &place, entry, &fsck->all, ret_content);
    }
    return status;
}

/* One block, or a map; *ret_content is NULL if no copy of it is right. False: it is not known. */
static bool look_at_block(struct large *large, uint32_t index, const struct block_entry *entry,
                          struct blob **ret_content)
{
    struct fsck *fsck = large->fsck;
    enum status status = fetch(large, index, entry, ret_content);

    if (status == STATUS_OK) {
        fsck->stats.blocks++;
        fsck->stats.bytes += (*ret_content)->size;
        fsck_progress(fsck);
    } else if (status == STATUS_CORRUPT) {
        large->bad_offset =
            large->bad == 0 ? (uint64_t)index << BLOCK_SIZE_LOG2 : large->bad_offset;
        large->bad++;
    } else {
        fsck_unread(fsck, large->key, &large->manifest.set, status);
        return false;
    }
    return true;
}

/* The blocks that a manifest or a map lists, from `first` on. */
static bool look_at_blocks(struct large *large, uint32_t first, struct slice entries)
{
    bool goes_on = true;

    for (uint32_t i = 0; goes_on && i < entries.size / BLOCK_ENTRY_SIZE; i++) {
        struct block_entry entry = manifest_entry(entries, i);
        struct blob *content = NULL;
        if (!block_entry_is_hole(&entry)) {
            look_at_stripe(large, first + i);
            goes_on = look_at_block(large, first + i, &entry, &content);
            blob_unref(content);
        }
        goes_on = goes_on && !fsck_is_over(large->fsck);
    }
    return goes_on;
}

static bool look_at_map(struct large *large, uint32_t first, const struct block_entry *entry)
{
    struct blob *content = NULL;

    look_at_stripe(large, first);
    bool goes_on = look_at_block(large, first, entry, &content);
    struct slice entries = blob_slice(content);
    bool is_map = entries.size % BLOCK_ENTRY_SIZE == 0 &&
                  entries.size <= (size_t)MAP_BLOCKS * BLOCK_ENTRY_SIZE;
    if (content && !is_map) {
        large->bad_offset =
            large->bad == 0 ? (uint64_t)first << BLOCK_SIZE_LOG2 : large->bad_offset;
        large->bad++;
    } else if (goes_on) {
        goes_on = look_at_blocks(large, first, entries);
    }
    blob_unref(content);
    return goes_on;
}

static void tell_of_file(struct fsck *fsck, struct slice key, enum fsck_kind kind,
                         bool is_repaired)
{
    struct fsck_finding finding = {.kind = kind, .key = key, .is_repaired = is_repaired};

    fsck_found(fsck, &finding);
}

static void look_at_large(struct fsck *fsck, struct slice key, const struct version *version)
{
    struct large large = {.fsck = fsck, .key = key, .dot = version->dot};
    bool goes_on = true;

    if (manifest_parse(blob_slice(version->content), &large.manifest) != STATUS_OK) {
        tell_of_file(fsck, key, FSCK_DAMAGED, false);
        return;
    }
    const struct manifest *manifest = &large.manifest;
    if (!manifest->has_maps) {
        goes_on = look_at_blocks(&large, 0, manifest->entries);
    }
    for (uint32_t i = 0; manifest->has_maps && goes_on && i < manifest->count; i++) {
        struct block_entry entry = manifest_entry(manifest->entries, i);
        if (!block_entry_is_hole(&entry)) {
            goes_on = look_at_map(&large, i * MAP_BLOCKS, &entry);
        }
    }
    if (large.bad > 0 && is_current(&large)) {
        struct fsck_finding finding = {.kind = FSCK_BLOCKS,
                                       .key = key,
                                       .set = &manifest->set,
                                       .blocks = large.bad,
                                       .offset = large.bad_offset};
        fsck_found(fsck, &finding);
    }
    if (large.is_unannounced && is_current(&large)) {
        tell_of_set(&large, FSCK_UNANNOUNCED, large.announced);
    }
    if (!fsck_is_over(fsck)) {
        look_at_note(&large);
    }
}

/* What is at a listed key, STATUS_OK, or why nothing can be said of it, which is told. */
static bool get_listed(struct fsck *fsck, struct slice key, struct object **ret_object)
{
    const struct kv_options *options = fsck->options->repair ? &fsck->all : &fsck->quorum;
    bool is_listed = false;
    enum status status = kv_get(fsck->options->kv, key, options, ret_object);

    if (status == STATUS_NOT_FOUND) {
        object_unref(*ret_object);
        *ret_object = NULL;
        status = get_all(fsck, key, ret_object);
    }
    if (status == STATUS_NOT_FOUND && !key_is_root(key)) {
        /* It may have been removed since. */
        enum status listed = fsck_is_listed(fsck, key, &is_listed);
        status = listed == STATUS_OK ? STATUS_NOT_FOUND : listed;
    }
    if (is_listed) {
        tell_of_file(fsck, key, FSCK_GONE, false);
    } else if (status == STATUS_CORRUPT) {
        tell_of_file(fsck, key, FSCK_DAMAGED, false);
    } else if (!is_there(status)) {
        fsck_unread(fsck, key, NULL, status);
    }
    return status == STATUS_OK;
}

void fsck_look_at_file(struct fsck *fsck, struct slice key)
{
    struct object *object = NULL;

    fsck->stats.files++;
    if (get_listed(fsck, key, &object)) {
        for (uint32_t i = 0; i < object->version_count && !fsck_is_over(fsck); i++) {
            const struct version *version = &object->versions[i];
            fsck->stats.versions++;
            fsck->stats.bytes += blob_slice(version->content).size;
            if (version->attributes.type == VERSION_LARGE_FILE) {
                look_at_large(fsck, key, version);
            }
        }
    }
    object_unref(object);
    fsck_progress(fsck);
}

void fsck_look_at_directory(struct fsck *fsck, struct slice key)
{
    struct object *object = NULL;

    fsck->stats.directories++;
    (void)get_listed(fsck, key, &object);
    object_unref(object);
}
