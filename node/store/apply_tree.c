/*
 * apply_tree.c - requests about Merkle trees and what they are of: trees, entries, scrubbing,
 * tombstones that may go.
 *
 * A slice of a scrub is read while nothing else writes, so it is kept small; in between, writes
 * go to the tree under construction as well (node/store/tree.h).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/store/load.h"
#include "node/wire/record.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum {
    /* A call of TREE_KEYS looks at no more, once it has found something. */
    KEYS_LOOKED_MAX = 2048,
    KEYS_BYTES_MAX = 1 << 20,
    /* A slice of a scrub. */
    SCRUB_ENTRIES_MAX = 128,
    SCRUB_BYTES_MAX = 256 << 10,
};

/* A scan over the entries of one partition. */
struct entry_scan {
    const struct merkle_leaves *leaves; /* NULL: all */
    bool is_scrub;                      /* contents are verified too */
    size_t limit;
    size_t looked_max;
    size_t bytes_max;
    size_t looked;
    size_t bytes;
    struct scrubbed_entry *entries; /* room for limit */
    size_t count;
    struct buffer key; /* scratch */
    bool more;
    enum status status;
    char damage[DAMAGE_TEXT_SIZE];
};

static bool stop(struct entry_scan *scan, enum status status)
{
    scan->status = status;
    return false;
}

static bool stop_damaged(struct entry_scan *scan, struct slice key, const char *what)
{
    layout_describe(key, what, scan->damage);
    return stop(scan, STATUS_CORRUPT);
}

static bool is_full(const struct entry_scan *scan)
{
    return scan->count == scan->limit ||
           (scan->count > 0 &&
            (scan->looked >= scan->looked_max || scan->bytes >= scan->bytes_max));
}

static bool append_entry(struct entry_scan *scan, const struct layout_entry *entry,
                         const struct object *object)
{
    struct scrubbed_entry *scrubbed = &scan->entries[scan->count];

    scrubbed->entry.part = entry->part;
    scrubbed->entry.key = blob_new(entry->object_key);
    if (!scrubbed->entry.key) {
        return stop(scan, STATUS_NO_MEMORY);
    }
    object_digest(object, scrubbed->entry.digest);
    if (!object_is_live(object)) {
        scrubbed->tombstone_us = object->deleted_us;
    }
    scan->count++;
    return true;
}

static bool on_entry(void *context, struct slice key, struct slice value)
{
    struct entry_scan *scan = context;
    struct layout_entry entry;
    struct object *object = NULL;

    if (is_full(scan)) {
        scan->more = true;
        return false;
    }
    enum status status = layout_parse_entry(key, &scan->key, &entry);
    if (status != STATUS_OK) {
        return status == STATUS_CORRUPT ? stop_damaged(scan, key, "malformed key")
                                        : stop(scan, status);
    }
    scan->looked++;
    scan->bytes += value.size;
    if (scan->leaves && !merkle_leaves_has(scan->leaves, merkle_leaf_of(entry.object_key))) {
        return true;
    }
    status = record_decode(value, &object);
    if (status != STATUS_OK) {
        return status == STATUS_NO_MEMORY ? stop(scan, status)
                                          : stop_damaged(scan, key, "unreadable record");
    }
    bool is_bad_copy = scan->is_scrub && record_verify(object) != STATUS_OK;
    bool goes_on = append_entry(scan, &entry, object);
    if (goes_on) {
        scan->entries[scan->count - 1].is_bad_copy = is_bad_copy;
    }
    object_unref(object);
    return goes_on;
}

/* The store's key behind that of the cursor, or the first of the part. */
static bool append_start(struct buffer *start, const struct store_state *state,
                         const struct store_request *request, enum merkle_part part)
{
    struct slice key = blob_slice(request->key);

    if (key.size == 0 || request->entries.part != part) {
        layout_partition(start, part, request->entries.partition);
    } else if (part == MERKLE_OBJECT) {
        layout_object(start, state->partition_count, key);
        buffer_append_byte(start, 0); /* the next key that can be */
    } else {
        layout_row_of(start, state->partition_count, key);
        buffer_append_byte(start, 0);
    }
    return !start->failed;
}

static enum status scan_part(const struct store_state *state,
                             const struct store_request *request, enum merkle_part part,
                             struct entry_scan *scan)
{
    struct buffer start = {0};
    struct buffer end = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_partition(&end, part, (uint16_t)(request->entries.partition + 1));
    if (append_start(&start, state, request, part) && !end.failed) {
        status = state->engine->operations->scan(state->engine, buffer_slice(&start),
                                                 buffer_slice(&end), true, on_entry, scan);
        /* What the visitor found is told rather than what else the engine met behind it. */
        status = scan->status != STATUS_OK ? scan->status : status;
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

/* Objects, then rows, from the cursor on. */
static enum status scan_entries(const struct store_state *state,
                                const struct store_request *request, struct entry_scan *scan)
{
    assert(scan->limit > 0 && !scan->entries);

    bool begins_with_rows =
        blob_slice(request->key).size > 0 && request->entries.part == MERKLE_ROW;
    enum status status = STATUS_OK;

    scan->entries = calloc(scan->limit, sizeof *scan->entries);
    if (!scan->entries) {
        return STATUS_NO_MEMORY;
    }
    if (!begins_with_rows) {
        status = scan_part(state, request, MERKLE_OBJECT, scan);
    }
    if (status == STATUS_OK && !scan->more) {
        status = scan_part(state, request, MERKLE_ROW, scan);
    }
    return status;
}

static void entry_scan_release(struct entry_scan *scan)
{
    scrubbed_entries_free(scan->entries, scan->count);
    buffer_release(&scan->key);
}

/* Moves entries into the result; after damage, the text. */
static enum status entry_scan_finish(struct entry_scan *scan, enum status status,
                                     struct store_result *ret_result)
{
    if (status == STATUS_OK) {
        ret_result->entries.scrubbed = scan->entries;
        ret_result->entries.count = (uint16_t)scan->count;
        ret_result->entries.more = scan->more;
        scan->entries = NULL;
        scan->count = 0;
    } else if (scan->damage[0] != '\0') {
        ret_result->text = blob_new(slice_of_string(scan->damage));
    }
    entry_scan_release(scan);
    return status;
}

/* The partition, and a cursor in it. They may come from the network. */
static bool is_in_partition(const struct store_state *state,
                            const struct store_request *request)
{
    struct slice key = blob_slice(request->key);

    if (request->entries.partition >= state->partition_count || request->entries.limit == 0) {
        return false;
    }
    if (key.size == 0) {
        return true;
    }
    if (!key_is_valid(key) ||
        (request->entries.part != MERKLE_OBJECT && request->entries.part != MERKLE_ROW) ||
        (request->entries.part == MERKLE_ROW && key_is_root(key))) {
        return false;
    }
    struct slice placed =
        request->entries.part == MERKLE_ROW ? key_directory(key) : key_placed_by(key);
    struct position position = position_of(placed);
    return position_partition(&position, state->partition_count) == request->entries.partition;
}

enum status apply_tree(const struct store_state *state, const struct store_request *request,
                       struct store_result *ret_result)
{
    assert(state->trees && !ret_result->hashes);

    struct merkle_tree tree;

    if (request->tree.partition >= state->partition_count ||
        request->tree.bucket > MERKLE_BUCKETS) {
        return STATUS_BAD_MESSAGE;
    }
    static_assert(MERKLE_BUCKETS == MERKLE_FANOUT, "one size of reply");
    ret_result->hashes = calloc(MERKLE_FANOUT, sizeof *ret_result->hashes);
    if (!ret_result->hashes) {
        return STATUS_NO_MEMORY;
    }
    tree_store_read(state->trees, request->tree.partition, &tree);
    if (request->tree.bucket == MERKLE_BUCKETS) {
        merkle_bucket_hashes(&tree, ret_result->hashes);
    } else {
        merkle_bucket_leaves(&tree, request->tree.bucket, ret_result->hashes);
    }
    return STATUS_OK;
}

enum status apply_tree_keys(const struct store_state *state,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    struct entry_scan scan = {
        .leaves = &request->entries.leaves,
        .limit = request->entries.limit,
        .looked_max = KEYS_LOOKED_MAX,
        .bytes_max = KEYS_BYTES_MAX,
    };

    if (!is_in_partition(state, request)) {
        return STATUS_BAD_MESSAGE;
    }
    enum status status = scan_entries(state, request, &scan);
    return entry_scan_finish(&scan, status, ret_result);
}

/* Takes the slice that was read into the tree that is being built. */
static enum status scrub_slice(struct store_state *state, const struct entry_scan *scan,
                               bool *ret_differed)
{
    for (size_t i = 0; i < scan->count; i++) {
        const struct tree_entry *entry = &scan->entries[i].entry;
        tree_scrub_add(state->trees, entry->part, blob_slice(entry->key), entry->digest);
    }
    if (!scan->more) {
        return tree_scrub_finish(state->trees, state->engine, ret_differed);
    }
    assert(scan->count > 0);
    const struct tree_entry *last = &scan->entries[scan->count - 1].entry;
    struct tree_cursor cursor = {.part = last->part, .key = blob_slice(last->key)};
    return tree_scrub_pause(state->trees, &cursor);
}

enum status apply_scrub(struct store_state *state, const struct store_request *request,
                        struct store_result *ret_result)
{
    assert(state->trees);

    struct tree_cursor from = {.part = request->entries.part, .key = blob_slice(request->key)};
    struct entry_scan scan = {
        .is_scrub = true,
        .limit = request->entries.limit < SCRUB_ENTRIES_MAX ? request->entries.limit
                                                            : SCRUB_ENTRIES_MAX,
        .looked_max = SCRUB_ENTRIES_MAX,
        .bytes_max = SCRUB_BYTES_MAX,
    };

    if (!is_in_partition(state, request)) {
        return STATUS_BAD_MESSAGE;
    }
    /* A slice that does not go on where the last one ended is still read and verified. */
    bool builds = tree_scrub_begin(state->trees, request->entries.partition, &from);
    enum status status = scan_entries(state, request, &scan);
    if (status == STATUS_OK && builds) {
        status = scrub_slice(state, &scan, &ret_result->entries.tree_differed);
    } else if (builds) {
        tree_scrub_drop(state->trees);
    }
    return entry_scan_finish(&scan, status, ret_result);
}

/* Is the row of the key still to be pushed? Then its tombstone may be nowhere else yet. */
static enum status check_row_intent(struct batch *batch, struct slice key)
{
    size_t index = 0;
    uint64_t stamp = 0;
    enum status status = load_intent(batch, INTENT_ROW, key, &index);

    if (status == STATUS_OK && batch_stamp(batch, index, &stamp)) {
        mark(MARK_REAP_BESIDE_INTENT);
        status = STATUS_REFUSED;
    }
    return status;
}

/* A row's tombstone outlives that of its object: projected again, the row would come back. */
static enum status check_object_gone(const struct store_state *state, struct batch *batch,
                                     struct slice key)
{
    size_t index = 0;
    enum status status = load_part(state, batch, MERKLE_OBJECT, key, &index);

    if (status == STATUS_OK && batch_object(batch, index)) {
        mark(MARK_REAP_ROW_BEFORE_OBJECT);
        status = STATUS_REFUSED;
    }
    return status;
}

static bool is_this_tombstone(const struct object *object, const uint8_t digest[DIGEST_SIZE])
{
    uint8_t own_digest[DIGEST_SIZE];

    if (object_is_live(object)) {
        return false;
    }
    object_digest(object, own_digest);
    return memcmp(own_digest, digest, sizeof own_digest) == 0;
}

enum status apply_reap(struct store_state *state, struct batch *batch,
                       const struct store_request *request)
{
    struct slice key = blob_slice(request->key);
    bool has_hint = false;
    size_t index = 0;
    bool is_known_part =
        request->reap.part == MERKLE_OBJECT || request->reap.part == MERKLE_ROW;

    if (!key_is_valid(key) || (request->reap.part != 0 && !is_known_part) ||
        (request->reap.part == MERKLE_ROW && key_is_root(key))) {
        return STATUS_BAD_MESSAGE;
    }
    enum status status = hints_any_for_key(state, key, &has_hint);
    mark_if(has_hint, MARK_REAP_BESIDE_HINT);
    has_hint = has_hint && !planted(PLANTED_REAP_BESIDE_HINT);
    if (status != STATUS_OK || has_hint || request->reap.part == 0) {
        return status == STATUS_OK && has_hint ? STATUS_REFUSED : status;
    }
    status = request->reap.part == MERKLE_OBJECT ? check_row_intent(batch, key)
                                                 : check_object_gone(state, batch, key);
    if (status == STATUS_OK) {
        status = load_part(state, batch, request->reap.part, key, &index);
    }
    if (status != STATUS_OK || !batch_object(batch, index)) {
        mark_if(status == STATUS_OK && !request->reap.drop, MARK_REAP_REPEATED);
        return status;
    }
    if (!is_this_tombstone(batch_object(batch, index), request->reap.digest)) {
        mark(MARK_REAP_OTHER_TOMBSTONE);
        return STATUS_REFUSED;
    }
    if (request->reap.drop) {
        batch_delete(batch, index);
    }
    return STATUS_OK;
}
