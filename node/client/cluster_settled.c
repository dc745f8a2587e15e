/*
 * cluster_settled.c - is what was acknowledged so far where reads of all holders find it?
 *
 * Beyond N members a write may be kept by others than those that hold its key, as a hint, and a
 * read asks those only while a holder is away. So each member is asked whether it keeps any.
 * Who keeps none has handed over what was acknowledged before.
 */
#include <assert.h>
#include <string.h>

#include "node/base/error.h"
#include "node/client/cluster.h"

/* Asks one member; a reply of STATUS_OK is the caller's to release. */
static enum status ask(struct cluster *cluster, const struct member *member,
                       enum message_type type, uint64_t deadline_ns, struct message *ret_reply,
                       struct error *ret_why)
{
    struct message request = {.type = type};
    struct pool_call call = {
        .address = member->address, .request = &request, .deadline_ns = deadline_ns};
    struct message reply;
    enum status status = pool_call(cluster->pool, &call, &reply);

    if (status != STATUS_OK) {
        *ret_why = call.error;
        ret_why->code = status;
        return status;
    }
    if (reply.status != STATUS_OK) {
        status = error_set(ret_why, reply.status, "%s: %s", member->address,
                           status_text(reply.status));
        message_release(&reply);
        return status;
    }
    *ret_reply = reply;
    return STATUS_OK;
}

static bool is_complete(const struct message_status_reply *node)
{
    for (uint16_t i = 0; i < node->stat_count; i++) {
        if (strcmp(node->stats[i].name, "complete") == 0) {
            return node->stats[i].value != 0;
        }
    }
    return true;
}

/* Is it the member, by the same ring, and whole? */
static enum status check_node(struct cluster *cluster, const struct ring *ring,
                              const struct member *member, uint64_t deadline_ns,
                              struct error *ret_why)
{
    struct message reply;
    enum status status = ask(cluster, member, MESSAGE_STATUS, deadline_ns, &reply, ret_why);

    if (status != STATUS_OK) {
        return status;
    }
    const struct message_status_reply *node = &reply.status_reply;
    if (reply.ring_epoch > ring->epoch) {
        (void)cluster_ring_learn(cluster, member->address, reply.ring_epoch, deadline_ns);
    }
    if (node->node != member->id || !node->ready || reply.ring_epoch != ring->epoch) {
        status = error_set(ret_why, STATUS_STALE_RING, "%s: not of the ring that is known",
                           member->address);
    } else if (!is_complete(node)) {
        status = error_set(ret_why, STATUS_NOT_READY, "%s: it refills", member->address);
    }
    message_release(&reply);
    return status;
}

static enum status check_hints(struct cluster *cluster, const struct member *member,
                               uint64_t deadline_ns, struct error *ret_why)
{
    struct message reply;
    enum status status = ask(cluster, member, MESSAGE_HINTS, deadline_ns, &reply, ret_why);

    if (status != STATUS_OK) {
        return status;
    }
    for (uint16_t i = 0; i < reply.hints_reply.count; i++) {
        if (reply.hints_reply.owners[i].count > 0) {
            status = error_set(ret_why, STATUS_BUSY, "%s: it keeps hints for other members",
                               member->address);
        }
    }
    message_release(&reply);
    return status;
}

enum status cluster_settled(struct cluster *cluster, uint64_t deadline_ns,
                            struct error *ret_why)
{
    assert(cluster && ret_why);
    struct ring_snapshot *snapshot = cluster_ring_ref(cluster);
    const struct ring *ring = &snapshot->ring;
    enum status status = STATUS_OK;

    /* Else whoever holds one key holds all, and nobody is left to keep a hint. */
    bool has_others = ring->member_count > ring_replicas(ring);
    for (uint16_t i = 0; has_others && i < ring->member_count && status == STATUS_OK; i++) {
        const struct member *member = &ring->members[i];
        status = check_node(cluster, ring, member, deadline_ns, ret_why);
        if (status == STATUS_OK) {
            status = check_hints(cluster, member, deadline_ns, ret_why);
        }
    }
    cluster_ring_unref(snapshot);
    return status;
}
