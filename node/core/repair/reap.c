/*
 * reap.c - a tombstone goes when nobody can bring back what it deleted.
 *
 *   LOOKING ──► ASKING every member ──► DROPPING at the other primaries ──► LAST: the own copy
 *
 * The first primary proposes. Each member of the ring is asked, in turn: by its own clock the
 * grace time must be over, so that no single clock that is ahead decides; no member may keep a
 * hint for the key; each primary must hold the very tombstone; and what is placed elsewhere
 * must be gone or going: an object's tombstone goes only where no row of it lives, a row's only
 * when its object is gone from all of its replicas, so that no replica that lags can push a row
 * that nothing would delete again. Before a member says yes it syncs both of its databases: a
 * power cut must not take away what the others rely upon, be it the tombstone or that a hint is
 * gone. A member that is away, is passed over, or refuses, stops it: the next scrub tries again
 * (decisions 14 and 19).
 */
#include "node/core/repair/reap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/detector.h"
#include "node/core/repair/task.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

#define GRACE_DEFAULT_US UINT64_C(604800000000)

enum reap_state { REAP_LOOKING, REAP_ASKING, REAP_DROPPING, REAP_LAST };

struct reap {
    enum reap_state state;
    struct reap_question question;
    uint16_t next_member; /* ASKING: the first that was not asked yet */
    uint64_t epoch;
};

static void reap_go(struct reap *reap, enum reap_state state)
{
    static const uint32_t comes_from[] = {
        [REAP_ASKING] = FROM(REAP_LOOKING) | FROM(REAP_ASKING),
        [REAP_DROPPING] = FROM(REAP_ASKING),
        [REAP_LAST] = FROM(REAP_DROPPING),
    };
    assert(comes_from[state] & FROM(reap->state));
    reap->state = state;
}

static struct reap *reap_of(const struct request *request)
{
    assert(request->kind == &reap_kind);
    return request->own;
}

static void reap_check(struct core *core, struct request *request);

/* One node's answer ------------------------------------------------------------------------ */

uint64_t reap_grace_us(const struct core *core)
{
    uint64_t grace_us = core->repair_config.grace_us;
    return grace_us > 0 ? grace_us : GRACE_DEFAULT_US;
}

bool reap_is_old(const struct core *core, uint64_t deleted_us)
{
    uint64_t grace_us = reap_grace_us(core);
    return core->wall_us > grace_us && deleted_us < core->wall_us - grace_us;
}

/* The second look, if this node holds what is placed elsewhere: the row of an object, the
 * object of a row. True if the store was asked. */
static bool ask_second(struct core *core, struct request *request,
                       const struct reap_question *question, enum status *ret_status)
{
    assert(question->look == REAP_FIRST);
    struct slice key = blob_slice(request->key);
    bool of_row = question->part == MERKLE_OBJECT;
    enum merkle_part other = of_row ? MERKLE_ROW : MERKLE_OBJECT;
    if (!repair_holds(core, PEER_SELF, other, key)) {
        return false;
    }
    struct blob *asked = of_row ? blob_new(key_directory(key)) : blob_ref(request->key);
    struct blob *name = of_row ? blob_new(key_name(key)) : NULL;
    if (!asked || (of_row && !name)) {
        blob_unref(asked);
        blob_unref(name);
        *ret_status = STATUS_NO_MEMORY;
        return false;
    }
    struct store_request *store =
        request_store(core, request, LEG_OF_STORE, of_row ? STORE_LIST : STORE_GET);
    store->key = asked;
    store->list.start = name;
    store->list.end = blob_ref(name);
    store->list.limit = 2; /* a file and a directory may have one name */
    return true;
}

void reap_ask_store(struct core *core, struct request *request,
                    const struct reap_question *question)
{
    struct slice key = blob_slice(request->key);
    bool is_held = repair_holds(core, PEER_SELF, question->part, key);
    struct store_request *store = request_store(core, request, LEG_OF_STORE, STORE_REAP);
    store->key = blob_ref(request->key);
    store->reap.part = is_held ? question->part : (enum merkle_part)0;
    store->reap.drop = question->drop && is_held;
    memcpy(store->reap.digest, question->digest, DIGEST_SIZE);
}

/* True if what the second look found does not stand in the way. */
static bool is_gone(const struct request *request, const struct store_result *result)
{
    if (result->operation == STORE_GET) {
        return !result->object || planted(PLANTED_REAP_ROW_FIRST);
    }
    enum row_kind kind = key_row_kind(blob_slice(request->key));
    for (uint16_t i = 0; i < result->list.row_count; i++) {
        const struct row *row = &result->list.rows[i];
        bool is_live = row->object ? object_is_live(row->object) : message_row_is_live(row);
        if (row->kind == kind && is_live) {
            mark(MARK_REAP_BESIDE_LIVE_ROW);
            return false;
        }
    }
    return true;
}

bool reap_judge(struct core *core, struct request *request, struct reap_question *question,
                const struct store_result *result, enum status *ret_status)
{
    *ret_status = result->status;
    if (result->status != STATUS_OK) {
        return true;
    }
    bool is_yes = question->look != REAP_SECOND || is_gone(request, result);
    if (question->look == REAP_SYNC || question->drop || !is_yes) {
        *ret_status = is_yes ? STATUS_OK : STATUS_REFUSED;
        return true;
    }
    if (question->look == REAP_FIRST && ask_second(core, request, question, ret_status)) {
        question->look = REAP_SECOND;
        return false;
    }
    if (*ret_status != STATUS_OK) {
        return true;
    }
    question->look = REAP_SYNC;
    request_store(core, request, LEG_OF_STORE, STORE_SYNC)->key = blob_ref(request->key);
    return false;
}

/* The one that proposes -------------------------------------------------------------------- */

static void reap_end(struct core *core, struct request *request, bool is_reaped)
{
    core->stats.tombstones_reaped += is_reaped ? 1 : 0;
    core->stats.reaps_blocked += is_reaped ? 0 : 1;
    struct child_result result = {.status = is_reaped ? STATUS_OK : STATUS_REFUSED};
    child_finish(core, request, &result);
}

static bool all_members_are_here(const struct core *core)
{
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        if (!repair_may_ask(core, core->member_peer[i])) {
            return false;
        }
    }
    return true;
}

bool reap_start(struct core *core, struct request *parent,
                const struct scrubbed_entry *scrubbed)
{
    assert(core->is_complete && scrubbed->entry.key && scrubbed->tombstone_us != 0);
    if (!all_members_are_here(core) && !planted(PLANTED_REAP_EARLY)) {
        mark(MARK_REAP_MEMBER_AWAY);
        core->stats.reaps_blocked++;
        return false;
    }
    struct reap *reap = calloc(1, sizeof *reap);
    struct request *request = reap ? request_new(core, &reap_kind, UINT64_MAX, false) : NULL;
    if (!request) {
        free(reap);
        return false;
    }
    const struct tree_entry *entry = &scrubbed->entry;
    request_set_parent(request, parent);
    request->own = reap;
    request->key = blob_ref(entry->key);
    reap->epoch = core->ring->epoch;
    reap->question.part = entry->part;
    memcpy(reap->question.digest, entry->digest, DIGEST_SIZE);
    reap->question.deleted_us = scrubbed->tombstone_us;
    reap_ask_store(core, request, &reap->question);
    return true;
}

static void reap_ask(struct core *core, struct request *request, uint16_t peer)
{
    assert(peer != PEER_SELF && request->leg_count < LEGS_MAX);
    const struct reap *reap = reap_of(request);
    uint8_t i = request->leg_count++;
    request->leg[i].peer = peer;
    request->leg[i].state = LEG_FAILED;
    if (!repair_may_ask(core, peer)) {
        return;
    }
    struct message *message = request_send(core, request, i, MESSAGE_REAP);
    message->reap.part = reap->question.part;
    message->reap.key = blob_ref(request->key);
    message->reap.deleted_us = reap->question.deleted_us;
    message->reap.drop = reap->question.drop;
    memcpy(message->reap.digest, reap->question.digest, DIGEST_SIZE);
}

/* Asks some more members. False if all were asked. */
static bool reap_ask_members(struct core *core, struct request *request)
{
    assert(reap_of(request)->state == REAP_ASKING);
    struct reap *reap = reap_of(request);
    request->leg_count = 0;
    while (reap->next_member < core->ring->member_count && request->leg_count < LEGS_MAX &&
           !planted(PLANTED_REAP_EARLY)) {
        uint16_t peer = core->member_peer[reap->next_member++];
        bool is_skipped =
            planted(PLANTED_REAP_PRIMARIES) &&
            !repair_holds(core, peer, reap->question.part, blob_slice(request->key));
        if (peer != PEER_SELF && !is_skipped) {
            reap_ask(core, request, peer);
        }
    }
    return request->leg_count > 0;
}

/* Everybody agreed: the other primaries drop their copies, then this node its own. */
static void reap_drop(struct core *core, struct request *request)
{
    assert(!reap_of(request)->question.drop && request->leg_count == 0);
    struct reap *reap = reap_of(request);
    reap->question.drop = true;
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        uint16_t peer = core->member_peer[i];
        if (peer != PEER_SELF &&
            repair_holds(core, peer, reap->question.part, blob_slice(request->key))) {
            reap_ask(core, request, peer);
        }
    }
}

/* All that was asked of others is answered well. */
static void reap_go_on(struct core *core, struct request *request)
{
    assert(reap_of(request)->state != REAP_LAST);
    struct reap *reap = reap_of(request);
    if (reap->epoch != core->ring->epoch) {
        reap_end(core, request, false);
        return;
    }
    request_set_deadline(core, request, core->now_us + REPAIR_DEADLINE_US);
    if (reap->state == REAP_LOOKING || reap->state == REAP_ASKING) {
        reap_go(reap, REAP_ASKING);
        if (reap_ask_members(core, request)) {
            reap_check(core, request);
            return;
        }
        reap_go(reap, REAP_DROPPING);
        reap_drop(core, request);
        reap_check(core, request);
        return;
    }
    reap_go(reap, REAP_LAST);
    request->deadline_us = UINT64_MAX;
    reap_ask_store(core, request, &reap->question);
}

static void reap_check(struct core *core, struct request *request)
{
    const struct reap *reap = reap_of(request);
    assert(reap->state == REAP_ASKING || reap->state == REAP_DROPPING);
    bool is_done = true;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_FAILED && !planted(PLANTED_REAP_EARLY)) {
            mark_if(!repair_may_ask(core, request->leg[i].peer), MARK_REAP_CUT_SHORT);
            mark_if(reap->state == REAP_DROPPING, MARK_REAP_HALF_DROPPED);
            reap_end(core, request, false);
            return;
        }
        is_done &= request->leg[i].state != LEG_SENT;
    }
    if (is_done) {
        reap_go_on(core, request);
    }
}

static void reap_on_reply(struct core *core, struct request *request, uint8_t leg,
                          struct message *message)
{
    assert(leg < request->leg_count && request->leg[leg].state == LEG_SENT);
    bool is_good = message->type == MESSAGE_REAP_REPLY && message->status == STATUS_OK;
    request->leg[leg].state = is_good ? LEG_DONE : LEG_FAILED;
    reap_check(core, request);
}

static void reap_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    assert(leg == LEG_OF_STORE);
    struct reap *reap = reap_of(request);
    enum status status = STATUS_OK;
    assert(reap->state == REAP_LOOKING || reap->state == REAP_LAST);
    if (!reap_judge(core, request, &reap->question, result, &status)) {
        return;
    }
    if (reap->state == REAP_LAST || status != STATUS_OK) {
        reap_end(core, request, status == STATUS_OK);
        return;
    }
    reap_go_on(core, request);
}

static void reap_on_due(struct core *core, struct request *request)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_SENT) {
            peer_failed(core, request->leg[i].peer);
        }
    }
    reap_end(core, request, false);
}

static void reap_release(struct request *request)
{
    free(reap_of(request));
}

const struct request_kind reap_kind = {
    .name = "reap",
    .on_reply = reap_on_reply,
    .on_stored = reap_on_stored,
    .on_due = reap_on_due,
    .on_leg_failed = reap_check,
    .release = reap_release,
};
