/*
 * hints.c - hints in their engine: load, write as one batch, count.
 */
#include "node/store/hints.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/apply_internal.h"
#include "node/store/batch.h"
#include "node/store/layout.h"
#include "node/store/number.h"
#include "node/wire/record.h"
#include "ring/mark.h"

enum {
    HEAD_SIZE = 2 * NUMBER_SIZE, /* stamp and creation before the record */
    WRITES_PER_CHANGE = 2,       /* the hint, and its place in the order of age */
};
/* Above it a stamp is no count of ours. */
#define STAMP_MAX (UINT64_MAX / 2)

bool hint_store_parse_value(struct slice value, struct stored_hint *ret_stored,
                            struct slice *ret_record)
{
    assert(ret_stored && ret_record);

    uint64_t stamp = 0;
    uint64_t created_us = 0;

    if (value.size < HEAD_SIZE || !number_decode(slice_of(value.data, NUMBER_SIZE), &stamp) ||
        !number_decode(slice_of(value.data + NUMBER_SIZE, NUMBER_SIZE), &created_us)) {
        return false;
    }
    if (stamp == 0 || stamp > STAMP_MAX) {
        return false;
    }
    *ret_stored = (struct stored_hint){.stamp = stamp, .created_us = created_us};
    *ret_record = slice_of(value.data + HEAD_SIZE, value.size - HEAD_SIZE);
    return true;
}

void stored_hint_release(struct stored_hint *stored)
{
    object_unref(stored->object);
    *stored = (struct stored_hint){0};
}

static enum status parse_loaded(struct slice value, enum hint_kind kind, bool with_object,
                                struct stored_hint *stored)
{
    struct slice record = {0};

    if (!hint_store_parse_value(value, stored, &record) ||
        (record.size == 0) != (kind == HINT_MARKER)) {
        return STATUS_CORRUPT;
    }
    if (kind == HINT_MARKER || !with_object) {
        return STATUS_OK;
    }
    enum status status = record_decode(record, &stored->object);
    return status == STATUS_OK || status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
}

enum status hint_store_verify(enum hint_kind kind, struct slice value, uint64_t before_us)
{
    struct stored_hint stored = {0};
    enum status status = parse_loaded(value, kind, true, &stored);

    if (status == STATUS_OK && stored.object) {
        bool is_old = aside_is_old(stored.object, before_us);
        mark_if(is_old, MARK_HINT_TOO_OLD);
        status = is_old ? STATUS_CORRUPT : record_verify(stored.object);
    }
    stored_hint_release(&stored);
    return status;
}

enum status hint_store_load(struct hint_store *hints, node_id owner, enum hint_kind kind,
                            struct slice key, bool with_object, struct stored_hint *ret_before)
{
    struct buffer hint_key = {0};
    struct buffer value = {0};
    struct stored_hint stored = {0};
    enum status status = STATUS_NO_MEMORY;

    if (atomic_load(&hints->is_unjudged)) {
        mark(MARK_HINT_UNJUDGED);
        return STATUS_CORRUPT;
    }
    layout_hint(&hint_key, owner, (char)kind, key);
    if (!hint_key.failed) {
        status = hints->engine->operations->get(hints->engine, buffer_slice(&hint_key), &value);
    }
    if (status == STATUS_OK) {
        status = parse_loaded(buffer_slice(&value), kind, with_object, &stored);
        stored.size = hint_key.size + value.size;
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_CORRUPT) {
        atomic_store(&hints->is_damaged, true);
    }
    if (status == STATUS_OK) {
        *ret_before = stored;
    }
    buffer_release(&hint_key);
    buffer_release(&value);
    return status;
}

/* The place of the owner in the table: its own, or where it belongs. */
static size_t place_of(const struct hint_store *hints, node_id owner)
{
    size_t i = 0;

    while (i < hints->sum_count && hints->sums[i].owner < owner) {
        i++;
    }
    return i;
}

static struct hint_sum *find_sum(struct hint_store *hints, node_id owner)
{
    size_t i = place_of(hints, owner);

    return i < hints->sum_count && hints->sums[i].owner == owner ? &hints->sums[i] : NULL;
}

static bool is_unused(const struct hint_sum *sum)
{
    return sum->count == 0 && sum->writing == 0 && !sum->may_hold_more;
}

static void drop_unused(struct hint_store *hints)
{
    size_t kept = 0;

    for (size_t i = 0; i < hints->sum_count; i++) {
        if (!is_unused(&hints->sums[i])) {
            hints->sums[kept++] = hints->sums[i];
        }
    }
    hints->sum_count = kept;
}

struct hint_sum *hint_store_sum(struct hint_store *hints, node_id owner)
{
    assert(hints->sum_count <= MEMBERS_MAX);

    struct hint_sum *found = find_sum(hints, owner);

    if (found) {
        return found;
    }
    if (hints->sum_count == MEMBERS_MAX) {
        drop_unused(hints);
    }
    if (hints->sum_count == MEMBERS_MAX) {
        return NULL;
    }
    size_t place = place_of(hints, owner);
    struct hint_sum *sum = &hints->sums[place];
    memmove(sum + 1, sum, (hints->sum_count - place) * sizeof *sum);
    hints->sum_count++;
    *sum = (struct hint_sum){.owner = owner};
    return sum;
}

/* Sees that every owner is in the table before anything is written for it. */
static enum status begin_writing(struct hint_store *hints, const struct hint_change *changes,
                                 size_t count)
{
    enum status status = STATUS_OK;
    size_t begun = 0;

    pthread_mutex_lock(&hints->lock);
    for (; begun < count && status == STATUS_OK; begun++) {
        struct hint_sum *sum = hint_store_sum(hints, changes[begun].owner);
        if (!sum) {
            status = STATUS_BUSY;
            break;
        }
        sum->writing++;
    }
    for (size_t i = 0; i < begun && status != STATUS_OK; i++) {
        find_sum(hints, changes[i].owner)->writing--;
    }
    pthread_mutex_unlock(&hints->lock);
    return status;
}

/* A count never runs below zero: a write that failed may have come to pass all the same. */
static void subtract(uint64_t *number, uint64_t less)
{
    *number = *number > less ? *number - less : 0;
}

static void end_writing(struct hint_store *hints, const struct hint_change *changes,
                        const size_t *sizes, size_t count, bool is_written)
{
    pthread_mutex_lock(&hints->lock);
    for (size_t i = 0; i < count; i++) {
        struct hint_sum *sum = find_sum(hints, changes[i].owner);
        bool was_there = changes[i].before.size > 0;

        assert(sum && sum->writing > 0);
        sum->writing--;
        sum->may_hold_more = sum->may_hold_more || !is_written;
        if (!is_written) {
            continue;
        }
        if (was_there) {
            subtract(&sum->count, 1);
            subtract(&sum->bytes, changes[i].before.size);
        }
        if (!changes[i].is_delete) {
            sum->count++;
            sum->bytes += sizes[i];
        }
    }
    pthread_mutex_unlock(&hints->lock);
}

/* A batch in the making. Where its bytes lie is known only once they have stopped moving. */
struct gathered {
    struct engine_write *writes;
    size_t count;
    struct buffer bytes;
};

static void gather_end(struct gathered *gathered, size_t key_start, size_t value_start,
                       bool is_delete)
{
    gathered->writes[gathered->count++] = (struct engine_write){
        .key.size = value_start - key_start,
        .value.size = gathered->bytes.size - value_start,
        .is_delete = is_delete,
    };
}

/* The hint itself; returns the size of its key and value. */
static size_t gather_hint(struct gathered *gathered, const struct hint_change *change,
                          uint64_t stamp, uint64_t created_us)
{
    struct buffer *bytes = &gathered->bytes;
    uint8_t number[NUMBER_SIZE];
    size_t key_start = bytes->size;

    layout_hint(bytes, change->owner, (char)change->kind, change->key);
    size_t value_start = bytes->size;
    if (!change->is_delete) {
        number_encode(stamp, number);
        buffer_append(bytes, number, sizeof number);
        number_encode(created_us, number);
        buffer_append(bytes, number, sizeof number);
    }
    if (!change->is_delete && change->kind == HINT_OBJECT) {
        record_encode(change->object, true, bytes);
    }
    gather_end(gathered, key_start, value_start, change->is_delete);
    return bytes->size - key_start;
}

static void gather_age(struct gathered *gathered, const struct hint_change *change,
                       uint64_t created_us)
{
    size_t start = gathered->bytes.size;

    layout_hint_age(&gathered->bytes, change->owner, created_us, (char)change->kind,
                    change->key);
    gather_end(gathered, start, gathered->bytes.size, change->is_delete);
}

static void gather_addresses(struct gathered *gathered)
{
    const uint8_t *next = gathered->bytes.data;

    for (size_t i = 0; i < gathered->count; i++) {
        struct engine_write *write = &gathered->writes[i];
        write->key.data = next;
        next += write->key.size;
        write->value.data = next;
        next += write->value.size;
    }
}

static void gather(struct gathered *gathered, struct hint_store *hints,
                   const struct hint_change *changes, size_t count, uint64_t wall_us,
                   size_t *sizes)
{
    for (size_t i = 0; i < count; i++) {
        const struct hint_change *change = &changes[i];
        bool was_there = change->before.size > 0;
        uint64_t created_us = was_there ? change->before.created_us : wall_us;

        assert(change->is_delete || (change->object != NULL) == (change->kind == HINT_OBJECT));
        uint64_t stamp = atomic_fetch_add(&hints->stamp, 1) + 1;
        sizes[i] = gather_hint(gathered, change, stamp, created_us);
        if (!was_there || change->is_delete) {
            gather_age(gathered, change, created_us);
        }
    }
    if (!gathered->bytes.failed) {
        gather_addresses(gathered);
    }
}

enum status hint_store_write(struct hint_store *hints, const struct hint_change *changes,
                             size_t count, uint64_t wall_us, bool sync)
{
    assert(count > 0);

    struct gathered gathered = {
        .writes = calloc(count * WRITES_PER_CHANGE, sizeof *gathered.writes),
    };
    size_t *sizes = calloc(count, sizeof *sizes);
    enum status status = STATUS_NO_MEMORY;

    if (!gathered.writes || !sizes) {
        goto out;
    }
    gather(&gathered, hints, changes, count, wall_us, sizes);
    if (gathered.bytes.failed) {
        goto out;
    }
    status = begin_writing(hints, changes, count);
    if (status == STATUS_OK) {
        status = hints->engine->operations->write(hints->engine, gathered.writes,
                                                  gathered.count, sync);
        end_writing(hints, changes, sizes, count, status == STATUS_OK);
    }
out:
    buffer_release(&gathered.bytes);
    free(gathered.writes);
    free(sizes);
    return status;
}

static bool on_age(void *context, struct slice key, struct slice value)
{
    uint64_t *created_us = context;
    node_id owner = 0;
    char kind = 0;
    struct slice rest;

    (void)value;
    if (layout_parse_hint(key, &owner, &kind, &rest) && rest.size > NUMBER_SIZE &&
        number_decode(slice_of(rest.data, NUMBER_SIZE), created_us)) {
        return false;
    }
    return true;
}

enum status hint_store_oldest(struct hint_store *hints, node_id owner, uint64_t *ret_created_us)
{
    struct buffer start = {0};
    struct buffer end = {0};
    uint64_t created_us = 0;
    enum status status = STATUS_NO_MEMORY;

    layout_hint_ages(&start, owner);
    layout_hint_ages(&end, owner);
    if (!start.failed && !end.failed) {
        end.data[end.size - 1]++;
        status = hints->engine->operations->scan(hints->engine, buffer_slice(&start),
                                                 buffer_slice(&end), true, on_age, &created_us);
    }
    buffer_release(&start);
    buffer_release(&end);
    /* Past a block that cannot be read the next one is the oldest that is known. */
    if (status == STATUS_OK || status == STATUS_CORRUPT) {
        *ret_created_us = created_us;
        return STATUS_OK;
    }
    return status;
}

enum status hints_any_for_key(struct store_state *state, struct slice key, bool *ret_any)
{
    assert(key.size > 0 && ret_any);

    static const enum hint_kind kinds[] = {HINT_OBJECT, HINT_MARKER};
    struct hint_store *hints = state->hints;
    node_id owners[MEMBERS_MAX];
    size_t count = 0;
    bool any = false;

    if (!hints) {
        *ret_any = false;
        return STATUS_OK;
    }
    pthread_mutex_lock(&hints->lock);
    for (size_t i = 0; i < hints->sum_count; i++) {
        if (!is_unused(&hints->sums[i])) {
            owners[count++] = hints->sums[i].owner;
        }
    }
    pthread_mutex_unlock(&hints->lock);
    for (size_t i = 0; i < count * 2 && !any; i++) {
        struct stored_hint stored = {0};
        enum status status =
            hint_store_load(hints, owners[i / 2], kinds[i % 2], key, false, &stored);
        if (status != STATUS_OK) {
            return status;
        }
        any = stored.size > 0;
    }
    if (!any && atomic_load(&hints->is_partial)) {
        return STATUS_CORRUPT;
    }
    *ret_any = any;
    return STATUS_OK;
}
