/*
 * kv_memory.c - one replica in memory, with the rules of ring/object and nothing else.
 *
 * Shape:    one array of keys, ascending by (directory, name, kind), so that a directory is one
 *           run of it. Rows are projections, and with one replica never lag: a listing projects
 *           the objects themselves.
 * Threads:  one lock around everything.
 */
#include "node/client/kv_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/now.h"
#include "node/client/value.h"

enum { NODE_HERE = 1, MODE_REVIVED = 0755, SPACE_TOTAL_BITS = 40 };

/* Where a key stands in the order. The root has no directory and comes first. */
struct place {
    struct slice directory;
    struct slice name;
    enum row_kind kind;
};

struct entry {
    struct blob *key;
    struct object *object;
};

struct memory {
    struct kv kv;
    pthread_mutex_t lock;
    struct entry *entries;
    size_t count;
    size_t capacity;
    uint64_t counter; /* the last one issued */
    unsigned fail_count;
    enum status fail_status;
    unsigned fail_after_count;
    enum status fail_after_status;
    unsigned scan_max;
    struct kv_memory_calls calls;
};

static struct memory *memory_of(struct kv *kv)
{
    /* `kv` is the first member. */
    return (struct memory *)kv;
}

static struct place place_of(struct slice key)
{
    if (key_is_root(key)) {
        return (struct place){.kind = ROW_DIRECTORY};
    }
    return (struct place){
        .directory = key_directory(key), .name = key_name(key), .kind = key_row_kind(key)};
}

static int place_compare(const struct place *a, const struct place *b)
{
    int order = slice_compare(a->directory, b->directory);
    if (order == 0) {
        order = slice_compare(a->name, b->name);
    }
    return order != 0 ? order : (int)a->kind - (int)b->kind;
}

/* Index of the first entry that is not before `place`. */
static size_t find_place(const struct memory *memory, const struct place *place)
{
    size_t low = 0;
    size_t high = memory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct place here = place_of(blob_slice(memory->entries[middle].key));
        if (place_compare(&here, place) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct entry *find_entry(const struct memory *memory, struct slice key)
{
    struct place place = place_of(key);
    size_t index = find_place(memory, &place);
    if (index < memory->count && slice_equal(blob_slice(memory->entries[index].key), key)) {
        return &memory->entries[index];
    }
    return NULL;
}

/* Holds `object` (a reference is taken) under `key`. */
static enum status store(struct memory *memory, struct slice key, struct object *object)
{
    struct entry *entry = find_entry(memory, key);
    if (entry) {
        object_ref(object);
        object_unref(entry->object);
        entry->object = object;
        return STATUS_OK;
    }
    if (memory->count == memory->capacity) {
        size_t capacity = memory->capacity ? 2 * memory->capacity : 64;
        struct entry *grown = realloc(memory->entries, capacity * sizeof *grown);
        if (!grown) {
            return STATUS_NO_MEMORY;
        }
        memory->entries = grown;
        memory->capacity = capacity;
    }
    struct blob *copy = blob_new(key);
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    struct place place = place_of(key);
    size_t index = find_place(memory, &place);
    memmove(&memory->entries[index + 1], &memory->entries[index],
            (memory->count - index) * sizeof *memory->entries);
    memory->entries[index] = (struct entry){.key = copy, .object = object_ref(object)};
    memory->count++;
    return STATUS_OK;
}

static enum status update(struct memory *memory, struct slice key, const struct update *update,
                          struct object **ret_object)
{
    struct entry *entry = find_entry(memory, key);
    struct object *current = entry ? entry->object : NULL;
    uint64_t floor = object_counter_floor(current, &update->context, memory->counter);
    memory->counter = (floor > memory->counter ? floor : memory->counter) + 1;
    if (memory->counter < now_wall_us()) {
        memory->counter = now_wall_us();
    }
    struct update filled = *update;
    struct version value;
    if (update->value) {
        value = *update->value;
        value.attributes.named_ns = row_named_ns(current, &value.attributes, memory->counter);
        filled.value = &value;
    }
    struct coordinator coordinator = {
        .node = NODE_HERE, .counter = memory->counter, .birth = memory->counter};

    struct object *object = NULL;
    enum status status = object_update(current, &filled, &coordinator, &object);
    if (status != STATUS_OK) {
        return status;
    }
    if (object) {
        status = store(memory, key, object);
    }
    if (status != STATUS_OK) {
        object_unref(object);
        return status;
    }
    *ret_object = object;
    return STATUS_OK;
}

/* Makes the directory `key`, which is missing or deleted, for the sake of `child`. */
static enum status revive(struct memory *memory, struct slice key, const struct version *child)
{
    struct entry *entry = find_entry(memory, key);
    struct version value = {.attributes = child->attributes};
    value.attributes.type = VERSION_DIRECTORY;
    value.attributes.mode = MODE_REVIVED;
    value.attributes.file_id = memory->counter;
    struct version filled;
    enum status status = value_prepare(&value, &filled);
    if (status != STATUS_OK) {
        return status;
    }
    struct update revival = {.mode = UPDATE_ALL, .value = &filled};
    if (entry) {
        revival.context = entry->object->clock;
    }
    struct object *object = NULL;
    status = update(memory, key, &revival, &object);
    value_release(&filled);
    object_unref(object);
    return status;
}

/* A live row revives its directory, and so on up. The root needs no object, nor does what is
 * internal. */
static enum status revive_above(struct memory *memory, struct slice key)
{
    while (!key_is_internal(key) && !key_is_root(key) && !key_is_root(key_directory(key))) {
        struct entry *below = find_entry(memory, key);
        if (!below || !object_is_live(below->object)) {
            return STATUS_OK;
        }
        key = key_directory(key);
        struct entry *above = find_entry(memory, key);
        enum status status = STATUS_OK;
        if (!above || !object_is_live(above->object)) {
            status = revive(memory, key, object_newest(below->object));
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* The other order: a directory was deleted over a live row. */
static enum status revive_deleted(struct memory *memory, struct slice key)
{
    struct place first = {.directory = key, .kind = ROW_DIRECTORY};
    for (size_t i = find_place(memory, &first); i < memory->count; i++) {
        struct slice child = blob_slice(memory->entries[i].key);
        struct place place = place_of(child);
        if (!slice_equal(place.directory, key)) {
            break;
        }
        if (object_is_live(memory->entries[i].object)) {
            return revive_above(memory, child);
        }
    }
    return STATUS_OK;
}

/* Counts down a knob. True if this call is one of those that fail. */
static bool take(unsigned *count)
{
    if (*count == 0) {
        return false;
    }
    (*count)--;
    return true;
}

/* When a name in the directory appeared or vanished last; 0 for other keys. */
static uint64_t names_us(const struct memory *memory, struct slice key)
{
    struct place first = {.directory = key, .kind = ROW_DIRECTORY};
    uint64_t latest_us = 0;
    for (size_t i = find_place(memory, &first); i < memory->count; i++) {
        struct place place = place_of(blob_slice(memory->entries[i].key));
        if (!slice_equal(place.directory, key)) {
            break;
        }
        uint64_t row_us = row_names_us(memory->entries[i].object);
        latest_us = row_us > latest_us ? row_us : latest_us;
    }
    return latest_us;
}

static enum status memory_get(struct kv *kv, struct slice key, const struct kv_options *options,
                              struct object **ret_object, uint64_t *ret_names_us)
{
    (void)options;
    struct memory *memory = memory_of(kv);
    enum status status = STATUS_NOT_FOUND;
    pthread_mutex_lock(&memory->lock);
    memory->calls.get++;
    if (take(&memory->fail_count)) {
        status = memory->fail_status;
    } else {
        struct entry *entry = find_entry(memory, key);
        *ret_object = entry ? object_ref(entry->object) : NULL;
        *ret_names_us = key_is_directory(key) ? names_us(memory, key) : 0;
        status = object_is_live(*ret_object) ? STATUS_OK : STATUS_NOT_FOUND;
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

/* Applies the put and what follows from it. `value` is prepared, or NULL. */
static enum status put_locked(struct memory *memory, const struct kv_put *put,
                              const struct version *value, struct object **ret_object)
{
    struct update wanted = {
        .mode = put->mode,
        .context = put->context,
        .dots = put->dots,
        .dot_count = put->dot_count,
        .value = value,
    };
    struct object *object = NULL;
    enum status status = update(memory, put->key, &wanted, &object);
    if (status != STATUS_OK) {
        return status;
    }
    status = revive_above(memory, put->key);
    if (status == STATUS_OK && key_is_directory(put->key) && !object_is_live(object)) {
        status = revive_deleted(memory, put->key);
    }
    if (status == STATUS_OK && take(&memory->fail_after_count)) {
        status = memory->fail_after_status;
    }
    if (status != STATUS_OK) {
        object_unref(object);
        return status;
    }
    *ret_object = object;
    return STATUS_OK;
}

static enum status memory_put(struct kv *kv, const struct kv_put *put,
                              const struct kv_options *options, struct object **ret_row)
{
    (void)options;
    struct memory *memory = memory_of(kv);
    struct version value = {0};
    if (put->value) {
        enum status status = value_prepare(put->value, &value);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct object *object = NULL;
    pthread_mutex_lock(&memory->lock);
    memory->calls.put++;
    enum status status = take(&memory->fail_count)
                             ? memory->fail_status
                             : put_locked(memory, put, put->value ? &value : NULL, &object);
    pthread_mutex_unlock(&memory->lock);
    value_release(&value);
    if (status == STATUS_OK && ret_row) {
        struct object *row = object ? object_project(object) : NULL;
        if (object && !row) {
            status = STATUS_NO_MEMORY;
        } else {
            *ret_row = row;
        }
    }
    object_unref(object);
    return status;
}

/* True once `name` lies beyond what the list asks for. */
static bool is_past_end(const struct kv_list *list, struct slice name)
{
    if (list->end.size == 0) {
        return false;
    }
    if (list->end_is_prefix) {
        return slice_compare(name, list->end) > 0 && !slice_has_prefix(name, list->end);
    }
    return slice_compare(name, list->end) > 0;
}

static enum status append_row(struct kv_rows *rows, struct slice name,
                              const struct place *place, const struct object *object)
{
    struct row row = {
        .name = blob_new(name), .kind = place->kind, .object = object_project(object)};
    if (!row.name || !row.object) {
        row_release(&row);
        return STATUS_NO_MEMORY;
    }
    rows->rows[rows->count++] = row;
    return STATUS_OK;
}

/* Where a scan begins: with the prefix itself, should that come later than the start. */
static size_t first_index(const struct memory *memory, const struct kv_list *list)
{
    struct place first = {
        .directory = list->directory, .name = list->start, .kind = ROW_DIRECTORY};
    if (list->end_is_prefix && slice_compare(list->end, list->start) > 0) {
        first.name = list->end;
    }
    return find_place(memory, &first);
}

/* Fills `rows`, whose array has room for the limit and one more. */
static enum status scan(const struct memory *memory, const struct kv_list *list,
                        struct kv_rows *rows)
{
    struct slice seen = {0}; /* the last name looked at */
    unsigned looked_at = 0;
    for (size_t i = first_index(memory, list); i < memory->count; i++) {
        const struct entry *entry = &memory->entries[i];
        struct place place = place_of(blob_slice(entry->key));
        if (!slice_equal(place.directory, list->directory) || is_past_end(list, place.name)) {
            return STATUS_OK;
        }
        if (list->after_start && slice_equal(place.name, list->start)) {
            continue;
        }
        /* A page never parts the two rows that one name may have: resume is a name. */
        bool is_full = rows->count >= list->limit ||
                       (memory->scan_max > 0 && looked_at >= memory->scan_max);
        if (looked_at > 0 && is_full && !slice_equal(place.name, seen)) {
            rows->more = true;
            rows->resume = blob_new(seen);
            return rows->resume ? STATUS_OK : STATUS_NO_MEMORY;
        }
        seen = place.name;
        looked_at++;
        if (!object_is_live(entry->object)) {
            continue;
        }
        enum status status = append_row(rows, place.name, &place, entry->object);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status memory_list(struct kv *kv, const struct kv_list *list,
                               const struct kv_options *options, struct kv_rows *ret_rows)
{
    (void)options;
    struct memory *memory = memory_of(kv);
    struct kv_rows rows = {.rows = calloc((size_t)list->limit + 1, sizeof *rows.rows)};
    if (!rows.rows) {
        return STATUS_NO_MEMORY;
    }
    pthread_mutex_lock(&memory->lock);
    memory->calls.list++;
    enum status status =
        take(&memory->fail_count) ? memory->fail_status : scan(memory, list, &rows);
    pthread_mutex_unlock(&memory->lock);
    if (status != STATUS_OK) {
        kv_rows_release(&rows);
        return status;
    }
    *ret_rows = rows;
    return STATUS_OK;
}

static enum status memory_space(struct kv *kv, const struct kv_options *options,
                                struct kv_space *ret_space)
{
    (void)options;
    struct memory *memory = memory_of(kv);
    enum status status = STATUS_OK;
    pthread_mutex_lock(&memory->lock);
    memory->calls.space++;
    if (take(&memory->fail_count)) {
        status = memory->fail_status;
    } else {
        *ret_space = (struct kv_space){.total = UINT64_C(1) << SPACE_TOTAL_BITS,
                                       .free_bytes = UINT64_C(1) << (SPACE_TOTAL_BITS - 1)};
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static enum status memory_replicas(struct kv *kv, struct slice key, struct buffer *ret_text)
{
    (void)kv;
    (void)key;
    buffer_append_slice(ret_text, slice_of_string("memory"));
    return ret_text->failed ? STATUS_NO_MEMORY : STATUS_OK;
}

static void memory_census(struct kv *kv, struct slice key, const struct kv_options *options,
                          struct kv_census *ret_census)
{
    (void)kv;
    (void)key;
    (void)options;
    *ret_census = (struct kv_census){.holders = 1, .answering = 1, .needed = 1};
}

static enum status memory_settled(struct kv *kv, const struct kv_options *options,
                                  struct error *ret_why)
{
    (void)kv;
    (void)options;
    (void)ret_why;
    return STATUS_OK;
}

static void memory_close(struct kv *kv)
{
    struct memory *memory = memory_of(kv);
    for (size_t i = 0; i < memory->count; i++) {
        blob_unref(memory->entries[i].key);
        object_unref(memory->entries[i].object);
    }
    free(memory->entries);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const struct kv_operations memory_operations = {
    .get = memory_get,
    .put = memory_put,
    .list = memory_list,
    .space = memory_space,
    .replicas = memory_replicas,
    .census = memory_census,
    .settled = memory_settled,
    .close = memory_close,
};

enum status kv_open_memory(struct kv **ret_kv)
{
    assert(ret_kv);
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory) {
        return STATUS_NO_MEMORY;
    }
    if (pthread_mutex_init(&memory->lock, NULL) != 0) {
        free(memory);
        return STATUS_NO_MEMORY;
    }
    memory->kv.operations = &memory_operations;
    *ret_kv = &memory->kv;
    return STATUS_OK;
}

void kv_memory_fail(struct kv *kv, unsigned count, enum status status)
{
    struct memory *memory = memory_of(kv);
    pthread_mutex_lock(&memory->lock);
    memory->fail_count = count;
    memory->fail_status = status;
    pthread_mutex_unlock(&memory->lock);
}

void kv_memory_fail_after_put(struct kv *kv, unsigned count, enum status status)
{
    struct memory *memory = memory_of(kv);
    pthread_mutex_lock(&memory->lock);
    memory->fail_after_count = count;
    memory->fail_after_status = status;
    pthread_mutex_unlock(&memory->lock);
}

void kv_memory_scan_max(struct kv *kv, unsigned rows)
{
    struct memory *memory = memory_of(kv);
    pthread_mutex_lock(&memory->lock);
    memory->scan_max = rows;
    pthread_mutex_unlock(&memory->lock);
}

struct kv_memory_calls kv_memory_calls(struct kv *kv)
{
    struct memory *memory = memory_of(kv);
    pthread_mutex_lock(&memory->lock);
    struct kv_memory_calls calls = memory->calls;
    pthread_mutex_unlock(&memory->lock);
    return calls;
}
