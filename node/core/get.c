/*
 * get.c - a get at its coordinator.
 *
 * This node's whole copy and digests from R-1 others; replicas whose digest differs from all
 * that is at hand are asked for their whole copy; all are merged. Stale replicas get the merged
 * object after the reply, without new dots (DeCandia et al., section 5; docs/design.md,
 * Requests). A further replica is asked when one fails or is slow. While a primary is away or
 * suspected, the fallbacks that may hold a hint in its place are asked too: what they hold
 * counts, "nothing" from them does not.
 */
#include "node/core/get.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/copies.h"
#include "node/core/detector.h"
#include "node/core/forward.h"
#include "node/core/legs.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/read_legs.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"
#include "ring/view.h"

/* How long a get waits for what fallbacks may know: until it is woken to ask one replica more. */
enum { HINTS_AWAITED_US = HEDGE_AFTER_US };

static void get_check(struct core *core, struct request *request);

static void get_ask(struct core *core, struct request *request, uint8_t i, bool digest_only)
{
    assert(i < request->leg_count && request->state == STATE_ASKING);
    struct leg *leg = &request->leg[i];
    /* What a node that refills does not hold says nothing. Its hints are whole. */
    bool is_blind = !core->is_complete && !get_of(request)->for_repair && !leg->is_hint;
    mark_if(is_blind && leg->peer == PEER_SELF, MARK_GET_OWN_WITHHELD);
    if (leg->peer == PEER_SELF && !is_blind) {
        leg->state = LEG_SENT;
        enum store_operation operation = leg->is_hint ? STORE_GET_HINTS : STORE_GET;
        struct store_request *store = request_store(core, request, i, operation);
        store->key = blob_ref(request->key);
        if (leg->is_hint) {
            core_fill_owners(core, blob_slice(request->key), &store->get_hints.owners);
        }
        return;
    }
    if (leg->peer == PEER_SELF || !peer_is_usable(core, leg->peer)) {
        mark_if(leg->state == LEG_DONE, MARK_GET_COPY_LOST);
        leg->state = LEG_FAILED;
        return;
    }
    struct message *message = request_send(core, request, i, MESSAGE_REPLICA_GET);
    message->replica_get.key = blob_ref(request->key);
    message->replica_get.digest_only = digest_only && !leg->is_hint;
    message->replica_get.from_hints = leg->is_hint;
    message->replica_get.for_repair = get_of(request)->for_repair;
}

static void get_ask_digest(struct core *core, struct request *request, uint8_t i)
{
    get_ask(core, request, i, true);
}

/* Fallbacks may hold what primaries that are away or suspected were to get. Asks those that
 * were not asked yet. */
static void get_ask_fallbacks(struct core *core, struct request *request)
{
    assert(core->ring && request->state == STATE_ASKING);
    uint8_t first = request->leg_count;
    request_add_fallbacks(core, request, ring_partition(core->ring, blob_slice(request->key)));
    for (uint8_t i = first; i < request->leg_count; i++) {
        get_ask(core, request, i, false);
    }
}

static void get_begin(struct core *core, struct request *request, uint8_t r)
{
    assert(request->key && request->leg_count == 0);
    request_go(request, STATE_ASKING);
    get_of(request)->r = core_quorum(core, r);
    request->ring_mark = core->ring_mark;
    request_add_primaries(core, request, ring_partition(core->ring, blob_slice(request->key)));
    get_ask_fallbacks(core, request);
    request_wake_at(core, request, core->now_us + HEDGE_AFTER_US);
    detector_note_read(core);
    get_check(core, request);
}

/* Coordinates here although this node is no primary. */
static void get_start_fallback(struct core *core, struct request *from, struct message *message)
{
    assert(from->is_client && !from->replied);
    struct request *request = request_new(core, &get_kind, from->deadline_us, true);
    if (!request) {
        (void)request_reply(core, from, MESSAGE_GET_REPLY, forward_failure(from, STATUS_BUSY));
        return;
    }
    core->stats.gets++;
    request->started_us = from->started_us;
    request->failure = from->failure;
    request->handle = from->handle;
    request->reply_id = from->reply_id;
    request->key = blob_ref(message->get.key);
    get_of(request)->wants_all = message->get.r == REPLICAS_MAX;
    get_begin(core, request, message->get.r);
}

void get_on_request(struct core *core, struct event *event)
{
    assert(core->ring && event->message->type == MESSAGE_GET);
    struct message_get *get = &event->message->get;
    uint16_t partition = ring_partition(core->ring, blob_slice(get->key));
    if (!core_is_primary(core, partition)) {
        forward_start(core, event, partition, MESSAGE_GET_REPLY, get_start_fallback);
        return;
    }
    uint64_t deadline_us = core_deadline_of(core, get->deadline_ms);
    struct request *request = request_has_room(core, true, 0)
                                  ? request_new(core, &get_kind, deadline_us, true)
                                  : NULL;
    if (!request) {
        (void)core_reply(core, event, MESSAGE_GET_REPLY, STATUS_BUSY);
        return;
    }
    core->stats.gets++;
    request->handle = event->handle;
    request->reply_id = event->message->request_id;
    request->key = blob_ref(get->key);
    get_of(request)->wants_all = get->r == REPLICAS_MAX;
    get_begin(core, request, get->r);
}

bool get_start_child(struct core *core, struct request *parent, struct blob *key, uint8_t r)
{
    assert(parent->kind && key);
    struct request *request =
        request_new(core, &get_kind, core->now_us + CHILD_DEADLINE_US, false);
    if (!request) {
        return false;
    }
    request_set_parent(request, parent);
    request->key = blob_ref(key);
    get_begin(core, request, r);
    return true;
}

bool get_start_for_dots(struct core *core, struct request *put, const struct dot *dots,
                        uint32_t dot_count, uint8_t r)
{
    assert(put->kind && put->key && (dots || dot_count == 0));
    struct request *request =
        request_new(core, &get_kind, core->now_us + CHILD_DEADLINE_US, false);
    struct dot *copy = calloc((size_t)dot_count + 1, sizeof *copy);
    if (!request || !copy) {
        free(copy);
        if (request) {
            request_free(core, request);
        }
        return false;
    }
    if (dot_count > 0) {
        memcpy(copy, dots, dot_count * sizeof *copy);
    }
    get_of(request)->dots = copy;
    get_of(request)->dot_count = dot_count;
    request_set_parent(request, put);
    request->key = blob_ref(put->key);
    get_of(request)->for_dots = true;
    get_begin(core, request, r);
    return true;
}

void get_start_repair(struct core *core, struct blob *key)
{
    assert(core->ring && key);
    struct request *request =
        request_new(core, &get_kind, core->now_us + CHILD_DEADLINE_US, false);
    if (!request) {
        return; /* The next listing finds it again. */
    }
    request_set_orphan(request);
    request->key = blob_ref(key);
    get_of(request)->for_repair = true;
    get_begin(core, request, REPLICAS_MAX);
}

void get_start_heal(struct core *core, struct blob *key)
{
    assert(core->ring && key);
    struct request *request =
        request_new(core, &get_kind, core->now_us + CHILD_DEADLINE_US, false);
    if (!request) {
        return; /* The next read finds it again. */
    }
    request_set_orphan(request);
    request->key = blob_ref(key);
    get_of(request)->heals = true;
    request_go(request, STATE_ASKING);
    request_add_primaries(core, request, ring_partition(core->ring, blob_slice(key)));
    for (uint8_t i = 0; i < request->leg_count; i++) {
        uint16_t peer = request->leg[i].peer;
        bool is_asked = peer_is_well(core, peer);
        request->leg[i].state = is_asked ? LEG_IDLE : LEG_FAILED;
        get_of(request)->r = (uint8_t)(get_of(request)->r + is_asked);
    }
    if (get_of(request)->r == 0) {
        request_free(core, request); /* Nobody else has it. */
        return;
    }
    get_check(core, request);
}

/* When a name in the directory appeared or vanished last, by all that answered. */
static uint64_t get_names_us(const struct request *request)
{
    uint64_t names_us = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state == LEG_DONE && leg->names_us > names_us) {
            names_us = leg->names_us;
        }
    }
    return names_us;
}

static void get_end(struct core *core, struct request *request, enum status status,
                    struct object *object, uint8_t answers)
{
    assert(status != STATUS_OK || object);
    assert(!object || status == STATUS_OK || status == STATUS_NOT_FOUND);
    if (request->is_child) {
        struct child_result result = {.status = status, .object = object};
        child_finish(core, request, &result);
        return;
    }
    struct message *message =
        request_reply(core, request, MESSAGE_GET_REPLY, forward_failure(request, status));
    message->get_reply.object = object_ref(object);
    message->get_reply.answers = answers;
    message->get_reply.names_us = get_names_us(request);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        core->stats.gets_failed++;
    }
    if (object && object->version_count > 1) {
        core->stats.siblings_returned++;
    }
    request_free(core, request);
}

/* Writes the merged object back to the replicas whose digest differs: a merge, never a new
 * event. */
static void get_repair(struct core *core, const struct request *request, struct object *merged)
{
    uint8_t digest[DIGEST_SIZE];
    object_digest(merged, digest);
    struct slice key = blob_slice(request->key);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        /* A fallback is left alone: what it holds is on its way to its owner. */
        if (leg->state != LEG_DONE || leg->is_hint ||
            memcmp(leg->digest, digest, DIGEST_SIZE) == 0) {
            continue;
        }
        core->stats.read_repairs++;
        uint8_t parts = REPLICA_OBJECT;
        mark_if(leg->peer == PEER_SELF, MARK_READ_REPAIR_OWN);
        bool was_live = leg->has_object && object_is_live(leg->object);
        mark_if(was_live && !object_is_live(merged), MARK_READ_REPAIR_LIVE_OVER_DEAD);
        if (!key_is_root(key) && peer_holds(core, leg->peer, key_directory(key))) {
            parts |= REPLICA_ROW;
        }
        if (leg->peer == PEER_SELF) {
            struct store_request *store = core_store(core, STORE_MERGE);
            store->key = blob_ref(request->key);
            store->merge.object = object_ref(merged);
            store->merge.parts = parts;
        } else if (peer_is_usable(core, leg->peer)) {
            struct message *message = core_send(core, leg->peer, MESSAGE_REPLICA_PUT);
            message->replica_put.key = blob_ref(request->key);
            message->replica_put.object = object_ref(merged);
            message->replica_put.parts = parts;
        }
    }
}

/* True if one of the whole copies at hand is what the leg's digest stands for. */
static bool digest_is_known(const struct request *request, const struct leg *leg)
{
    assert(leg->state == LEG_DONE);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *other = &request->leg[i];
        if (other->state == LEG_DONE && other->has_object &&
            (memcmp(other->digest, leg->digest, DIGEST_SIZE) == 0 ||
             planted(PLANTED_DIGEST_BLIND))) {
            return true;
        }
    }
    return false;
}

/* Asks for the whole copies that digests alone do not tell. True if all is at hand. */
static bool get_fetch_unknown(struct core *core, struct request *request)
{
    bool complete = true;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state == LEG_DONE && !digest_is_known(request, leg)) {
            get_ask(core, request, i, false);
            complete = false;
        }
    }
    return complete;
}

/* How many different states the answers are of. */
static unsigned states_answered(const struct request *request)
{
    unsigned count = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        bool is_new = request->leg[i].state == LEG_DONE;
        for (uint8_t j = 0; is_new && j < i; j++) {
            is_new = request->leg[j].state != LEG_DONE ||
                     memcmp(request->leg[i].digest, request->leg[j].digest, DIGEST_SIZE) != 0;
        }
        count += is_new ? 1 : 0;
    }
    return count;
}

/* What the others hold takes the place of the bad own copy. */
static void heal_finish(struct core *core, const struct request *request, struct object *merged)
{
    assert(get_of(request)->heals && !request->is_client);
    struct slice key = blob_slice(request->key);
    if (!merged) {
        return;
    }
    struct store_request *store = core_store(core, STORE_MERGE);
    store->key = blob_ref(request->key);
    store->merge.object = object_ref(merged);
    store->merge.parts = REPLICA_OBJECT;
    if (!key_is_root(key) && peer_holds(core, PEER_SELF, key_directory(key))) {
        store->merge.parts |= REPLICA_ROW;
    }
    store->merge.heals = true;
    core->stats.copies_healed++;
}

static void get_answer(struct core *core, struct request *request)
{
    assert(read_legs_in(request, LEG_DONE) > 0 || get_of(request)->for_dots);
    mark_if(states_answered(request) >= 3, MARK_GET_THREE_STATES);
    struct object *merged = NULL;
    uint8_t answers = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        answers = (uint8_t)(answers + (leg->state == LEG_DONE));
        if (!leg->object) {
            continue;
        }
        mark_if(leg->is_hint, MARK_GET_HINT_COUNTED);
        struct object *next = object_merge(merged, leg->object);
        object_unref(merged);
        if (!next) {
            get_end(core, request, STATUS_NO_MEMORY, NULL, answers);
            return;
        }
        merged = next;
    }
    if (get_of(request)->heals) {
        heal_finish(core, request, merged);
    }
    get_repair(core, request, merged);
    get_end(core, request, object_is_live(merged) ? STATUS_OK : STATUS_NOT_FOUND, merged,
            answers);
    object_unref(merged);
}

static bool dot_is_known(const struct request *request, struct dot dot)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state == LEG_DONE && leg->has_object && leg->object &&
            clock_covers(&leg->object->clock, dot)) {
            return true;
        }
    }
    return false;
}

/* True if all versions that the waiting put names are known from what is at hand: a copy that
 * knows them can drop them for good, whatever else it has not heard of. */
static bool dots_are_known(struct core *core, const struct request *request)
{
    assert(get_of(request)->for_dots && request->is_child);
    const struct request *parent = request_parent(core, request);
    const struct get_state *get = get_of(request);
    for (uint32_t i = 0; parent && i < get->dot_count; i++) {
        if (!dot_is_known(request, get->dots[i])) {
            return false;
        }
    }
    return parent;
}

static void get_lacks_quorum(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING);
    uint8_t done = read_legs_in(request, LEG_DONE);
    bool waits = !get_of(request)->heals && request_waits_for_ring(core, request);
    mark_if(waits, MARK_READ_AGAIN_BY_NEW_RING);
    if (!waits) {
        get_end(core, request, STATUS_NO_QUORUM, NULL, done);
    }
}

/* Hints that are in, where they are no answers: who wants all wants those that hold the key. */
static uint8_t hints_not_counted(const struct request *request)
{
    uint8_t count = 0;
    for (uint8_t i = 0; get_of(request)->wants_all && i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        count = (uint8_t)(count + (leg->is_hint && leg->state == LEG_DONE));
    }
    return count;
}

static unsigned get_answers_expected(const struct request *request)
{
    return read_answers_expected(request) - hints_not_counted(request);
}

static void get_check(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING && get_of(request)->r > 0);
    if (get_of(request)->for_dots && dots_are_known(core, request)) {
        get_answer(core, request);
        return;
    }
    read_ask_more(core, request, get_of(request)->r, get_ask_digest);
    if (get_answers_expected(request) < get_of(request)->r && !get_of(request)->wants_all) {
        /* A primary that was there when the read began may be gone by now. */
        get_ask_fallbacks(core, request);
    }
    uint8_t done = (uint8_t)(read_legs_in(request, LEG_DONE) - hints_not_counted(request));
    uint8_t hints = read_hints_awaited(request);
    bool may_still_do = (hints > 0 && !get_of(request)->wants_all) ||
                        (get_of(request)->for_dots && read_legs_in(request, LEG_SENT) > 0);
    if (!may_still_do && get_answers_expected(request) < get_of(request)->r) {
        get_lacks_quorum(core, request);
        return;
    }
    /* A fallback that is well answers at once; it is waited for a moment, as it may know more.
     */
    bool is_early = core->now_us < request->started_us + HINTS_AWAITED_US;
    if (done < get_of(request)->r || (hints > 0 && is_early)) {
        return;
    }
    mark_if(hints > 0, MARK_GET_HINT_LATE);
    if (get_fetch_unknown(core, request)) {
        get_answer(core, request);
    } else if (get_answers_expected(request) < get_of(request)->r) {
        get_check(core, request); /* who told its digest is gone: another is asked */
    }
}

static void leg_take_object(struct core *core, struct request *request, struct leg *leg,
                            struct object *object)
{
    assert(leg->state == LEG_DONE && !leg->object);
    leg->has_object = true;
    leg->object = object_ref(object);
    object_digest(object, leg->digest);
    request_charge(core, request, object ? object_content_size(object) : 0);
}

static void get_on_stored(struct core *core, struct request *request, uint8_t asked,
                          struct store_result *result)
{
    (void)asked;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->peer != PEER_SELF || leg->state != LEG_SENT) {
            continue;
        }
        if (leg->is_hint && result->status == STATUS_OK && !result->object) {
            leg->state = LEG_EMPTY;
        } else if (result->status == STATUS_OK) {
            leg->state = LEG_DONE;
            leg_take_object(core, request, leg, result->object);
            leg->names_us = result->names_us;
        } else {
            leg->state = LEG_FAILED;
        }
    }
    get_check(core, request);
}

static void get_on_reply(struct core *core, struct request *request, uint8_t i,
                         struct message *message)
{
    assert(i < request->leg_count && request->leg[i].state == LEG_SENT);
    struct leg *leg = &request->leg[i];
    struct message_replica_get_reply *reply = &message->replica_get_reply;
    bool is_reply = message->type == MESSAGE_REPLICA_GET_REPLY;
    request_note_ring(core, request, message);
    leg->names_us = is_reply ? reply->names_us : 0;
    if (is_reply && leg->is_hint && message->status == STATUS_NOT_FOUND) {
        leg->state = planted(PLANTED_EMPTY_COUNTS) ? LEG_DONE : LEG_EMPTY;
        leg->has_object = planted(PLANTED_EMPTY_COUNTS);
    } else if (!is_reply || message->status != STATUS_OK) {
        leg->state = LEG_FAILED;
    } else if (reply->has_digest) {
        leg->state = LEG_DONE;
        memcpy(leg->digest, reply->digest, DIGEST_SIZE);
    } else if (!copy_is_sound(core, blob_slice(request->key), reply->object)) {
        leg->state = LEG_FAILED;
    } else {
        leg->state = LEG_DONE;
        leg_take_object(core, request, leg, reply->object);
    }
    get_check(core, request);
}

static void get_on_due(struct core *core, struct request *request)
{
    if (request->deadline_us <= core->now_us) {
        get_end(core, request, STATUS_TIMEOUT, NULL, read_legs_in(request, LEG_DONE));
        return;
    }
    if (request->state == STATE_WAITING) {
        get_begin(core, request, get_of(request)->r);
        return;
    }
    read_hedge(core, request, get_ask_digest);
    get_check(core, request);
}

static void get_release(struct request *request)
{
    free(get_of(request)->dots);
}

const struct request_kind get_kind = {
    .name = "get",
    .own_size = sizeof(struct get_state),
    .comes_from = {[STATE_ASKING] = FROM(STATE_WAITING), [STATE_WAITING] = FROM(STATE_ASKING)},
    .on_reply = get_on_reply,
    .on_stored = get_on_stored,
    .on_due = get_on_due,
    .on_leg_failed = get_check,
    .release = get_release,
};
