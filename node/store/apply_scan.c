/*
 * apply_scan.c - requests that read a range: rows of a directory, intents.
 *
 * A page of rows never ends between the two kinds of one name (a directory and a file), because
 * it is resumed after a name. Its work is bounded, whatever it meets: where a bound cuts it,
 * `more` and `resume` say so.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/store/apply_internal.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/wire/bounds.h"
#include "node/wire/record.h"

enum {
    SCANNED_PER_ROW_MAX = 4,     /* rows looked at for each one wanted */
    SCANNED_BYTES_MAX = 4 << 20, /* of rows looked at */
};

/* A scan over the rows of one directory. */
struct row_scan {
    size_t prefix_size;
    bool live_only;
    bool first_only; /* ends at the first row, however many it skips */
    size_t limit;
    enum status status;
    struct row *rows; /* room for limit + 1 */
    size_t count;
    struct buffer name;     /* the name met last */
    struct buffer previous; /* the name before it */
    size_t name_begins_at;  /* rows before the first one of `name` */
    size_t scanned;
    size_t scanned_bytes;
    struct blob *resume; /* set where the scan was cut */
};

static void row_scan_release(struct row_scan *scan)
{
    rows_free(scan->rows, scan->count);
    blob_unref(scan->resume);
    buffer_release(&scan->name);
    buffer_release(&scan->previous);
}

static bool stop(struct row_scan *scan, enum status status)
{
    scan->status = status;
    return false;
}

/* Ends the page after `name`. */
static bool cut(struct row_scan *scan, const struct buffer *name)
{
    scan->resume = blob_new(buffer_slice(name));
    return stop(scan, !scan->resume ? STATUS_NO_MEMORY : STATUS_OK);
}

static bool is_spent(const struct row_scan *scan)
{
    if (scan->first_only || scan->scanned == 0) {
        return false;
    }
    return scan->count >= scan->limit || scan->scanned >= scan->limit * SCANNED_PER_ROW_MAX ||
           scan->scanned_bytes >= SCANNED_BYTES_MAX;
}

static bool begin_name(struct row_scan *scan, struct slice name)
{
    struct buffer swapped = scan->previous;

    scan->previous = scan->name;
    scan->name = swapped;
    buffer_reset(&scan->name);
    buffer_append_slice(&scan->name, name);
    scan->name_begins_at = scan->count;
    return !scan->name.failed;
}

/* The second row of a name that does not fit: the first one goes too, unless the page would
 * then be empty. */
static bool drop_name(struct row_scan *scan)
{
    assert(scan->name_begins_at > 0);

    while (scan->count > scan->name_begins_at) {
        row_release(&scan->rows[--scan->count]);
    }
    return cut(scan, &scan->previous);
}

/* The record goes on as it is; the engine has compared it with its checksum. */
static bool append_row(struct row_scan *scan, struct slice name, enum row_kind kind,
                       struct slice record)
{
    struct row row = {.name = blob_new(name), .kind = kind, .record = blob_new(record)};

    assert(scan->count <= scan->limit);
    if (!row.name || !row.record) {
        row_release(&row);
        return stop(scan, STATUS_NO_MEMORY);
    }
    scan->rows[scan->count++] = row;
    return !scan->first_only;
}

static bool on_row(void *context, struct slice key, struct slice value)
{
    struct row_scan *scan = context;
    struct slice name;
    enum row_kind kind;

    if (!layout_parse_row(key, scan->prefix_size, &name, &kind)) {
        return stop(scan, STATUS_CORRUPT);
    }
    if (scan->scanned == 0 || !slice_equal(name, buffer_slice(&scan->name))) {
        if (is_spent(scan)) {
            return cut(scan, &scan->name);
        }
        if (!begin_name(scan, name)) {
            return stop(scan, STATUS_NO_MEMORY);
        }
    }
    scan->scanned++;
    scan->scanned_bytes += key.size + value.size;
    uint32_t elements = 0;
    if (!bounds_check(value, &elements)) {
        return stop(scan, STATUS_CORRUPT);
    }
    if (scan->live_only && !record_is_live(value)) {
        return true;
    }
    if (scan->count >= scan->limit && scan->name_begins_at > 0) {
        return drop_name(scan);
    }
    return append_row(scan, name, kind, value);
}

/* Makes of `key` the first key behind all that begin with it. */
static void step_behind(struct buffer *key)
{
    /* It begins with the letter of the rows, so that it never runs empty. */
    while (key->data[key->size - 1] == 0xff) {
        key->size--;
    }
    key->data[key->size - 1]++;
}

bool list_range(const struct message_list *list, struct buffer *start, struct buffer *end)
{
    struct slice end_name = blob_slice(list->end);
    struct slice prefix = buffer_slice(end);
    enum { BEHIND_NAME = 1 }; /* above the 00 that ends a name, below what continues it */

    if (list->end_is_prefix && list->end) {
        bool begins_later =
            list->start && slice_compare(blob_slice(list->start), end_name) >= 0;
        if (!begins_later) {
            buffer_append_slice(start, prefix);
            buffer_append_slice(start, end_name);
        }
    }
    if (start->size == 0) {
        buffer_append_slice(start, prefix);
        buffer_append_slice(start, blob_slice(list->start));
        if (list->start && list->after_start) {
            buffer_append_byte(start, BEHIND_NAME);
        }
    }
    buffer_append_slice(end, end_name);
    if (list->end && !list->end_is_prefix) {
        buffer_append_byte(end, BEHIND_NAME);
    }
    if (start->failed || end->failed) {
        return false;
    }
    if (!list->end || list->end_is_prefix) {
        step_behind(end);
    }
    return true;
}

static enum status scan_rows(const struct store_state *state, struct slice directory,
                             const struct message_list *list, struct row_scan *scan)
{
    struct buffer start = {0};
    struct buffer end = {0};
    enum status status = STATUS_NO_MEMORY;

    layout_rows(&end, state->partition_count, directory);
    scan->prefix_size = end.size;
    scan->rows = calloc(scan->limit + 1, sizeof *scan->rows);
    if (!end.failed && scan->rows && list_range(list, &start, &end)) {
        status =
            state->engine->operations->scan(state->engine, buffer_slice(&start),
                                            buffer_slice(&end), scan->first_only, on_row, scan);
        status = status == STATUS_OK ? scan->status : status;
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

/* Moves the rows into the result. */
static void take_rows(struct row_scan *scan, struct message_list_reply *ret_list)
{
    ret_list->rows = scan->rows;
    ret_list->row_count = (uint16_t)scan->count;
    ret_list->resume = scan->resume;
    ret_list->more = scan->resume;
    scan->rows = NULL;
    scan->count = 0;
    scan->resume = NULL;
}

enum status apply_list(const struct store_state *state, const struct store_request *request,
                       struct store_result *ret_result)
{
    struct row_scan scan = {
        .limit = request->list.limit,
    };

    assert(request->list.limit >= 1 && request->list.limit <= ROWS_MAX);
    assert(!request->list.live_only);
    enum status status = scan_rows(state, blob_slice(request->key), &request->list, &scan);
    if (status == STATUS_OK) {
        take_rows(&scan, &ret_result->list);
    }
    row_scan_release(&scan);
    return status;
}

enum status apply_find_live_row(const struct store_state *state,
                                const struct store_request *request,
                                struct store_result *ret_result)
{
    struct row_scan scan = {.live_only = true, .first_only = true, .limit = 1};
    struct message_list list = {.start = request->list.start, .after_start = true};
    enum status status = scan_rows(state, blob_slice(request->key), &list, &scan);

    if (status == STATUS_OK) {
        take_rows(&scan, &ret_result->list);
        if (ret_result->list.row_count > 0) {
            status = message_open_row(&ret_result->list.rows[0]);
            status = status == STATUS_BAD_MESSAGE ? STATUS_CORRUPT : status;
            ret_result->object = object_ref(ret_result->list.rows[0].object);
        }
    }
    row_scan_release(&scan);
    return status;
}

struct intent_scan {
    enum intent_kind kind;
    uint64_t stamp_max;
    size_t limit;
    struct intent *intents; /* room for limit */
    size_t count;
    bool more;
    enum status status;
};

static bool on_intent(void *context, struct slice key, struct slice value)
{
    struct intent_scan *scan = context;
    uint64_t stamp = 0;

    if (key.size < 2 || !number_decode(value, &stamp)) {
        scan->status = STATUS_CORRUPT;
        return false;
    }
    if (stamp > scan->stamp_max) {
        return true;
    }
    if (scan->count == scan->limit) {
        scan->more = true;
        return false;
    }
    struct blob *object_key = blob_new(slice_of(key.data + 1, key.size - 1));
    if (!object_key) {
        scan->status = STATUS_NO_MEMORY;
        return false;
    }
    scan->intents[scan->count++] =
        (struct intent){.kind = scan->kind, .key = object_key, .stamp = stamp};
    return true;
}

enum status apply_list_intents(const struct store_state *state,
                               const struct store_request *request,
                               struct store_result *ret_result)
{
    struct intent_scan scan = {
        .kind = request->list_intents.kind,
        .stamp_max = request->list_intents.stamp_max,
        .limit = request->list_intents.limit,
        .intents = calloc(request->list_intents.limit, sizeof(struct intent)),
    };
    uint8_t kind_end = (uint8_t)(request->list_intents.kind + 1);
    struct buffer start = {0};
    enum status status = STATUS_NO_MEMORY;

    assert(request->list_intents.limit >= 1);
    layout_intent(&start, (char)request->list_intents.kind, blob_slice(request->key));
    if (request->key) {
        buffer_append_byte(&start, 0); /* the next key that can be */
    }
    if (scan.intents && !start.failed) {
        status = state->engine->operations->scan(state->engine, buffer_slice(&start),
                                                 slice_of(&kind_end, sizeof kind_end), true,
                                                 on_intent, &scan);
        status = status == STATUS_OK ? scan.status : status;
    }
    buffer_release(&start);
    if (status != STATUS_OK) {
        intents_free(scan.intents, scan.count);
        return status;
    }
    ret_result->intents.intent = scan.intents;
    ret_result->intents.count = (uint16_t)scan.count;
    ret_result->intents.more = scan.more;
    return STATUS_OK;
}

static bool on_any(void *context, struct slice key, struct slice value)
{
    bool *has_any = context;

    (void)key;
    (void)value;
    *has_any = true;
    return false;
}

enum status apply_holds_data(const struct store_state *state, struct store_result *ret_result)
{
    static const char *const ranges[][2] = {{"o", "p"}, {"r", "s"}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        enum status status = state->engine->operations->scan(
            state->engine, slice_of_string(ranges[i][0]), slice_of_string(ranges[i][1]), true,
            on_any, &ret_result->holds_data);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}
