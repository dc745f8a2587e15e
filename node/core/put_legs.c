/*
 * put_legs.c - who gets which part of a put: primaries, fallbacks in their place, and when.
 *
 * The first N reachable nodes of the preference list take part, never one of them twice
 * (DeCandia et al., section 4.6: sloppy quorum). A primary that is away, suspected or slower
 * than its patience is replaced by the next fallback, which keeps the object as a hint for it.
 * With no fallback left a suspect is asked all the same if the quorum needs it; else it gets a
 * marker afterwards (put.c).
 *
 * A put that is done again in the background (by_digest) asks for digests first: a replica that
 * holds the very same object gets just the row.
 *
 * A node that holds just the row is sent to only when the object has its W copies: a row must
 * not outlive an object that a power cut took from its only disk.
 */
#include "node/core/put_legs.h"

#include <assert.h>
#include <string.h>

#include "node/core/background.h"
#include "node/core/detector.h"
#include "node/core/legs.h"
#include "node/core/placement.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"
#include "ring/preference_list.h"

/* One leg for each other primary of the object, and for those of the row. */
static void put_add_legs(struct core *core, struct request *request)
{
    assert(core->ring && request->leg_count == 0);
    struct slice key = blob_slice(request->key);
    request_add_primaries(core, request, ring_partition(core->ring, key));
    for (uint8_t i = 0; i < request->leg_count; i++) {
        request->leg[i].parts = REPLICA_OBJECT;
    }
    if (put_of(request)->w_row == 0) {
        return;
    }
    uint8_t objects = request->leg_count;
    request_add_primaries(core, request, ring_partition(core->ring, key_directory(key)));
    uint8_t count = objects;
    for (uint8_t i = objects; i < request->leg_count; i++) {
        struct leg *row = &request->leg[i];
        uint8_t same = 0;
        while (same < objects && request->leg[same].peer != row->peer) {
            same++;
        }
        if (same < objects) {
            request->leg[same].parts |= REPLICA_ROW;
            continue;
        }
        request->leg[count] = *row;
        request->leg[count++].parts = REPLICA_ROW;
    }
    request->leg_count = count;
}

void put_count_acknowledged(struct request *request, const struct leg *leg)
{
    assert(leg->state == LEG_DONE);
    put_of(request)->object_acks += (leg->parts & REPLICA_OBJECT) ? 1 : 0;
    put_of(request)->row_acks += (leg->parts & REPLICA_ROW) ? 1 : 0;
}

/* What a planted bug sends instead of the whole object. Never called in the shipping build. */
struct object *object_newest_alone(const struct object *object)
{
    struct object *alone = NULL;
    uint32_t count = object->version_count > 0 ? 1 : 0;
    enum status status =
        object_new(&object->clock, object_newest(object), count, (struct actor){0}, &alone);
    return status == STATUS_OK ? alone : NULL;
}

static struct object *leg_object(const struct request *request, const struct leg *leg)
{
    assert(put_of(request)->object && leg->parts != 0);
    if (planted(PLANTED_SEND_SINGLY)) {
        return object_newest_alone(put_of(request)->object);
    }
    return (leg->parts & REPLICA_OBJECT) ? object_ref(put_of(request)->object)
                                         : object_project(put_of(request)->object);
}

static void leg_wake_for(struct core *core, struct request *request, const struct leg *leg)
{
    uint64_t patience_us = peer_patience_us(core, leg->peer, put_of(request)->sync);
    uint64_t due_us = core->now_us + patience_us;
    if (due_us < request->wake_us) {
        request_wake_at(core, request, due_us);
    }
}

static void leg_ask_digest(struct core *core, struct request *request, uint8_t i)
{
    assert(put_of(request)->by_digest && (request->leg[i].parts & REPLICA_OBJECT));
    struct message *message = request_send(core, request, i, MESSAGE_REPLICA_GET);
    message->replica_get.key = blob_ref(request->key);
    message->replica_get.digest_only = true;
    message->replica_get.for_repair = true;
    request->leg[i].asks_digest = true;
    leg_wake_for(core, request, &request->leg[i]);
}

static void leg_send(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && request->leg[i].peer != PEER_SELF);
    struct leg *leg = &request->leg[i];
    struct object *object = leg_object(request, leg);
    if (!object) {
        leg->state = LEG_FAILED;
        return;
    }
    struct message *message = request_send(core, request, i, MESSAGE_REPLICA_PUT);
    message->replica_put.key = blob_ref(request->key);
    message->replica_put.object = object;
    message->replica_put.parts = leg->parts;
    message->replica_put.sync = put_of(request)->sync && !planted(PLANTED_UNSYNCED);
    message->replica_put.hint_for = leg->is_hint ? leg->owner : 0;
    leg->asks_digest = false;
    if (put_of(request)->by_digest && (leg->parts & REPLICA_OBJECT)) {
        core->stats.objects_pushed++;
        background_charge(core);
    }
    leg_wake_for(core, request, leg);
}

void put_leg_compare(struct core *core, struct request *request, uint8_t i,
                     const struct message *message)
{
    assert(i < request->leg_count && request->leg[i].asks_digest);
    struct leg *leg = &request->leg[i];
    const struct message_replica_get_reply *reply = &message->replica_get_reply;
    if (message->type != MESSAGE_REPLICA_GET_REPLY || message->status != STATUS_OK ||
        !reply->has_digest) {
        leg->state = LEG_FAILED;
        put_legs_replace_failed(core, request);
        return;
    }
    uint8_t own[DIGEST_SIZE];
    object_digest(put_of(request)->object, own);
    if (memcmp(own, reply->digest, DIGEST_SIZE) != 0) {
        mark(MARK_PUT_AGAIN_DIFFERED);
        leg_send(core, request, i);
        return;
    }
    put_of(request)->object_acks++;
    leg->parts &= (uint8_t)~REPLICA_OBJECT;
    leg->state = leg->parts ? LEG_IDLE : LEG_DONE;
}

/* At a fallback that holds the directory: the row goes into the own database after all. */
static void leg_store_row(struct core *core, struct request *request, uint8_t i)
{
    assert(put_of(request)->is_fallback && request->leg[i].peer == PEER_SELF);
    mark(MARK_PUT_ROW_AT_FALLBACK);
    struct object *row = object_project(put_of(request)->object);
    request->leg[i].state = row ? LEG_SENT : LEG_FAILED;
    if (row) {
        struct store_request *store = request_store(core, request, i, STORE_MERGE);
        store->key = blob_ref(request->key);
        store->merge.object = row;
        store->merge.parts = REPLICA_ROW;
        store->sync = put_of(request)->sync;
    }
}

/* True if some leg gives the peer a copy of the object, or gave it one. */
static bool has_copy(const struct request *request, uint16_t peer)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->peer == peer && (leg->parts & REPLICA_OBJECT)) {
            return true;
        }
    }
    return false;
}

/* The next fallback that may take a copy, or PEER_SELF for none: one that is well, or one that
 * is suspected. Each is tried once a put as either. */
static uint16_t next_fallback(const struct core *core, struct request *request, bool is_suspect)
{
    struct preference_list list;
    uint16_t partition = ring_partition(core->ring, blob_slice(request->key));
    preference_list_build(core->ring, partition, &list);
    uint16_t *place =
        is_suspect ? &put_of(request)->next_suspect : &put_of(request)->next_fallback;
    bool is_new = *place < list.primary || planted(PLANTED_FALLBACK_TWICE);
    *place = is_new ? list.primary : *place;
    while (*place < list.count && !planted(PLANTED_FALLBACK_UNUSED)) {
        uint16_t peer = core->member_peer[list.member[(*place)++]];
        bool is_free = planted(PLANTED_FALLBACK_TWICE) || !has_copy(request, peer);
        if (peer != PEER_SELF && peer_is_usable(core, peer) &&
            peer_is_suspect(core, peer) == is_suspect && is_free) {
            return peer;
        }
    }
    return PEER_SELF;
}

static bool leg_give_to_fallback(struct core *core, struct request *request, uint8_t i,
                                 bool is_suspect)
{
    struct leg *leg = &request->leg[i];
    assert(leg->parts & REPLICA_OBJECT);
    uint16_t peer = next_fallback(core, request, is_suspect);
    if (peer == PEER_SELF) {
        return false;
    }
    mark(MARK_PUT_FALLBACK);
    mark_if(leg->is_hint, MARK_PUT_SECOND_FALLBACK);
    mark_if(is_suspect, MARK_PUT_SUSPECTED_FALLBACK);
    leg->peer = peer;
    leg->is_hint = true;
    /* The owner's row comes with the object, when the hint is handed over. */
    leg->parts = REPLICA_OBJECT;
    core->stats.hints_stored++;
    leg_send(core, request, i);
    return true;
}

static bool put_leg_replace(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && request->leg[i].state != LEG_DONE);
    bool has_object = (request->leg[i].parts & REPLICA_OBJECT) != 0;
    return has_object && leg_give_to_fallback(core, request, i, false);
}

bool put_leg_is_outlasted(const struct core *core, const struct request *request,
                          const struct leg *leg)
{
    return leg->state == LEG_SENT && peer_is_suspect(core, leg->peer) &&
           core->now_us - leg->sent_us >=
               peer_patience_us(core, leg->peer, put_of(request)->sync);
}

/* The primary whose place a fallback took, if it can be asked and was not yet; else PEER_SELF.
 */
static uint16_t replaced_primary(const struct core *core, const struct request *request,
                                 uint8_t i)
{
    assert(core->ring && i < request->leg_count);
    const struct leg *leg = &request->leg[i];
    int member = ring_find(core->ring, leg->owner);
    bool was_asked = (put_of(request)->owners_asked >> i & 1) != 0;
    if (!leg->is_hint || was_asked || member < 0) {
        return PEER_SELF;
    }
    uint16_t peer = core->member_peer[member];
    return peer_is_usable(core, peer) && !has_copy(request, peer) ? peer : PEER_SELF;
}

/* The leg gets what `from` had: a fallback, or at a fallback the own copy. Its hint is for
 * another owner now, so it is sent anew: the one before is dropped when it is handed over. */
static void leg_take_fallback(struct core *core, struct request *request, uint8_t i,
                              const struct leg *from)
{
    assert(i < request->leg_count && from->is_hint);
    struct leg *leg = &request->leg[i];
    leg->peer = from->peer;
    leg->is_hint = true;
    leg->parts = REPLICA_OBJECT;
    if (from->state == LEG_DONE) {
        put_of(request)->object_acks--;
    }
    if (leg->peer == PEER_SELF) {
        leg->state = LEG_DONE; /* it is a hint for all owners */
        put_count_acknowledged(request, leg);
    } else {
        leg_send(core, request, i);
    }
}

/* A fallback took a primary's place while that was suspected. Now the primary is asked, once,
 * and the fallback's copy is for the leg, whose owner cannot be had. */
static bool leg_give_to_primary(struct core *core, struct request *request, uint8_t i)
{
    struct slice key = blob_slice(request->key);
    for (uint8_t j = 0; j < request->leg_count; j++) {
        struct leg *leg = &request->leg[j];
        uint16_t peer = replaced_primary(core, request, j);
        if (peer == PEER_SELF || (j != i && leg->state == LEG_FAILED)) {
            continue;
        }
        mark(MARK_PUT_PRIMARY_AFTER_ALL);
        put_of(request)->owners_asked |= (uint16_t)(1U << j);
        if (j != i) {
            leg_take_fallback(core, request, i, leg);
        }
        bool has_row = put_of(request)->w_row > 0 && peer_holds(core, peer, key_directory(key));
        leg->peer = peer;
        leg->is_hint = false;
        leg->parts = (uint8_t)(REPLICA_OBJECT | (has_row ? REPLICA_ROW : 0));
        leg_send(core, request, j);
        return true;
    }
    return false;
}

/* For a leg that no node that is well can take. */
static bool leg_give_to_any(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && request->leg[i].state != LEG_DONE);
    bool has_object = (request->leg[i].parts & REPLICA_OBJECT) != 0;
    return has_object && (leg_give_to_fallback(core, request, i, true) ||
                          leg_give_to_primary(core, request, i));
}

/* Copies of the object and rows that legs have given, or may yet give. */
struct parts_given {
    unsigned objects;
    unsigned rows;
};

static void count_parts(struct parts_given *given, const struct leg *leg)
{
    given->objects += (leg->parts & REPLICA_OBJECT) ? 1 : 0;
    given->rows += (leg->parts & REPLICA_ROW) ? 1 : 0;
}

/* Sends to suspects what the quorum cannot do without, each once. */
static void ask_suspects(struct core *core, struct request *request)
{
    struct parts_given given = {0};
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state != LEG_FAILED && !put_leg_is_outlasted(core, request, leg)) {
            count_parts(&given, leg);
        }
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        /* Those that hold it already, by their digest, are acknowledged and no legs for it. */
        bool gives_object = (leg->parts & REPLICA_OBJECT) &&
                            given.objects < put_of(request)->w &&
                            put_of(request)->object_acks < put_of(request)->w;
        bool gives_row = (leg->parts & REPLICA_ROW) && given.rows < put_of(request)->w_row;
        if (leg->state != LEG_FAILED || !(gives_object || gives_row)) {
            continue;
        }
        if (leg->sent_us == 0 && peer_is_usable(core, leg->peer)) {
            mark(MARK_PUT_SUSPECT_NEEDED);
            leg_send(core, request, i);
            count_parts(&given, leg);
        } else if (gives_object && leg_give_to_any(core, request, i)) {
            given.objects++;
        }
    }
}

/* That of the primary that is the least likely to answer: they were added in that order. */
static uint8_t last_object_leg(const struct request *request)
{
    assert(request->leg_count > 0);
    uint8_t last = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        last = (request->leg[i].parts & REPLICA_OBJECT) ? i : last;
    }
    return last;
}

/* At a fallback the own copy stands in for a primary, and is a hint for all of them. */
static void legs_take_own(struct request *request)
{
    if (put_of(request)->is_fallback) {
        struct leg *leg = &request->leg[last_object_leg(request)];
        leg->peer = PEER_SELF;
        leg->is_hint = true;
        leg->parts = REPLICA_OBJECT;
    }
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        bool is_written = leg->peer == PEER_SELF &&
                          (!put_of(request)->is_fallback || (leg->parts & REPLICA_OBJECT));
        if (is_written) {
            leg->state = LEG_DONE;
            put_count_acknowledged(request, leg);
        }
    }
}

bool put_legs_wait_for_ring(struct core *core, struct request *request)
{
    assert(request->state == STATE_REPLICATING);
    uint16_t partition = ring_partition(core->ring, blob_slice(request->key));
    size_t bytes = request->bytes;
    /* What the own copy is, was settled when it was written. */
    bool is_as_before =
        core->self >= 0 && core_is_primary(core, partition) != put_of(request)->is_fallback;
    if (!is_as_before || !request_waits_for_ring(core, request)) {
        return false;
    }
    mark(MARK_PUT_AGAIN_BY_NEW_RING);
    request_charge(core, request, bytes);
    return true;
}

void put_legs_start(struct core *core, struct request *request)
{
    assert(put_of(request)->object && request->leg_count == 0);
    struct put_state *put = put_of(request);
    request->ring_mark = core->ring_mark;
    request->wake_us = UINT64_MAX;
    put->object_acks = 0;
    put->row_acks = 0;
    put->next_fallback = 0;
    put->next_suspect = 0;
    put->owners_asked = 0;
    put_add_legs(core, request);
    legs_take_own(request);
    /* Those that are well first: a fallback is none that gets a copy anyway. */
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state != LEG_IDLE || !(leg->parts & REPLICA_OBJECT)) {
            continue;
        }
        if (!peer_is_well(core, leg->peer)) {
            leg->state = LEG_FAILED;
        } else if (put_of(request)->by_digest) {
            leg_ask_digest(core, request, i);
        } else {
            leg_send(core, request, i);
        }
    }
    put_legs_replace_failed(core, request);
}

void put_legs_replace_failed(struct core *core, struct request *request)
{
    assert(put_of(request)->object);
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_FAILED) {
            (void)put_leg_replace(core, request, i);
        }
    }
    ask_suspects(core, request);
}

void put_legs_send_rows(struct core *core, struct request *request)
{
    assert(put_of(request)->object_acks >= put_of(request)->w || planted(PLANTED_ACK_EARLY) ||
           planted(PLANTED_ROW_EARLY));
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state != LEG_IDLE) {
            continue;
        }
        if (leg->peer == PEER_SELF) {
            leg_store_row(core, request, i);
        } else if (peer_is_well(core, leg->peer)) {
            leg_send(core, request, i);
        } else {
            leg->state = LEG_FAILED;
        }
    }
    ask_suspects(core, request);
}

void put_legs_on_due(struct core *core, struct request *request)
{
    assert(put_of(request)->object && request->state != STATE_WAITING);
    request->wake_us = UINT64_MAX;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state != LEG_SENT) {
            continue;
        }
        uint64_t patience_us = peer_patience_us(core, leg->peer, put_of(request)->sync);
        uint64_t due_us = leg->sent_us + patience_us;
        if (due_us > core->now_us) {
            if (due_us < request->wake_us) {
                request_wake_at(core, request, due_us);
            }
            continue;
        }
        peer_failed(core, leg->peer);
        /* With nobody to take its place it is waited for as long as the request may last: who
         * is suspected may be well and have waited for others. */
        bool is_needed = put_of(request)->object_acks < put_of(request)->w;
        if (!put_leg_replace(core, request, i) && is_needed) {
            (void)leg_give_to_any(core, request, i);
        }
    }
    ask_suspects(core, request);
}

struct put_pending put_pending(const struct core *core, const struct request *request)
{
    struct put_pending pending = {0};
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        bool waits = leg->state == LEG_IDLE; /* a row alone, until its object has W */
        if (leg->state == LEG_SENT || waits) {
            pending.objects += (leg->parts & REPLICA_OBJECT) ? 1 : 0;
            bool is_row =
                (leg->parts & REPLICA_ROW) && !put_leg_is_outlasted(core, request, leg);
            pending.rows = (uint8_t)(pending.rows + is_row);
            pending.trusted = (uint8_t)(pending.trusted + !peer_is_suspect(core, leg->peer));
        }
    }
    return pending;
}

uint8_t put_missed(const struct request *request, node_id ret_owners[OWNERS_MAX])
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state != LEG_DONE && !put_of(request)->is_fallback) {
            assert(count < OWNERS_MAX);
            ret_owners[count++] = leg->owner;
        }
    }
    return count;
}

bool put_has_hint(const struct request *request)
{
    bool any = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        any |= request->leg[i].is_hint && request->leg[i].state == LEG_DONE;
    }
    return any;
}
