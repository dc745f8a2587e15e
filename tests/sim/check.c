/*
 * check.c - looks into the stores themselves.
 */
#include "tests/sim/check.h"

#include <assert.h>
#include <string.h>

#include "ring/preference_list.h"
#include "tests/sim/load.h"
#include "tests/sim/trees.h"

enum { SETTLE_STEP_US = 5000000, SETTLE_LIMIT_US = 180000000, DIRECTORIES_MAX = 16 };

struct store_result check_look(struct world *world, int node, struct store_request *request)
{
    struct store_result result = {0};
    store_apply(world_store(world, node), request, 1, &result);
    store_request_release(request);
    return result;
}

/* A replica's own copy; the caller unrefs it. False if it cannot be read. */
static bool read_object(struct world *world, int node, struct slice key,
                        struct object **ret_object)
{
    struct store_request request = {.operation = STORE_GET, .key = blob_new(key)};
    struct store_result result = check_look(world, node, &request);
    bool good = result.status == STATUS_OK;
    *ret_object = good ? object_ref(result.object) : NULL;
    store_result_release(&result);
    return good;
}

/* The row of an object's key. */
static bool read_row(struct world *world, int node, struct slice key,
                     struct object **ret_object)
{
    struct store_request request = {.operation = STORE_LIST,
                                    .key = blob_new(key_directory(key))};
    request.list.start = blob_new(key_name(key));
    request.list.end = blob_new(key_name(key));
    request.list.limit = 4;
    struct store_result result = check_look(world, node, &request);
    bool good = result.status == STATUS_OK;
    *ret_object = NULL;
    for (uint16_t i = 0; good && i < result.list.row_count; i++) {
        if (result.list.rows[i].kind == key_row_kind(key)) {
            good = message_open_row(&result.list.rows[i]) == STATUS_OK;
            *ret_object = good ? object_ref(result.list.rows[i].object) : NULL;
        }
    }
    store_result_release(&result);
    return good;
}

bool check_read(struct world *world, int node, struct slice key, bool is_row,
                struct object **ret_object)
{
    return (is_row ? read_row : read_object)(world, node, key, ret_object);
}

static const struct ring *ring_of(const struct check *check)
{
    int node = 0;
    while (!world_is_up(check->world, node) || !core_ring(world_core(check->world, node))) {
        node++; /* one that is away, or waits to be let in, has none */
    }
    return core_ring(world_core(check->world, node));
}

static bool is_primary(const struct check *check, int node, uint16_t partition)
{
    const struct ring *ring = ring_of(check);
    struct preference_list list;
    preference_list_build(ring, partition, &list);
    for (uint16_t i = 0; i < list.primary; i++) {
        const struct member *member = &ring->members[list.member[i]];
        if (strcmp(member->address, world_address(check->world, node)) == 0) {
            return true;
        }
    }
    return false;
}

static void say(struct check *check, const char *what, struct slice key)
{
    (void)snprintf(check->why, sizeof check->why, "%.*s: %s", (int)key.size,
                   (const char *)key.data, what);
}

bool check_is_primary(const struct check *check, int node, struct slice key)
{
    return is_primary(check, node, ring_partition(ring_of(check), key));
}

bool check_collect(struct check *check, struct slice key, bool is_row,
                   struct object **ret_merged)
{
    struct slice placed = is_row ? key_directory(key) : key;
    uint16_t partition = ring_partition(ring_of(check), placed);
    struct object *merged = NULL;
    bool is_first = true;
    bool good = true;
    for (int node = 0; good && node < check->nodes; node++) {
        if (!is_primary(check, node, partition)) {
            continue;
        }
        struct object *copy = NULL;
        if (!check_read(check->world, node, key, is_row, &copy)) {
            say(check, "a copy cannot be read", key);
            good = false;
        } else if (is_first) {
            merged = object_ref(copy);
            is_first = false;
        } else if (!object_equal(merged, copy)) {
            say(check, is_row ? "rows differ" : "replicas differ", key);
            good = false;
        }
        object_unref(copy);
    }
    if (!good) {
        object_unref(merged);
        merged = NULL;
    }
    *ret_merged = merged;
    return good;
}

static bool is_equal_everywhere(struct check *check, struct slice key)
{
    struct object *object = NULL;
    struct object *row = NULL;
    bool good = check_collect(check, key, false, &object) &&
                (key_is_root(key) || check_collect(check, key, true, &row));
    object_unref(object);
    object_unref(row);
    return good;
}

/* The keys of the load and all directories above them. */
static bool are_replicas_equal(struct check *check)
{
    for (int i = 0; i < check->keys; i++) {
        struct slice key = slice_of_string(load_key(i));
        if (!is_equal_everywhere(check, key)) {
            return false;
        }
        while (!key_is_root(key)) {
            key = key_directory(key);
            if (!is_equal_everywhere(check, key)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_node_done(struct check *check, int node)
{
    struct store_request owners = {.operation = STORE_HINT_OWNERS};
    struct store_result result = check_look(check->world, node, &owners);
    bool has_hints = result.status != STATUS_OK || result.owners.count > 0;
    if (has_hints) {
        (void)snprintf(check->why, sizeof check->why, "node %d keeps hints for %d members: %s",
                       node, result.owners.count, status_name(result.status));
    }
    store_result_release(&result);
    if (has_hints) {
        return false;
    }
    static const enum intent_kind kinds[] = {INTENT_ROW, INTENT_REVIVE};
    for (int i = 0; i < 2; i++) {
        struct store_request intents = {
            .operation = STORE_LIST_INTENTS,
            .list_intents = {.kind = kinds[i], .limit = 1, .stamp_max = UINT64_MAX}};
        result = check_look(check->world, node, &intents);
        bool is_done = result.status == STATUS_OK && result.intents.count == 0;
        if (!is_done) {
            (void)snprintf(check->why, sizeof check->why, "node %d keeps the intent %c of %.*s",
                           node, kinds[i],
                           result.intents.count ? (int)result.intents.intent[0].key->size : 0,
                           result.intents.count
                               ? (const char *)blob_slice(result.intents.intent[0].key).data
                               : "");
        }
        store_result_release(&result);
        if (!is_done) {
            return false;
        }
    }
    return true;
}

static bool are_trees_equal(struct check *check, uint16_t partition)
{
    uint64_t first[MERKLE_BUCKETS];
    bool is_first = true;
    bool good = true;
    for (int node = 0; good && node < check->nodes; node++) {
        if (!is_primary(check, node, partition)) {
            continue;
        }
        struct store_request request = {
            .operation = STORE_TREE,
            .tree = {.partition = partition, .bucket = MERKLE_BUCKETS}};
        struct store_result result = check_look(check->world, node, &request);
        if (result.status != STATUS_OK) {
            good = false;
        } else if (is_first) {
            memcpy(first, result.hashes, sizeof first);
            is_first = false;
        } else {
            good = memcmp(first, result.hashes, sizeof first) == 0;
        }
        store_result_release(&result);
    }
    if (!good) {
        (void)snprintf(check->why, sizeof check->why, "trees of partition %u differ",
                       partition);
    }
    for (int node = 0; good && node < check->nodes; node++) {
        good =
            !is_primary(check, node, partition) || tree_is_true(check->world, node, partition);
        if (!good) {
            (void)snprintf(check->why, sizeof check->why,
                           "node %d: the tree of partition %u is not that of its data", node,
                           partition);
        }
    }
    return good;
}

/* Asks as an operator would. */
static bool is_complete(struct check *check, int node)
{
    struct message message = {.type = MESSAGE_REPAIR, .request_id = 1};
    struct message reply = {0};
    bool is_answered =
        world_wait(check->world, world_ask(check->world, node, &message), 5000000, &reply) &&
        reply.type == MESSAGE_REPAIR_REPLY && reply.status == STATUS_OK;
    bool good = is_answered && reply.repair_reply.is_complete;
    message_release(&reply);
    if (!good) {
        (void)snprintf(check->why, sizeof check->why, "node %d is %s", node,
                       is_answered ? "incomplete" : "silent");
    }
    return good;
}

/* A row shows what its object holds: each live version, no other. Truncation at the object's
 * coordinator does not reach the row's replicas, which only merge; so the row's clock may know
 * more, never less. */
static bool row_matches(const struct object *row, const struct object *object)
{
    uint32_t shown = row ? row->version_count : 0;
    uint32_t held = object ? object->version_count : 0;
    for (uint32_t i = 0; shown == held && i < held; i++) {
        if (!dot_equal(row->versions[i].dot, object->versions[i].dot)) {
            return false;
        }
    }
    return shown == held && (!object || (row && clock_descends(&row->clock, &object->clock)));
}

/*
 * A row may know more than its object, never less: where truncation brought back a false
 * sibling of the object, for rows are not truncated; where a disk kept the row and lost the
 * object of a write that was nowhere else; and where so many disks failed that the W copies
 * were lost that an object has before its row goes to others.
 */
bool check_may_be_ahead(const struct check *check, const struct object *row)
{
    const struct demand *demand = &check->demand;
    bool has_failed = demand->power_failed || demand->disk_lost;
    bool is_exceeded = check->w <= demand->victims || demand->power_anywhere;
    return check->was_damaged || (has_failed && is_exceeded) ||
           (row && row->clock.count >= CLOCK_PAIRS_KEPT);
}

static bool is_row_right(struct check *check, struct slice key, const struct object *object,
                         const struct object *row)
{
    bool knows_all = !object || (row && clock_descends(&row->clock, &object->clock));
    bool good = check_may_be_ahead(check, row) ? knows_all : row_matches(row, object);
    if (!good) {
        say(check, "its row is not the projection of its object", key);
    }
    return good;
}

static bool is_row_of_right(struct check *check, struct slice key)
{
    struct object *object = NULL;
    struct object *row = NULL;
    bool good = check_collect(check, key, false, &object) &&
                check_collect(check, key, true, &row) && is_row_right(check, key, object, row);
    object_unref(object);
    object_unref(row);
    return good;
}

/* Those of the directories too. */
static bool are_rows_right(struct check *check)
{
    bool good = true;
    for (int i = 0; good && i < check->keys; i++) {
        struct slice key = slice_of_string(load_key(i));
        for (; good && !key_is_root(key); key = key_directory(key)) {
            good = is_row_of_right(check, key);
        }
    }
    return good;
}

/* Each replica's word on when a name in a directory appeared or vanished last is no less than
 * what its own rows say. A salvage may lose it; the other replicas know. */
static bool are_names_right(struct check *check)
{
    bool good = true;
    for (int i = 0; good && !check->was_damaged && i < check->keys * check->nodes; i++) {
        struct slice key = slice_of_string(load_key(i / check->nodes));
        int node = i % check->nodes;
        struct slice directory = key_directory(key);
        struct store_request request = {.operation = STORE_GET, .key = blob_new(directory)};
        if (!is_primary(check, node, ring_partition(ring_of(check), directory))) {
            store_request_release(&request);
            continue;
        }
        struct object *row = NULL;
        struct store_result result = check_look(check->world, node, &request);
        good = result.status == STATUS_OK && read_row(check->world, node, key, &row) &&
               result.names_us >= row_names_us(row);
        if (!good) {
            say(check, "its directory's times do not know of it", key);
        }
        object_unref(row);
        store_result_release(&result);
    }
    return good;
}

/* A live row has a live directory. */
static bool is_in_live_directory(struct check *check, struct slice key)
{
    struct object *row = NULL;
    struct object *directory = NULL;
    struct slice above = key_directory(key);
    bool good = check_collect(check, key, true, &row) &&
                (key_is_root(above) || !object_is_live(row) ||
                 (check_collect(check, above, false, &directory) && object_is_live(directory)));
    if (!good && row) {
        say(check, "its directory is gone", key);
    }
    object_unref(row);
    object_unref(directory);
    return good;
}

static bool are_directories_live(struct check *check)
{
    bool good = true;
    for (int i = 0; good && i < check->keys; i++) {
        struct slice key = slice_of_string(load_key(i));
        for (; good && !key_is_root(key); key = key_directory(key)) {
            good = is_in_live_directory(check, key);
        }
    }
    return good;
}

static bool is_settled(struct check *check)
{
    for (int node = 0; node < check->nodes; node++) {
        if (!is_complete(check, node) || !is_node_done(check, node)) {
            return false;
        }
    }
    if (!are_replicas_equal(check) || !are_rows_right(check) || !are_names_right(check) ||
        !are_directories_live(check)) {
        return false;
    }
    for (uint16_t i = 0; i < ring_of(check)->partition_count; i++) {
        if (!are_trees_equal(check, i)) {
            return false;
        }
    }
    return true;
}

bool check_settles(struct check *check)
{
    uint64_t end_us = world_now(check->world) + SETTLE_LIMIT_US;
    bool good = false;
    while (!good && world_now(check->world) < end_us) {
        world_run(check->world, SETTLE_STEP_US);
        good = is_settled(check);
        world_trace(check->world, -1, "%s", good ? "settled" : check->why);
    }
    return good;
}

bool check_history(struct check *check)
{
    bool good = true;
    for (int i = 0; good && i < check->keys; i++) {
        struct slice key = slice_of_string(load_key(i));
        struct object *object = NULL;
        good = check_collect(check, key, false, &object) &&
               history_check(check->history, i, object, &check->demand, check->why,
                             sizeof check->why);
        object_unref(object);
    }
    return good;
}

static bool has_number(const struct object *object, uint32_t number)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        if (history_number(&object->versions[i]) == number) {
            return true;
        }
    }
    return false;
}

/* As its own copy, or as a hint for one of the key's primaries. */
static bool holds_number(struct world *world, int node, struct slice key, uint32_t number)
{
    const struct ring *ring = core_ring(world_core(world, node));
    struct store_request own = {.operation = STORE_GET, .key = blob_new(key)};
    struct store_result result = check_look(world, node, &own);
    bool found = has_number(result.object, number);
    store_result_release(&result);
    if (found || !ring) {
        return found;
    }
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, key), &list);
    struct store_request hints = {.operation = STORE_GET_HINTS, .key = blob_new(key)};
    for (uint16_t i = 0; i < list.primary; i++) {
        hints.get_hints.owners.id[hints.get_hints.owners.count++] =
            ring->members[list.member[i]].id;
    }
    result = check_look(world, node, &hints);
    found = has_number(result.object, number);
    store_result_release(&result);
    return found;
}

/* Those who are down are let pass. */
static int count_copies(struct world *world, int nodes, int key, uint32_t number, bool platter)
{
    int copies = 0;
    for (int node = 0; node < nodes; node++) {
        world_show_platter(world, node, platter);
        bool is_copy = !world_is_up(world, node) ||
                       holds_number(world, node, slice_of_string(load_key(key)), number);
        copies += is_copy ? 1 : 0;
        world_show_platter(world, node, false);
    }
    return copies;
}

int check_copies(struct world *world, int nodes, int key, uint32_t number)
{
    return count_copies(world, nodes, key, number, false);
}

int check_knowing(struct world *world, int nodes, int key, struct dot dot)
{
    int knowing = 0;
    for (int node = 0; node < nodes; node++) {
        struct object *copy = NULL;
        bool is_known = world_is_up(world, node) &&
                        read_object(world, node, slice_of_string(load_key(key)), &copy) &&
                        copy && clock_covers(&copy->clock, dot);
        knowing += is_known ? 1 : 0;
        object_unref(copy);
    }
    return knowing;
}

bool check_holds(struct world *world, int node, int key, uint32_t number)
{
    return world_is_up(world, node) &&
           holds_number(world, node, slice_of_string(load_key(key)), number);
}

int check_platters(struct world *world, int nodes, int key, uint32_t number)
{
    return count_copies(world, nodes, key, number, true);
}

static bool has_live_copy(struct check *check, int node, struct slice key)
{
    struct object *copy = NULL;
    bool is_live = world_is_up(check->world, node) &&
                   read_object(check->world, node, key, &copy) && object_is_live(copy);
    object_unref(copy);
    return is_live;
}

bool check_is_known(struct world *world, int nodes, struct slice key)
{
    struct check check = {.world = world, .nodes = nodes};
    bool is_anyone_up = false;
    for (int node = 0; node < nodes; node++) {
        is_anyone_up |= world_is_up(world, node) && core_ring(world_core(world, node));
    }
    bool is_known = is_anyone_up;
    for (int node = 0; is_known && node < nodes; node++) {
        is_known = !check_is_primary(&check, node, key) || has_live_copy(&check, node, key);
    }
    return is_known;
}

uint32_t check_versions(struct world *world, int nodes, int key)
{
    uint32_t versions = 0;
    for (int node = 0; node < nodes; node++) {
        struct store_request request = {.operation = STORE_GET,
                                        .key = blob_new(slice_of_string(load_key(key)))};
        struct store_result result = {0};
        if (world_is_up(world, node)) {
            result = check_look(world, node, &request);
        }
        bool is_more = result.object && result.object->version_count > versions;
        versions = is_more ? result.object->version_count : versions;
        store_request_release(&request);
        store_result_release(&result);
    }
    return versions;
}
