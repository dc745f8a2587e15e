/*
 * give.c - one object that a source holds goes to its primaries.
 *
 *   READING ──► ASKING the primaries what they have ──► REPLICATING ──► the walk hears
 *
 * What is older than the grace time may have been deleted meanwhile, and its tombstone reaped:
 * it is kept back, and counted (decision 22), unless a complete copy proves that it was not, by
 * a live version under a name (an actor) in the source's clock: a node writes under it as long
 * as it has the key, and all nodes reap it or none. A key that was reaped and written anew is
 * another file. The copy's clock proves nothing, for a client's old context gets into it. To
 * tell, copies of old objects that differ are asked for whole.
 */
#include "node/core/repair/give.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/copies.h"
#include "node/core/legs.h"
#include "node/core/placement.h"
#include "node/core/repair/reap.h"
#include "node/core/repair/task.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"
#include "ring/preference_list.h"

struct give {
    struct object *object; /* owned */
    bool is_hint;
    bool is_lacked; /* some primary is sent it */
};

static struct give *give_of(const struct request *request)
{
    assert(request->kind == &give_kind);
    return request->own;
}

static void give_check(struct core *core, struct request *request);

static void give_release(struct request *request)
{
    struct give *give = give_of(request);
    if (give) {
        object_unref(give->object);
    }
    free(give);
}

static void give_end(struct core *core, struct request *request, enum status status)
{
    struct child_result result = {.status = status};
    child_finish(core, request, &result);
}

/* The own copy, or what is kept for `owner`. */
bool give_start(struct core *core, struct request *walk, struct blob *key, node_id owner)
{
    assert(walk->kind && key);
    struct give *give = calloc(1, sizeof *give);
    struct request *request =
        give ? request_new(core, &give_kind, core->now_us + (uint64_t)REPAIR_DEADLINE_US, false)
             : NULL;
    if (!request) {
        free(give);
        return false;
    }
    give->is_hint = owner != 0;
    request->own = give;
    request->key = blob_ref(key);
    request_set_parent(request, walk);
    request_go(request, STATE_READING);
    enum store_operation operation = owner != 0 ? STORE_GET_HINTS : STORE_GET;
    struct store_request *store = request_store(core, request, LEG_OF_STORE, operation);
    store->key = blob_ref(key);
    if (owner != 0) {
        store->get_hints.owners = (struct owner_list){.id = {owner}, .count = 1};
    }
    return true;
}

/* Asks the primaries what they have; those that refill cannot tell. */
static void give_ask(struct core *core, struct request *request)
{
    assert(give_of(request)->object);
    struct preference_list list;
    preference_list_build(core->ring, ring_partition(core->ring, blob_slice(request->key)),
                          &list);
    request_go(request, STATE_ASKING);
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
    for (uint16_t i = 0; i < list.primary; i++) {
        uint8_t leg = request->leg_count++;
        request->leg[leg].peer = core->member_peer[list.member[i]];
        request->leg[leg].state = LEG_FAILED;
        if (repair_may_ask(core, request->leg[leg].peer)) {
            struct message *message = request_send(core, request, leg, MESSAGE_REPLICA_GET);
            message->replica_get.key = blob_ref(request->key);
            message->replica_get.digest_only = true;
        }
    }
    give_check(core, request);
}

/* True if it holds what may have been deleted, and the tombstone reaped, since it was written.
 * A write of today beside it makes a version no younger. */
static bool is_old(const struct core *core, const struct object *object)
{
    uint64_t newest_us = object->deleted_us;
    for (uint32_t i = 0; i < object->version_count; i++) {
        if (reap_is_old(core, object->versions[i].dot.counter)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < object->clock.count; i++) {
        uint64_t counter = object->clock.pair[i].counter;
        newest_us = counter > newest_us ? counter : newest_us;
    }
    return reap_is_old(core, newest_us);
}

/* True if the key was not reaped since the object was what it is. */
static bool shares_history(const struct object *copy, const struct object *object)
{
    bool found = false;
    for (uint32_t i = 0; copy && !found && i < copy->version_count; i++) {
        found = clock_counter(&object->clock, copy->versions[i].dot.actor) > 0;
    }
    return found;
}

static bool knows_all(const struct leg *leg, const struct object *object)
{
    return leg->object && clock_descends(&leg->object->clock, &object->clock);
}

/* The leg's primary has answered, and holds what the source holds. */
static bool is_same(const struct leg *leg, const struct object *object)
{
    uint8_t digest[DIGEST_SIZE];
    object_digest(object, digest);
    return leg->state == LEG_DONE && memcmp(leg->digest, digest, DIGEST_SIZE) == 0;
}

/* Asks for the whole copies that digests do not tell. True if some are awaited. */
static bool give_compare(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING);
    bool is_asking = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state != LEG_DONE || leg->has_object || is_same(leg, NULL) ||
            is_same(leg, give_of(request)->object)) {
            continue;
        }
        leg->state = LEG_FAILED;
        if (repair_may_ask(core, leg->peer)) {
            struct message *message = request_send(core, request, i, MESSAGE_REPLICA_GET);
            message->replica_get.key = blob_ref(request->key);
            is_asking = true;
        }
    }
    if (is_asking) {
        request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
    }
    return is_asking;
}

static void give_put(struct core *core, struct request *request, uint8_t leg)
{
    assert(leg < request->leg_count && request->state == STATE_REPLICATING);
    uint16_t peer = request->leg[leg].peer;
    struct slice key = blob_slice(request->key);
    if (!repair_may_ask(core, peer)) {
        request->leg[leg].state = LEG_FAILED;
        return;
    }
    bool has_row = repair_holds(core, peer, MERKLE_ROW, key);
    struct message *message = request_send(core, request, leg, MESSAGE_REPLICA_PUT);
    message->replica_put.key = blob_ref(request->key);
    message->replica_put.object = object_ref(give_of(request)->object);
    message->replica_put.parts = (uint8_t)(REPLICA_OBJECT | (has_row ? REPLICA_ROW : 0));
    message->replica_put.sync = true;
    message->replica_put.leave_intent = !key_is_root(key);
}

/* All that could be asked have told what they have. */
static void give_decide(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING && give_of(request)->object);
    const struct object *object = give_of(request)->object;
    bool may_be_reaped = is_old(core, object) && !planted(PLANTED_SOURCE_REVIVES);
    bool is_known = false;
    bool is_vouched = false;
    bool is_covered = false;
    if (may_be_reaped && give_compare(core, request)) {
        return;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        is_vouched |= leg->state == LEG_DONE;
        is_known |= leg->state == LEG_DONE &&
                    (is_same(leg, object) || shares_history(leg->object, object));
        is_covered |= leg->state == LEG_DONE && knows_all(leg, object);
    }
    if (may_be_reaped && !is_known) {
        mark_if(is_vouched && !is_covered, MARK_SOURCE_KEPT_BACK);
        mark_if(!is_vouched, MARK_SOURCE_WAITED);
        core->source.kept_back += is_vouched && !is_covered ? 1 : 0;
        give_end(core, request, is_vouched ? STATUS_OK : STATUS_UNREACHABLE);
        return;
    }
    request_go(request, STATE_REPLICATING);
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state != LEG_FAILED && !knows_all(leg, object) && !is_same(leg, object)) {
            give_of(request)->is_lacked = true;
            give_put(core, request, i);
        }
    }
    give_check(core, request);
}

static void give_check(struct core *core, struct request *request)
{
    uint8_t done = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            return;
        }
        done = (uint8_t)(done + (request->leg[i].state == LEG_DONE));
    }
    if (request->state == STATE_ASKING) {
        give_decide(core, request);
    } else if (request->state == STATE_REPLICATING) {
        bool is_given = done >= core_quorum(core, 0);
        const struct give *give = give_of(request);
        mark_if(is_given && give->is_lacked, MARK_SOURCE_GAVE);
        mark_if(is_given && give->is_lacked && give->is_hint, MARK_SOURCE_GAVE_HINT);
        mark_if(!is_given, MARK_SOURCE_WAITED);
        core->source.given += is_given ? 1 : 0;
        give_end(core, request, is_given ? STATUS_OK : STATUS_NO_QUORUM);
    }
}

static void give_on_reply(struct core *core, struct request *request, uint8_t i,
                          struct message *message)
{
    assert(i < request->leg_count && request->leg[i].state == LEG_SENT);
    struct leg *leg = &request->leg[i];
    bool is_good = message->status == STATUS_OK;
    leg->state = is_good ? LEG_DONE : LEG_FAILED;
    if (request->state == STATE_ASKING && message->type == MESSAGE_REPLICA_GET_REPLY) {
        struct message_replica_get_reply *reply = &message->replica_get_reply;
        if (is_good && reply->has_digest) {
            memcpy(leg->digest, reply->digest, DIGEST_SIZE);
        } else if (is_good) {
            leg->has_object = true;
            leg->object = object_ref(reply->object);
            object_digest(reply->object, leg->digest);
            request_charge(core, request,
                           reply->object ? object_content_size(reply->object) : 0);
        } else if (message->status == STATUS_NOT_READY) {
            leg->state =
                LEG_EMPTY; /* it refills: it takes the object, but vouches for nothing */
        } else {
            leg->state = LEG_FAILED;
        }
    }
    give_check(core, request);
}

static void give_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    assert(request->state == STATE_READING && !give_of(request)->object);
    assert(leg == LEG_OF_STORE);
    struct give *give = give_of(request);
    bool is_unreadable = result->status == STATUS_CORRUPT;
    if (result->status == STATUS_OK && result->object) {
        give->object = object_ref(result->object);
        is_unreadable = !copy_is_sound(core, blob_slice(request->key), give->object);
        if (!is_unreadable) {
            give_ask(core, request);
            return;
        }
    }
    core->source.unreadable += is_unreadable ? 1 : 0;
    give_end(core, request, is_unreadable ? STATUS_OK : result->status);
}

static void give_on_due(struct core *core, struct request *request)
{
    if (request->state == STATE_READING) {
        request->deadline_us = UINT64_MAX; /* the own store always answers */
        return;
    }
    (void)request_suspect_slow(core, request);
    give_end(core, request, STATUS_TIMEOUT);
}

const struct request_kind give_kind = {
    .name = "give",
    .comes_from = {[STATE_READING] = FROM(STATE_WAITING),
                   [STATE_ASKING] = FROM(STATE_READING),
                   [STATE_REPLICATING] = FROM(STATE_ASKING)},
    .on_reply = give_on_reply,
    .on_stored = give_on_stored,
    .on_due = give_on_due,
    .on_leg_failed = give_check,
    .release = give_release,
};
