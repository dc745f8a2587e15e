/*
 * same.c - see sample.h: comparing messages, field by field.
 */
#include <string.h>

#include "node/wire/record.h"
#include "tests/wire/sample.h"

static bool same_blob(const struct blob *a, const struct blob *b)
{
    return (!a) == (!b) && slice_equal(blob_slice(a), blob_slice(b));
}

static bool same_attributes(const struct attributes *a, const struct attributes *b)
{
    return a->type == b->type && a->mode == b->mode && a->user == b->user &&
           a->group == b->group && a->accessed_ns == b->accessed_ns &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns &&
           a->size == b->size && a->file_id == b->file_id && a->named_ns == b->named_ns &&
           a->modified_set_ns == b->modified_set_ns && a->mode_set_ns == b->mode_set_ns &&
           a->owner_set_ns == b->owner_set_ns;
}

bool sample_same_version(const struct version *a, const struct version *b)
{
    return a->dot.counter == b->dot.counter && actor_equal(a->dot.actor, b->dot.actor) &&
           memcmp(a->write_id, b->write_id, WRITE_ID_SIZE) == 0 &&
           same_attributes(&a->attributes, &b->attributes) &&
           memcmp(a->content_hash, b->content_hash, CONTENT_HASH_SIZE) == 0 &&
           same_blob(a->content, b->content) && same_blob(a->xattrs, b->xattrs);
}

bool sample_same_object(const struct object *a, const struct object *b)
{
    if (!a || !b) {
        return a == b;
    }
    if (!clock_equal(&a->clock, &b->clock) || a->version_count != b->version_count ||
        !actor_equal(a->own, b->own) || a->deleted_us != b->deleted_us) {
        return false;
    }
    for (uint32_t i = 0; i < a->version_count; i++) {
        if (!sample_same_version(&a->versions[i], &b->versions[i])) {
            return false;
        }
    }
    return true;
}

static bool same_dots(const struct dot *a, uint32_t a_count, const struct dot *b,
                      uint32_t b_count)
{
    struct clock a_clock = {.count = a_count, .pair = a};
    struct clock b_clock = {.count = b_count, .pair = b};

    return clock_equal(&a_clock, &b_clock);
}

static bool same_hello(const struct message_hello *a, const struct message_hello *b)
{
    if (a->protocol != b->protocol || a->role != b->role || a->cluster_id != b->cluster_id ||
        a->node != b->node || strcmp(a->address, b->address) != 0 || a->forming != b->forming ||
        a->seed_count != b->seed_count || memcmp(a->nonce, b->nonce, NONCE_SIZE) != 0 ||
        a->has_proof != b->has_proof || memcmp(a->proof, b->proof, PROOF_SIZE) != 0) {
        return false;
    }
    for (uint16_t i = 0; i < a->seed_count; i++) {
        if (strcmp(a->seeds[i], b->seeds[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_put(const struct message_put *a, const struct message_put *b)
{
    return same_blob(a->key, b->key) && a->mode == b->mode &&
           same_dots(a->context, a->context_count, b->context, b->context_count) &&
           same_dots(a->dots, a->dot_count, b->dots, b->dot_count) &&
           a->has_value == b->has_value && sample_same_version(&a->value, &b->value) &&
           a->w == b->w && a->sync == b->sync && a->hops == b->hops &&
           a->deadline_ms == b->deadline_ms;
}

static bool same_list(const struct message_list *a, const struct message_list *b)
{
    return same_blob(a->directory, b->directory) && same_blob(a->start, b->start) &&
           a->after_start == b->after_start && same_blob(a->end, b->end) &&
           a->end_is_prefix == b->end_is_prefix && a->limit == b->limit &&
           a->live_only == b->live_only && a->for_repair == b->for_repair && a->r == b->r &&
           a->hops == b->hops && a->deadline_ms == b->deadline_ms;
}

/* Rows between nodes keep their records unopened, whatever they are; else an object is encoded
 * in one way only. */
static bool same_row(const struct row *a, const struct row *b)
{
    struct row opened = {.kind = b->kind, .record = blob_ref(b->record)};
    bool same = row_compare(a, b) == 0;

    if (a->record || !b->record) {
        same =
            same && same_blob(a->record, b->record) && sample_same_object(a->object, b->object);
    } else {
        same = same && message_open_row(&opened) == STATUS_OK &&
               sample_same_object(a->object, opened.object);
    }
    row_release(&opened);
    return same;
}

static bool same_list_reply(const struct message_list_reply *a,
                            const struct message_list_reply *b)
{
    if (a->row_count != b->row_count || a->more != b->more ||
        !same_blob(a->resume, b->resume)) {
        return false;
    }
    for (uint16_t i = 0; i < a->row_count; i++) {
        if (!same_row(&a->rows[i], &b->rows[i])) {
            return false;
        }
    }
    if (a->mark_count != b->mark_count) {
        return false;
    }
    for (uint16_t i = 0; i < a->mark_count; i++) {
        if (!same_blob(a->marks[i].name, b->marks[i].name) ||
            memcmp(a->marks[i].digest, b->marks[i].digest, DIGEST_SIZE) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_status_reply(const struct message_status_reply *a,
                              const struct message_status_reply *b)
{
    if (a->node != b->node || strcmp(a->address, b->address) != 0 ||
        a->cluster_id != b->cluster_id || a->epoch != b->epoch || a->ready != b->ready ||
        a->disk_total != b->disk_total || a->disk_free != b->disk_free ||
        a->disk_state != b->disk_state || a->peer_count != b->peer_count ||
        a->stat_count != b->stat_count) {
        return false;
    }
    for (uint16_t i = 0; i < a->peer_count; i++) {
        if (a->peers[i].id != b->peers[i].id || a->peers[i].up != b->peers[i].up ||
            strcmp(a->peers[i].address, b->peers[i].address) != 0) {
            return false;
        }
    }
    for (uint16_t i = 0; i < a->stat_count; i++) {
        if (a->stats[i].value != b->stats[i].value ||
            strcmp(a->stats[i].name, b->stats[i].name) != 0) {
            return false;
        }
    }
    return true;
}

static bool same_ring(const struct ring *a, const struct ring *b)
{
    /* Rings are made zeroed, so equal ones are equal bytes. */
    return !a || !b ? a == b : memcmp(a, b, sizeof *a) == 0;
}

static bool same_replica_get_reply(const struct message_replica_get_reply *a,
                                   const struct message_replica_get_reply *b)
{
    return a->has_digest == b->has_digest && memcmp(a->digest, b->digest, DIGEST_SIZE) == 0 &&
           sample_same_object(a->object, b->object) && a->names_us == b->names_us;
}

static bool same_replica_put(const struct message_replica_put *a,
                             const struct message_replica_put *b)
{
    return same_blob(a->key, b->key) && sample_same_object(a->object, b->object) &&
           a->parts == b->parts && a->sync == b->sync && a->hint_for == b->hint_for &&
           a->leave_intent == b->leave_intent;
}

static bool same_hints_reply(const struct message_hints_reply *a,
                             const struct message_hints_reply *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint16_t i = 0; i < a->count; i++) {
        if (a->owners[i].owner != b->owners[i].owner ||
            a->owners[i].count != b->owners[i].count ||
            a->owners[i].bytes != b->owners[i].bytes ||
            a->owners[i].oldest_us != b->owners[i].oldest_us) {
            return false;
        }
    }
    return true;
}

static bool same_repair_reply(const struct message_repair_reply *a,
                              const struct message_repair_reply *b)
{
    return a->is_running == b->is_running && a->is_complete == b->is_complete &&
           a->passes == b->passes && a->pairs_done == b->pairs_done &&
           a->pairs_total == b->pairs_total && a->pairs_failed == b->pairs_failed &&
           a->keys_repaired == b->keys_repaired;
}

static bool same_tree_keys(const struct message_tree_keys *a, const struct message_tree_keys *b)
{
    return a->partition == b->partition &&
           memcmp(&a->leaves, &b->leaves, sizeof a->leaves) == 0 &&
           a->after_part == b->after_part && same_blob(a->after_key, b->after_key) &&
           a->limit == b->limit;
}

static bool same_tree_keys_reply(const struct message_tree_keys_reply *a,
                                 const struct message_tree_keys_reply *b)
{
    if (a->count != b->count || a->more != b->more) {
        return false;
    }
    for (uint16_t i = 0; i < a->count; i++) {
        if (a->entries[i].part != b->entries[i].part ||
            !same_blob(a->entries[i].key, b->entries[i].key) ||
            memcmp(a->entries[i].digest, b->entries[i].digest, DIGEST_SIZE) != 0) {
            return false;
        }
    }
    return true;
}

/* Of the messages that find replicas that differ. */
static bool same_repair_payload(const struct message *a, const struct message *b)
{
    switch ((int)a->type) {
    case MESSAGE_HINTS_REPLY:
        return same_hints_reply(&a->hints_reply, &b->hints_reply);
    case MESSAGE_REPAIR:
        return a->repair.start == b->repair.start;
    case MESSAGE_REPAIR_REPLY:
        return same_repair_reply(&a->repair_reply, &b->repair_reply);
    case MESSAGE_TREE:
        return a->tree.partition == b->tree.partition && a->tree.bucket == b->tree.bucket;
    case MESSAGE_TREE_REPLY:
        return memcmp(a->tree_reply.hash, b->tree_reply.hash, sizeof a->tree_reply.hash) == 0 &&
               a->tree_reply.is_complete == b->tree_reply.is_complete;
    case MESSAGE_TREE_KEYS:
        return same_tree_keys(&a->tree_keys, &b->tree_keys);
    case MESSAGE_TREE_KEYS_REPLY:
        return same_tree_keys_reply(&a->tree_keys_reply, &b->tree_keys_reply);
    case MESSAGE_VOUCH:
        return a->vouch.node == b->vouch.node && a->vouch.incarnation == b->vouch.incarnation &&
               a->vouch.nonce == b->vouch.nonce;
    case MESSAGE_VOUCH_REPLY:
        return a->vouch_reply.incarnation == b->vouch_reply.incarnation &&
               a->vouch_reply.before == b->vouch_reply.before;
    case MESSAGE_REAP:
        return a->reap.part == b->reap.part && same_blob(a->reap.key, b->reap.key) &&
               memcmp(a->reap.digest, b->reap.digest, DIGEST_SIZE) == 0 &&
               a->reap.deleted_us == b->reap.deleted_us && a->reap.drop == b->reap.drop;
    }
    return false;
}

static bool same_membership_payload(const struct message *a, const struct message *b)
{
    switch ((int)a->type) {
    case MESSAGE_JOIN:
        return a->join.member.id == b->join.member.id &&
               strcmp(a->join.member.address, b->join.member.address) == 0;
    case MESSAGE_PREPARE:
        return a->prepare.epoch == b->prepare.epoch &&
               a->prepare.proposer == b->prepare.proposer &&
               a->prepare.replaced == b->prepare.replaced &&
               a->prepare.by_hand == b->prepare.by_hand;
    case MESSAGE_RING_PUSH:
        return a->ring_push.epoch == b->ring_push.epoch &&
               a->ring_push.node == b->ring_push.node;
    case MESSAGE_REPLACE:
        return a->replace.member == b->replace.member;
    case MESSAGE_DROP_HINTS:
        return a->drop_hints.owner == b->drop_hints.owner;
    case MESSAGE_DROP_HINTS_REPLY:
        return a->drop_hints_reply.count == b->drop_hints_reply.count;
    }
    return false;
}

static bool same_payload(const struct message *a, const struct message *b)
{
    switch (a->type) {
    case MESSAGE_HELLO:
    case MESSAGE_HELLO_REPLY:
        return same_hello(&a->hello, &b->hello);
    case MESSAGE_PROOF:
        return memcmp(a->proof.proof, b->proof.proof, PROOF_SIZE) == 0;
    case MESSAGE_GET:
        return same_blob(a->get.key, b->get.key) && a->get.r == b->get.r &&
               a->get.hops == b->get.hops && a->get.deadline_ms == b->get.deadline_ms;
    case MESSAGE_GET_REPLY:
        return sample_same_object(a->get_reply.object, b->get_reply.object) &&
               a->get_reply.answers == b->get_reply.answers &&
               a->get_reply.names_us == b->get_reply.names_us;
    case MESSAGE_PUT:
        return same_put(&a->put, &b->put);
    case MESSAGE_PUT_REPLY:
        return sample_same_object(a->put_reply.row, b->put_reply.row);
    case MESSAGE_LIST:
    case MESSAGE_REPLICA_LIST:
        return same_list(&a->list, &b->list);
    case MESSAGE_LIST_REPLY:
    case MESSAGE_REPLICA_LIST_REPLY:
        return same_list_reply(&a->list_reply, &b->list_reply);
    case MESSAGE_STATUS_REPLY:
        return same_status_reply(&a->status_reply, &b->status_reply);
    case MESSAGE_RING_REPLY:
    case MESSAGE_JOIN_REPLY:
        return same_ring(a->ring, b->ring);
    case MESSAGE_REPLICA_GET:
        return same_blob(a->replica_get.key, b->replica_get.key) &&
               a->replica_get.digest_only == b->replica_get.digest_only &&
               a->replica_get.from_hints == b->replica_get.from_hints &&
               a->replica_get.for_repair == b->replica_get.for_repair;
    case MESSAGE_REPLICA_GET_REPLY:
        return same_replica_get_reply(&a->replica_get_reply, &b->replica_get_reply);
    case MESSAGE_REPLICA_PUT:
        return same_replica_put(&a->replica_put, &b->replica_put);
    case MESSAGE_HINTS_REPLY:
    case MESSAGE_REPAIR:
    case MESSAGE_REPAIR_REPLY:
    case MESSAGE_TREE:
    case MESSAGE_TREE_REPLY:
    case MESSAGE_TREE_KEYS:
    case MESSAGE_TREE_KEYS_REPLY:
    case MESSAGE_REAP:
    case MESSAGE_VOUCH:
    case MESSAGE_VOUCH_REPLY:
        return same_repair_payload(a, b);
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_RING_PUSH:
    case MESSAGE_REPLACE:
    case MESSAGE_DROP_HINTS:
    case MESSAGE_DROP_HINTS_REPLY:
        return same_membership_payload(a, b);
    case MESSAGE_STATUS:
    case MESSAGE_RING:
    case MESSAGE_HINTS:
    case MESSAGE_PING:
    case MESSAGE_PING_REPLY:
    case MESSAGE_REAP_REPLY:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_PROOF_REPLY:
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLACE_REPLY:
        return true;
    }
    return false;
}

bool sample_same_message(const struct message *a, const struct message *b)
{
    return a->type == b->type && a->request_id == b->request_id &&
           a->ring_epoch == b->ring_epoch && a->status == b->status &&
           same_blob(a->text, b->text) && same_payload(a, b);
}
