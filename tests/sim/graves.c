/*
 * graves.c - what was dropped, where; and which directories were removed for good.
 */
#include "tests/sim/graves.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/check.h"
#include "tests/sim/load.h"

enum { PART_OBJECT, PART_ROW, PART_COUNT };

/* The last removal of a directory that was known to be empty. */
struct removal {
    struct slice directory;
    uint32_t begun;  /* in the order of puts and deletes */
    int64_t wall_ns; /* by the wall clock that is furthest ahead */
};

struct graves {
    struct world *world;
    struct history *history;
    int nodes, keys;
    bool are_clocks_right; /* wall clocks agree */
    bool was_truncated[HISTORY_KEYS_MAX];
    uint64_t row_seen_us[WORLD_NODES_MAX][HISTORY_KEYS_MAX]; /* when there was one; 0: never */
    bool is_dropped[WORLD_NODES_MAX][PART_COUNT][HISTORY_COVERED_MAX];
    struct removal removal[HISTORY_KEYS_MAX]; /* by the first key below it */
};

struct graves *graves_new(struct world *world, struct history *history, int nodes, int keys,
                          bool are_clocks_right)
{
    struct graves *graves = calloc(1, sizeof *graves);
    assert(graves && nodes <= WORLD_NODES_MAX && keys <= HISTORY_KEYS_MAX);
    graves->world = world;
    graves->history = history;
    graves->nodes = nodes;
    graves->keys = keys;
    graves->are_clocks_right = are_clocks_right;
    return graves;
}

void graves_free(struct graves *graves)
{
    free(graves);
}

/* Copies ----------------------------------------------------------------------------------- */

static bool is_live(const struct object *copy, struct dot dot)
{
    for (uint32_t i = 0; i < copy->version_count; i++) {
        if (dot_equal(copy->versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

/* True if each primary still has the object's tombstone, of before that time. One alone may have it
 * again: a read that began before it was dropped repairs it. */
static bool is_buried_everywhere(struct graves *graves, struct slice key, uint64_t before_us)
{
    struct check check = {.world = graves->world, .nodes = graves->nodes};
    bool found = true;
    for (int node = 0; found && node < graves->nodes; node++) {
        struct object *object = NULL;
        if (!check_is_primary(&check, node, key)) {
            continue;
        }
        found = world_is_up(graves->world, node) &&
                check_read(graves->world, node, key, false, &object) && object &&
                !object_is_live(object) && object->deleted_us != 0 &&
                object->deleted_us <= before_us;
        object_unref(object);
    }
    return found;
}

/* A row's tombstone goes when its object's is gone. */
static bool look_for_row(struct graves *graves, int node, int key, const struct object *row)
{
    uint64_t *seen_us = &graves->row_seen_us[node][key];
    bool is_forgotten = !row && *seen_us > 0 &&
                        is_buried_everywhere(graves, slice_of_string(load_key(key)), *seen_us);
    *seen_us = row ? world_wall_us(graves->world, node) : 0;
    return !is_forgotten;
}

/* False if the copy has a version again that was dropped before. */
static bool look_at_copy(struct graves *graves, int key, bool *is_dropped,
                         const struct object *copy)
{
    graves->was_truncated[key] |= copy->clock.count >= CLOCK_PAIRS_KEPT;
    if (graves->was_truncated[key]) {
        return true;
    }
    for (uint32_t i = 0; i < graves->history->covered_count; i++) {
        const struct covered *covered = &graves->history->covered[i];
        if (covered->key != key) {
            continue;
        }
        if (!is_live(copy, covered->dot)) {
            is_dropped[i] |= clock_covers(&copy->clock, covered->dot);
        } else if (is_dropped[i]) {
            return false;
        }
    }
    return true;
}

static bool look_at_part(struct graves *graves, int node, int key, int part,
                         const char **ret_what)
{
    struct object *copy = NULL;
    bool good = true;
    if (world_is_up(graves->world, node) &&
        check_read(graves->world, node, slice_of_string(load_key(key)), part == PART_ROW,
                   &copy)) {
        *ret_what = part == PART_ROW ? "a version that was dropped is back in the row"
                                     : "a version that was dropped is back";
        good = !copy || look_at_copy(graves, key, graves->is_dropped[node][part], copy);
        if (good && part == PART_ROW && graves->are_clocks_right) {
            *ret_what = "the row was forgotten before its object";
            good = look_for_row(graves, node, key, copy);
        }
    }
    object_unref(copy);
    return good;
}

bool graves_look(struct graves *graves, char *why, size_t size)
{
    for (int at = 0; at < graves->nodes * graves->keys * PART_COUNT; at++) {
        int part = at % PART_COUNT;
        int key = at / PART_COUNT % graves->keys;
        int node = at / PART_COUNT / graves->keys;
        const char *what = "";
        if (!look_at_part(graves, node, key, part, &what)) {
            (void)snprintf(why, size, "node %d: key %d: %s", node, key, what);
            world_trace(graves->world, node, "%s", why);
            return false;
        }
    }
    return true;
}

/* Directories ------------------------------------------------------------------------------ */

static bool is_below(struct slice directory, int key)
{
    return slice_equal(key_directory(slice_of_string(load_key(key))), directory);
}

/* True if some other directory is in it: whose life is not followed. */
static bool has_directories(const struct graves *graves, struct slice directory)
{
    bool found = false;
    for (int key = 0; key < graves->keys; key++) {
        struct slice other = key_directory(slice_of_string(load_key(key)));
        found |= other.size > directory.size &&
                 slice_equal(slice_of(other.data, directory.size), directory);
    }
    return found;
}

static bool is_write_covered(const struct graves *graves, uint32_t number)
{
    for (uint32_t i = 0; i < graves->history->covered_count; i++) {
        const struct covered *covered = &graves->history->covered[i];
        if (covered->number == number && covered->pledge.acknowledged) {
            return true;
        }
    }
    return false;
}

static bool knows_all(const struct object *grave, const struct object *copy)
{
    bool good = true;
    for (uint32_t i = 0; copy && i < copy->version_count; i++) {
        good &= grave && clock_covers(&grave->clock, copy->versions[i].dot);
    }
    return good;
}

/* True if no node has a version, of its own or for another, that the grave does not cover: what
 * a put left that was tried again elsewhere. */
static bool is_nothing_left(struct graves *graves, struct slice key, const struct object *grave)
{
    bool good = true;
    for (int node = 0; good && node < graves->nodes; node++) {
        const struct ring *ring = core_ring(world_core(graves->world, node));
        struct store_request own = {.operation = STORE_GET, .key = blob_new(key)};
        struct store_request hints = {.operation = STORE_GET_HINTS, .key = blob_new(key)};
        for (uint16_t i = 0; i < ring->member_count && i < OWNERS_MAX; i++) {
            hints.get_hints.owners.id[hints.get_hints.owners.count++] = ring->members[i].id;
        }
        struct store_result first = check_look(graves->world, node, &own);
        struct store_result second = check_look(graves->world, node, &hints);
        good = first.status == STATUS_OK && second.status == STATUS_OK &&
               knows_all(grave, first.object) && knows_all(grave, second.object);
        store_result_release(&first);
        store_result_release(&second);
    }
    return good;
}

/* No write to it is open or live, and each quorum of its row's replicas sees that. */
static bool is_name_dead(struct graves *graves, int key)
{
    struct check check = {.world = graves->world, .nodes = graves->nodes};
    struct slice text = slice_of_string(load_key(key));
    struct object *copies[WORLD_NODES_MAX] = {NULL};
    struct object *merged = NULL;
    int replicas = 0;
    int knowing = 0;
    bool good = true;
    for (uint32_t i = 0; good && i < graves->history->count; i++) {
        good = graves->history->write[i].key != key || is_write_covered(graves, i);
    }
    for (int node = 0; good && node < graves->nodes; node++) {
        if (check_is_primary(&check, node, key_directory(text))) {
            good = check_read(graves->world, node, text, true, &copies[replicas]);
            struct object *more = good ? object_merge(merged, copies[replicas]) : NULL;
            object_unref(merged);
            merged = more;
            replicas++;
        }
    }
    for (int i = 0; i < replicas; i++) {
        knowing += object_equal(copies[i], merged) ? 1 : 0;
        object_unref(copies[i]);
    }
    good = good && !object_is_live(merged) && knowing > replicas / 2 &&
           is_nothing_left(graves, text, merged);
    object_unref(merged);
    return good;
}

static bool is_anyone_about_to_revive(struct graves *graves, struct slice directory)
{
    bool found = false;
    for (int node = 0; !found && node < graves->nodes; node++) {
        struct store_request request = {
            .operation = STORE_LIST_INTENTS,
            .list_intents = {.kind = INTENT_REVIVE, .limit = 64, .stamp_max = UINT64_MAX}};
        struct store_result result = check_look(graves->world, node, &request);
        found = result.status != STATUS_OK || result.intents.more;
        for (uint16_t i = 0; !found && i < result.intents.count; i++) {
            found = slice_equal(blob_slice(result.intents.intent[i].key), directory);
        }
        store_result_release(&result);
    }
    return found;
}

static bool is_empty_for_good(struct graves *graves, struct slice directory)
{
    for (int node = 0; node < graves->nodes; node++) {
        if (!world_is_up(graves->world, node) || !core_ring(world_core(graves->world, node))) {
            return false;
        }
    }
    for (int key = 0; key < graves->keys; key++) {
        if (is_below(directory, key) && !is_name_dead(graves, key)) {
            return false;
        }
    }
    return !has_directories(graves, directory) && !is_anyone_about_to_revive(graves, directory);
}

void graves_note_removal(struct graves *graves, struct slice directory)
{
    int first = 0;
    while (!is_below(directory, first)) {
        first++;
    }
    if (!is_empty_for_good(graves, directory)) {
        return;
    }
    struct removal *removal = &graves->removal[first];
    *removal = (struct removal){.directory = directory, .begun = graves->history->begun};
    for (int node = 0; node < graves->nodes; node++) {
        int64_t wall_ns = (int64_t)world_wall_us(graves->world, node) * 1000;
        removal->wall_ns = wall_ns > removal->wall_ns ? wall_ns : removal->wall_ns;
    }
    world_trace(graves->world, -1, "%.*s is empty for good", (int)directory.size,
                (const char *)directory.data);
}

static bool was_written_since(const struct graves *graves, const struct removal *removal)
{
    bool found = false;
    for (uint32_t i = 0; i < graves->history->count; i++) {
        const struct written *write = &graves->history->write[i];
        found |= write->begun > removal->begun && is_below(removal->directory, write->key);
    }
    return found;
}

static bool check_removal(struct graves *graves, const struct removal *removal)
{
    struct check check = {.world = graves->world, .nodes = graves->nodes};
    struct object *object = NULL;
    bool good = true;
    if (!removal->directory.data || was_written_since(graves, removal) ||
        !check_collect(&check, removal->directory, false, &object)) {
        return true;
    }
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        good &= object->versions[i].attributes.modified_ns <= removal->wall_ns;
    }
    object_unref(object);
    return good;
}

bool graves_check(struct graves *graves, char *why, size_t size)
{
    for (int key = 0; key < graves->keys; key++) {
        const struct removal *removal = &graves->removal[key];
        if (!check_removal(graves, removal)) {
            (void)snprintf(why, size, "%.*s was removed with all that was in it, and is back",
                           (int)removal->directory.size, (const char *)removal->directory.data);
            return false;
        }
    }
    return true;
}
