/*
 * copies.c - the copies on each node's disk, looked at and changed behind the cores' backs.
 */
#include "tests/core/copies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/layout.h"
#include "node/wire/record.h"
#include "ring/preference_list.h"
#include "tests/core/ask.h"
#include "tests/ring/make.h"

static struct blob *blob_of(const char *text)
{
    return blob_new(slice_of_string(text));
}

static void apply(struct world *world, int node, struct store_request *request,
                  struct store_result *ret_result)
{
    store_apply(world_store(world, node), request, 1, ret_result);
    store_request_release(request);
}

void copy_write(struct world *world, int node, const char *key, const char *text, uint8_t parts)
{
    struct object *object = make_object(text, NULL);
    struct store_request request = {.operation = STORE_MERGE,
                                    .key = blob_of(key),
                                    .merge = {.object = object, .parts = parts}};
    if ((parts & REPLICA_OBJECT) == 0) {
        request.merge.object = object_project(object);
        object_unref(object);
    }
    struct store_result result = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
}

void copy_damage(struct world *world, int node, const char *key)
{
    struct store_state *store = world_store(world, node);
    struct store_request request = {.operation = STORE_GET, .key = blob_of(key)};
    struct store_result result = {0};
    struct buffer place = {0};
    struct buffer record = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    struct object *object = result.object;
    object->versions[object->version_count - 1].content_hash[0] ^= 1;
    layout_object(&place, store->partition_count, slice_of_string(key));
    record_encode(object, true, &record);
    struct engine_write write = {.key = buffer_slice(&place), .value = buffer_slice(&record)};
    assert_int_equal(store->engine->operations->write(store->engine, &write, 1, true),
                     STATUS_OK);
    buffer_release(&place);
    buffer_release(&record);
    store_result_release(&result);
}

static void print(const struct object *object, char *text, size_t size)
{
    char printed[MAKE_TEXT_SIZE];
    object_print(object, printed);
    assert_true(strlen(printed) < size);
    memcpy(text, printed, strlen(printed) + 1);
}

void copy_read(struct world *world, int node, const char *key, char *text, size_t size)
{
    struct store_request request = {.operation = STORE_GET, .key = blob_of(key)};
    struct store_result result = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    print(result.object, text, size);
    store_result_release(&result);
}

void copy_read_row(struct world *world, int node, const char *key, char *text, size_t size)
{
    struct slice whole = slice_of_string(key);
    struct store_request request = {.operation = STORE_LIST,
                                    .key = blob_new(key_directory(whole))};
    request.list.start = blob_new(key_name(whole));
    request.list.end = blob_ref(request.list.start);
    request.list.limit = 2;
    struct store_result result = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    print(NULL, text, size);
    for (uint16_t i = 0; i < result.list.row_count; i++) {
        struct row *row = &result.list.rows[i];
        if (row->kind == key_row_kind(whole)) {
            assert_int_equal(row->object ? STATUS_OK : message_open_row(row), STATUS_OK);
            print(row->object, text, size);
        }
    }
    store_result_release(&result);
}

void assert_copy(struct world *world, int node, const char *key, const char *expected)
{
    char text[512];
    copy_read(world, node, key, text, sizeof text);
    assert_string_equal(text, expected);
}

void assert_row(struct world *world, int node, const char *key, const char *expected)
{
    char text[512];
    copy_read_row(world, node, key, text, sizeof text);
    assert_string_equal(text, expected);
}

static const struct ring *any_ring(struct world *world)
{
    for (int i = 0; i < WORLD_NODES_MAX; i++) {
        if (world_core(world, i) && core_ring(world_core(world, i))) {
            return core_ring(world_core(world, i));
        }
    }
    fail_msg("no node has a ring");
    return NULL;
}

void copy_keep_hint(struct world *world, int node, int owner, const char *key, const char *text)
{
    const struct ring *ring = any_ring(world);
    int member = ring_find_address(ring, world_address(world, owner));
    assert_true(member >= 0);
    struct store_request request = {
        .operation = STORE_HINT,
        .key = blob_of(key),
        .hint = {.object = make_object(text, NULL),
                 .owners = {.id = {ring->members[member].id}, .count = 1}}};
    struct store_result result = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    store_result_release(&result);
}

static void read_tree(struct world *world, int node, uint16_t partition,
                      uint64_t ret_hash[MERKLE_BUCKETS])
{
    struct store_request request = {.operation = STORE_TREE,
                                    .tree = {.partition = partition, .bucket = MERKLE_BUCKETS}};
    struct store_result result = {0};
    apply(world, node, &request, &result);
    assert_int_equal(result.status, STATUS_OK);
    memcpy(ret_hash, result.hashes, MERKLE_BUCKETS * sizeof *ret_hash);
    store_result_release(&result);
}

bool trees_are_equal(struct world *world, int nodes)
{
    const struct ring *ring = any_ring(world);
    uint64_t first[MERKLE_BUCKETS];
    uint64_t hash[MERKLE_BUCKETS];
    for (uint16_t partition = 0; partition < ring->partition_count; partition++) {
        struct preference_list list;
        preference_list_build(ring, partition, &list);
        for (uint16_t i = 0; i < list.primary; i++) {
            int node = world_node_at(world, ring->members[list.member[i]].address);
            assert_true(node >= 0 && node < nodes);
            read_tree(world, node, partition, i == 0 ? first : hash);
            if (i > 0 && memcmp(first, hash, sizeof first) != 0) {
                return false;
            }
        }
    }
    return true;
}

void await_equal_trees(struct world *world, int nodes, uint64_t limit_us)
{
    for (uint64_t us = 0; us < limit_us && !trees_are_equal(world, nodes); us += 100000) {
        world_run(world, 100000);
    }
    assert_true(trees_are_equal(world, nodes));
}

int nodes_of_key(struct world *world, const char *key, int ret_nodes[WORLD_NODES_MAX])
{
    const struct ring *ring = any_ring(world);
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, slice_of_string(key)), &list);
    for (uint16_t i = 0; i < list.count; i++) {
        ret_nodes[i] = world_node_at(world, ring->members[list.member[i]].address);
    }
    return list.primary;
}

uint64_t node_figure(struct world *world, int node, const char *name)
{
    struct message message = {.type = MESSAGE_STATUS, .request_id = 1};
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply));
    assert_int_equal(reply.status, STATUS_OK);
    const struct statistic *found = NULL;
    for (uint16_t i = 0; i < reply.status_reply.stat_count; i++) {
        const struct statistic *stat = &reply.status_reply.stats[i];
        found = strcmp(stat->name, name) == 0 ? stat : found;
    }
    assert_non_null(found);
    uint64_t value = found->value;
    message_release(&reply);
    return value;
}

struct message_repair_reply ask_repair(struct world *world, int node, bool start)
{
    struct message message = {.type = MESSAGE_REPAIR, .request_id = 1};
    message.repair.start = start;
    struct message reply = {0};
    assert_true(world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply));
    assert_int_equal(reply.type, MESSAGE_REPAIR_REPLY);
    assert_int_equal(reply.status, STATUS_OK);
    struct message_repair_reply answer = reply.repair_reply;
    message_release(&reply);
    return answer;
}

void await_pass(struct world *world, int node)
{
    struct message_repair_reply reply = ask_repair(world, node, false);
    uint64_t wanted = reply.passes + (reply.is_running ? 2 : 1);
    reply = ask_repair(world, node, true);
    for (int i = 0; i < 600 && reply.passes < wanted; i++) {
        world_run(world, 100000);
        reply = ask_repair(world, node, false);
    }
    assert_true(reply.passes >= wanted);
}
