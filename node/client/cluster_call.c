/*
 * cluster_call.c - one request through as many nodes as it takes.
 *
 * Source:   DeCandia et al., section 4.5: a client that knows the ring sends its requests
 *           straight to the nodes of the preference list; any other node forwards.
 *
 * Nodes are asked in rounds, each once a round, until the deadline:
 *
 *   answered (also by a rule)      the call ends with that status
 *   broken, slow, busy, ...        the next node; this one again in the next round
 *   its disk, its copy             the next node; this one no more
 *   too few replicas               one other coordinator, then the call ends
 *
 * A node that is silent costs little, for an attempt lasts only a few times as long as the
 * cluster has been taking of late. The second silent attempt of a call may as well be the
 * cluster's slowness: from then on each lasts twice as long, and the last one all that is left.
 * The node is told a longer deadline than the attempt's: what it has begun it may finish.
 *
 * Every attempt of a put carries the same write id, so that being written twice is harmless.
 */
#include <assert.h>
#include <string.h>

#include "node/client/cluster.h"
#include "node/client/socket.h"
#include "ring/preference_list.h"

enum {
    /* An attempt lasts a few times as long as answers take of late, but at least so long. */
    ATTEMPT_MIN_MS = 100,
    ATTEMPT_LATENCIES = 4,
    SYNC_EXTRA_MS = 400,       /* more for a put that waits for disks */
    BYTES_PER_EXTRA_MS = 4096, /* ... and for what is large */
    ROW_SIZE = 128,            /* about, on the wire */
    DOUBLINGS_MAX = 8,
    /* The node is told a quarter of what is left, and at least so much. */
    NODE_SHARE = 4,
    NODE_MIN_MS = 500,
    REPLY_MARGIN_MS = 200, /* the node answers "timeout" this much before the client gives up */
    ROUND_PAUSE_MIN_MS = 20,
    ROUND_PAUSE_MAX_MS = 500,
    NO_QUORUM_MAX = 2, /* coordinators that are believed when they say so */
};

/* What an attempt means for the call. */
enum verdict {
    VERDICT_DONE,    /* the call ends with this status */
    VERDICT_LATER,   /* another node, and this one again in the next round */
    VERDICT_NO_MORE, /* another node, and never this one */
};

/* One call under way. */
struct call {
    struct cluster *cluster;
    const struct cluster_request *request;
    struct message reply; /* once VERDICT_DONE with STATUS_OK or STATUS_NOT_FOUND */
    bool is_heard;        /* some node answered, whatever it was */
    bool is_open;         /* some attempt of a put may have been carried out */
    unsigned no_quorum_count;
    unsigned silent_count; /* attempts that ended without an answer in time */
    enum status outcome;   /* so far: the failure that says most, or the end of the call */
    bool is_ring_old;      /* a newer one came while this round went on */
    uint64_t epoch;        /* of the ring that `given_up` is about */
    bool given_up[MEMBERS_MAX];
};

/* Failures in order of how much they say, the least first. */
static unsigned failure_rank(enum status status)
{
    static const enum status order[] = {
        STATUS_OK,        STATUS_UNREACHABLE, STATUS_CLOSED,      STATUS_NO_MEMORY,
        STATUS_DENIED,    STATUS_REFUSED,     STATUS_BAD_VERSION, STATUS_STALE_RING,
        STATUS_NOT_READY, STATUS_BUSY,        STATUS_TIMEOUT,     STATUS_BAD_MESSAGE,
        STATUS_IO,        STATUS_NO_SPACE,    STATUS_CORRUPT,     STATUS_NO_QUORUM,
    };
    for (unsigned i = 0; i < sizeof order / sizeof *order; i++) {
        if (order[i] == status) {
            return i;
        }
    }
    return 1;
}

static void note(struct call *call, enum status status, bool is_open)
{
    if (failure_rank(status) > failure_rank(call->outcome)) {
        call->outcome = status;
    }
    call->is_open |= is_open && call->request->is_put;
}

/* No reply came. */
static enum verdict judge_silence(struct call *call, node_id node, enum status status,
                                  bool is_open)
{
    note(call, status, is_open);
    if (status == STATUS_NO_MEMORY || status == STATUS_TOO_LARGE ||
        status == STATUS_INTERRUPTED) {
        call->outcome = status; /* it is on this side */
        return VERDICT_DONE;
    }
    call->silent_count += status == STATUS_TIMEOUT;
    cluster_node_failed(call->cluster, node);
    return status == STATUS_BAD_MESSAGE || status == STATUS_BAD_VERSION ||
                   status == STATUS_REFUSED || status == STATUS_DENIED
               ? VERDICT_NO_MORE
               : VERDICT_LATER;
}

/* A reply that tells of a failure. */
static enum verdict judge_failure(struct call *call, node_id node, enum status status)
{
    switch (status) {
    case STATUS_BUSY:
    case STATUS_NOT_READY:
    case STATUS_NO_MEMORY:
    case STATUS_UNREACHABLE:
        cluster_node_failed(call->cluster, node);
        note(call, status, false);
        return VERDICT_LATER;
    case STATUS_STALE_RING:
        note(call, status, false);
        return VERDICT_LATER;
    case STATUS_CLOSED:
        cluster_node_failed(call->cluster, node);
        note(call, status, true);
        return VERDICT_LATER;
    case STATUS_TIMEOUT:
    case STATUS_INTERRUPTED: /* which is of this side: no node says so */
        note(call, STATUS_TIMEOUT, true);
        return VERDICT_LATER;
    case STATUS_IO:
        /* A disk that fails may have written all the same. */
        cluster_node_failed(call->cluster, node);
        note(call, status, true);
        return VERDICT_NO_MORE;
    case STATUS_NO_SPACE:
        /* Said of the coordinator's own disk or, with its copy written, of the others'. */
        note(call, status, true);
        return VERDICT_NO_MORE;
    case STATUS_CORRUPT:
        note(call, status, false);
        return VERDICT_NO_MORE;
    case STATUS_NO_QUORUM:
        note(call, status, true);
        call->no_quorum_count++;
        return call->no_quorum_count == NO_QUORUM_MAX ? VERDICT_DONE : VERDICT_NO_MORE;
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_TOO_LARGE:
    case STATUS_BAD_MESSAGE:
    case STATUS_BAD_KEY:
    case STATUS_REFUSED:
    case STATUS_DENIED:
    case STATUS_TOO_MANY_VERSIONS:
    case STATUS_UNKNOWN_VERSION:
    case STATUS_BAD_VERSION:
    case STATUS_COUNT:
        break;
    }
    call->outcome = status;
    return VERDICT_DONE;
}

static enum verdict judge_reply(struct call *call, node_id node, struct message *reply)
{
    if (reply->status != STATUS_OK && reply->status != STATUS_NOT_FOUND) {
        return judge_failure(call, node, reply->status);
    }
    enum status status = call->request->check(call->request, reply);
    if (status != STATUS_OK) {
        note(call, status, true);
        return VERDICT_NO_MORE;
    }
    call->outcome = reply->status;
    call->reply = *reply;
    memset(reply, 0, sizeof *reply);
    return VERDICT_DONE;
}

/* More time than an ordinary request needs, in nanoseconds. */
static uint64_t extra_ns(const struct message *message)
{
    uint64_t size = 0;
    bool is_synced = false;
    if (message->type == MESSAGE_PUT) {
        size = blob_slice(message->put.value.content).size;
        is_synced = message->put.sync;
    } else if (message->type == MESSAGE_LIST) {
        size = (uint64_t)message->list.limit * ROW_SIZE;
    }
    return (size / BYTES_PER_EXTRA_MS + (is_synced ? SYNC_EXTRA_MS : 0)) * NS_PER_MS;
}

/* What an attempt may take of what is left, so that there is time for others. */
static uint64_t share_ns(uint64_t left)
{
    uint64_t share = left / NODE_SHARE;
    share = share > NODE_MIN_MS * NS_PER_MS ? share : NODE_MIN_MS * NS_PER_MS;
    return share < left ? share : left;
}

/* How long the attempt that begins now may last, of what is left. */
static uint64_t attempt_ns(const struct call *call, uint64_t left)
{
    uint64_t length = ATTEMPT_LATENCIES * cluster_latency_ns(call->cluster);
    if (length < ATTEMPT_MIN_MS * NS_PER_MS) {
        length = ATTEMPT_MIN_MS * NS_PER_MS;
    }
    length += extra_ns(call->request->message);
    if (length > share_ns(left)) {
        length = share_ns(left);
    }
    if (call->silent_count == 0) {
        return length;
    }
    unsigned doublings = call->silent_count - 1;
    length <<= doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX;
    return left < 2 * length ? left : length;
}

/* What the node is told: a little less, so that its answer still finds the client waiting. */
static uint32_t node_deadline_ms(uint64_t left_ns)
{
    uint64_t left_ms = left_ns / NS_PER_MS;
    uint64_t margin_ms = left_ms / 8 < REPLY_MARGIN_MS ? left_ms / 8 : REPLY_MARGIN_MS;
    uint64_t granted_ms = left_ms - margin_ms;
    if (granted_ms == 0) {
        return 1;
    }
    return granted_ms > DEADLINE_MAX_MS ? DEADLINE_MAX_MS : (uint32_t)granted_ms;
}

/* An answer came. What large and synced requests are granted anyway tells nothing. */
static void note_latency(struct call *call, uint64_t took_ns)
{
    uint64_t extra = extra_ns(call->request->message);
    if (extra == 0 || took_ns > extra) {
        cluster_latency_learn(call->cluster, took_ns - extra);
    }
}

static enum verdict attempt(struct call *call, const struct ring *ring, uint16_t index)
{
    const struct member *member = &ring->members[index];
    const struct cluster_request *request = call->request;
    uint64_t now = client_now_ns();
    if (now >= request->deadline_ns) {
        if (call->outcome == STATUS_OK) {
            note(call, STATUS_TIMEOUT, false);
        }
        return VERDICT_DONE;
    }
    /* A lone node is worth all of the time. */
    uint64_t left = request->deadline_ns - now;
    uint64_t length = ring->member_count == 1 ? left : attempt_ns(call, left);
    struct pool_call one = {
        .address = member->address,
        .request = request->message,
        .deadline_ns = now + length,
    };
    if (request->deadline_ms) {
        *request->deadline_ms =
            node_deadline_ms(length > share_ns(left) ? length : share_ns(left));
    }
    struct message reply;
    enum status status = pool_call(call->cluster->pool, &one, &reply);
    if (status != STATUS_OK) {
        return judge_silence(call, member->id, status, one.is_open);
    }
    uint64_t epoch = reply.ring_epoch;
    call->is_heard = true;
    cluster_node_works(call->cluster, member->id);
    enum verdict verdict = judge_reply(call, member->id, &reply);
    message_release(&reply);
    if (call->reply.type != 0) {
        note_latency(call, client_now_ns() - now);
    }
    if (epoch > ring->epoch) {
        call->is_ring_old |=
            cluster_ring_learn(call->cluster, member->address, epoch, request->deadline_ns);
    }
    return verdict;
}

/* The order in which a round asks: the preference list, those that failed of late at its end,
 * and of these the one that has been failing longest last. */
static uint16_t plan_round(struct call *call, const struct ring *ring,
                           uint16_t ret_order[MEMBERS_MAX])
{
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, call->request->placed_by), &list);
    uint32_t pauses[MEMBERS_MAX]; /* of those in order */
    uint16_t count = 0;
    for (uint16_t i = 0; i < list.count; i++) {
        uint16_t index = list.member[i];
        if (call->given_up[index]) {
            continue;
        }
        uint32_t pause = cluster_node_pause_ms(call->cluster, ring->members[index].id);
        uint16_t place = count++;
        for (; place > 0 && pauses[place - 1] > pause; place--) {
            pauses[place] = pauses[place - 1];
            ret_order[place] = ret_order[place - 1];
        }
        pauses[place] = pause;
        ret_order[place] = index;
    }
    return count;
}

/* Asks each node once. True if another round makes sense. */
static bool run_round(struct call *call, const struct ring *ring)
{
    uint16_t order[MEMBERS_MAX];
    uint16_t count = plan_round(call, ring, order);
    bool is_any_left = false;
    for (uint16_t i = 0; i < count; i++) {
        switch (attempt(call, ring, order[i])) {
        case VERDICT_DONE:
            return false;
        case VERDICT_LATER:
            is_any_left = true;
            break;
        case VERDICT_NO_MORE:
            call->given_up[order[i]] = true;
            break;
        }
        if (call->is_ring_old) {
            return call->no_quorum_count == 0;
        }
    }
    return is_any_left && call->no_quorum_count == 0;
}

/* The pause between two rounds. False if the deadline comes first, or an interruption. */
static bool rest(struct call *call, uint32_t *pause_ms)
{
    uint64_t until = client_now_ns() + *pause_ms * NS_PER_MS;
    if (until >= call->request->deadline_ns) {
        return false;
    }
    if (!socket_pause_until(until)) {
        call->outcome = STATUS_INTERRUPTED;
        return false;
    }
    *pause_ms = 2 * *pause_ms < ROUND_PAUSE_MAX_MS ? 2 * *pause_ms : ROUND_PAUSE_MAX_MS;
    return true;
}

static enum status conclude(struct call *call)
{
    enum status status = call->outcome;
    bool has_answer = call->reply.type != 0;
    if (has_answer || status == STATUS_INTERRUPTED) {
        return status;
    }
    if (call->is_open) {
        bool tells_why =
            status == STATUS_NO_QUORUM || status == STATUS_IO || status == STATUS_NO_SPACE;
        return tells_why ? status : STATUS_TIMEOUT;
    }
    /* What is left of a broken connection, once it is known that nothing was done. */
    return status == STATUS_CLOSED ? STATUS_UNREACHABLE : status;
}

enum status cluster_call(struct cluster *cluster, const struct cluster_request *request,
                         struct message *ret_reply)
{
    assert(cluster && request && request->message && request->check && ret_reply);
    struct call call = {.cluster = cluster, .request = request};
    uint32_t pause_ms = ROUND_PAUSE_MIN_MS;
    uint64_t begin_ns = client_now_ns();
    bool go_on = true;
    while (go_on) {
        struct ring_snapshot *snapshot = cluster_ring_ref(cluster);
        if (snapshot->ring.epoch != call.epoch) {
            call.epoch = snapshot->ring.epoch;
            memset(call.given_up, 0, sizeof call.given_up);
        }
        go_on = run_round(&call, &snapshot->ring);
        cluster_ring_unref(snapshot);
        go_on = go_on && (call.is_ring_old || rest(&call, &pause_ms));
        call.is_ring_old = false;
    }
    enum status status = conclude(&call);
    if (!call.is_heard && status != STATUS_INTERRUPTED) {
        cluster_silence_note(cluster, begin_ns, request->whole_ns);
    }
    if (call.reply.type != 0) {
        *ret_reply = call.reply;
        cluster_nodes_probe(cluster, request->deadline_ns);
    }
    return status;
}
