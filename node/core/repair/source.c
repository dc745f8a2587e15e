/*
 * source.c - a node whose place was given to another hands over what it holds.
 *
 *   NONE ──► LEAVING: no new requests, those under way end ──► GIVING ──► DONE
 *   WAITING (--source: the ring is not known yet) ──► LEAVING      │ ▲
 *                                                                  └─┘ again for what waits
 *
 * Merging an old copy changes nothing that is known elsewhere (rule 2), so that each object is
 * sent whole to its present primaries, until W of them have it. One exception: what is older
 * than the grace time and unknown to a complete replica may have been deleted, and its
 * tombstone reaped, while this node was no member: it is kept back, and counted. What it keeps
 * for others is handed over in the same way: as a hint it would go whatever its age is. Nothing
 * is dropped from this directory, and nothing is served from it.
 * Decision 22.
 */
#include "node/core/repair/source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/members.h"
#include "node/core/outbox.h"
#include "node/core/repair/give.h"
#include "node/core/request.h"
#include "ring/preference_list.h"

enum {
    SOURCE_PAGE = 64,
    HINTS_PAGE = 16,
    GIVES_MAX = 8, /* objects on their way at a time */
    LEAVE_MAX_US = 10000000,
    LEAVE_LOOK_US = 100000,
    SOURCE_RETRY_US = 5000000,
};

/* All partitions, entry by entry; then the hints, owner by owner. */
struct source_walk {
    uint16_t partition;
    enum merkle_part after_part;
    struct blob *after; /* owned */
    struct scrubbed_entry *entries;
    uint16_t count, at;
    bool has_owners;
    uint16_t owner_count, owner;
    struct hint_owner *owners; /* owned */
    uint16_t hint_count, hint;
    struct hint *hints;        /* owned: a page of the owner's */
    enum hint_kind after_kind; /* with `after` */
    uint16_t in_flight;
    bool is_reading;
    bool has_failed;
};

static struct source_walk *source_walk_of(const struct request *request)
{
    assert(request->kind == &source_walk_kind);
    return request->own;
}

static void walk_drop_hints(struct source_walk *walk)
{
    hints_free(walk->hints, walk->hint_count);
    walk->hints = NULL;
    walk->hint_count = 0;
}

static void walk_release(struct request *request)
{
    struct source_walk *walk = source_walk_of(request);
    if (walk) {
        scrubbed_entries_free(walk->entries, walk->count);
        walk_drop_hints(walk);
        free(walk->owners);
        blob_unref(walk->after);
    }
    free(walk);
}

static void source_tell(struct core *core, const char *what)
{
    assert(source_is_on(core));
    const struct source *source = &core->source;
    char text[NOTE_TEXT_SIZE];
    (void)snprintf(text, sizeof text,
                   "the place of this node was given to another: %s; %llu objects handed over, "
                   "%llu older than the grace time and unknown elsewhere kept back, %llu "
                   "unreadable, %llu wait for members",
                   what, (unsigned long long)source->given,
                   (unsigned long long)source->kept_back,
                   (unsigned long long)source->unreadable, (unsigned long long)source->waiting);
    core_waits(core, text);
}

/* The walk -------------------------------------------------------------------------------- */

static void walk_end(struct core *core, struct request *request)
{
    assert(core->source.is_walking && source_walk_of(request)->in_flight == 0);
    struct source *source = &core->source;
    const struct source_walk *walk = source_walk_of(request);
    source->is_walking = false;
    bool is_over = !walk->has_failed;
    request_free(core, request);
    if (is_over) {
        source->phase = SOURCE_DONE;
        core->waits_note_after_us = 0;
        source_tell(core,
                    "all that it held is handed over, and its directory is not needed any "
                    "more");
        return;
    }
    source_tell(core, "it hands over what it holds");
    source->due_us = core->now_us + SOURCE_RETRY_US;
    core_due(core, source->due_us);
}

/* The next page of what is kept for others. False: there is none. */
static bool walk_ask_hints(struct core *core, struct request *request)
{
    assert(source_walk_of(request)->partition >= core->ring->partition_count);
    struct source_walk *walk = source_walk_of(request);
    if (walk->has_owners && walk->owner >= walk->owner_count) {
        return false;
    }
    enum store_operation operation = walk->has_owners ? STORE_LIST_HINTS : STORE_HINT_OWNERS;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, operation);
    walk->is_reading = true;
    if (walk->has_owners) {
        store->list_hints.owner = walk->owners[walk->owner].owner;
        store->key = blob_ref(walk->after);
        store->list_hints.kind = walk->after_kind;
        store->list_hints.limit = HINTS_PAGE;
    }
    return true;
}

/* The next page. False: there is none. */
static bool walk_ask(struct core *core, struct request *request)
{
    assert(!source_walk_of(request)->is_reading);
    struct source_walk *walk = source_walk_of(request);
    if (walk->partition >= core->ring->partition_count) {
        return walk_ask_hints(core, request);
    }
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_TREE_KEYS);
    store->entries.partition = walk->partition;
    memset(&store->entries.leaves, 0xff, sizeof store->entries.leaves);
    store->entries.part = walk->after_part;
    store->key = blob_ref(walk->after);
    store->entries.limit = SOURCE_PAGE;
    walk->is_reading = true;
    return true;
}

/* Hands over one object. False: not now. */
static bool walk_give(struct core *core, struct request *request, struct blob *key,
                      node_id owner)
{
    assert(key && source_walk_of(request)->in_flight <= GIVES_MAX);
    struct source_walk *walk = source_walk_of(request);
    if (walk->in_flight == GIVES_MAX || !core_has_room(core) || !background_take(core)) {
        return false;
    }
    bool is_started = give_start(core, request, key, owner);
    walk->in_flight = (uint16_t)(walk->in_flight + is_started);
    walk->has_failed |= !is_started;
    return true;
}

static void walk_advance(struct core *core, struct request *request)
{
    struct source_walk *walk = source_walk_of(request);
    for (; walk->at < walk->count; walk->at++) {
        const struct tree_entry *entry = &walk->entries[walk->at].entry;
        if (entry->part == MERKLE_OBJECT && !walk_give(core, request, entry->key, 0)) {
            return;
        }
    }
    for (; walk->hint < walk->hint_count; walk->hint++) {
        const struct hint *hint = &walk->hints[walk->hint];
        /* A marker stands for the own copy, which was handed over before. */
        if (hint->kind == HINT_OBJECT && !walk_give(core, request, hint->key, hint->owner)) {
            return;
        }
    }
    if (walk->in_flight == 0 && !walk->is_reading && !walk_ask(core, request)) {
        walk_end(core, request);
    }
}

static void walk_take_entries(struct source_walk *walk, struct store_result *result)
{
    assert(walk->at == walk->count);
    scrubbed_entries_free(walk->entries, walk->count);
    walk->entries = result->entries.scrubbed;
    walk->count = result->entries.count;
    walk->at = 0;
    result->entries.scrubbed = NULL;
    result->entries.count = 0;
    const struct tree_entry *last =
        walk->count > 0 ? &walk->entries[walk->count - 1].entry : NULL;
    bool has_more = result->status == STATUS_OK && result->entries.more && last;
    blob_unref(walk->after);
    walk->after = has_more ? blob_ref(last->key) : NULL;
    walk->after_part = has_more ? last->part : (enum merkle_part)0;
    walk->partition = (uint16_t)(walk->partition + !has_more);
}

static void walk_take_hints(struct source_walk *walk, struct store_result *result)
{
    assert(walk->hint == walk->hint_count);
    walk_drop_hints(walk);
    walk->hints = result->hints.hint;
    walk->hint_count = result->hints.count;
    walk->hint = 0;
    result->hints.hint = NULL;
    result->hints.count = 0;
    const struct hint *last = walk->hint_count > 0 ? &walk->hints[walk->hint_count - 1] : NULL;
    bool has_more = result->status == STATUS_OK && result->hints.more && last;
    blob_unref(walk->after);
    walk->after = has_more ? blob_ref(last->key) : NULL;
    walk->after_kind = has_more ? last->kind : (enum hint_kind)0;
    walk->owner = (uint16_t)(walk->owner + !has_more);
}

static void walk_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    assert(source_walk_of(request)->is_reading);
    assert(leg == LEG_OF_STORE);
    struct source_walk *walk = source_walk_of(request);
    walk->is_reading = false;
    walk->has_failed |= result->status != STATUS_OK;
    if (result->operation == STORE_TREE_KEYS) {
        walk_take_entries(walk, result);
    } else if (result->operation == STORE_LIST_HINTS) {
        walk_take_hints(walk, result);
    } else {
        walk->has_owners = true;
        walk->owners = result->owners.owner;
        walk->owner_count = result->owners.count;
        result->owners.owner = NULL;
        result->owners.count = 0;
    }
    walk_advance(core, request);
}

static void walk_on_child(struct core *core, struct request *request,
                          struct child_result *result)
{
    struct source_walk *walk = source_walk_of(request);
    assert(walk->in_flight > 0);
    walk->in_flight--;
    if (result->status != STATUS_OK) {
        walk->has_failed = true;
        core->source.waiting++;
    }
    walk_advance(core, request);
}

static void walk_start(struct core *core)
{
    assert(core->source.phase == SOURCE_GIVING && !core->source.is_walking);
    struct source *source = &core->source;
    struct source_walk *walk = calloc(1, sizeof *walk);
    struct request *request =
        walk ? request_new(core, &source_walk_kind, UINT64_MAX, false) : NULL;
    if (!request) {
        free(walk);
        source->due_us = core->now_us + SOURCE_RETRY_US;
        return;
    }
    request->own = walk;
    source->is_walking = true;
    source->slot = request->slot;
    source->given = 0;
    source->kept_back = 0;
    source->unreadable = 0;
    source->waiting = 0;
    walk_advance(core, request);
}

/* Phases ---------------------------------------------------------------------------------- */

void source_take_ring(struct core *core, struct ring *ring)
{
    assert(ring_find(ring, core->node) < 0);
    struct source *source = &core->source;
    if (source_gives(core)) {
        *core->ring = *ring;
        free(ring);
        members_map_peers(core);
        source->phase = SOURCE_GIVING;
        source->due_us = core->now_us;
        return;
    }
    free(source->ring);
    source->ring = ring;
    if (source->phase != SOURCE_LEAVING) {
        source->phase = SOURCE_LEAVING;
        source->leave_by_us = core->now_us + LEAVE_MAX_US;
        core->draining = true;
        source_tell(core, "it hands over what it holds, and serves nobody");
    }
    core_due(core, core->now_us);
}

/* As at a start: nothing that was begun as a member goes on. */
static void source_enter(struct core *core)
{
    assert(core->source.ring);
    struct source *source = &core->source;
    while (core->active_head != NO_SLOT) {
        request_free(core, &core->requests[core->active_head]);
    }
    core->repair = (struct repair){0};
    core->hints_timer = (struct scan_timer){0};
    core->is_adopting = false;
    *core->ring = *source->ring;
    free(source->ring);
    source->ring = NULL;
    source->phase = SOURCE_GIVING;
    source->due_us = core->now_us;
    members_map_peers(core);
}

void source_on_tick(struct core *core)
{
    struct source *source = &core->source;
    if (source->phase == SOURCE_LEAVING) {
        if (core->client_count > 0 && source->leave_by_us > core->now_us) {
            core_due(core, core->now_us + LEAVE_LOOK_US);
            return;
        }
        source_enter(core);
    }
    if (source->phase != SOURCE_GIVING) {
        return;
    }
    if (source->is_walking) {
        walk_advance(core, &core->requests[source->slot]);
    } else if (source->due_us <= core->now_us) {
        walk_start(core);
    } else {
        core_due(core, source->due_us);
    }
}

const struct request_kind source_walk_kind = {
    .name = "source walk",
    .on_stored = walk_on_stored,
    .on_child = walk_on_child,
    .release = walk_release,
};
