/*
 * sample_message.c - see sample.h: making messages.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/wire/sample.h"

const enum message_type sample_types[SAMPLE_TYPES] = {
    MESSAGE_HELLO,
    MESSAGE_HELLO_REPLY,
    MESSAGE_PROOF,
    MESSAGE_PROOF_REPLY,
    MESSAGE_GET,
    MESSAGE_GET_REPLY,
    MESSAGE_PUT,
    MESSAGE_PUT_REPLY,
    MESSAGE_LIST,
    MESSAGE_LIST_REPLY,
    MESSAGE_STATUS,
    MESSAGE_STATUS_REPLY,
    MESSAGE_RING,
    MESSAGE_RING_REPLY,
    MESSAGE_REPLICA_GET,
    MESSAGE_REPLICA_GET_REPLY,
    MESSAGE_REPLICA_PUT,
    MESSAGE_REPLICA_LIST,
    MESSAGE_REPLICA_LIST_REPLY,
    MESSAGE_REPLICA_PUT_REPLY,
    MESSAGE_JOIN,
    MESSAGE_JOIN_REPLY,
    MESSAGE_PREPARE,
    MESSAGE_RING_PUSH,
    MESSAGE_RING_PUSH_REPLY,
    MESSAGE_PREPARE_REPLY,
    MESSAGE_HINTS,
    MESSAGE_HINTS_REPLY,
    MESSAGE_REPAIR,
    MESSAGE_REPAIR_REPLY,
    MESSAGE_PING,
    MESSAGE_PING_REPLY,
    MESSAGE_TREE,
    MESSAGE_TREE_REPLY,
    MESSAGE_TREE_KEYS,
    MESSAGE_TREE_KEYS_REPLY,
    MESSAGE_REAP,
    MESSAGE_REAP_REPLY,
    MESSAGE_REPLACE,
    MESSAGE_REPLACE_REPLY,
    MESSAGE_DROP_HINTS,
    MESSAGE_DROP_HINTS_REPLY,
    MESSAGE_VOUCH,
    MESSAGE_VOUCH_REPLY,
};

/* A nonce or a proof. */
static void sample_fill(struct sample *sample, uint8_t *ret_bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ret_bytes[i] = (uint8_t)sample_bits(sample);
    }
}

static void sample_hello(struct sample *sample, struct message *message)
{
    struct message_hello *hello = &message->hello;

    sample_fill(sample, hello->nonce, NONCE_SIZE);
    if (message->type == MESSAGE_HELLO_REPLY && message->status == STATUS_OK) {
        hello->has_proof = true;
        sample_fill(sample, hello->proof, PROOF_SIZE);
    }
    hello->protocol = PROTOCOL_VERSION;
    hello->cluster_id = sample_number(sample);
    hello->role = ROLE_CLIENT;
    if (sample_chance(sample, 50)) {
        return;
    }
    hello->role = ROLE_NODE;
    hello->node = 1 + sample_number(sample) / 2;
    sample_address(sample, hello->address);
    hello->forming = sample_chance(sample, 50);
    hello->seed_count = (uint16_t)sample_below(sample, 4);
    if (hello->seed_count > 0) {
        hello->seeds = calloc(hello->seed_count, sizeof *hello->seeds);
        assert(hello->seeds);
    }
    for (uint16_t i = 0; i < hello->seed_count; i++) {
        sample_address(sample, hello->seeds[i]);
        hello->seeds[i][0] = (char)('a' + i); /* ascending */
    }
}

static void sample_put(struct sample *sample, struct message_put *put)
{
    enum row_kind kind = sample_kind(sample);

    put->key = sample_key(sample, kind);
    put->mode = (enum update_mode)(1 + sample_below(sample, 3));
    put->context_count = (uint32_t)sample_below(sample, 6);
    put->dot_count = (uint32_t)sample_below(sample, 4);
    if (put->context_count > 0) {
        put->context = sample_pairs(sample, put->context_count);
    }
    if (put->dot_count > 0) {
        put->dots = sample_pairs(sample, put->dot_count);
    }
    put->has_value = sample_chance(sample, 80);
    if (put->has_value) {
        put->value = sample_version(sample, false, kind);
        memset(put->value.content_hash, 0, CONTENT_HASH_SIZE);
    }
    put->w = (uint8_t)sample_below(sample, REPLICAS_MAX + 1);
    put->sync = sample_chance(sample, 50);
    put->hops = (uint8_t)sample_below(sample, 2);
    put->deadline_ms = (uint32_t)sample_below(sample, DEADLINE_MAX_MS + 1);
}

/* LIST and REPLICA_LIST; only the latter may be for repair. */
static void sample_list(struct sample *sample, bool is_replica, struct message_list *list)
{
    list->directory = sample_key(sample, ROW_DIRECTORY);
    list->start = sample_chance(sample, 50) ? sample_name(sample) : NULL;
    list->after_start = sample_chance(sample, 50);
    list->end = sample_chance(sample, 50) ? sample_name(sample) : NULL;
    list->end_is_prefix = sample_chance(sample, 50);
    list->limit = (uint16_t)(1 + sample_below(sample, ROWS_MAX));
    list->live_only = sample_chance(sample, 50);
    list->for_repair = is_replica && sample_chance(sample, 50);
    list->r = (uint8_t)sample_below(sample, REPLICAS_MAX + 1);
    list->hops = (uint8_t)sample_below(sample, 2);
    list->deadline_ms = (uint32_t)sample_below(sample, DEADLINE_MAX_MS + 1);
}

static void sample_marks(struct sample *sample, struct message_list_reply *reply)
{
    reply->mark_count = (uint16_t)sample_below(sample, 5);
    if (reply->mark_count > 0) {
        reply->marks = calloc(reply->mark_count, sizeof *reply->marks);
        assert(reply->marks);
    }
    for (uint16_t i = 0; i < reply->mark_count; i++) {
        bool is_last = i + 1 == reply->mark_count;
        reply->marks[i].name =
            is_last && sample_chance(sample, 50) ? NULL : sample_name(sample);
        if (reply->marks[i].name) {
            reply->marks[i].name->data[0] = (uint8_t)('A' + i); /* ascending */
        }
        for (size_t j = 0; j < DIGEST_SIZE; j++) {
            reply->marks[i].digest[j] = (uint8_t)sample_below(sample, 256);
        }
    }
}

/* Only replicas set marks. */
static void sample_list_reply(struct sample *sample, bool is_replica,
                              struct message_list_reply *reply)
{
    uint16_t count = (uint16_t)sample_below(sample, 20);

    if (count > 0) {
        reply->rows = calloc(count, sizeof *reply->rows);
        assert(reply->rows);
    }
    for (uint16_t i = 0; i < count; i++) {
        struct row *row = &reply->rows[i];

        row->name = sample_name(sample);
        row->name->data[0] = (uint8_t)('A' + i); /* ascending */
        row->kind = sample_kind(sample);
        row->object = sample_object(sample, 3, true, row->kind);
    }
    reply->row_count = count;
    reply->more = sample_chance(sample, 50);
    reply->resume = reply->more ? sample_name(sample) : NULL;
    if (is_replica) {
        sample_marks(sample, reply);
    }
}

static void sample_status(struct sample *sample, struct message_status_reply *reply)
{
    reply->node = sample_number(sample);
    if (sample_chance(sample, 80)) {
        sample_address(sample, reply->address);
    }
    reply->cluster_id = sample_number(sample);
    reply->epoch = sample_number(sample);
    reply->ready = sample_chance(sample, 50);
    reply->disk_total = sample_number(sample);
    reply->disk_free = sample_number(sample);
    reply->disk_state = (enum disk_state)sample_below(sample, DISK_STATE_COUNT);
    reply->peer_count = (uint16_t)(1 + sample_below(sample, 4));
    reply->peers = calloc(reply->peer_count, sizeof *reply->peers);
    reply->stat_count = (uint16_t)(1 + sample_below(sample, 8));
    reply->stats = calloc(reply->stat_count, sizeof *reply->stats);
    assert(reply->peers && reply->stats);
    for (uint16_t i = 0; i < reply->peer_count; i++) {
        reply->peers[i].id = 1 + sample_number(sample) / 2;
        sample_address(sample, reply->peers[i].address);
        reply->peers[i].up = sample_chance(sample, 50);
    }
    for (uint16_t i = 0; i < reply->stat_count; i++) {
        snprintf(reply->stats[i].name, sizeof reply->stats[i].name, "puts_%u", (unsigned)i);
        reply->stats[i].value = sample_number(sample);
    }
}

static void sample_replica_put(struct sample *sample, struct message_replica_put *put)
{
    enum row_kind kind = sample_kind(sample);

    put->key = sample_key(sample, kind);
    put->parts = (uint8_t)(1 + sample_below(sample, 3));
    put->object = sample_object(sample, 20, put->parts == REPLICA_ROW, kind);
    put->sync = sample_chance(sample, 50);
    if (put->parts == REPLICA_OBJECT && sample_chance(sample, 50)) {
        put->hint_for = 1 + sample_number(sample) / 2;
    } else {
        put->leave_intent = put->parts != REPLICA_ROW && sample_chance(sample, 50);
    }
}

static void sample_replica_get(struct sample *sample, struct message_replica_get *get)
{
    get->key = sample_key(sample, sample_kind(sample));
    get->digest_only = sample_chance(sample, 50);
    get->from_hints = sample_chance(sample, 50);
    get->for_repair = sample_chance(sample, 50);
}

static void sample_digest(struct sample *sample, uint8_t ret_digest[DIGEST_SIZE])
{
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        ret_digest[i] = (uint8_t)sample_bits(sample);
    }
}

static void sample_replica_get_reply(struct sample *sample,
                                     struct message_replica_get_reply *reply)
{
    reply->names_us = sample_number(sample);
    reply->has_digest = sample_chance(sample, 40);
    if (!reply->has_digest) {
        reply->object = sample_chance(sample, 80) ? sample_whole(sample) : NULL;
        return;
    }
    sample_digest(sample, reply->digest);
}

static void sample_hints_reply(struct sample *sample, struct message_hints_reply *reply)
{
    node_id owner = 0;

    reply->count = (uint16_t)sample_below(sample, 5);
    if (reply->count > 0) {
        reply->owners = calloc(reply->count, sizeof *reply->owners);
        assert(reply->owners);
    }
    for (uint16_t i = 0; i < reply->count; i++) {
        owner += 1 + (sample_number(sample) >> 4);
        reply->owners[i] = (struct hint_owner){
            .owner = owner,
            .count = sample_number(sample),
            .bytes = sample_number(sample),
            .oldest_us = sample_number(sample),
        };
    }
}

static void sample_tree_keys(struct sample *sample, struct message_tree_keys *keys)
{
    keys->partition = (uint16_t)sample_below(sample, PARTITIONS_MAX);
    for (size_t i = 0; i < MERKLE_BUCKETS; i++) {
        keys->leaves.bucket[i] = (uint32_t)(sample_number(sample) >> 32);
    }
    if (sample_chance(sample, 50)) {
        keys->after_part = sample_chance(sample, 50) ? MERKLE_OBJECT : MERKLE_ROW;
        keys->after_key = sample_key(sample, sample_kind(sample));
    }
    keys->limit = (uint16_t)(1 + sample_below(sample, TREE_ENTRIES_MAX));
}

/* Objects, then rows, each at the top and ascending by the first letter. */
static void sample_tree_keys_reply(struct sample *sample, struct message_tree_keys_reply *reply)
{
    uint16_t object_count = (uint16_t)sample_below(sample, 8);

    reply->count = (uint16_t)(object_count + sample_below(sample, 8));
    if (reply->count > 0) {
        reply->entries = calloc(reply->count, sizeof *reply->entries);
        assert(reply->entries);
    }
    for (uint16_t i = 0; i < reply->count; i++) {
        struct tree_entry *entry = &reply->entries[i];

        entry->part = i < object_count ? MERKLE_OBJECT : MERKLE_ROW;
        entry->key = sample_name(sample);
        entry->key->data[0] = (uint8_t)('A' + i);
        sample_digest(sample, entry->digest);
    }
    reply->more = reply->count > 0 && sample_chance(sample, 50);
}

static void sample_reap(struct sample *sample, struct message_reap *reap)
{
    reap->part = sample_chance(sample, 50) ? MERKLE_OBJECT : MERKLE_ROW;
    reap->key = sample_key(sample, sample_kind(sample));
    sample_digest(sample, reap->digest);
    reap->deleted_us = sample_number(sample);
    reap->drop = sample_chance(sample, 50);
}

/* Of what a coordinator asks of replicas, and of what brings them to agree. */
static void sample_replica_payload(struct sample *sample, struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_PROOF:
        sample_fill(sample, message->proof.proof, PROOF_SIZE);
        break;
    case MESSAGE_REPLICA_GET:
        sample_replica_get(sample, &message->replica_get);
        break;
    case MESSAGE_REPLICA_GET_REPLY:
        sample_replica_get_reply(sample, &message->replica_get_reply);
        break;
    case MESSAGE_REPLICA_PUT:
        sample_replica_put(sample, &message->replica_put);
        break;
    case MESSAGE_HINTS_REPLY:
        sample_hints_reply(sample, &message->hints_reply);
        break;
    case MESSAGE_REPAIR:
        message->repair.start = sample_chance(sample, 50);
        break;
    case MESSAGE_REPAIR_REPLY:
        message->repair_reply = (struct message_repair_reply){
            .is_running = sample_chance(sample, 50),
            .is_complete = sample_chance(sample, 50),
            .passes = sample_number(sample),
            .pairs_done = sample_number(sample),
            .pairs_total = sample_number(sample),
            .pairs_failed = sample_number(sample),
            .keys_repaired = sample_number(sample),
        };
        break;
    case MESSAGE_TREE:
        message->tree.partition = (uint16_t)sample_below(sample, PARTITIONS_MAX);
        message->tree.bucket = (uint16_t)sample_below(sample, MERKLE_BUCKETS + 1);
        break;
    case MESSAGE_TREE_REPLY:
        for (size_t i = 0; i < MERKLE_FANOUT; i++) {
            message->tree_reply.hash[i] = sample_number(sample);
        }
        message->tree_reply.is_complete = sample_chance(sample, 50);
        break;
    case MESSAGE_TREE_KEYS:
        sample_tree_keys(sample, &message->tree_keys);
        break;
    case MESSAGE_TREE_KEYS_REPLY:
        sample_tree_keys_reply(sample, &message->tree_keys_reply);
        break;
    case MESSAGE_REAP:
        sample_reap(sample, &message->reap);
        break;
    case MESSAGE_VOUCH:
        message->vouch.node = 1 + sample_number(sample) / 2;
        message->vouch.incarnation = 1 + sample_number(sample) / 2;
        message->vouch.nonce = sample_number(sample);
        break;
    case MESSAGE_VOUCH_REPLY:
        message->vouch_reply.incarnation = sample_number(sample) / 2;
        message->vouch_reply.before = sample_number(sample) / 2;
        break;
    }
}

static void sample_get(struct sample *sample, struct message_get *get)
{
    get->key = sample_key(sample, sample_kind(sample));
    get->r = (uint8_t)sample_below(sample, REPLICAS_MAX + 1);
    get->hops = (uint8_t)sample_below(sample, 2);
    get->deadline_ms = (uint32_t)sample_below(sample, DEADLINE_MAX_MS + 1);
}

static void sample_get_reply(struct sample *sample, struct message_get_reply *reply)
{
    reply->object = sample_chance(sample, 80) ? sample_whole(sample) : NULL;
    reply->answers = (uint8_t)sample_bits(sample);
    reply->names_us = sample_number(sample);
}

static void sample_prepare(struct sample *sample, struct message_prepare *prepare)
{
    prepare->epoch = sample_number(sample);
    prepare->proposer = 1 + sample_number(sample) / 2;
    prepare->replaced = sample_number(sample);
    prepare->by_hand = sample_chance(sample, 50);
}

static void sample_membership_payload(struct sample *sample, struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_JOIN:
        message->join.member.id = 1 + sample_number(sample) / 2;
        sample_address(sample, message->join.member.address);
        break;
    case MESSAGE_PREPARE:
        sample_prepare(sample, &message->prepare);
        break;
    case MESSAGE_RING_PUSH:
        message->ring_push.epoch = 1 + sample_number(sample) / 2;
        message->ring_push.node = 1 + sample_number(sample) / 2;
        break;
    case MESSAGE_REPLACE:
        message->replace.member = 1 + sample_number(sample) / 2;
        break;
    case MESSAGE_DROP_HINTS:
        message->drop_hints.owner = 1 + sample_number(sample) / 2;
        break;
    case MESSAGE_DROP_HINTS_REPLY:
        message->drop_hints_reply.count = sample_number(sample);
        break;
    }
}

static void sample_payload(struct sample *sample, struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_HELLO_REPLY:
        sample_hello(sample, message);
        break;
    case MESSAGE_GET:
        sample_get(sample, &message->get);
        break;
    case MESSAGE_GET_REPLY:
        sample_get_reply(sample, &message->get_reply);
        break;
    case MESSAGE_PUT:
        sample_put(sample, &message->put);
        break;
    case MESSAGE_PUT_REPLY:
        message->put_reply.row = sample_object(sample, 20, true, sample_kind(sample));
        break;
    case MESSAGE_LIST:
    case MESSAGE_REPLICA_LIST:
        sample_list(sample, message->type == MESSAGE_REPLICA_LIST, &message->list);
        break;
    case MESSAGE_LIST_REPLY:
    case MESSAGE_REPLICA_LIST_REPLY:
        sample_list_reply(sample, message->type == MESSAGE_REPLICA_LIST_REPLY,
                          &message->list_reply);
        break;
    case MESSAGE_STATUS_REPLY:
        sample_status(sample, &message->status_reply);
        break;
    case MESSAGE_RING_REPLY:
    case MESSAGE_JOIN_REPLY:
        message->ring = sample_chance(sample, 80) ? sample_ring(sample) : NULL;
        break;
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_RING_PUSH:
    case MESSAGE_REPLACE:
    case MESSAGE_DROP_HINTS:
    case MESSAGE_DROP_HINTS_REPLY:
        sample_membership_payload(sample, message);
        break;
    case MESSAGE_PROOF:
    case MESSAGE_REPLICA_GET:
    case MESSAGE_REPLICA_GET_REPLY:
    case MESSAGE_REPLICA_PUT:
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
        sample_replica_payload(sample, message);
        break;
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
        break;
    }
}

void sample_message(struct sample *sample, enum message_type type, struct message *ret_message)
{
    struct message message;

    memset(&message, 0, sizeof message);
    message.type = type;
    message.request_id = sample_number(sample);
    message.ring_epoch = sample_number(sample);
    if (!message_type_is_request(type)) {
        message.status = (enum status)sample_below(sample, STATUS_COUNT);
        message.text = sample_text(sample);
    }
    sample_payload(sample, &message);
    *ret_message = message;
}
