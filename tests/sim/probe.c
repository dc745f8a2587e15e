/*
 * probe.c - asks every node, and looks at what is kept for others.
 */
#include "tests/sim/probe.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "tests/sim/load.h"

enum {
    ANSWER_US = 6000000,
    DEADLINE_MS = 5000,
    HINT_AGE_US = 20000000,
    INTENT_FRESH_US = 1000000,
};

static bool fail(struct check *check, int node, const char *what, struct slice key)
{
    (void)snprintf(check->why, sizeof check->why, "node %d: %s: %.*s", node, what,
                   (int)key.size, (const char *)key.data);
    return false;
}

static bool has_same_versions(const struct object *a, const struct object *b)
{
    uint32_t count = a ? a->version_count : 0;
    if (count != (b ? b->version_count : 0)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!dot_equal(a->versions[i].dot, b->versions[i].dot)) {
            return false;
        }
    }
    return true;
}

static bool probe_get(struct check *check, int node, struct slice key)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 1};
    struct message reply = {0};
    struct object *stored = NULL;
    message.get.key = blob_new(key);
    message.get.deadline_ms = DEADLINE_MS;
    bool is_answered =
        world_wait(check->world, world_ask(check->world, node, &message), ANSWER_US, &reply) &&
        (reply.status == STATUS_OK || reply.status == STATUS_NOT_FOUND);
    /* A tombstone may just be leaving, one copy after the other. */
    bool good = is_answered && (!check_collect(check, key, false, &stored) ||
                                has_same_versions(reply.get_reply.object, stored));
    object_unref(stored);
    message_release(&reply);
    return good || fail(check, node, "a get does not show what is stored", key);
}

/* Asks for the page behind `*start`, and moves it on. */
static bool ask_page(struct check *check, int node, struct listing *listing, uint16_t limit,
                     struct blob **start)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 1};
    struct message reply = {0};
    message.list.directory = blob_new(listing->directory);
    message.list.start = *start;
    message.list.after_start = *start;
    message.list.limit = limit;
    message.list.live_only = true;
    message.list.deadline_ms = DEADLINE_MS;
    *start = NULL;
    bool good =
        world_wait(check->world, world_ask(check->world, node, &message), ANSWER_US, &reply) &&
        reply.status == STATUS_OK &&
        listing_take(listing, reply.list_reply.rows, reply.list_reply.row_count);
    if (good && reply.list_reply.more) {
        *start = blob_ref(reply.list_reply.resume);
    }
    message_release(&reply);
    return good;
}

static const struct object *listed(const struct listing *listing, struct slice key)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct row *row = &listing->rows[i];
        if (row->kind == key_row_kind(key) &&
            slice_equal(blob_slice(row->name), key_name(key))) {
            return row->object;
        }
    }
    return NULL;
}

/* Each key of the directory, and each directory in it. */
static bool shows_all(struct check *check, const struct listing *listing)
{
    bool good = true;
    for (int i = 0; good && i < check->keys; i++) {
        struct slice key = slice_of_string(load_key(i));
        struct object *row = NULL;
        while (!key_is_root(key) && !slice_equal(key_directory(key), listing->directory)) {
            key = key_directory(key);
        }
        good = key_is_root(key) || !check_collect(check, key, true, &row) ||
               has_same_versions(listed(listing, key), row);
        object_unref(row);
    }
    return good;
}

static bool probe_list(struct check *check, int node, struct slice directory)
{
    struct listing listing = {.directory = directory};
    struct blob *start = NULL;
    uint16_t limit = (uint16_t)(1 + world_random(check->world) % 3);
    bool good = true;
    do {
        good = ask_page(check, node, &listing, limit, &start);
    } while (good && start && !listing.is_overfull);
    blob_unref(start);
    good = good && listing_is_in_order(&listing) && shows_all(check, &listing);
    listing_release(&listing);
    return good || fail(check, node, "a listing does not show what is stored", directory);
}

bool probe_answers(struct check *check)
{
    bool good = true;
    for (int node = 0; good && node < check->nodes; node++) {
        for (int i = 0; good && i < check->keys; i++) {
            struct slice key = slice_of_string(load_key(i));
            good = probe_get(check, node, key) && probe_list(check, node, key_directory(key));
        }
    }
    return good;
}

/* The owner's place is a dead node's, or nobody's: a disk that was lost, and not replaced yet.
 */
static bool is_away(const struct check *check, int node, uint32_t dead, node_id owner)
{
    const struct ring *ring = core_ring(world_core(check->world, node));
    int member = ring ? ring_find(ring, owner) : -1;
    if (member < 0) {
        return true;
    }
    int at = world_node_at(check->world, ring->members[member].address);
    return (dead >> at & 1) != 0 || world_store(check->world, at)->node != owner;
}

static bool probe_hints(struct check *check, int node, uint32_t dead)
{
    struct store_request request = {.operation = STORE_HINT_OWNERS};
    struct store_result result = check_look(check->world, node, &request);
    uint64_t keys = 3 * (uint64_t)check->keys + 1; /* with the directories */
    uint64_t fresh_us = world_wall_us(check->world, node) - HINT_AGE_US;
    bool good = result.status == STATUS_OK;
    for (uint16_t i = 0; good && i < result.owners.count; i++) {
        const struct hint_owner *owner = &result.owners.owner[i];

        /* What is still being tried may leave new ones; what is damaged stays until the next
         * start salvages it. */
        good = owner->count <= 2 * keys &&
               (owner->oldest_us > fresh_us || is_away(check, node, dead, owner->owner) ||
                world_damaged(check->world, node) > 0);
    }
    store_result_release(&result);
    return good ||
           fail(check, node, "keeps hints that it could have handed over", slice_of(NULL, 0));
}

static bool is_in_reach(struct check *check, struct slice key, uint32_t dead)
{
    for (int node = 0; node < check->nodes; node++) {
        /* One whose disk was lost has no ring until the others let it in, which waits for all.
         */
        bool is_dead = (dead >> node & 1) != 0;
        bool is_away = is_dead || !core_ring(world_core(check->world, node));
        if (is_away && check_is_primary(check, node, key)) {
            return false;
        }
    }
    return true;
}

static bool probe_intents(struct check *check, int node, uint32_t dead)
{
    /* A scrub leaves one with each row that it pushes, and drops it in company a moment later.
     */
    struct store_request request = {
        .operation = STORE_LIST_INTENTS,
        .list_intents = {.kind = INTENT_ROW,
                         .limit = 64,
                         .stamp_max = world_wall_us(check->world, node) - INTENT_FRESH_US}};
    struct store_result result = check_look(check->world, node, &request);
    bool good = result.status == STATUS_OK;
    for (uint16_t i = 0; good && i < result.intents.count; i++) {
        struct slice key = blob_slice(result.intents.intent[i].key);
        bool is_possible =
            is_in_reach(check, key, dead) && is_in_reach(check, key_directory(key), dead);
        if (is_possible) {
            good = fail(check, node, "keeps an intent that it could have carried out", key);
        }
    }
    store_result_release(&result);
    return good;
}

bool probe_core(struct check *check, uint32_t dead)
{
    bool good = true;
    if (check->was_damaged) {
        return true; /* who is damaged takes nothing before it could be salvaged and refill */
    }
    for (int node = 0; good && node < check->nodes; node++) {
        if ((dead >> node & 1) == 0) {
            good = probe_hints(check, node, dead) && probe_intents(check, node, dead);
        }
    }
    return good;
}
