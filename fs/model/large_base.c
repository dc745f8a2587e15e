/*
 * large_base.c - what a large content is rewritten from: blocks that the last version has
 *                already are not stored again.
 *
 * Shape:    the manifest of that version. Maps of it are fetched where they are asked for, so
 *           that no file keeps more of it than that.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fs/model/large_internal.h"

void large_set_base(struct large *large, struct blob *manifest)
{
    blob_ref(manifest);
    blob_unref(large->base);
    large->base = manifest;
}

int large_again(struct large *old, struct large **ret_large)
{
    assert(old && ret_large);

    struct large *large = large_allocate(old->blocks, &old->set);

    if (!large) {
        return ENOMEM;
    }
    pthread_mutex_lock(&old->lock);
    large_set_base(large, old->base);
    large->based_ns = old->based_ns;
    large->held_ns = old->held_ns;
    large->was_unheld = old->was_unheld;
    pthread_mutex_unlock(&old->lock);
    *ret_large = large;
    return 0;
}

bool large_is_held(const struct large *large)
{
    return !large->was_unheld && !large_is_old(large, large->held_ns);
}

/* An entry of a map of the base; a hole if the map cannot be had. */
static struct block_entry fetch_entry(struct large *large, const struct block_entry *map,
                                      uint32_t index)
{
    struct block_place place = large_place(large, index - index % MAP_BLOCKS);
    struct block_entry entry = {{0}, {0}};
    struct blob *content = NULL;

    pthread_mutex_unlock(&large->lock);
    int failed = large_fetch(large->blocks, &place, map, &content);
    pthread_mutex_lock(&large->lock);
    /* Holes at its end may be left out. */
    if (failed == 0 && content->size / BLOCK_ENTRY_SIZE > index % MAP_BLOCKS) {
        entry = manifest_entry(blob_slice(content), index % MAP_BLOCKS);
    }
    blob_unref(content);
    return entry;
}

/* True if the base may have such an entry, and none of its blocks can be gone by now. */
static bool parse_base(const struct large *large, struct manifest *ret_base)
{
    return large->base && (large_is_held(large) || !large_is_old(large, large->based_ns)) &&
           manifest_parse(blob_slice(large->base), ret_base) == STATUS_OK;
}

static bool has_hash(const struct block_entry *entry, const uint8_t hash[BLOCK_HASH_SIZE])
{
    return !block_entry_is_hole(entry) && memcmp(entry->hash, hash, BLOCK_HASH_SIZE) == 0;
}

bool large_base_has(struct large *large, uint32_t index, const uint8_t hash[BLOCK_HASH_SIZE],
                    struct block_entry *ret_entry)
{
    struct manifest base;
    uint32_t number = index;

    if (!parse_base(large, &base)) {
        return false;
    }
    number = base.has_maps ? index / MAP_BLOCKS : index;
    if (number >= base.count) {
        return false;
    }
    struct block_entry entry = manifest_entry(base.entries, number);
    if (base.has_maps && !block_entry_is_hole(&entry)) {
        entry = fetch_entry(large, &entry, index);
    }
    if (has_hash(&entry, hash)) {
        *ret_entry = entry;
        return true;
    }
    return false;
}

bool large_base_has_map(const struct large *large, uint32_t number,
                        const uint8_t hash[BLOCK_HASH_SIZE], struct block_entry *ret_entry)
{
    struct manifest base;

    if (!parse_base(large, &base) || !base.has_maps || number >= base.count) {
        return false;
    }
    struct block_entry entry = manifest_entry(base.entries, number);
    if (has_hash(&entry, hash)) {
        *ret_entry = entry;
        return true;
    }
    return false;
}
