/*
 * vouch.c - a node asks the others whether it is who it was.
 *
 * A data directory that was put back from a backup knows less than what its node has written
 * since. To extend a pair in it would claim those writes, and merges would drop them
 * (docs/design.md, rule 2). So each start has a number, its incarnation, and before a node
 * extends pairs of earlier ones every other member has taken the new number down, on its disk,
 * and has said that it is the greatest it saw. What is extended from then on is known to all: a
 * copy of the directory from before comes with a number that somebody has seen.
 *
 *   start ──► asking each member ──► all vouched: pairs of earlier incarnations are extended
 *                    │
 *                    └──► one has seen this number or a greater one: the directory is an old
 *                         copy; the number is raised above it, and nothing of before is trusted
 *
 * Whoever is asked for the first time, as a member that has just replaced another, cannot
 * vouch. Until all have, writes open new pairs, which is always right and costs some bytes.
 */
#include "node/core/vouch.h"

#include <assert.h>
#include <stdio.h>

#include "node/core/outbox.h"
#include "node/core/repair/task.h"
#include "ring/mark.h"
#include "ring/planted.h"

#define ASK_EVERY_US  UINT64_C(250000)
#define NOTE_EVERY_US UINT64_C(60000000)

enum { ASKED_AT_ONCE_MAX = 8 };

void vouch_wanted(struct core *core)
{
    if (core->ring && !core->vouch.is_settled) {
        core->vouch.due_us = core->now_us;
        core_due(core, core->now_us);
    }
}

void vouch_on_ring(struct core *core)
{
    core->vouch.is_settled = core->vouch.incarnation == 0;
    vouch_wanted(core);
}

static bool is_noted(const struct core *core, uint16_t member)
{
    assert(core->ring && member < core->ring->member_count);
    uint16_t peer = core->member_peer[member];
    return peer == PEER_SELF || (peer < core->peer_count &&
                                 core->peers[peer].noted_by == core->ring->members[member].id);
}

/* Has everybody answered, and is that enough? */
static void vouch_check(struct core *core)
{
    assert(core->ring && core->ring->member_count > 0);
    struct vouch *vouch = &core->vouch;
    bool is_trusted = !vouch->is_old;
    for (uint16_t i = 0; i < core->ring->member_count; i++) {
        if (!is_noted(core, i)) {
            return;
        }
        uint16_t peer = core->member_peer[i];
        is_trusted = is_trusted && (peer == PEER_SELF || core->peers[peer].has_vouched);
    }
    mark_if(!is_trusted, MARK_NOT_VOUCHED);
    vouch->is_settled = true;
    if (is_trusted && !vouch->is_trusted) {
        vouch->is_trusted = true;
        mark(MARK_VOUCHED);
        (void)core_store(core, STORE_TRUST);
    }
}

static void vouch_ask(struct core *core, uint16_t peer)
{
    assert(core->vouch.nonce != 0);
    struct message *message = core_send(core, peer, MESSAGE_VOUCH);
    message->vouch.node = core->node;
    message->vouch.incarnation = core->vouch.incarnation;
    message->vouch.nonce = core->vouch.nonce;
}

void vouch_on_tick(struct core *core)
{
    struct vouch *vouch = &core->vouch;
    if (!core->ring || vouch->is_settled) {
        return;
    }
    if (vouch->due_us > core->now_us) {
        core_due(core, vouch->due_us);
        return;
    }
    while (vouch->nonce == 0) {
        vouch->nonce = core_random(core);
    }
    uint16_t count = core->ring->member_count;
    int asked = 0;
    for (uint16_t i = 0; i < count && asked < ASKED_AT_ONCE_MAX; i++) {
        uint16_t member = (uint16_t)((vouch->next_member + i) % count);
        if (!is_noted(core, member) && repair_may_ask(core, core->member_peer[member])) {
            vouch_ask(core, core->member_peer[member]);
            asked++;
        }
    }
    vouch->next_member = (uint16_t)((vouch->next_member + 1) % count);
    vouch->due_us = core->now_us + ASK_EVERY_US;
    core_due(core, vouch->due_us);
    vouch_check(core);
}

static void note_old(struct core *core, const char *text)
{
    core->stats.old_copies++;
    if (core->vouch.note_after_us <= core->now_us) {
        core->vouch.note_after_us = core->now_us + NOTE_EVERY_US;
        core_note(core, NOTE_OLD_COPY, text);
    }
}

void vouch_on_outdone(struct core *core)
{
    note_old(core, "an object holds writes of this node that its data directory does not know "
                   "of: was it put back from a backup?");
}

/* Somebody has seen this node later than it is. */
static void vouch_raise(struct core *core, uint64_t seen)
{
    assert(seen >= core->vouch.incarnation);
    struct vouch *vouch = &core->vouch;
    char text[160];
    (void)snprintf(text, sizeof text,
                   "the data directory is in its start %llu, and another node has seen start "
                   "%llu: was it put back from a backup?",
                   (unsigned long long)vouch->incarnation, (unsigned long long)seen);
    note_old(core, text);
    mark(MARK_OLD_COPY_DISTRUSTED);
    vouch->is_old = !planted(PLANTED_OLD_TRUSTS);
    vouch->incarnation = seen + 1;
    for (uint16_t i = 0; i < core->peer_count; i++) {
        core->peers[i].noted_by = 0;
    }
    core_store(core, STORE_TRUST)->trust.incarnation = vouch->incarnation;
    vouch->is_settled = false;
    vouch_wanted(core);
}

void vouch_on_reply(struct core *core, struct event *event)
{
    const struct message *message = event->message;
    uint64_t before = message->vouch_reply.before;
    uint16_t i = 0;
    if (!core->ring || message->status != STATUS_OK ||
        message->vouch_reply.incarnation != core->vouch.incarnation) {
        return;
    }
    while (i < core->ring->member_count && core->member_peer[i] != event->peer) {
        i++;
    }
    if (i == core->ring->member_count || is_noted(core, i)) {
        return;
    }
    if (before >= core->vouch.incarnation) {
        vouch_raise(core, before);
        return;
    }
    core->peers[event->peer].noted_by = core->ring->members[i].id;
    core->peers[event->peer].has_vouched = before > 0;
    vouch_check(core);
}
