/*
 * apply_list_live.c - the live rows of a directory, with what shows whether others hold the
 * same.
 *
 * A coordinator needs tombstones only to hide a live row at a replica that has not heard of the
 * delete. So a replica keeps them to itself, and tells digests of all its rows instead, with
 * marks at names that anyone would choose: where two replicas have a mark in common they hold
 * the same rows up to there, and the live ones of either are the truth. The tombstones of a
 * directory cost a scan on the disk, but no message.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/wire/bounds.h"
#include "node/wire/record.h"
#include "ring/fnv.h"

enum {
    SCANNED_ROWS_MAX = 16384,     /* a page: ten milliseconds or so */
    SCANNED_BYTES_MAX = 16 << 20, /* of rows looked at */
    LIVE_BYTES_MAX = 4 << 20,     /* of rows given */
    FOLDED_MAX = 256 << 10,       /* bytes that are hashed at a time */
    MARK_EVERY = 256,             /* names, on the average */
};

struct live_scan {
    size_t prefix_size;
    size_t limit;
    enum status status;
    struct row *rows; /* room for limit + 1 */
    size_t count;
    struct list_mark *marks; /* room for LIST_MARKS_MAX */
    size_t mark_count;
    struct buffer name;          /* the one that is being looked at */
    struct buffer unfolded;      /* rows that are not in `digest` yet, behind it */
    uint8_t digest[DIGEST_SIZE]; /* of all rows before those */
    size_t scanned, scanned_bytes, live_bytes;
    bool is_cut;
};

static void live_scan_release(struct live_scan *scan)
{
    rows_free(scan->rows, scan->count);
    list_marks_free(scan->marks, scan->mark_count);
    buffer_release(&scan->name);
    buffer_release(&scan->unfolded);
}

static bool stop(struct live_scan *scan, enum status status)
{
    scan->status = status;
    return false;
}

/* Where a mark is set must follow from the name alone. */
static bool has_mark(struct slice name)
{
    uint32_t hash = fnv32(name);

    return (hash ^ hash >> 16) % MARK_EVERY == 0;
}

/* Takes what was gathered into the digest. It begins anew with the digest so far, so that all
 * rows from the beginning on are told by it. */
static void fold(struct live_scan *scan)
{
    digest_of(buffer_slice(&scan->unfolded), scan->digest);
    buffer_reset(&scan->unfolded);
    buffer_append(&scan->unfolded, scan->digest, DIGEST_SIZE);
}

/* `is_end`: up to the end of what was asked for. */
static bool add_mark(struct live_scan *scan, bool is_end)
{
    assert(scan->mark_count < LIST_MARKS_MAX);

    fold(scan);
    struct list_mark *mark = &scan->marks[scan->mark_count];
    memcpy(mark->digest, scan->digest, DIGEST_SIZE);
    mark->name = is_end ? NULL : blob_new(buffer_slice(&scan->name));
    scan->mark_count += is_end || mark->name ? 1 : 0;
    return is_end || mark->name;
}

static bool is_spent(const struct live_scan *scan)
{
    /* Both kinds of a name are given, or none: room is kept for two. */
    size_t wanted = scan->limit > 1 ? scan->limit - 1 : 1;

    return scan->count >= wanted || scan->scanned >= SCANNED_ROWS_MAX ||
           scan->scanned_bytes >= SCANNED_BYTES_MAX || scan->live_bytes >= LIVE_BYTES_MAX ||
           scan->mark_count + 2 >= LIST_MARKS_MAX;
}

/* All rows of the name before are here. */
static bool begin_name(struct live_scan *scan, struct slice name)
{
    if (scan->scanned > 0) {
        scan->is_cut = is_spent(scan);
        bool is_marked = scan->is_cut || has_mark(buffer_slice(&scan->name));
        if (is_marked && !add_mark(scan, false)) {
            return stop(scan, STATUS_NO_MEMORY);
        }
        if (scan->is_cut) {
            return false;
        }
    }
    buffer_reset(&scan->name);
    buffer_append_slice(&scan->name, name);
    return scan->name.failed ? stop(scan, STATUS_NO_MEMORY) : true;
}

static bool append_row(struct live_scan *scan, struct slice name, enum row_kind kind,
                       struct slice record)
{
    struct row row = {.name = blob_new(name), .kind = kind, .record = blob_new(record)};

    assert(scan->count <= scan->limit);
    if (!row.name || !row.record) {
        row_release(&row);
        return stop(scan, STATUS_NO_MEMORY);
    }
    scan->rows[scan->count++] = row;
    scan->live_bytes += name.size + record.size;
    return true;
}

static bool on_row(void *context, struct slice key, struct slice value)
{
    struct live_scan *scan = context;
    struct slice name;
    enum row_kind kind;
    uint32_t elements = 0;

    if (!layout_parse_row(key, scan->prefix_size, &name, &kind)) {
        return stop(scan, STATUS_CORRUPT);
    }
    bool is_new = scan->scanned == 0 || !slice_equal(name, buffer_slice(&scan->name));
    if (is_new && !begin_name(scan, name)) {
        return false;
    }
    if (!bounds_check(value, &elements)) {
        return stop(scan, STATUS_CORRUPT);
    }
    scan->scanned++;
    scan->scanned_bytes += key.size + value.size;
    if (scan->unfolded.size >= FOLDED_MAX) {
        fold(scan);
    }
    /* NAME 00 KIND and a record, which tells its own end: no two sequences read the same. */
    buffer_append(&scan->unfolded, key.data + scan->prefix_size, key.size - scan->prefix_size);
    buffer_append_slice(&scan->unfolded, value);
    if (scan->unfolded.failed) {
        return stop(scan, STATUS_NO_MEMORY);
    }
    return !record_is_live(value) || append_row(scan, name, kind, value);
}

static enum status scan_live(const struct store_state *state, struct slice directory,
                             const struct message_list *list, struct live_scan *scan)
{
    struct buffer start = {0};
    struct buffer end = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_rows(&end, state->partition_count, directory);
    scan->prefix_size = end.size;
    scan->rows = calloc(scan->limit + 1, sizeof *scan->rows);
    scan->marks = calloc(LIST_MARKS_MAX, sizeof *scan->marks);
    if (!end.failed && scan->rows && scan->marks && list_range(list, &start, &end)) {
        status = state->engine->operations->scan(state->engine, buffer_slice(&start),
                                                 buffer_slice(&end), false, on_row, scan);
        status = status == STATUS_OK ? scan->status : status;
    }
    if (status == STATUS_OK && !scan->is_cut && !add_mark(scan, true)) {
        status = STATUS_NO_MEMORY;
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

enum status apply_list_live(const struct store_state *state,
                            const struct store_request *request,
                            struct store_result *ret_result)
{
    struct live_scan scan = {.limit = request->list.limit};
    struct message_list_reply *list = &ret_result->list;

    assert(request->list.limit >= 1 && request->list.limit <= ROWS_MAX);
    enum status status = scan_live(state, blob_slice(request->key), &request->list, &scan);
    if (status == STATUS_OK) {
        list->more = scan.is_cut;
        list->resume = scan.is_cut ? blob_ref(scan.marks[scan.mark_count - 1].name) : NULL;
        list->rows = scan.rows;
        list->row_count = (uint16_t)scan.count;
        list->marks = scan.marks;
        list->mark_count = (uint16_t)scan.mark_count;
        scan.rows = NULL;
        scan.count = 0;
        scan.marks = NULL;
        scan.mark_count = 0;
    }
    live_scan_release(&scan);
    return status;
}
