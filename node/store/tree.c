/*
 * tree.c - the Merkle trees of a store: one for each partition, kept with the data.
 *
 * Leaves on the disk are whole values, not differences, and go with the data that they are of
 * in one batch: whatever a crash leaves of the batches, the leaves fit the data.
 */
#include "node/store/tree.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/number.h"
#include "node/store/sweep.h"
#include "node/wire/record.h"
#include "ring/planted.h"

/* Set to 1 once leaves are kept; 0 while they are built anew. */
#define SETTING_TREES "trees"

/* The tree that a scrub builds from what it reads. */
struct scrub {
    bool is_active;
    uint16_t partition;
    enum merkle_part part; /* the last entry that is in it */
    struct buffer key;
    struct merkle_tree tree;
};

struct tree_store {
    uint16_t partition_count;
    atomic_uint_fast64_t *leaves; /* MERKLE_LEAVES for each partition */
    struct scrub scrub;
};

static_assert(sizeof(((struct tree_change *)0)->value) == NUMBER_SIZE, "a leaf is a number");

struct tree_store *tree_store_new(void)
{
    return calloc(1, sizeof(struct tree_store));
}

void tree_store_free(struct tree_store *trees)
{
    if (!trees) {
        return;
    }
    buffer_release(&trees->scrub.key);
    free(trees->leaves);
    free(trees);
}

static atomic_uint_fast64_t *leaf_at(const struct tree_store *trees, uint16_t partition,
                                     uint16_t leaf)
{
    assert(partition < trees->partition_count && leaf < MERKLE_LEAVES);

    return &trees->leaves[(size_t)partition * MERKLE_LEAVES + leaf];
}

static uint64_t leaf_read(const struct tree_store *trees, uint16_t partition, uint16_t leaf)
{
    return atomic_load_explicit(leaf_at(trees, partition, leaf), memory_order_relaxed);
}

static void leaf_toggle(struct tree_store *trees, uint16_t partition, uint16_t leaf,
                        uint64_t toggle)
{
    atomic_fetch_xor_explicit(leaf_at(trees, partition, leaf), toggle, memory_order_relaxed);
}

void tree_store_read(const struct tree_store *trees, uint16_t partition,
                     struct merkle_tree *ret_tree)
{
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        ret_tree->leaf[leaf] = leaf_read(trees, partition, leaf);
    }
}

struct leaf_load {
    struct tree_store *trees;
    bool is_malformed;
};

static bool on_leaf(void *context, struct slice key, struct slice value)
{
    struct leaf_load *load = context;
    uint16_t partition = 0;
    uint16_t leaf = 0;
    uint64_t number = 0;

    if (!layout_parse_leaf(key, &partition, &leaf) || !number_decode(value, &number) ||
        partition >= load->trees->partition_count) {
        load->is_malformed = true;
        return false;
    }
    atomic_store(leaf_at(load->trees, partition, leaf), number);
    return true;
}

static enum status load_leaves(struct tree_store *trees, struct engine *engine)
{
    struct leaf_load load = {.trees = trees};
    enum status status = engine->operations->scan(engine, slice_of_string("t"),
                                                  slice_of_string("u"), true, on_leaf, &load);

    return status == STATUS_OK && load.is_malformed ? STATUS_CORRUPT : status;
}

static enum status read_mark(struct engine *engine, bool *ret_kept)
{
    struct buffer key = {0};
    struct buffer value = {0};
    uint64_t number = 0;
    enum status status = STATUS_NO_MEMORY;

    layout_setting(&key, SETTING_TREES);
    if (!key.failed) {
        status = engine->operations->get(engine, buffer_slice(&key), &value);
    }
    *ret_kept =
        status == STATUS_OK && number_decode(buffer_slice(&value), &number) && number == 1;
    buffer_release(&key);
    buffer_release(&value);
    return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ? STATUS_OK : status;
}

static enum status write_mark(struct engine *engine, bool kept)
{
    struct buffer key = {0};
    uint8_t number[NUMBER_SIZE];
    enum status status = STATUS_NO_MEMORY;

    layout_setting(&key, SETTING_TREES);
    number_encode(kept ? 1 : 0, number);
    if (!key.failed) {
        struct engine_write write = {.key = buffer_slice(&key),
                                     .value = slice_of(number, sizeof number)};
        status = engine->operations->write(engine, &write, 1, true);
    }
    buffer_release(&key);
    return status;
}

struct tree_build {
    struct tree_store *trees;
    struct buffer key;
    enum status status;
};

static bool on_record(void *context, struct slice key, struct slice value)
{
    struct tree_build *build = context;
    struct layout_entry entry;
    struct object *object = NULL;
    uint8_t digest[DIGEST_SIZE];

    build->status = layout_parse_entry(key, &build->key, &entry);
    if (build->status == STATUS_OK) {
        build->status = record_decode(value, &object);
    }
    if (build->status == STATUS_NO_MEMORY) {
        return false;
    }
    if (build->status == STATUS_OK && entry.partition < build->trees->partition_count) {
        object_digest(object, digest);
        leaf_toggle(build->trees, entry.partition, merkle_leaf_of(entry.object_key),
                    merkle_entry_hash(entry.part, entry.object_key, digest));
    }
    object_unref(object);
    build->status = STATUS_OK;
    return true;
}

static enum status build_leaves(struct tree_store *trees, struct engine *engine)
{
    static const char *const ranges[][2] = {{"o", "p"}, {"r", "s"}};
    struct tree_build build = {.trees = trees};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && status == STATUS_OK; i++) {
        status =
            engine->operations->scan(engine, slice_of_string(ranges[i][0]),
                                     slice_of_string(ranges[i][1]), true, on_record, &build);
        /* What cannot be read is in no tree: the copies will be found to differ. */
        status = status == STATUS_CORRUPT ? STATUS_OK : status;
        status = status == STATUS_OK ? build.status : status;
    }
    buffer_release(&build.key);
    return status;
}

/* The write of one leaf, with its key and value in `change`; a leaf of nothing has no record.
 */
static struct engine_write encode_leaf(struct tree_change *change, uint64_t value)
{
    layout_leaf(change->partition, change->leaf, change->key);
    number_encode(value, change->value);
    return (struct engine_write){
        .key = slice_of(change->key, sizeof change->key),
        .value = value == 0 ? slice_of(NULL, 0) : slice_of(change->value, NUMBER_SIZE),
        .is_delete = value == 0,
    };
}

/* Writes the leaves of `partition` that differ from those in memory. */
static enum status write_leaves(const struct tree_store *trees, struct engine *engine,
                                uint16_t partition, const struct merkle_tree *tree,
                                size_t *ret_count)
{
    struct tree_change *changes = calloc(MERKLE_LEAVES, sizeof *changes);
    struct engine_write *writes = calloc(MERKLE_LEAVES, sizeof *writes);
    enum status status = STATUS_NO_MEMORY;
    size_t count = 0;

    if (!changes || !writes) {
        goto out;
    }
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        if (tree->leaf[leaf] != leaf_read(trees, partition, leaf)) {
            changes[count] = (struct tree_change){.partition = partition, .leaf = leaf};
            writes[count] = encode_leaf(&changes[count], tree->leaf[leaf]);
            count++;
        }
    }
    status = count == 0 ? STATUS_OK : engine->operations->write(engine, writes, count, false);
    *ret_count = count;
out:
    free(changes);
    free(writes);
    return status;
}

static void clear_leaves(struct tree_store *trees)
{
    for (size_t i = 0; i < (size_t)trees->partition_count * MERKLE_LEAVES; i++) {
        atomic_store_explicit(&trees->leaves[i], 0, memory_order_relaxed);
    }
}

static void set_leaves(struct tree_store *trees, uint16_t partition,
                       const struct merkle_tree *tree)
{
    for (uint16_t leaf = 0; leaf < MERKLE_LEAVES; leaf++) {
        atomic_store_explicit(leaf_at(trees, partition, leaf), tree->leaf[leaf],
                              memory_order_relaxed);
    }
}

/* Writes what was built, over records that are gone: as if memory held nothing. */
static enum status write_all(struct tree_store *trees, struct engine *engine)
{
    enum status status = STATUS_OK;

    for (uint16_t i = 0; i < trees->partition_count && status == STATUS_OK; i++) {
        static const struct merkle_tree nothing;
        struct merkle_tree tree;
        size_t count = 0;

        tree_store_read(trees, i, &tree);
        set_leaves(trees, i, &nothing);
        status = write_leaves(trees, engine, i, &tree, &count);
        set_leaves(trees, i, &tree);
    }
    return status;
}

static bool is_never_good(void *context, struct slice key, struct slice value)
{
    (void)context;
    (void)key;
    (void)value;
    return false;
}

enum status tree_store_rebuild(struct tree_store *trees, struct engine *engine)
{
    uint64_t dropped = 0;
    enum status status = write_mark(engine, false);

    assert(trees->leaves);
    tree_scrub_drop(trees);
    clear_leaves(trees);
    if (status == STATUS_OK) {
        status = sweep(engine, 't', is_never_good, NULL, &dropped);
        status = status == STATUS_CORRUPT ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        status = build_leaves(trees, engine);
    }
    if (status == STATUS_OK) {
        status = write_all(trees, engine);
    }
    return status == STATUS_OK ? write_mark(engine, true) : status;
}

enum status tree_store_forget(struct engine *engine)
{
    return write_mark(engine, false);
}

enum status tree_store_open(struct tree_store *trees, struct engine *engine,
                            uint16_t partition_count)
{
    bool is_kept = false;
    size_t count = (size_t)partition_count * MERKLE_LEAVES;

    assert(!trees->leaves && partition_count > 0);
    trees->leaves = calloc(count, sizeof *trees->leaves);
    if (!trees->leaves) {
        return STATUS_NO_MEMORY;
    }
    trees->partition_count = partition_count;
    enum status status = read_mark(engine, &is_kept);
    if (status == STATUS_OK && is_kept) {
        status = load_leaves(trees, engine);
        is_kept = status != STATUS_CORRUPT;
    }
    return is_kept || (status != STATUS_OK && status != STATUS_CORRUPT)
               ? status
               : tree_store_rebuild(trees, engine);
}

static bool grow(struct tree_changes *changes)
{
    size_t capacity = changes->capacity > 0 ? changes->capacity * 2 : 8;

    if (changes->count < changes->capacity) {
        return true;
    }
    struct tree_change *grown = realloc(changes->changes, capacity * sizeof *grown);
    if (!grown) {
        return false;
    }
    changes->changes = grown;
    changes->capacity = capacity;
    return true;
}

/* The change of a leaf, new if there is none yet; NULL when memory is short. A batch changes a
 * few, at most some hundreds. */
static struct tree_change *change_of(struct tree_changes *changes, uint16_t partition,
                                     uint16_t leaf)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct tree_change *change = &changes->changes[i];
        if (change->leaf == leaf && change->partition == partition) {
            return change;
        }
    }
    if (!grow(changes)) {
        return NULL;
    }
    struct tree_change *change = &changes->changes[changes->count++];
    *change = (struct tree_change){.partition = partition, .leaf = leaf};
    return change;
}

/* The hash of an entry; 0 for none. */
static uint64_t hash_of(const struct layout_entry *entry, const struct object *object,
                        struct tree_digest *last)
{
    if (!object) {
        return 0;
    }
    if (!last->object || !object_equal(last->object, object)) {
        object_digest(object, last->digest);
    }
    last->object = object;
    return merkle_entry_hash(entry->part, entry->object_key, last->digest);
}

/* Is the entry one that the scrub has in its tree, or would have if it had been there? */
static bool is_behind_scrub(const struct scrub *scrub, const struct layout_entry *entry)
{
    return scrub->is_active && scrub->partition == entry->partition &&
           merkle_entry_compare(entry->part, entry->object_key, scrub->part,
                                buffer_slice(&scrub->key)) <= 0;
}

enum status tree_changes_add(struct tree_changes *changes, const struct tree_store *trees,
                             struct slice key, const struct object *before,
                             const struct object *after)
{
    struct layout_entry entry;

    bool is_missed = planted(PLANTED_LEAF_MISSES_DELETE) && !object_is_live(after);
    if (before == after || is_missed) {
        return STATUS_OK;
    }
    enum status status = layout_parse_entry(key, &changes->key, &entry);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t toggle =
        hash_of(&entry, before, &changes->before) ^ hash_of(&entry, after, &changes->after);
    if (toggle == 0) {
        return STATUS_OK;
    }
    struct tree_change *change =
        change_of(changes, entry.partition, merkle_leaf_of(entry.object_key));
    if (!change) {
        return STATUS_NO_MEMORY;
    }
    change->toggle ^= toggle;
    if (is_behind_scrub(&trees->scrub, &entry)) {
        change->mirrored ^= toggle;
    }
    return STATUS_OK;
}

void tree_changes_encode(struct tree_changes *changes, const struct tree_store *trees,
                         struct engine_write *ret_writes)
{
    assert(trees || changes->count == 0);

    for (size_t i = 0; i < changes->count; i++) {
        struct tree_change *change = &changes->changes[i];
        uint64_t value = leaf_read(trees, change->partition, change->leaf) ^ change->toggle;

        ret_writes[i] = encode_leaf(change, value);
    }
}

void tree_changes_carry_out(const struct tree_changes *changes, struct tree_store *trees)
{
    assert(trees || changes->count == 0);

    for (size_t i = 0; i < changes->count; i++) {
        const struct tree_change *change = &changes->changes[i];

        leaf_toggle(trees, change->partition, change->leaf, change->toggle);
        if (change->mirrored != 0) {
            trees->scrub.tree.leaf[change->leaf] ^= change->mirrored;
        }
    }
}

void tree_changes_release(struct tree_changes *changes)
{
    free(changes->changes);
    buffer_release(&changes->key);
    *changes = (struct tree_changes){0};
}

bool tree_scrub_begin(struct tree_store *trees, uint16_t partition,
                      const struct tree_cursor *from)
{
    struct scrub *scrub = &trees->scrub;

    if (from->key.size == 0) {
        tree_scrub_drop(trees);
        memset(&scrub->tree, 0, sizeof scrub->tree);
        scrub->partition = partition;
        scrub->is_active = true;
        return true;
    }
    return scrub->is_active && scrub->partition == partition && scrub->part == from->part &&
           slice_equal(buffer_slice(&scrub->key), from->key);
}

void tree_scrub_add(struct tree_store *trees, enum merkle_part part, struct slice object_key,
                    const uint8_t digest[DIGEST_SIZE])
{
    assert(trees->scrub.is_active);

    trees->scrub.tree.leaf[merkle_leaf_of(object_key)] ^=
        merkle_entry_hash(part, object_key, digest);
}

enum status tree_scrub_pause(struct tree_store *trees, const struct tree_cursor *to)
{
    struct scrub *scrub = &trees->scrub;

    assert(scrub->is_active && to->key.size > 0);
    buffer_reset(&scrub->key);
    buffer_append_slice(&scrub->key, to->key);
    scrub->part = to->part;
    if (scrub->key.failed) {
        tree_scrub_drop(trees);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status tree_scrub_finish(struct tree_store *trees, struct engine *engine,
                              bool *ret_differed)
{
    struct scrub *scrub = &trees->scrub;
    size_t count = 0;

    assert(scrub->is_active);
    enum status status = write_leaves(trees, engine, scrub->partition, &scrub->tree, &count);
    if (status == STATUS_OK) {
        set_leaves(trees, scrub->partition, &scrub->tree);
        *ret_differed = count > 0;
    }
    tree_scrub_drop(trees);
    return status;
}

void tree_scrub_drop(struct tree_store *trees)
{
    trees->scrub.is_active = false;
    buffer_release(&trees->scrub.key);
}
