/*
 * batch.c - the pending writes of a group of requests, over the engine.
 */
#include "node/store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/number.h"
#include "node/wire/record.h"
#include "ring/fnv.h"

enum { TABLE_SIZE_MIN = 64 };

static struct slice entry_key(const struct batch_entry *entry)
{
    return slice_of(entry->key, entry->key_size);
}

/* The slot of `key` in the table: its own, or the free one where it belongs. */
static uint32_t *find_slot(const struct batch *batch, struct slice key, uint32_t hash)
{
    size_t mask = batch->table_size - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &batch->table[i];
        if (*slot == 0) {
            return slot;
        }
        const struct batch_entry *entry = &batch->entries[*slot - 1];
        if (entry->hash == hash && slice_equal(entry_key(entry), key)) {
            return slot;
        }
    }
}

/* Makes room for one entry more, with the table at most half full. */
static bool grow(struct batch *batch)
{
    size_t table_size = batch->table_size > 0 ? batch->table_size * 2 : TABLE_SIZE_MIN;
    size_t capacity = table_size / 2;

    if (batch->count < batch->capacity) {
        return true;
    }
    struct batch_entry *entries = realloc(batch->entries, capacity * sizeof *entries);
    if (!entries) {
        return false;
    }
    batch->entries = entries;
    uint32_t *table = calloc(table_size, sizeof *table);
    if (!table) {
        return false;
    }
    free(batch->table);
    batch->table = table;
    batch->table_size = table_size;
    batch->capacity = capacity;
    for (size_t i = 0; i < batch->count; i++) {
        *find_slot(batch, entry_key(&entries[i]), entries[i].hash) = (uint32_t)i + 1;
    }
    return true;
}

enum status batch_touch(struct batch *batch, struct slice key, size_t *ret_index)
{
    assert(batch->engine);
    assert(key.size > 0);

    uint32_t hash = fnv32(key);
    if (!grow(batch)) {
        return STATUS_NO_MEMORY;
    }
    uint32_t *slot = find_slot(batch, key, hash);
    if (*slot == 0) {
        uint8_t *copy = malloc(key.size);
        if (!copy) {
            return STATUS_NO_MEMORY;
        }
        memcpy(copy, key.data, key.size);
        batch->entries[batch->count++] =
            (struct batch_entry){.key = copy, .key_size = key.size, .hash = hash};
        *slot = (uint32_t)batch->count;
    }
    *ret_index = *slot - 1;
    return STATUS_OK;
}

/* Finds the entry; ret_value gets the engine's bytes if they were not read before, in which
 * case the entry is left unknown for the caller to fill in. */
static enum status load(struct batch *batch, struct slice key, size_t *ret_index,
                        struct slice *ret_value)
{
    enum status status = batch_touch(batch, key, ret_index);

    if (status != STATUS_OK) {
        return status;
    }
    struct batch_entry *entry = &batch->entries[*ret_index];
    batch->has_read_pending = batch->has_read_pending || entry->is_pending;
    if (entry->is_known) {
        return STATUS_OK;
    }
    buffer_reset(&batch->value);
    batch->value.failed = false;
    status = batch->engine->operations->get(batch->engine, key, &batch->value);
    if (status == STATUS_NOT_FOUND) {
        entry->is_known = true;
        return STATUS_OK;
    }
    *ret_value = buffer_slice(&batch->value);
    return status;
}

static struct batch_entry *entry_at(const struct batch *batch, size_t index)
{
    assert(index < batch->count);
    return &batch->entries[index];
}

void batch_note_damage(struct batch *batch, size_t index, const char *what)
{
    layout_describe(entry_key(entry_at(batch, index)), what, batch->damage);
}

enum status batch_load_object(struct batch *batch, struct slice key, size_t *ret_index)
{
    struct slice value = {0};
    size_t index = 0;
    enum status status = load(batch, key, &index, &value);

    if (status != STATUS_OK) {
        return status;
    }
    struct batch_entry *entry = &batch->entries[index];
    if (!entry->is_known) {
        status = record_decode(value, &entry->object);
        if (status == STATUS_NO_MEMORY) {
            return status;
        }
        if (status != STATUS_OK) {
            batch_note_damage(batch, index, "unreadable record");
            return STATUS_CORRUPT;
        }
        entry->is_known = true;
    }
    *ret_index = index;
    return STATUS_OK;
}

enum status batch_assume_none(struct batch *batch, struct slice key, size_t *ret_index)
{
    enum status status = batch_touch(batch, key, ret_index);

    if (status == STATUS_OK) {
        assert(!batch->entries[*ret_index].is_pending);
        batch->entries[*ret_index].is_known = true;
    }
    return status;
}

enum status batch_load_stamp(struct batch *batch, struct slice key, size_t *ret_index)
{
    struct slice value = {0};
    size_t index = 0;
    enum status status = load(batch, key, &index, &value);

    if (status != STATUS_OK) {
        return status;
    }
    struct batch_entry *entry = &batch->entries[index];
    if (!entry->is_known) {
        if (!number_decode(value, &entry->stamp)) {
            return STATUS_CORRUPT;
        }
        entry->has_stamp = true;
        entry->is_known = true;
    }
    *ret_index = index;
    return STATUS_OK;
}

struct object *batch_object(const struct batch *batch, size_t index)
{
    assert(entry_at(batch, index)->is_known);
    return entry_at(batch, index)->object;
}

bool batch_stamp(const struct batch *batch, size_t index, uint64_t *ret_stamp)
{
    const struct batch_entry *entry = entry_at(batch, index);

    assert(entry->is_known);
    if (entry->has_stamp) {
        *ret_stamp = entry->stamp;
    }
    return entry->has_stamp;
}

bool batch_is_pending(const struct batch *batch, size_t index)
{
    return entry_at(batch, index)->is_pending;
}

static void set(struct batch_entry *entry, struct object *object, bool has_stamp,
                uint64_t stamp)
{
    object_ref(object);
    if (entry->is_pending) {
        object_unref(entry->object);
    } else {
        object_unref(entry->before);
        entry->before = entry->object;
    }
    entry->object = object;
    entry->has_stamp = has_stamp;
    entry->stamp = stamp;
    entry->is_known = true;
    entry->is_pending = true;
}

void batch_set_object(struct batch *batch, size_t index, struct object *object)
{
    assert(object);
    set(entry_at(batch, index), object, false, 0);
}

void batch_set_stamp(struct batch *batch, size_t index, uint64_t stamp)
{
    set(entry_at(batch, index), NULL, true, stamp);
}

void batch_delete(struct batch *batch, size_t index)
{
    set(entry_at(batch, index), NULL, false, 0);
}

static void encode_value(const struct batch_entry *entry, struct buffer *values)
{
    uint8_t number[NUMBER_SIZE];

    if (entry->object) {
        record_encode(entry->object, true, values);
    } else if (entry->has_stamp) {
        number_encode(entry->stamp, number);
        buffer_append(values, number, sizeof number);
    }
}

/* Fills `writes` from the pending entries; their values go to `values`. Returns the count. */
static size_t gather(const struct batch *batch, struct engine_write *writes,
                     struct buffer *values)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_entry *entry = &batch->entries[i];
        size_t start = values->size;

        if (!entry->is_pending) {
            continue;
        }
        encode_value(entry, values);
        writes[count++] = (struct engine_write){
            .key = entry_key(entry),
            .value = {.data = NULL, .size = values->size - start},
            .is_delete = !entry->object && !entry->has_stamp,
        };
    }
    /* The buffer has stopped moving: now the values have addresses. */
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        if (writes[i].value.size > 0) {
            writes[i].value.data = values->data + start;
            start += writes[i].value.size;
        }
    }
    return count;
}

/* What the pending entries change about the trees. */
static enum status gather_changes(const struct batch *batch, struct tree_changes *changes)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < batch->count && batch->trees && status == STATUS_OK; i++) {
        const struct batch_entry *entry = &batch->entries[i];
        bool is_record = entry->key[0] == 'o' || entry->key[0] == 'r';

        if (entry->is_pending && is_record) {
            status = tree_changes_add(changes, batch->trees, entry_key(entry), entry->before,
                                      entry->object);
        }
    }
    return status;
}

/* Writes all that is pending. */
static enum status write_pending(struct batch *batch, struct tree_changes *changes, bool sync)
{
    struct buffer values = {0};
    struct engine_write *writes = calloc(batch->count + changes->count, sizeof *writes);
    enum status status = STATUS_NO_MEMORY;

    if (!writes) {
        return STATUS_NO_MEMORY;
    }
    size_t count = gather(batch, writes, &values);
    if (values.failed) {
        goto out;
    }
    tree_changes_encode(changes, batch->trees, &writes[count]);
    count += changes->count;
    status = count == 0 ? STATUS_OK
                        : batch->engine->operations->write(batch->engine, writes, count, sync);
out:
    buffer_release(&values);
    free(writes);
    return status;
}

enum status batch_commit(struct batch *batch, bool sync)
{
    assert(batch->engine);

    struct tree_changes changes = {0};

    if (batch->count == 0) {
        return STATUS_OK;
    }
    enum status status = gather_changes(batch, &changes);
    if (status == STATUS_OK) {
        status = write_pending(batch, &changes, sync);
    }
    if (status == STATUS_OK) {
        tree_changes_carry_out(&changes, batch->trees);
    }
    tree_changes_release(&changes);
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_entry *entry = &batch->entries[i];
        entry->is_pending = false;
        object_unref(entry->before);
        entry->before = NULL;
    }
    if (status != STATUS_OK) {
        batch_release(batch);
    }
    return status;
}

void batch_release(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        object_unref(batch->entries[i].object);
        object_unref(batch->entries[i].before);
        free(batch->entries[i].key);
    }
    free(batch->entries);
    free(batch->table);
    buffer_release(&batch->value);
    *batch = (struct batch){.engine = batch->engine, .trees = batch->trees};
}
