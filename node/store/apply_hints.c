/*
 * apply_hints.c - requests about what is kept for members that were away.
 *
 * Hints have an engine of their own, and each request its own batch there: it is written before
 * anything of the request goes to the batch of the group.
 */
#include <assert.h>
#include <stdlib.h>

#include "node/store/apply_internal.h"
#include "node/store/hints.h"
#include "node/store/layout.h"
#include "node/wire/payload.h"
#include "node/wire/record.h"
#include "ring/mark.h"
#include "ring/planted.h"

enum { LISTED_BYTES_MAX = 1 << 20 };

enum status hint_set_load(struct hint_set *set, struct store_state *state, struct slice key,
                          const struct owner_list *owners, enum hint_kind kind)
{
    assert(owners->count > 0 && owners->count <= OWNERS_MAX);
    assert(key.size > 0);

    *set = (struct hint_set){.hints = state->hints};
    for (size_t i = 0; i < owners->count; i++) {
        struct hint_change *change = &set->changes[i];
        *change = (struct hint_change){
            .owner = owners->id[i],
            .kind = kind,
            .key = key,
        };
        for (size_t j = 0; j < i; j++) {
            assert(set->changes[j].owner != change->owner);
        }
        enum status status = hint_store_load(set->hints, change->owner, kind, change->key,
                                             kind == HINT_OBJECT, &change->before);
        if (status != STATUS_OK) {
            hint_set_release(set);
            return status;
        }
        set->count++;
    }
    return STATUS_OK;
}

enum status hint_set_merge(const struct hint_set *set, struct object **ret_object)
{
    struct object *merged = object_ref(set->changes[0].before.object);

    for (size_t i = 1; i < set->count; i++) {
        struct object *other = set->changes[i].before.object;
        if (!other) {
            continue;
        }
        struct object *both = object_merge(merged, other);
        object_unref(merged);
        if (!both) {
            return STATUS_NO_MEMORY;
        }
        merged = both;
    }
    *ret_object = merged;
    return STATUS_OK;
}

enum status hint_set_add(struct hint_set *set, size_t first, struct object *incoming)
{
    for (size_t i = first; i < set->count; i++) {
        struct hint_change *change = &set->changes[i];
        mark_if(change->before.object, MARK_HINT_MERGED);
        set->objects[i] = object_merge(change->before.object, incoming);
        if (!set->objects[i]) {
            return STATUS_NO_MEMORY;
        }
    }
    return STATUS_OK;
}

enum status hint_set_write(struct hint_set *set, uint64_t wall_us, bool sync)
{
    struct hint_change changes[OWNERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct hint_change *change = &set->changes[i];
        change->object = set->objects[i];
        bool is_same = change->object && change->object == change->before.object;
        if (sync || !is_same) {
            changes[count++] = *change;
        }
    }
    return count == 0 ? STATUS_OK : hint_store_write(set->hints, changes, count, wall_us, sync);
}

void hint_set_release(struct hint_set *set)
{
    for (size_t i = 0; i < OWNERS_MAX; i++) {
        stored_hint_release(&set->changes[i].before);
        object_unref(set->objects[i]);
    }
    *set = (struct hint_set){0};
}

enum status object_is_acceptable(const struct object *object)
{
    assert(object);

    bool is_good = payload_is_whole(object) && object_is_sound(object);
    return is_good ? STATUS_OK : STATUS_BAD_MESSAGE;
}

enum status apply_hint(struct store_state *state, const struct store_request *request)
{
    assert(state->hints);

    struct hint_set set;
    struct object *object = request->hint.object;

    enum status status = object ? object_is_acceptable(object) : STATUS_OK;
    if (status != STATUS_OK || (object && object_is_nothing(object))) {
        return status;
    }
    status = hint_set_load(&set, state, blob_slice(request->key), &request->hint.owners,
                           object ? HINT_OBJECT : HINT_MARKER);
    if (status != STATUS_OK) {
        return status;
    }
    if (object) {
        status = hint_set_add(&set, 0, object);
    }
    if (status == STATUS_OK) {
        bool sync = request->sync && !planted(PLANTED_HINT_UNSYNCED);
        status = hint_set_write(&set, request->wall_us, sync);
    }
    hint_set_release(&set);
    return status;
}

enum status apply_get_hints(struct store_state *state, const struct store_request *request,
                            struct store_result *ret_result)
{
    assert(state->hints && !ret_result->object);

    struct hint_set set;
    enum status status = hint_set_load(&set, state, blob_slice(request->key),
                                       &request->get_hints.owners, HINT_OBJECT);

    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < set.count && status == STATUS_OK; i++) {
        struct object *object = set.changes[i].before.object;
        status = !object ? STATUS_OK : record_verify(object);
    }
    if (status == STATUS_OK) {
        status = hint_set_merge(&set, &ret_result->object);
    }
    hint_set_release(&set);
    return status;
}

struct hint_list {
    struct hint *hints; /* room for limit */
    size_t limit;
    size_t count;
    size_t bytes;
    bool more;
    bool is_damaged; /* one could not be read */
    enum status status;
};

/* STATUS_CORRUPT: it is passed over. */
static enum status read_hint(struct slice key, struct slice value, struct hint *ret_hint)
{
    struct stored_hint stored = {0};
    struct hint hint = {0};
    struct slice rest = {0};
    struct slice record = {0};
    enum status status = STATUS_OK;
    char kind = 0;

    if (!layout_parse_hint(key, &hint.owner, &kind, &rest) ||
        (kind != HINT_OBJECT && kind != HINT_MARKER) ||
        !hint_store_parse_value(value, &stored, &record)) {
        return STATUS_CORRUPT;
    }
    hint.kind = kind == HINT_OBJECT ? HINT_OBJECT : HINT_MARKER;
    hint.stamp = stored.stamp;
    hint.created_us = stored.created_us;
    if (hint.kind == HINT_OBJECT) {
        status = record_decode(record, &hint.object);
    }
    if (status == STATUS_OK && hint.kind == HINT_OBJECT) {
        status = record_verify(hint.object);
    }
    if (status == STATUS_OK) {
        hint.key = blob_new(rest);
        status = !hint.key ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (status != STATUS_OK) {
        object_unref(hint.object);
        return status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
    }
    *ret_hint = hint;
    return STATUS_OK;
}

static bool on_hint(void *context, struct slice key, struct slice value)
{
    struct hint_list *list = context;

    if (list->count == list->limit || list->bytes >= LISTED_BYTES_MAX) {
        list->more = true;
        return false;
    }
    enum status status = read_hint(key, value, &list->hints[list->count]);
    if (status == STATUS_CORRUPT) {
        list->is_damaged = true;
        return true;
    }
    if (status != STATUS_OK) {
        list->status = status;
        return false;
    }
    list->count++;
    list->bytes += key.size + value.size;
    return true;
}

static enum status scan_hints(struct hint_store *hints, const struct store_request *request,
                              struct hint_list *list)
{
    struct buffer start = {0};
    struct buffer end = {0};
    enum status status = STATUS_NO_MEMORY;

    if (!request->key) {
        layout_hint_owner(&start, request->list_hints.owner);
    } else {
        layout_hint(&start, request->list_hints.owner, (char)request->list_hints.kind,
                    blob_slice(request->key));
        buffer_append_byte(&start, 0); /* the next key that can be */
    }
    layout_hint_ages(&end, request->list_hints.owner);
    if (!start.failed && !end.failed) {
        status = hints->engine->operations->scan(hints->engine, buffer_slice(&start),
                                                 buffer_slice(&end), true, on_hint, list);
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

enum status apply_list_hints(struct store_state *state, const struct store_request *request,
                             struct store_result *ret_result)
{
    struct hint_list list = {
        .hints = calloc(request->list_hints.limit, sizeof(struct hint)),
        .limit = request->list_hints.limit,
    };
    enum status status = STATUS_NO_MEMORY;

    assert(request->list_hints.limit >= 1 && request->list_hints.owner != 0);
    if (list.hints && atomic_load(&state->hints->is_unjudged)) {
        hints_free(list.hints, 0);
        return STATUS_CORRUPT;
    }
    if (list.hints) {
        status = scan_hints(state->hints, request, &list);
    }
    if (list.status != STATUS_OK) {
        status = list.status;
    } else if (status == STATUS_OK && list.is_damaged) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_CORRUPT) {
        atomic_store(&state->hints->is_damaged, true);
    }
    /* One that cannot be read does not stand in the way of those behind it. */
    if (status == STATUS_CORRUPT && list.count > 0) {
        status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        hints_free(list.hints, list.count);
        return status;
    }
    ret_result->hints.hint = list.hints;
    ret_result->hints.count = (uint16_t)list.count;
    ret_result->hints.more = list.more;
    return STATUS_OK;
}

/* The stamps tell hints apart: one that is named twice is dropped once. */
static bool has_stamp(const struct hint_change *changes, size_t count, uint64_t stamp)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].before.stamp == stamp) {
            return true;
        }
    }
    return false;
}

enum status apply_clear_hints(struct store_state *state, const struct store_request *request)
{
    assert(state->hints);
    assert(request->clear_hints.hints || request->clear_hints.count == 0);

    size_t capacity = request->clear_hints.count > 0 ? request->clear_hints.count : 1;
    struct hint_change *changes = calloc(capacity, sizeof *changes);
    enum status status = !changes ? STATUS_NO_MEMORY : STATUS_OK;
    bool is_damaged = false;
    size_t count = 0;

    for (size_t i = 0; i < request->clear_hints.count && status == STATUS_OK; i++) {
        const struct hint *hint = &request->clear_hints.hints[i];
        struct hint_change change = {
            .owner = hint->owner,
            .kind = hint->kind,
            .key = blob_slice(hint->key),
            .is_delete = true,
        };
        status = hint_store_load(state->hints, change.owner, change.kind, change.key, false,
                                 &change.before);
        if (status == STATUS_CORRUPT) {
            /* It stays, and does not stand in the way of the others. */
            is_damaged = true;
            status = STATUS_OK;
        }
        bool is_there = status == STATUS_OK && change.before.size > 0;
        mark_if(is_there && change.before.stamp != hint->stamp, MARK_HINT_WRITTEN_ANEW);
        if (is_there &&
            (change.before.stamp == hint->stamp || planted(PLANTED_HINT_UNSTAMPED)) &&
            !has_stamp(changes, count, hint->stamp)) {
            changes[count++] = change;
        }
    }
    if (status == STATUS_OK && is_damaged && count == 0) {
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_OK && count > 0) {
        status =
            hint_store_write(state->hints, changes, count, request->wall_us, request->sync);
    }
    free(changes);
    return status;
}

enum status apply_hint_owners(struct store_state *state, struct store_result *ret_result)
{
    assert(state->hints);

    struct hint_store *hints = state->hints;
    struct hint_owner *owners = calloc(MEMBERS_MAX, sizeof *owners);
    enum status status = STATUS_OK;
    uint16_t count = 0;

    if (!owners) {
        return STATUS_NO_MEMORY;
    }
    if (atomic_load(&hints->is_unjudged)) {
        free(owners);
        return STATUS_CORRUPT;
    }
    pthread_mutex_lock(&hints->lock);
    for (size_t i = 0; i < hints->sum_count; i++) {
        const struct hint_sum *sum = &hints->sums[i];
        if (sum->count > 0) {
            owners[count++] = (struct hint_owner){
                .owner = sum->owner,
                .count = sum->count,
                .bytes = sum->bytes,
            };
        }
    }
    pthread_mutex_unlock(&hints->lock);
    for (uint16_t i = 0; i < count && status == STATUS_OK; i++) {
        status = hint_store_oldest(hints, owners[i].owner, &owners[i].oldest_us);
    }
    if (status != STATUS_OK) {
        free(owners);
        return status;
    }
    ret_result->owners.owner = owners;
    ret_result->owners.count = count;
    return STATUS_OK;
}
