/*
 * fixture.c - a store on either engine, and requests in one line.
 */
#include "tests/store/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/wire/record.h"

enum fixture_kind fixture_kinds[2] = {FIXTURE_MEMORY, FIXTURE_LEVELDB};

void make_directory(char ret_path[64])
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(ret_path, 64, "%.40s/dynamofs-store-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(ret_path));
}

static int on_entry(const char *path, const struct stat *information, int type,
                    struct FTW *position)
{
    (void)information;
    (void)type;
    (void)position;
    return remove(path);
}

void remove_tree(const char *path)
{
    assert_int_equal(nftw(path, on_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const struct ring *fixture_ring(uint16_t member_count)
{
    static struct ring ring;
    struct member members[8] = {0};

    assert_true(member_count >= 1 && member_count <= 8);
    for (uint16_t i = 0; i < member_count; i++) {
        members[i].id = FIXTURE_NODE + i;
        (void)snprintf(members[i].address, ADDRESS_SIZE, "127.0.0.1:%u", 7450U + i);
    }
    assert_int_equal(
        ring_create(99, FIXTURE_PARTITIONS, REPLICAS_DEFAULT, members, member_count, &ring),
        STATUS_OK);
    return &ring;
}

static void begin_state(struct fixture *fixture)
{
    struct error error = {0};

    spy_engine_init(&fixture->spy, fixture->disk);
    if (store_state_open(&fixture->state, &fixture->spy.base, FIXTURE_NODE, fixture->wall_us,
                         &fixture->identity, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

static void open_disk(struct fixture *fixture)
{
    struct error error = {0};

    if (fixture->kind == FIXTURE_MEMORY) {
        assert_int_equal(engine_open_memory(&fixture->disk), STATUS_OK);
        return;
    }
    if (engine_open_leveldb(fixture->directory, &fixture->disk, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
}

void fixture_open(struct fixture *fixture, enum fixture_kind kind, const char *directory)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->kind = kind;
    fixture->wall_us = FIXTURE_WALL_US;
    (void)snprintf(fixture->directory, sizeof fixture->directory, "%s", directory);
    open_disk(fixture);
    begin_state(fixture);
}

void fixture_restart(struct fixture *fixture, bool clean)
{
    if (clean) {
        assert_int_equal(store_state_close(&fixture->state), STATUS_OK);
    }
    store_state_release(&fixture->state);
    if (fixture->kind == FIXTURE_LEVELDB) {
        fixture->disk->operations->close(fixture->disk);
        open_disk(fixture);
    }
    begin_state(fixture);
    /* As the only member of its ring does. */
    assert_int_equal(store_state_trust(&fixture->state, 0), STATUS_OK);
}

void fixture_close(struct fixture *fixture)
{
    store_state_release(&fixture->state);
    fixture->disk->operations->close(fixture->disk);
}

int fixture_setup(void **state)
{
    enum fixture_kind kind = *(enum fixture_kind *)*state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct store_request request = plain_request(STORE_SAVE_RING);
    char directory[64] = "";

    assert_non_null(fixture);
    if (kind == FIXTURE_LEVELDB) {
        make_directory(directory);
    }
    fixture_open(fixture, kind, directory);
    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(fixture, request, STATUS_OK);
    spy_engine_reset(&fixture->spy);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    if (fixture->kind == FIXTURE_LEVELDB) {
        remove_tree(fixture->directory);
    }
    free(fixture);
    return 0;
}

struct blob *key_of(const char *text)
{
    struct blob *blob = blob_new(slice_of_string(text));

    assert_non_null(blob);
    return blob;
}

void fill_noise(uint64_t *random, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        bytes[i] = (uint8_t)(*random >> 32);
    }
}

struct store_request plain_request(enum store_operation operation)
{
    static uint64_t tokens;

    return (struct store_request){.operation = operation, .token = ++tokens};
}

static struct store_request key_request(enum store_operation operation, const char *key)
{
    struct store_request request = plain_request(operation);

    request.key = key_of(key);
    return request;
}

struct store_request get_request(const char *key)
{
    return key_request(STORE_GET, key);
}

static struct message_put *put_of(const char *key, enum update_mode mode)
{
    struct message_put *put = calloc(1, sizeof *put);

    assert_non_null(put);
    put->key = key_of(key);
    put->mode = mode;
    return put;
}

struct store_request put_request(const char *key, const struct object *seen,
                                 const char *content)
{
    static uint64_t write_ids;
    struct store_request request = key_request(STORE_COORDINATE, key);
    struct message_put *put = put_of(key, UPDATE_ALL);

    request.coordinate.put = put;
    request.coordinate.with_row = true;
    request.coordinate.with_intent = true;
    if (seen) {
        size_t size = seen->clock.count * sizeof *put->context;
        put->context_count = seen->clock.count;
        put->context = malloc(size);
        assert_non_null(put->context);
        memcpy(put->context, seen->clock.pair, size);
    }
    if (content) {
        bool is_directory = key_is_directory(slice_of_string(key));
        put->has_value = true;
        put->value.attributes.type = is_directory ? VERSION_DIRECTORY : VERSION_FILE;
        put->value.attributes.mode = 0644;
        put->value.content = key_of(content);
        write_ids++;
        memcpy(put->value.write_id, &write_ids, sizeof write_ids);
    }
    return request;
}

struct store_request none_request(const char *key)
{
    struct store_request request = key_request(STORE_COORDINATE, key);

    request.coordinate.put = put_of(key, UPDATE_NONE);
    request.coordinate.with_row = true;
    return request;
}

struct store_request merge_request(const char *key, struct object *object, uint8_t parts)
{
    struct store_request request = key_request(STORE_MERGE, key);

    request.merge.object = object;
    request.merge.parts = parts;
    return request;
}

struct store_request list_request(const char *directory, uint16_t limit)
{
    struct store_request request = key_request(STORE_LIST, directory);

    request.list.limit = limit;
    return request;
}

struct store_request find_request(const char *directory, const char *after)
{
    struct store_request request = key_request(STORE_FIND_LIVE_ROW, directory);

    request.list.start = !after ? NULL : key_of(after);
    return request;
}

struct store_request intents_request(enum intent_kind kind)
{
    struct store_request request = plain_request(STORE_LIST_INTENTS);

    request.list_intents.kind = kind;
    request.list_intents.limit = 1000;
    request.list_intents.stamp_max = UINT64_MAX;
    return request;
}

struct store_request clear_request(enum intent_kind kind, const char *key, uint64_t stamp)
{
    struct store_request request = plain_request(STORE_CLEAR_INTENTS);

    request.clear_intents.intents = calloc(1, sizeof *request.clear_intents.intents);
    assert_non_null(request.clear_intents.intents);
    request.clear_intents.intents[0] =
        (struct intent){.kind = kind, .key = key_of(key), .stamp = stamp};
    request.clear_intents.count = 1;
    return request;
}

void apply_group(struct fixture *fixture, struct store_request *requests, size_t count,
                 struct store_result *ret_results)
{
    for (size_t i = 0; i < count; i++) {
        requests[i].wall_us = fixture->wall_us;
    }
    store_apply(&fixture->state, requests, count, ret_results);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ret_results[i].operation, requests[i].operation);
        assert_int_equal(ret_results[i].token, requests[i].token);
        store_request_release(&requests[i]);
    }
}

struct store_result apply(struct fixture *fixture, struct store_request request)
{
    struct store_result result;

    apply_group(fixture, &request, 1, &result);
    return result;
}

void apply_expect(struct fixture *fixture, struct store_request request, enum status status)
{
    struct store_result result = apply(fixture, request);

    assert_string_equal(status_name(result.status), status_name(status));
    store_result_release(&result);
}

struct object *object_of(node_id node, uint64_t counter, const char *content)
{
    struct dot dot = {.actor = {.node = node, .birth = 1}, .counter = counter};
    struct clock clock = {.count = 1, .pair = &dot};
    struct version version = {.dot = dot};
    struct object *object = NULL;

    if (content) {
        version.content = key_of(content);
        version.attributes.type = VERSION_FILE;
        version.attributes.mode = 0644;
        version.attributes.size = strlen(content);
        content_hash(slice_of_string(content), version.content_hash);
    }
    assert_int_equal(object_new(&clock, &version, !content ? 0 : 1, (struct actor){0}, &object),
                     STATUS_OK);
    blob_unref(version.content);
    return object;
}

struct object *stored_object(struct fixture *fixture, const char *key)
{
    struct store_result result = apply(fixture, get_request(key));
    struct object *object = object_ref(result.object);

    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
    return object;
}

struct object *stored_row(struct fixture *fixture, const char *directory, const char *name)
{
    struct store_request request = list_request(directory, ROWS_MAX);
    struct object *row = NULL;

    request.list.start = key_of(name);
    request.list.end = key_of(name);
    struct store_result result = apply(fixture, request);
    assert_int_equal(result.status, STATUS_OK);
    if (result.list.row_count > 0) {
        assert_int_equal(message_open_row(&result.list.rows[0]), STATUS_OK);
        row = object_ref(result.list.rows[0].object);
    }
    store_result_release(&result);
    return row;
}

uint64_t stored_intent(struct fixture *fixture, enum intent_kind kind, const char *key)
{
    struct store_result result = apply(fixture, intents_request(kind));
    uint64_t stamp = 0;

    assert_int_equal(result.status, STATUS_OK);
    for (size_t i = 0; i < result.intents.count; i++) {
        assert_int_equal(result.intents.intent[i].kind, kind);
        if (slice_equal(blob_slice(result.intents.intent[i].key), slice_of_string(key))) {
            stamp = result.intents.intent[i].stamp;
        }
    }
    store_result_release(&result);
    return stamp;
}

void assert_content(const struct object *object, const char *content)
{
    assert_non_null(object);
    assert_int_equal(object->version_count, 1);
    assert_true(slice_equal(blob_slice(object->versions[0].content), slice_of_string(content)));
}
