/*
 * collector_fixture.c - see collector_fixture.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collector_fixture.h"

uint64_t clock_us;
struct fixture *current;
static const struct kv_options options;

static uint64_t now_us(void)
{
    return clock_us;
}

/* The heads of the other 255 shards are listed too: those calls do not count. */
static bool concerns_set(struct slice key)
{
    struct buffer shard = {0};

    block_key_shard(&shard, current->set.byte[0]);
    bool is_other =
        key.size == shard.size && key.data[0] == '/' && !slice_equal(key, buffer_slice(&shard));
    buffer_release(&shard);
    return !is_other;
}

static bool fails(struct probe *probe, struct slice key, bool is_list)
{
    if (!concerns_set(key)) {
        return false;
    }
    if (probe->before) {
        probe->before(probe, key, is_list);
    }
    bool is_next = probe->calls++ == probe->fail_at;
    return is_next || slice_equal(key, probe->fails_always);
}

static struct probe *probe_of(struct kv *kv)
{
    return (struct probe *)kv;
}

static enum status probe_get(struct kv *kv, struct slice key, const struct kv_options *asked,
                             struct object **ret_object, uint64_t *ret_names_us)
{
    struct probe *probe = probe_of(kv);
    /* All but a block, which tells itself whether it is right, is to be read from everybody. */
    assert_true(asked->r == REPLICAS_MAX || asked->r == 1);
    return fails(probe, key, false) ? probe->failure
                                    : probe->inner->operations->get(probe->inner, key, asked,
                                                                    ret_object, ret_names_us);
}

static enum status probe_put(struct kv *kv, const struct kv_put *put,
                             const struct kv_options *asked, struct object **ret_row)
{
    struct probe *probe = probe_of(kv);
    if (fails(probe, put->key, false)) {
        return probe->failure;
    }
    probe->puts++;
    return probe->inner->operations->put(probe->inner, put, asked, ret_row);
}

static enum status probe_list(struct kv *kv, const struct kv_list *list,
                              const struct kv_options *asked, struct kv_rows *ret_rows)
{
    struct probe *probe = probe_of(kv);
    assert_int_equal(asked->r, REPLICAS_MAX);
    return fails(probe, list->directory, true)
               ? probe->failure
               : probe->inner->operations->list(probe->inner, list, asked, ret_rows);
}

static enum status probe_settled(struct kv *kv, const struct kv_options *asked,
                                 struct error *ret_why)
{
    struct probe *probe = probe_of(kv);
    (void)asked;
    probe->asked++;
    if (probe->settle) {
        probe->settle(probe);
    }
    *ret_why = (struct error){.code = probe->unsettled, .text = "somebody is away"};
    return probe->unsettled;
}

static const struct kv_operations probe_operations = {
    .get = probe_get, .put = probe_put, .list = probe_list, .settled = probe_settled};

void start_collector(struct fixture *fixture, size_t marks_max)
{
    struct collector_options wanted = {.kv = &fixture->probe.kv,
                                       .grace_us = GRACE_US,
                                       .marks_max = marks_max,
                                       .now_us = now_us};
    collector_free(fixture->collector);
    fixture->collector = collector_new(&wanted);
    assert_non_null(fixture->collector);
}

int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    current = fixture;
    clock_us = 1;
    assert_int_equal(kv_open_memory(&fixture->kv), STATUS_OK);
    fixture->probe =
        (struct probe){.kv.operations = &probe_operations, .inner = fixture->kv, .fail_at = -1};
    start_collector(fixture, 0);
    assert_int_equal(block_set_new(&fixture->set), STATUS_OK);
    *state = fixture;
    return 0;
}

int end(void **state)
{
    struct fixture *fixture = *state;

    collector_free(fixture->collector);
    kv_close(fixture->kv);
    free(fixture);
    return 0;
}

/* --- writers --- */

struct block_entry store(struct fixture *fixture, uint32_t index, struct slice content)
{
    struct block_place place = {.set = fixture->set, .index = index};
    struct block_entry entry;
    struct blob *blob = blob_new(content);

    assert_int_equal(block_set_announce(fixture->kv, &fixture->set, 0, &options), STATUS_OK);
    assert_int_equal(
        block_set_announce(fixture->kv, &fixture->set, index / STRIPE_BLOCKS, &options),
        STATUS_OK);
    assert_int_equal(block_put(fixture->kv, &place, blob, &options, &entry), STATUS_OK);
    blob_unref(blob);
    return entry;
}

void store_blocks(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fixture->entries[i] = store(fixture, i, slice_of_string("block"));
    }
}

struct blob *manifest_of(struct fixture *fixture, const struct block_entry *entries,
                         uint32_t count, uint64_t size)
{
    struct manifest manifest = {.set = fixture->set,
                                .size = size,
                                .entries = slice_of(entries, (size_t)count * BLOCK_ENTRY_SIZE)};
    struct buffer bytes = {0};

    manifest_append(&bytes, &manifest);
    struct blob *blob = blob_new(buffer_slice(&bytes));
    buffer_release(&bytes);
    assert_non_null(blob);
    return blob;
}

void hold(struct fixture *fixture)
{
    static const uint8_t holder[BLOCK_ID_SIZE] = {1};

    assert_int_equal(block_set_hold(fixture->kv, &fixture->set, holder, &options), STATUS_OK);
}

void note_path(struct fixture *fixture, const char *path)
{
    assert_int_equal(
        block_set_name(fixture->kv, &fixture->set, slice_of_string(path), &options), STATUS_OK);
}

/* Puts a version over all that is there, or beside it. */
void put_content(struct fixture *fixture, const char *path, struct blob *content, uint64_t size,
                 bool beside)
{
    struct object *seen = NULL;
    struct version value = {.attributes = {.type = VERSION_LARGE_FILE, .size = size},
                            .content = content};
    struct kv_put put = {.key = slice_of_string(path), .mode = UPDATE_ALL, .value = &value};
    enum status status = kv_get(fixture->kv, put.key, &options, &seen);

    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    if (seen && !beside) {
        put.context = seen->clock;
    }
    assert_int_equal(kv_put(fixture->kv, &put, &options, NULL), STATUS_OK);
    object_unref(seen);
    blob_unref(content);
}

void put_blocks(struct fixture *fixture, const char *path, const struct block_entry *entries,
                uint32_t count, bool beside)
{
    uint64_t size = (uint64_t)count * BLOCK_SIZE;

    put_content(fixture, path, manifest_of(fixture, entries, count, size), size, beside);
}

void write_file(struct fixture *fixture, const char *path, const struct block_entry *entries,
                uint32_t count)
{
    note_path(fixture, path);
    put_blocks(fixture, path, entries, count, false);
}

void remove_key(struct fixture *fixture, struct slice key)
{
    struct object *seen = NULL;

    assert_int_equal(kv_get(fixture->kv, key, &options, &seen), STATUS_OK);
    struct kv_put put = {.key = key, .mode = UPDATE_ALL, .context = seen->clock};
    assert_int_equal(kv_put(fixture->kv, &put, &options, NULL), STATUS_OK);
    object_unref(seen);
}

void remove_file(struct fixture *fixture, const char *path)
{
    remove_key(fixture, slice_of_string(path));
}

bool has_key(struct fixture *fixture, const struct buffer *key)
{
    struct object *object = NULL;
    enum status status = kv_get(fixture->kv, buffer_slice(key), &options, &object);

    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    object_unref(object);
    return status == STATUS_OK;
}

bool has_block_at(struct fixture *fixture, uint32_t index, struct block_entry entry)
{
    struct buffer key = {0};

    block_key_block(&key, &fixture->set, index, &entry);
    bool has = has_key(fixture, &key);
    buffer_release(&key);
    return has;
}

bool has_block(struct fixture *fixture, uint32_t index)
{
    return has_block_at(fixture, index, fixture->entries[index]);
}

bool has_note(struct fixture *fixture, const char *path)
{
    struct buffer key = {0};

    block_key_path(&key, &fixture->set, slice_of_string(path));
    bool has = has_key(fixture, &key);
    buffer_release(&key);
    return has;
}

bool has_head(struct fixture *fixture)
{
    struct buffer key = {0};

    block_key_head(&key, &fixture->set);
    bool has = has_key(fixture, &key);
    buffer_release(&key);
    return has;
}

struct block_entry write_mapped(struct fixture *fixture, const char *path,
                                struct block_entry *ret_block)
{
    uint64_t size = (uint64_t)2 * MAP_BLOCKS * BLOCK_SIZE;
    struct block_entry of_map[2] = {0};
    struct block_entry of_file[2] = {0};

    of_map[1] = store(fixture, MAP_BLOCKS + 1, slice_of_string("block"));
    of_file[1] = store(fixture, MAP_BLOCKS, slice_of(of_map, sizeof of_map));
    note_path(fixture, path);
    put_content(fixture, path, manifest_of(fixture, of_file, 2, size), size, false);
    *ret_block = of_map[1];
    return of_file[1];
}

/* --- passes --- */

unsigned pass(struct fixture *fixture)
{
    unsigned failed = 0;
    bool is_over = false;

    fixture->probe.calls = 0;
    fixture->probe.puts = 0;
    fixture->probe.step = 0;
    fixture->probe.asked = 0;
    while (!is_over) {
        failed += collector_step(fixture->collector, &is_over) != STATUS_OK ? 1 : 0;
    }
    return failed;
}

void good_pass(struct fixture *fixture)
{
    assert_int_equal(pass(fixture), 0);
}

void grace_passes(void)
{
    clock_us += GRACE_US;
}

void collect(struct fixture *fixture)
{
    good_pass(fixture);
    grace_passes();
    good_pass(fixture);
}

const struct collector_stats *stats(const struct fixture *fixture)
{
    return collector_stats(fixture->collector);
}
