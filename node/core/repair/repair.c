/*
 * repair.c - the door to background repair: other nodes' questions, and each event to its task.
 */
#include "node/core/repair/repair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/epoch.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/repair/anti_entropy.h"
#include "node/core/repair/reap.h"
#include "node/core/repair/repair_key.h"
#include "node/core/repair/scrub.h"
#include "node/core/repair/tree_pair.h"
#include "node/core/request.h"
#include "ring/mark.h"

/* What another node asked. */
struct answer {
    enum message_type reply_type;
    struct reap_question question; /* REAP */
    uint64_t incarnation;          /* VOUCH */
};

static struct answer *answer_of(const struct request *request)
{
    assert(request->kind == &answer_kind);
    return request->own;
}

/* Questions -------------------------------------------------------------------------------- */

static void on_repair(struct core *core, struct event *event)
{
    struct repair *repair = &core->repair;
    enum status status = core->ring ? STATUS_OK : STATUS_NOT_READY;
    struct message *message = core_reply(core, event, MESSAGE_REPAIR_REPLY, status);
    bool start = event->message->repair.start && core->ring;
    if (start) {
        repair->is_wanted = true;
        repair->due_us = core->now_us;
        /* What cannot be read, and rows that lag, are found by reading the disk. */
        repair->is_scrub_wanted = true;
        repair->is_scrub_first = true;
        repair->scrub_due_us = core->now_us;
        core_due(core, core->now_us);
    }
    /* Whoever starts a pass while another one runs waits for two to be finished. */
    message->repair_reply = (struct message_repair_reply){
        .is_running = repair->is_running || repair->is_resuming || repair->is_wanted,
        .is_complete = core->is_complete,
        .passes = repair->passes,
        .pairs_done = repair->pairs_done,
        .pairs_total = repair->pairs_total,
        .pairs_failed = repair->pairs_failed,
        .keys_repaired = core->stats.keys_repaired + core->stats.copies_healed,
    };
}

static enum status may_answer(struct core *core, const struct event *event)
{
    const struct message *message = event->message;
    if (event->role != ROLE_NODE) {
        return STATUS_REFUSED;
    }
    if (!core->ring || source_is_on(core)) {
        return STATUS_NOT_READY;
    }
    if (epoch_is_other(core, event)) {
        return STATUS_STALE_RING;
    }
    if (message->type == MESSAGE_VOUCH) {
        return ring_find(core->ring, message->vouch.node) >= 0 ? STATUS_OK : STATUS_REFUSED;
    }
    if (message->type == MESSAGE_REAP) {
        bool is_root = key_is_root(blob_slice(message->reap.key));
        bool has_entry = !is_root || message->reap.part == MERKLE_OBJECT;
        if (!has_entry) {
            return STATUS_BAD_MESSAGE;
        }
        /* Copies that are not complete cannot vouch for anything. */
        if (!core->is_complete) {
            mark(MARK_REAP_BESIDE_REFILL);
            return STATUS_NOT_READY;
        }
        mark_if(!reap_is_old(core, message->reap.deleted_us), MARK_REAP_YOUNG);
        return reap_is_old(core, message->reap.deleted_us) ? STATUS_OK : STATUS_REFUSED;
    }
    uint16_t partition =
        message->type == MESSAGE_TREE ? message->tree.partition : message->tree_keys.partition;
    if (partition >= core->ring->partition_count) {
        return STATUS_BAD_MESSAGE;
    }
    return core_is_primary(core, partition) ? STATUS_OK : STATUS_REFUSED;
}

static void answer_start(struct core *core, struct request *request, struct message *message)
{
    struct store_request *store;
    struct reap_question *question = &answer_of(request)->question;
    switch ((int)message->type) {
    case MESSAGE_TREE:
        store = request_store(core, request, LEG_OF_STORE, STORE_TREE);
        store->tree.partition = message->tree.partition;
        store->tree.bucket = message->tree.bucket;
        return;
    case MESSAGE_TREE_KEYS:
        store = request_store(core, request, LEG_OF_STORE, STORE_TREE_KEYS);
        store->entries.partition = message->tree_keys.partition;
        store->entries.leaves = message->tree_keys.leaves;
        store->entries.part = message->tree_keys.after_part;
        store->key = blob_ref(message->tree_keys.after_key);
        store->entries.limit = message->tree_keys.limit;
        return;
    case MESSAGE_VOUCH:
        store = request_store(core, request, LEG_OF_STORE, STORE_VOUCH);
        store->vouch.node = message->vouch.node;
        store->vouch.incarnation = message->vouch.incarnation;
        store->vouch.nonce = message->vouch.nonce;
        answer_of(request)->incarnation = message->vouch.incarnation;
        return;
    default:
        assert(message->type == MESSAGE_REAP);
        request->key = blob_ref(message->reap.key);
        question->part = message->reap.part;
        question->deleted_us = message->reap.deleted_us;
        question->drop = message->reap.drop;
        memcpy(question->digest, message->reap.digest, DIGEST_SIZE);
        reap_ask_store(core, request, question);
        return;
    }
}

void repair_on_request(struct core *core, struct event *event)
{
    if (event->message->type == MESSAGE_REPAIR) {
        on_repair(core, event);
        return;
    }
    enum message_type reply_type = (enum message_type)(event->message->type + 1);
    enum status status = may_answer(core, event);
    struct request *request = NULL;
    struct answer *answer = NULL;
    if (status == STATUS_OK) {
        answer = calloc(1, sizeof *answer);
        request = answer ? request_new(core, &answer_kind, UINT64_MAX, false) : NULL;
        status = request ? STATUS_OK : STATUS_BUSY;
    }
    if (status != STATUS_OK) {
        free(answer);
        (void)core_reply(core, event, reply_type, status);
        epoch_close_split(core, event);
        return;
    }
    answer->reply_type = reply_type;
    request->own = answer;
    request->handle = event->handle;
    request->reply_id = event->message->request_id;
    answer_start(core, request, event->message);
}

static struct tree_entry *entries_of(struct store_result *result)
{
    struct tree_entry *entries = calloc((size_t)result->entries.count + 1, sizeof *entries);
    for (uint16_t i = 0; entries && i < result->entries.count; i++) {
        entries[i] = result->entries.scrubbed[i].entry;
        blob_ref(entries[i].key);
    }
    return entries;
}

static void answer_on_stored(struct core *core, struct request *request, uint8_t leg,
                             struct store_result *result)
{
    (void)leg;
    struct answer *answer = answer_of(request);
    enum status status = result->status;
    if (answer->reply_type == MESSAGE_REAP_REPLY &&
        !reap_judge(core, request, &answer->question, result, &status)) {
        return;
    }
    struct message *message = request_reply(core, request, answer->reply_type, status);
    if (status == STATUS_OK && answer->reply_type == MESSAGE_TREE_REPLY) {
        assert(result->hashes);
        memcpy(message->tree_reply.hash, result->hashes, sizeof message->tree_reply.hash);
        message->tree_reply.is_complete = core->is_complete;
    } else if (status == STATUS_OK && answer->reply_type == MESSAGE_VOUCH_REPLY) {
        message->vouch_reply.incarnation = answer->incarnation;
        message->vouch_reply.before = result->incarnation;
    } else if (status == STATUS_OK && answer->reply_type == MESSAGE_TREE_KEYS_REPLY) {
        message->tree_keys_reply.entries = entries_of(result);
        if (message->tree_keys_reply.entries) {
            message->tree_keys_reply.count = result->entries.count;
            message->tree_keys_reply.more = result->entries.more;
        } else {
            message->status = STATUS_NO_MEMORY;
        }
    }
    request_free(core, request);
}

static void own_free(struct request *request)
{
    free(request->own);
}

const struct request_kind answer_kind = {
    .name = "answer",
    .on_stored = answer_on_stored,
    .release = own_free,
};

/* Events ----------------------------------------------------------------------------------- */

void repair_on_tick(struct core *core)
{
    if (!core->ring || core->draining || core->repair.is_salvaging) {
        return;
    }
    pass_on_tick(core);
    scrub_on_tick(core);
}

void repair_on_ring(struct core *core)
{
    pass_invalidate(core);
    pass_wake(core);
    scrub_on_ring(core);
}

void repair_on_peer_up(struct core *core)
{
    if (core->ring) {
        pass_wake(core);
    }
}

void repair_fill_stats(struct core *core)
{
    core->stats.complete = core->is_complete ? 1 : 0;
    core->stats.background_budget = core->background.budget;
    core->stats.foreground_p99_us = core->background.p99_us;
}

void repair_verify(const struct core *core)
{
    const struct repair *repair = &core->repair;
    uint16_t open = 0;
    for (unsigned i = 0; i < PAIRS_MAX && repair->is_running; i++) {
        uint16_t slot = repair->pair_slot[i];
        if (slot != NO_SLOT) {
            assert(core->requests[slot].kind == &pair_kind);
            open++;
        }
    }
    assert(open == repair->pairs_open);
    assert(repair->keys_in_flight <= REPAIR_KEYS_MAX);
    assert(repair->pairs_done <= repair->pairs_total);
    assert(repair->pairs_failed <= repair->pairs_done);
    assert(!repair->is_salvaging || repair->salvages_hints || !core->is_complete);
    assert(core->background.left <= core->background.budget);
}
