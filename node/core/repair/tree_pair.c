/*
 * tree_pair.c - one partition and one other primary: which entries differ?
 *
 *   BUCKETS ──► LEAVES ──► WAITING ──► READY ──► LEAVES again ──► KEYS ──► ENDING
 *      │ equal     │ equal    the difference may vanish    │ vanished   │ entries that differ
 *      ▼           ▼                                       ▼            ▼ are repaired
 *    (end)       (end)                                   (end)       one by one
 *
 * A difference may be a write that is still on its way, so leaves that differ are compared once
 * more, by fresh hashes of both sides, before any key is exchanged. The entries below the
 * leaves that still differ are merged in pages, as sorted lists are.
 */
#include "node/core/repair/tree_pair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "node/core/outbox.h"
#include "node/core/repair/repair_key.h"
#include "node/core/repair/task.h"
#include "node/core/request.h"
#include "ring/mark.h"

enum {
    PAGE_SIZE = 256, /* entries */
    CONFIRM_AFTER_US = 2000000,
    OWN = 0,
    THEIRS = 1,
    SIDES = 2,
};

enum pair_state {
    PAIR_BUCKETS,
    PAIR_LEAVES,
    PAIR_WAITING,
    PAIR_READY, /* may confirm as soon as there is place */
    PAIR_KEYS,
    PAIR_ENDING, /* only keys under way are awaited */
};

/* One side's entries, a page at a time. */
struct page {
    struct scrubbed_entry *scrubbed; /* owned; the own side's ... */
    struct tree_entry *entries;      /* ... or the other's */
    uint16_t count, at;
    bool more;
    enum merkle_part after_part;
    struct blob *after; /* owned; the last entry there was */
};

struct pair {
    enum pair_state state;
    pair_progress *on_progress;
    uint16_t partition;
    uint16_t place; /* in core->repair.pair_slot */
    bool is_second; /* the leaves are being compared for the second time */
    bool has_failed;
    bool is_vouched; /* every answer of the other side came from complete copies */
    uint16_t keys;   /* being repaired */
    uint16_t bucket;
    uint32_t buckets; /* whose leaves are still to be compared */
    uint64_t hash[SIDES][MERKLE_FANOUT];
    struct merkle_leaves first;     /* differed the first time */
    struct merkle_leaves differing; /* differ, this time */
    struct page page[SIDES];
};

static void pair_go(struct pair *pair, enum pair_state state)
{
    static const uint32_t comes_from[] = {
        [PAIR_BUCKETS] = FROM(PAIR_BUCKETS),
        [PAIR_LEAVES] = FROM(PAIR_BUCKETS) | FROM(PAIR_LEAVES) | FROM(PAIR_READY),
        [PAIR_WAITING] = FROM(PAIR_LEAVES),
        [PAIR_READY] = FROM(PAIR_WAITING),
        [PAIR_KEYS] = FROM(PAIR_LEAVES),
        [PAIR_ENDING] = UINT32_MAX,
    };
    assert(comes_from[state] & FROM(pair->state));
    pair->state = state;
}

static struct pair *pair_of(const struct request *request)
{
    assert(request->kind == &pair_kind);
    return request->own;
}

static_assert((int)MERKLE_BUCKETS == (int)MERKLE_FANOUT, "one array takes either");

static void page_release(struct page *page)
{
    scrubbed_entries_free(page->scrubbed, page->scrubbed ? page->count : 0);
    tree_entries_free(page->entries, page->entries ? page->count : 0);
    page->scrubbed = NULL;
    page->entries = NULL;
    page->count = 0;
    page->at = 0;
}

static const struct tree_entry *page_entry(const struct page *page, uint16_t at)
{
    if (at >= page->count) {
        return NULL;
    }
    return page->scrubbed ? &page->scrubbed[at].entry : &page->entries[at];
}

static void pair_release(struct request *request)
{
    struct pair *pair = pair_of(request);
    for (int side = 0; pair && side < SIDES; side++) {
        page_release(&pair->page[side]);
        blob_unref(pair->page[side].after);
    }
    free(pair);
}

/* Counts the pair as done and drops it. */
static void pair_end(struct core *core, struct request *request)
{
    struct repair *repair = &core->repair;
    const struct pair *pair = pair_of(request);
    assert(pair->keys == 0 && repair->pair_slot[pair->place] == request->slot);
    repair->pair_slot[pair->place] = NO_SLOT;
    repair->pairs_open--;
    repair->pairs_done++;
    repair->pairs_failed += pair->has_failed ? 1 : 0;
    core->stats.pairs_failed += pair->has_failed ? 1 : 0;
    if (pair->is_vouched && !pair->has_failed) {
        repair->vouched[pair->partition / 8] |= (uint8_t)(1U << pair->partition % 8);
    }
    request_free(core, request);
}

/* What is under way is awaited, nothing new begins. */
static void pair_wind_up(struct core *core, struct request *request, bool has_failed)
{
    struct pair *pair = pair_of(request);
    pair_go(pair, PAIR_ENDING);
    pair->has_failed |= has_failed;
    for (int side = 0; side < SIDES; side++) {
        request->leg[side].state = LEG_IDLE;
    }
    request->deadline_us = UINT64_MAX;
    if (pair->keys == 0) {
        pair_end(core, request);
    }
}

/* Asks both sides for hashes: of the leaves of a bucket, or of the buckets. */
static void pair_ask_hashes(struct core *core, struct request *request, uint16_t bucket)
{
    assert(bucket <= MERKLE_BUCKETS && request->leg_count == SIDES);
    struct pair *pair = pair_of(request);
    struct store_request *store = request_store(core, request, OWN, STORE_TREE);
    store->tree.partition = pair->partition;
    store->tree.bucket = bucket;
    request->leg[OWN].state = LEG_SENT;
    struct message *message = request_send(core, request, THEIRS, MESSAGE_TREE);
    message->tree.partition = pair->partition;
    message->tree.bucket = bucket;
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
}

bool pair_start(struct core *core, uint16_t partition, uint16_t peer,
                pair_progress *on_progress)
{
    assert(partition < core->ring->partition_count && peer < core->peer_count);
    struct repair *repair = &core->repair;
    uint16_t place = 0;
    while (place < PAIRS_MAX && repair->pair_slot[place] != NO_SLOT) {
        place++;
    }
    struct pair *pair = calloc(1, sizeof *pair);
    struct request *request =
        pair && place < PAIRS_MAX ? request_new(core, &pair_kind, UINT64_MAX, false) : NULL;
    if (!request) {
        free(pair);
        return false;
    }
    pair->partition = partition;
    pair->on_progress = on_progress;
    pair->place = place;
    pair->is_vouched = true;
    request->own = pair;
    request->leg_count = SIDES;
    request->leg[OWN].peer = PEER_SELF;
    request->leg[THEIRS].peer = peer;
    repair->pair_slot[place] = request->slot;
    repair->pairs_open++;
    pair_go(pair, PAIR_BUCKETS);
    pair_ask_hashes(core, request, MERKLE_BUCKETS);
    return true;
}

bool pair_is_active(const struct request *request)
{
    enum pair_state state = pair_of(request)->state;
    return state != PAIR_WAITING && state != PAIR_READY;
}

bool pair_is_ready(const struct request *request)
{
    return pair_of(request)->state == PAIR_READY;
}

/* Asks for the entries from the leaves that still differ. */
static void pair_ask_page(struct core *core, struct request *request, int side)
{
    assert(side < SIDES && pair_of(request)->state == PAIR_KEYS);
    struct pair *pair = pair_of(request);
    struct page *page = &pair->page[side];
    page_release(page);
    if (side == OWN) {
        struct store_request *store = request_store(core, request, OWN, STORE_TREE_KEYS);
        store->entries.partition = pair->partition;
        store->entries.leaves = pair->differing;
        store->entries.part = page->after_part;
        store->key = blob_ref(page->after);
        store->entries.limit = PAGE_SIZE;
        request->leg[OWN].state = LEG_SENT;
    } else {
        struct message *message = request_send(core, request, THEIRS, MESSAGE_TREE_KEYS);
        message->tree_keys.partition = pair->partition;
        message->tree_keys.leaves = pair->differing;
        message->tree_keys.after_part = page->after_part;
        message->tree_keys.after_key = blob_ref(page->after);
        message->tree_keys.limit = PAGE_SIZE;
    }
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
}

/* The entries come; false if they do not go on from where they were. */
static bool page_take(struct page *page, bool more)
{
    page->more = more;
    const struct tree_entry *last = page->count > 0 ? page_entry(page, page->count - 1) : NULL;
    if (!last) {
        return !more;
    }
    const struct tree_entry *first = page_entry(page, 0);
    if (page->after && merkle_entry_compare(page->after_part, blob_slice(page->after),
                                            first->part, blob_slice(first->key)) >= 0) {
        return false;
    }
    blob_unref(page->after);
    page->after = blob_ref(last->key);
    page->after_part = last->part;
    return true;
}

static void keys_begin(struct core *core, struct request *request)
{
    struct pair *pair = pair_of(request);
    pair_go(pair, PAIR_KEYS);
    for (int side = 0; side < SIDES; side++) {
        pair_ask_page(core, request, side);
    }
}

/* The leaves of the next bucket, or what is to be done when all are known. */
static void pair_next_bucket(struct core *core, struct request *request)
{
    assert(request->leg[OWN].state != LEG_SENT && request->leg[THEIRS].state != LEG_SENT);
    struct pair *pair = pair_of(request);
    pair_go(pair, PAIR_LEAVES);
    if (pair->buckets != 0) {
        pair->bucket = 0;
        while ((pair->buckets >> pair->bucket & 1) == 0) {
            pair->bucket++;
        }
        pair->buckets &= ~(UINT32_C(1) << pair->bucket);
        pair_ask_hashes(core, request, pair->bucket);
        return;
    }
    if (pair->is_second) {
        pair->differing = merkle_leaves_common(&pair->first, &pair->differing);
    }
    if (merkle_leaves_are_empty(&pair->differing)) {
        mark_if(pair->is_second, MARK_PAIR_VANISHED);
        pair_wind_up(core, request, false);
    } else if (pair->is_second || !core->is_complete) {
        /* A node that refills has no time to lose: most of what differs is what it lost. */
        keys_begin(core, request);
    } else {
        uint64_t after_us = core->repair_config.confirm_after_us;
        pair->first = pair->differing;
        pair_go(pair, PAIR_WAITING);
        request_set_deadline(core, request,
                             core->now_us + (after_us > 0 ? after_us : CONFIRM_AFTER_US));
    }
}

void pair_confirm(struct core *core, struct request *request)
{
    struct pair *pair = pair_of(request);
    assert(pair->state == PAIR_READY);
    pair->is_second = true;
    memset(&pair->differing, 0, sizeof pair->differing);
    for (unsigned i = 0; i < MERKLE_BUCKETS; i++) {
        pair->buckets |= pair->first.bucket[i] != 0 ? UINT32_C(1) << i : 0;
    }
    if (repair_may_ask(core, request->leg[THEIRS].peer)) {
        pair_next_bucket(core, request);
    } else {
        pair_wind_up(core, request, true);
    }
}

/* Both sides' hashes are here. */
static void pair_compare(struct core *core, struct request *request)
{
    assert(request->leg[OWN].state == LEG_DONE && request->leg[THEIRS].state == LEG_DONE);
    struct pair *pair = pair_of(request);
    for (unsigned i = 0; i < MERKLE_FANOUT; i++) {
        if (pair->hash[OWN][i] == pair->hash[THEIRS][i]) {
            continue;
        }
        if (pair->state == PAIR_BUCKETS) {
            pair->buckets |= UINT32_C(1) << i;
        } else {
            merkle_leaves_add(&pair->differing, (uint16_t)(pair->bucket * MERKLE_FANOUT + i));
        }
    }
    if (repair_may_ask(core, request->leg[THEIRS].peer)) {
        pair_next_bucket(core, request);
    } else {
        pair_wind_up(core, request, true);
    }
}

/* Asks for the pages that are used up. True if both sides' next entries are known. */
static bool keys_are_at_hand(struct core *core, struct request *request)
{
    struct pair *pair = pair_of(request);
    bool at_hand = true;
    for (int side = 0; side < SIDES; side++) {
        struct page *page = &pair->page[side];
        if (request->leg[side].state == LEG_DONE && page->at >= page->count && page->more) {
            pair_ask_page(core, request, side);
        }
        at_hand &= request->leg[side].state == LEG_DONE;
    }
    return at_hand;
}

/* Repairs one entry. False if not now. */
static bool keys_repair(struct core *core, struct request *request,
                        const struct tree_entry *entry)
{
    assert(entry && pair_of(request)->state == PAIR_KEYS);
    struct repair *repair = &core->repair;
    struct pair *pair = pair_of(request);
    if (repair->keys_in_flight >= REPAIR_KEYS_MAX || !background_take(core)) {
        return false;
    }
    if (!key_start(core, request, entry, request->leg[THEIRS].peer)) {
        pair->has_failed = true;
        return true;
    }
    repair->keys_left--;
    repair->keys_in_flight++;
    pair->keys++;
    return true;
}

/* Walks both lists of entries side by side. */
static void pair_join(struct core *core, struct request *request)
{
    assert(pair_of(request)->state == PAIR_KEYS);
    struct pair *pair = pair_of(request);
    struct page *own = &pair->page[OWN];
    struct page *theirs = &pair->page[THEIRS];
    while (core_has_room(core) && repair_may_ask(core, request->leg[THEIRS].peer)) {
        if (!keys_are_at_hand(core, request)) {
            return;
        }
        request->deadline_us = UINT64_MAX;
        const struct tree_entry *a = page_entry(own, own->at);
        const struct tree_entry *b = page_entry(theirs, theirs->at);
        if (!a && !b) {
            pair_wind_up(core, request, false);
            return;
        }
        int order = a ? -1 : 1;
        if (a && b) {
            order =
                merkle_entry_compare(a->part, blob_slice(a->key), b->part, blob_slice(b->key));
        }
        bool is_same = order == 0 && memcmp(a->digest, b->digest, DIGEST_SIZE) == 0;
        if (!is_same && core->repair.keys_left == 0) {
            core->repair.is_cut = true;
            pair_wind_up(core, request, false);
            return;
        }
        if (!is_same && !keys_repair(core, request, order <= 0 ? a : b)) {
            return;
        }
        own->at = (uint16_t)(own->at + (order <= 0));
        theirs->at = (uint16_t)(theirs->at + (order >= 0));
    }
    if (!repair_may_ask(core, request->leg[THEIRS].peer)) {
        pair_wind_up(core, request, true);
    }
}

void pair_advance(struct core *core, struct request *request)
{
    struct pair *pair = pair_of(request);
    bool has_failed = false;
    bool is_done = true;
    for (int side = 0; side < SIDES; side++) {
        has_failed |= request->leg[side].state == LEG_FAILED;
        is_done &= request->leg[side].state == LEG_DONE;
    }
    if (has_failed) {
        pair_wind_up(core, request, true);
        return;
    }
    switch (pair->state) {
    case PAIR_BUCKETS:
    case PAIR_LEAVES:
        if (is_done) {
            pair_compare(core, request);
        }
        return;
    case PAIR_KEYS:
        pair_join(core, request);
        return;
    case PAIR_ENDING:
        if (pair->keys == 0) {
            pair_end(core, request);
        }
        return;
    case PAIR_WAITING:
    case PAIR_READY:
        return;
    }
}

static void pair_on_reply(struct core *core, struct request *request, uint8_t leg,
                          struct message *message)
{
    assert(leg == THEIRS && request->leg[leg].state == LEG_SENT);
    pair_progress *on_progress = pair_of(request)->on_progress; /* the request may end */
    struct pair *pair = pair_of(request);
    bool is_hashes = pair->state == PAIR_BUCKETS || pair->state == PAIR_LEAVES;
    enum message_type wanted = is_hashes ? MESSAGE_TREE_REPLY : MESSAGE_TREE_KEYS_REPLY;
    bool is_good = message->type == wanted && message->status == STATUS_OK;
    if (is_good && is_hashes) {
        memcpy(pair->hash[THEIRS], message->tree_reply.hash, sizeof pair->hash[THEIRS]);
        pair->is_vouched &= message->tree_reply.is_complete;
    } else if (is_good) {
        struct page *page = &pair->page[THEIRS];
        page->entries = message->tree_keys_reply.entries;
        page->count = page->entries ? message->tree_keys_reply.count : 0;
        message->tree_keys_reply.entries = NULL;
        message->tree_keys_reply.count = 0;
        is_good = page_take(page, message->tree_keys_reply.more);
    }
    request->leg[leg].state = is_good ? LEG_DONE : LEG_FAILED;
    pair_advance(core, request);
    on_progress(core);
}

static void pair_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    pair_progress *on_progress = pair_of(request)->on_progress; /* the request may end */
    (void)leg;
    struct pair *pair = pair_of(request);
    bool is_hashes = pair->state == PAIR_BUCKETS || pair->state == PAIR_LEAVES;
    enum store_operation wanted = is_hashes ? STORE_TREE : STORE_TREE_KEYS;
    if (request->leg[OWN].state != LEG_SENT || result->operation != wanted) {
        return; /* what was asked before the pair failed */
    }
    bool is_good = result->status == STATUS_OK;
    if (is_good && is_hashes) {
        memcpy(pair->hash[OWN], result->hashes, sizeof pair->hash[OWN]);
    } else if (is_good) {
        struct page *page = &pair->page[OWN];
        page->scrubbed = result->entries.scrubbed;
        page->count = page->scrubbed ? result->entries.count : 0;
        result->entries.scrubbed = NULL;
        result->entries.count = 0;
        is_good = page_take(page, result->entries.more);
    }
    request->leg[OWN].state = is_good ? LEG_DONE : LEG_FAILED;
    pair_advance(core, request);
    on_progress(core);
}

static void pair_on_key(struct core *core, struct request *request, struct child_result *result)
{
    pair_progress *on_progress = pair_of(request)->on_progress; /* the request may end */
    struct pair *pair = pair_of(request);
    assert(pair->keys > 0 && core->repair.keys_in_flight > 0);
    pair->keys--;
    core->repair.keys_in_flight--;
    if (result->status == STATUS_OK) {
        core->stats.keys_repaired++;
    } else {
        pair->has_failed = true;
    }
    on_progress(core);
}

static void pair_on_due(struct core *core, struct request *request)
{
    pair_progress *on_progress = pair_of(request)->on_progress; /* the request may end */
    struct pair *pair = pair_of(request);
    request->deadline_us = UINT64_MAX;
    if (pair->state == PAIR_WAITING) {
        pair_go(pair, PAIR_READY);
    } else {
        if (request->leg[THEIRS].state == LEG_SENT) {
            peer_failed(core, request->leg[THEIRS].peer);
        }
        pair_wind_up(core, request, true);
    }
    on_progress(core);
}

static void pair_on_leg_failed(struct core *core, struct request *request)
{
    pair_progress *on_progress = pair_of(request)->on_progress; /* the request may end */
    pair_advance(core, request);
    on_progress(core);
}

const struct request_kind pair_kind = {
    .name = "pair",
    .on_reply = pair_on_reply,
    .on_stored = pair_on_stored,
    .on_child = pair_on_key,
    .on_due = pair_on_due,
    .on_leg_failed = pair_on_leg_failed,
    .release = pair_release,
};
