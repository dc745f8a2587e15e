/*
 * payload_repair.c - the fields of the messages by which replicas are found to differ and
 * brought to agree: hints, Merkle trees, tombstones.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/payload.h"

enum { HINT_OWNER_FIELDS = 4, CURSOR_FIELDS = 2, TREE_ENTRY_FIELDS = 3 };

/* HINTS_REPLY: [[owner, count, bytes, oldest_us]...] */
static void encode_hints_reply(const struct message *message, struct writer *writer)
{
    const struct message_hints_reply *reply = &message->hints_reply;

    assert(reply->count <= MEMBERS_MAX);
    writer_array(writer, reply->count);
    for (uint16_t i = 0; i < reply->count; i++) {
        writer_array(writer, HINT_OWNER_FIELDS);
        writer_uint(writer, reply->owners[i].owner);
        writer_uint(writer, reply->owners[i].count);
        writer_uint(writer, reply->owners[i].bytes);
        writer_uint(writer, reply->owners[i].oldest_us);
    }
}

static void read_hint_owner(struct reader *reader, struct hint_owner *owner)
{
    struct reader fields = reader_array(reader, HINT_OWNER_FIELDS, HINT_OWNER_FIELDS);

    owner->owner = reader_uint(&fields, 1, UINT64_MAX);
    owner->count = reader_uint(&fields, 0, UINT64_MAX);
    owner->bytes = reader_uint(&fields, 0, UINT64_MAX);
    owner->oldest_us = reader_uint(&fields, 0, UINT64_MAX);
}

static void decode_hints_reply(struct reader *reader, struct message *message)
{
    struct message_hints_reply *reply = &message->hints_reply;
    struct reader array = reader_array(reader, 0, MEMBERS_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    reply->owners = calloc(count, sizeof *reply->owners);
    if (!reply->owners) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    reply->count = count;
    for (uint16_t i = 0; i < count && !reader_failed(&array); i++) {
        struct hint_owner *owner = &reply->owners[i];

        read_hint_owner(&array, owner);
        reader_require(&array, i == 0 || owner[-1].owner < owner->owner);
    }
}

/* DROP_HINTS: owner */
static void encode_drop_hints(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->drop_hints.owner);
}

static void decode_drop_hints(struct reader *reader, struct message *message)
{
    message->drop_hints.owner = reader_uint(reader, 1, UINT64_MAX);
}

/* DROP_HINTS_REPLY: count */
static void encode_drop_hints_reply(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->drop_hints_reply.count);
}

static void decode_drop_hints_reply(struct reader *reader, struct message *message)
{
    message->drop_hints_reply.count = reader_uint(reader, 0, UINT64_MAX);
}

/* REPAIR: start */
static void encode_repair(const struct message *message, struct writer *writer)
{
    writer_bool(writer, message->repair.start);
}

static void decode_repair(struct reader *reader, struct message *message)
{
    message->repair.start = reader_bool(reader);
}

/* REPAIR_REPLY: is_running, is_complete, passes, pairs_done, pairs_total, pairs_failed,
 * keys_repaired */
static void encode_repair_reply(const struct message *message, struct writer *writer)
{
    const struct message_repair_reply *reply = &message->repair_reply;

    writer_bool(writer, reply->is_running);
    writer_bool(writer, reply->is_complete);
    writer_uint(writer, reply->passes);
    writer_uint(writer, reply->pairs_done);
    writer_uint(writer, reply->pairs_total);
    writer_uint(writer, reply->pairs_failed);
    writer_uint(writer, reply->keys_repaired);
}

static void decode_repair_reply(struct reader *reader, struct message *message)
{
    struct message_repair_reply *reply = &message->repair_reply;

    reply->is_running = reader_bool(reader);
    reply->is_complete = reader_bool(reader);
    reply->passes = reader_uint(reader, 0, UINT64_MAX);
    reply->pairs_done = reader_uint(reader, 0, UINT64_MAX);
    reply->pairs_total = reader_uint(reader, 0, UINT64_MAX);
    reply->pairs_failed = reader_uint(reader, 0, UINT64_MAX);
    reply->keys_repaired = reader_uint(reader, 0, UINT64_MAX);
}

/* TREE: partition, bucket */
static void encode_tree(const struct message *message, struct writer *writer)
{
    assert(message->tree.partition < PARTITIONS_MAX && message->tree.bucket <= MERKLE_BUCKETS);
    writer_uint(writer, message->tree.partition);
    writer_uint(writer, message->tree.bucket);
}

static void decode_tree(struct reader *reader, struct message *message)
{
    message->tree.partition = (uint16_t)reader_uint(reader, 0, PARTITIONS_MAX - 1);
    message->tree.bucket = (uint16_t)reader_uint(reader, 0, MERKLE_BUCKETS);
}

/* TREE_REPLY: [hash...], is_complete */
static void encode_tree_reply(const struct message *message, struct writer *writer)
{
    writer_array(writer, MERKLE_FANOUT);
    for (size_t i = 0; i < MERKLE_FANOUT; i++) {
        writer_uint(writer, message->tree_reply.hash[i]);
    }
    writer_bool(writer, message->tree_reply.is_complete);
}

static void decode_tree_reply(struct reader *reader, struct message *message)
{
    struct reader array = reader_array(reader, MERKLE_FANOUT, MERKLE_FANOUT);

    for (size_t i = 0; i < MERKLE_FANOUT; i++) {
        message->tree_reply.hash[i] = reader_uint(&array, 0, UINT64_MAX);
    }
    message->tree_reply.is_complete = reader_bool(reader);
}

/* The part and the object's key of an entry: two fields of the array around them. */
static void write_entry_name(struct writer *writer, enum merkle_part part,
                             const struct blob *key)
{
    assert(key && (part == MERKLE_OBJECT || part == MERKLE_ROW));
    writer_uint(writer, part);
    writer_blob(writer, key);
}

/* The key, which the caller owns, or NULL after a failure. The root has no row. */
static struct blob *read_entry_name(struct reader *reader, enum merkle_part *ret_part)
{
    struct blob *key;

    *ret_part = (enum merkle_part)reader_uint(reader, MERKLE_OBJECT, MERKLE_ROW);
    key = payload_read_key(reader);
    reader_require(reader, *ret_part != MERKLE_ROW || !key_is_root(blob_slice(key)));
    return key;
}

/* TREE_KEYS: partition, [leaves of a bucket...], [after_part, after_key] or nil, limit */
static void encode_tree_keys(const struct message *message, struct writer *writer)
{
    const struct message_tree_keys *keys = &message->tree_keys;

    assert(keys->partition < PARTITIONS_MAX);
    assert(keys->limit >= 1 && keys->limit <= TREE_ENTRIES_MAX);
    writer_uint(writer, keys->partition);
    writer_array(writer, MERKLE_BUCKETS);
    for (size_t i = 0; i < MERKLE_BUCKETS; i++) {
        writer_uint(writer, keys->leaves.bucket[i]);
    }
    if (!keys->after_key) {
        writer_nil(writer);
    } else {
        writer_array(writer, CURSOR_FIELDS);
        write_entry_name(writer, keys->after_part, keys->after_key);
    }
    writer_uint(writer, keys->limit);
}

static void decode_tree_keys(struct reader *reader, struct message *message)
{
    struct message_tree_keys *keys = &message->tree_keys;
    struct reader array;

    keys->partition = (uint16_t)reader_uint(reader, 0, PARTITIONS_MAX - 1);
    array = reader_array(reader, MERKLE_BUCKETS, MERKLE_BUCKETS);
    for (size_t i = 0; i < MERKLE_BUCKETS; i++) {
        keys->leaves.bucket[i] = (uint32_t)reader_uint(&array, 0, UINT32_MAX);
    }
    if (!reader_skip_nil(reader)) {
        array = reader_array(reader, CURSOR_FIELDS, CURSOR_FIELDS);
        keys->after_key = read_entry_name(&array, &keys->after_part);
    }
    keys->limit = (uint16_t)reader_uint(reader, 1, TREE_ENTRIES_MAX);
}

/* TREE_KEYS_REPLY: [[part, key, digest]...], more */
static void encode_tree_keys_reply(const struct message *message, struct writer *writer)
{
    const struct message_tree_keys_reply *reply = &message->tree_keys_reply;

    assert(reply->count <= TREE_ENTRIES_MAX);
    assert(!reply->more || reply->count > 0);
    writer_array(writer, reply->count);
    for (uint16_t i = 0; i < reply->count; i++) {
        const struct tree_entry *entry = &reply->entries[i];

        writer_array(writer, TREE_ENTRY_FIELDS);
        write_entry_name(writer, entry->part, entry->key);
        writer_bytes(writer, slice_of(entry->digest, DIGEST_SIZE));
    }
    writer_bool(writer, reply->more);
}

/* Into a zeroed entry, whose key its caller releases, also after a failure. */
static void read_tree_entry(struct reader *reader, struct tree_entry *entry)
{
    struct reader fields = reader_array(reader, TREE_ENTRY_FIELDS, TREE_ENTRY_FIELDS);

    entry->key = read_entry_name(&fields, &entry->part);
    reader_copy(&fields, entry->digest, DIGEST_SIZE);
}

static int entry_compare(const struct tree_entry *a, const struct tree_entry *b)
{
    return merkle_entry_compare(a->part, blob_slice(a->key), b->part, blob_slice(b->key));
}

static void read_tree_entries(struct reader *reader, struct message_tree_keys_reply *reply)
{
    struct reader array = reader_array(reader, 0, TREE_ENTRIES_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    reply->entries = calloc(count, sizeof *reply->entries);
    if (!reply->entries) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    while (reply->count < count && !reader_failed(&array)) {
        struct tree_entry *entry = &reply->entries[reply->count++];

        read_tree_entry(&array, entry);
        if (!reader_failed(&array) && reply->count > 1) {
            reader_require(&array, entry_compare(entry - 1, entry) < 0);
        }
    }
}

static void decode_tree_keys_reply(struct reader *reader, struct message *message)
{
    struct message_tree_keys_reply *reply = &message->tree_keys_reply;

    read_tree_entries(reader, reply);
    reply->more = reader_bool(reader);
    /* Whoever goes on does so behind the last entry. */
    reader_require(reader, !reply->more || reply->count > 0);
}

/* REAP: part, key, digest, deleted, drop */
static void encode_reap(const struct message *message, struct writer *writer)
{
    const struct message_reap *reap = &message->reap;

    write_entry_name(writer, reap->part, reap->key);
    writer_bytes(writer, slice_of(reap->digest, DIGEST_SIZE));
    writer_uint(writer, reap->deleted_us);
    writer_bool(writer, reap->drop);
}

static void decode_reap(struct reader *reader, struct message *message)
{
    struct message_reap *reap = &message->reap;

    reap->key = read_entry_name(reader, &reap->part);
    reader_copy(reader, reap->digest, DIGEST_SIZE);
    reap->deleted_us = reader_uint(reader, 0, UINT64_MAX);
    reap->drop = reader_bool(reader);
}

/* VOUCH: node, incarnation, nonce */
static void encode_vouch(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->vouch.node);
    writer_uint(writer, message->vouch.incarnation);
    writer_uint(writer, message->vouch.nonce);
}

static void decode_vouch(struct reader *reader, struct message *message)
{
    message->vouch.node = reader_uint(reader, 1, UINT64_MAX);
    message->vouch.incarnation = reader_uint(reader, 1, UINT64_MAX - 1);
    message->vouch.nonce = reader_uint(reader, 0, UINT64_MAX);
}

/* VOUCH_REPLY: incarnation, before */
static void encode_vouch_reply(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->vouch_reply.incarnation);
    writer_uint(writer, message->vouch_reply.before);
}

static void decode_vouch_reply(struct reader *reader, struct message *message)
{
    message->vouch_reply.incarnation = reader_uint(reader, 0, UINT64_MAX - 1);
    message->vouch_reply.before = reader_uint(reader, 0, UINT64_MAX - 1);
}

const struct payload payload_repair[PAYLOAD_REPAIR_COUNT] = {
    {MESSAGE_HINTS, 0, NULL, NULL},
    {MESSAGE_HINTS_REPLY, 1, encode_hints_reply, decode_hints_reply},
    {MESSAGE_REPAIR, 1, encode_repair, decode_repair},
    {MESSAGE_REPAIR_REPLY, 7, encode_repair_reply, decode_repair_reply},
    {MESSAGE_PING, 0, NULL, NULL},
    {MESSAGE_PING_REPLY, 0, NULL, NULL},
    {MESSAGE_TREE, 2, encode_tree, decode_tree},
    {MESSAGE_TREE_REPLY, 2, encode_tree_reply, decode_tree_reply},
    {MESSAGE_TREE_KEYS, 4, encode_tree_keys, decode_tree_keys},
    {MESSAGE_TREE_KEYS_REPLY, 2, encode_tree_keys_reply, decode_tree_keys_reply},
    {MESSAGE_REAP, 5, encode_reap, decode_reap},
    {MESSAGE_REAP_REPLY, 0, NULL, NULL},
    {MESSAGE_DROP_HINTS, 1, encode_drop_hints, decode_drop_hints},
    {MESSAGE_DROP_HINTS_REPLY, 1, encode_drop_hints_reply, decode_drop_hints_reply},
    {MESSAGE_VOUCH, 3, encode_vouch, decode_vouch},
    {MESSAGE_VOUCH_REPLY, 2, encode_vouch_reply, decode_vouch_reply},
};
