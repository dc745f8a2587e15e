/*
 * house.c - a store with hints, and requests about hints in one line.
 */
#include "tests/store/house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void house_close_hints(struct house *house)
{
    hint_store_release(&house->fixture->state);
    house->disk->operations->close(house->disk);
    house->disk = NULL;
}

enum status house_open_hints(struct house *house, struct error *error)
{
    char path[80];

    *error = (struct error){0};
    (void)snprintf(path, sizeof path, "%s/hints", house->fixture->directory);
    if (!house->disk && house->fixture->kind == FIXTURE_MEMORY) {
        assert_int_equal(engine_open_memory(&house->disk), STATUS_OK);
    } else if (!house->disk) {
        enum status status = engine_open_leveldb(path, &house->disk, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    spy_engine_init(&house->spy, house->disk);
    return store_hints_open(&house->fixture->state, &house->spy.base, error);
}

static void open_or_fail(struct house *house)
{
    struct error error;

    if (house_open_hints(house, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    spy_engine_reset(&house->spy);
    spy_engine_reset(&house->fixture->spy);
}

int house_setup(void **state)
{
    struct house *house = calloc(1, sizeof *house);

    assert_non_null(house);
    int result = fixture_setup(state);
    house->fixture = *state;
    open_or_fail(house);
    *state = house;
    return result;
}

int house_teardown(void **state)
{
    struct house *house = *state;

    if (house->disk) {
        house_close_hints(house);
    }
    *state = house->fixture;
    free(house);
    return fixture_teardown(state);
}

void house_restart(struct house *house, bool clean)
{
    fixture_restart(house->fixture, clean);
    if (house->fixture->kind == FIXTURE_LEVELDB) {
        house_close_hints(house);
    }
    open_or_fail(house);
}

struct store_request for_owners(struct store_request request, node_id owner, node_id other)
{
    struct owner_list owners = {.id = {owner, other}, .count = other == 0 ? 1 : 2};

    if (request.operation == STORE_GET) {
        request.operation = STORE_GET_HINTS;
        request.get_hints.owners = owners;
    } else {
        assert_int_equal(request.operation, STORE_COORDINATE);
        request.operation = STORE_COORDINATE_HINT;
        request.coordinate.owners = owners;
    }
    return request;
}

struct store_request hint_request(const char *key, struct object *object, node_id owner,
                                  node_id other)
{
    struct store_request request = plain_request(STORE_HINT);

    request.key = key_of(key);
    request.hint.object = object;
    request.hint.owners =
        (struct owner_list){.id = {owner, other}, .count = other == 0 ? 1 : 2};
    return request;
}

struct store_request fallback_request(const char *key, const struct object *seen,
                                      const char *content, node_id owner, node_id other)
{
    struct store_request request = put_request(key, seen, content);

    request.coordinate.with_row = false;
    request.coordinate.with_intent = false;
    return for_owners(request, owner, other);
}

struct store_request list_hints_request(node_id owner, uint16_t limit)
{
    struct store_request request = plain_request(STORE_LIST_HINTS);

    request.list_hints.owner = owner;
    request.list_hints.limit = limit;
    return request;
}

struct store_request clear_hint_request(node_id owner, enum hint_kind kind, const char *key,
                                        uint64_t stamp)
{
    struct store_request request = plain_request(STORE_CLEAR_HINTS);

    request.clear_hints.hints = calloc(1, sizeof *request.clear_hints.hints);
    assert_non_null(request.clear_hints.hints);
    request.clear_hints.hints[0] =
        (struct hint){.owner = owner, .kind = kind, .key = key_of(key), .stamp = stamp};
    request.clear_hints.count = 1;
    return request;
}

struct hint stored_hint_of(struct house *house, node_id owner, enum hint_kind kind,
                           const char *key)
{
    struct store_result result = apply(house->fixture, list_hints_request(owner, 1000));
    struct hint found = {0};

    assert_string_equal(status_name(result.status), "ok");
    for (size_t i = 0; i < result.hints.count; i++) {
        const struct hint *hint = &result.hints.hint[i];
        assert_int_equal(hint->owner, owner);
        assert_true((hint->object != NULL) == (hint->kind == HINT_OBJECT));
        if (hint->kind == kind && slice_equal(blob_slice(hint->key), slice_of_string(key))) {
            found = *hint;
            found.key = NULL;
            object_ref(found.object);
        }
    }
    store_result_release(&result);
    return found;
}

uint64_t stored_stamp(struct house *house, node_id owner, enum hint_kind kind, const char *key)
{
    struct hint hint = stored_hint_of(house, owner, kind, key);

    object_unref(hint.object);
    return hint.stamp;
}

struct hint_owner stored_owner(struct house *house, node_id owner)
{
    struct store_result result = apply(house->fixture, plain_request(STORE_HINT_OWNERS));
    struct hint_owner found = {0};

    assert_string_equal(status_name(result.status), "ok");
    for (size_t i = 0; i < result.owners.count; i++) {
        assert_true(i == 0 || result.owners.owner[i - 1].owner < result.owners.owner[i].owner);
        if (result.owners.owner[i].owner == owner) {
            found = result.owners.owner[i];
        }
    }
    store_result_release(&result);
    return found;
}

size_t count_hints(struct house *house, node_id owner)
{
    struct store_request request = list_hints_request(owner, 7);
    size_t count = 0;
    bool more = true;

    while (more) {
        struct store_result result = apply(house->fixture, request);
        assert_string_equal(status_name(result.status), "ok");
        more = result.hints.more;
        count += result.hints.count;
        request = list_hints_request(owner, 7);
        if (more) {
            assert_true(result.hints.count > 0);
            const struct hint *last = &result.hints.hint[result.hints.count - 1];
            request.list_hints.kind = last->kind;
            request.key = blob_ref(last->key);
        }
        store_result_release(&result);
    }
    store_request_release(&request);
    return count;
}

bool has_any_hint(struct house *house, const char *key)
{
    bool any = false;

    assert_int_equal(hints_any_for_key(&house->fixture->state, slice_of_string(key), &any),
                     STATUS_OK);
    return any;
}

void overwrite_hint(struct house *house, node_id owner, enum hint_kind kind, const char *key,
                    struct slice bytes)
{
    uint8_t hint_key[64] = {0};
    size_t size = strlen(key);

    assert_true(owner < 256 && size < sizeof hint_key - 9);
    hint_key[7] = (uint8_t)owner;
    hint_key[8] = (uint8_t)kind;
    memcpy(hint_key + 9, key, size);
    struct engine_write write = {.key = slice_of(hint_key, size + 9), .value = bytes};
    assert_int_equal(house->disk->operations->write(house->disk, &write, 1, false), STATUS_OK);
}

void house_keep(struct house *house, const char *key, const char *content, node_id owner)
{
    struct object *object = !content ? NULL : object_of(3, 10, content);

    apply_expect(house->fixture, hint_request(key, object, owner, 0), STATUS_OK);
}

void house_drop(struct house *house, node_id owner, enum hint_kind kind, const char *key)
{
    uint64_t stamp = stored_stamp(house, owner, kind, key);

    assert_true(stamp != 0);
    apply_expect(house->fixture, clear_hint_request(owner, kind, key, stamp), STATUS_OK);
}
