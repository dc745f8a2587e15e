/*
 * payload_node.c - the fields of the greeting, and of the messages between nodes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/payload.h"

enum { MARK_FIELDS = 2 };

/* HELLO, HELLO_REPLY: protocol, role, cluster_id, node, address, forming, seeds, nonce, proof
 * or nil */
static void encode_hello(const struct message *message, struct writer *writer)
{
    const struct message_hello *hello = &message->hello;

    assert(hello->seed_count <= MEMBERS_MAX);
    writer_uint(writer, hello->protocol);
    writer_uint(writer, hello->role);
    writer_uint(writer, hello->cluster_id);
    writer_uint(writer, hello->node);
    payload_write_text(writer, hello->address, ADDRESS_SIZE);
    writer_bool(writer, hello->forming);
    writer_array(writer, hello->seed_count);
    for (uint16_t i = 0; i < hello->seed_count; i++) {
        payload_write_text(writer, hello->seeds[i], ADDRESS_SIZE);
    }
    writer_bytes(writer, slice_of(hello->nonce, NONCE_SIZE));
    if (hello->has_proof) {
        writer_bytes(writer, slice_of(hello->proof, PROOF_SIZE));
    } else {
        writer_nil(writer);
    }
}

static void read_seeds(struct reader *reader, struct message_hello *hello)
{
    struct reader array = reader_array(reader, 0, MEMBERS_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    hello->seeds = calloc(count, sizeof *hello->seeds);
    if (!hello->seeds) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    hello->seed_count = count;
    for (uint16_t i = 0; i < count && !reader_failed(&array); i++) {
        reader_address(&array, false, hello->seeds[i]);
        reader_require(&array, i == 0 || strcmp(hello->seeds[i - 1], hello->seeds[i]) < 0);
    }
}

/* A node says who and where it is, a client does not; a refusal may say nothing. */
static bool hello_is_valid(const struct message *message)
{
    const struct message_hello *hello = &message->hello;

    /* Whoever connects proves itself after the other side, which must not be told more. */
    if (hello->has_proof && (message->type == MESSAGE_HELLO || message->status != STATUS_OK)) {
        return false;
    }
    if (hello->role == ROLE_NODE) {
        return hello->node != 0 && hello->address[0] != '\0';
    }
    if (hello->role == ROLE_CLIENT) {
        return hello->node == 0 && hello->address[0] == '\0';
    }
    return message->type == MESSAGE_HELLO_REPLY && message->status != STATUS_OK;
}

static void decode_hello(struct reader *reader, struct message *message)
{
    struct message_hello *hello = &message->hello;

    hello->protocol = (uint32_t)reader_uint(reader, 0, UINT32_MAX);
    hello->role = (enum role)reader_uint(reader, 0, ROLE_NODE);
    hello->cluster_id = reader_uint(reader, 0, UINT64_MAX);
    hello->node = reader_uint(reader, 0, UINT64_MAX);
    reader_address(reader, true, hello->address);
    hello->forming = reader_bool(reader);
    read_seeds(reader, hello);
    reader_copy(reader, hello->nonce, NONCE_SIZE);
    hello->has_proof = !reader_skip_nil(reader);
    if (hello->has_proof) {
        reader_copy(reader, hello->proof, PROOF_SIZE);
    }
    reader_require(reader, hello_is_valid(message));
}

/* PROOF: proof */
static void encode_proof(const struct message *message, struct writer *writer)
{
    writer_bytes(writer, slice_of(message->proof.proof, PROOF_SIZE));
}

static void decode_proof(struct reader *reader, struct message *message)
{
    reader_copy(reader, message->proof.proof, PROOF_SIZE);
}

/* REPLICA_GET: key, digest_only, from_hints, for_repair */
static void encode_replica_get(const struct message *message, struct writer *writer)
{
    writer_blob(writer, message->replica_get.key);
    writer_bool(writer, message->replica_get.digest_only);
    writer_bool(writer, message->replica_get.from_hints);
    writer_bool(writer, message->replica_get.for_repair);
}

static void decode_replica_get(struct reader *reader, struct message *message)
{
    message->replica_get.key = payload_read_key(reader);
    message->replica_get.digest_only = reader_bool(reader);
    message->replica_get.from_hints = reader_bool(reader);
    message->replica_get.for_repair = reader_bool(reader);
}

/* REPLICA_GET_REPLY: digest or nil, object or nil (never both), names */
static void encode_replica_get_reply(const struct message *message, struct writer *writer)
{
    const struct message_replica_get_reply *reply = &message->replica_get_reply;

    if (reply->has_digest) {
        writer_bytes(writer, slice_of(reply->digest, DIGEST_SIZE));
        writer_nil(writer);
    } else {
        writer_nil(writer);
        payload_write_object(writer, reply->object);
    }
    writer_uint(writer, reply->names_us);
}

static void decode_replica_get_reply(struct reader *reader, struct message *message)
{
    struct message_replica_get_reply *reply = &message->replica_get_reply;

    reply->has_digest = !reader_skip_nil(reader);
    if (reply->has_digest) {
        reader_copy(reader, reply->digest, DIGEST_SIZE);
        reader_require(reader, reader_skip_nil(reader));
    } else {
        reply->object = payload_read_object_or_nil(reader);
        reader_require(reader, !reply->object || payload_is_whole(reply->object));
    }
    reply->names_us = reader_uint(reader, 0, UINT64_MAX);
}

/* REPLICA_PUT: key, object, parts, sync, hint_for, leave_intent */
static void encode_replica_put(const struct message *message, struct writer *writer)
{
    const struct message_replica_put *put = &message->replica_put;

    assert(put->object);
    writer_blob(writer, put->key);
    payload_write_object(writer, put->object);
    writer_uint(writer, put->parts);
    writer_bool(writer, put->sync);
    writer_uint(writer, put->hint_for);
    writer_bool(writer, put->leave_intent);
}

/* What is stored as an object must be one, and the root has no row. A hint is for an object,
 * and its row is its owner's business. */
static bool replica_put_is_valid(const struct message_replica_put *put)
{
    struct slice key = blob_slice(put->key);

    if ((put->parts & REPLICA_ROW) != 0 && key_is_root(key)) {
        return false;
    }
    if (put->hint_for != 0 && (put->parts != REPLICA_OBJECT || put->leave_intent)) {
        return false;
    }
    if (put->leave_intent && (put->parts & REPLICA_OBJECT) == 0) {
        return false;
    }
    if (!payload_fits_kind(put->object, key_row_kind(key))) {
        return false;
    }
    return (put->parts & REPLICA_OBJECT) != 0 ? payload_is_whole(put->object)
                                              : payload_is_row(put->object);
}

static void decode_replica_put(struct reader *reader, struct message *message)
{
    struct message_replica_put *put = &message->replica_put;

    put->key = payload_read_key(reader);
    put->object = payload_read_object(reader);
    put->parts = (uint8_t)reader_uint(reader, 1, REPLICA_OBJECT | REPLICA_ROW);
    put->sync = reader_bool(reader);
    put->hint_for = reader_uint(reader, 0, UINT64_MAX);
    put->leave_intent = reader_bool(reader);
    if (!reader_failed(reader)) {
        reader_require(reader, replica_put_is_valid(put));
    }
}

/* REPLICA_LIST: as LIST, for_repair */
static void encode_replica_list(const struct message *message, struct writer *writer)
{
    payload_encode_list(message, writer);
    writer_bool(writer, message->list.for_repair);
}

static void decode_replica_list(struct reader *reader, struct message *message)
{
    payload_decode_list(reader, message);
    message->list.for_repair = reader_bool(reader);
}

/* JOIN: id, address */
static void encode_join(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->join.member.id);
    payload_write_text(writer, message->join.member.address, ADDRESS_SIZE);
}

static void decode_join(struct reader *reader, struct message *message)
{
    message->join.member.id = reader_uint(reader, 1, UINT64_MAX);
    reader_address(reader, false, message->join.member.address);
}

/* PREPARE: epoch, proposer, replaced, by_hand */
static void encode_prepare(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->prepare.epoch);
    writer_uint(writer, message->prepare.proposer);
    writer_uint(writer, message->prepare.replaced);
    writer_bool(writer, message->prepare.by_hand);
}

static void decode_prepare(struct reader *reader, struct message *message)
{
    message->prepare.epoch = reader_uint(reader, 0, UINT64_MAX);
    message->prepare.proposer = reader_uint(reader, 1, UINT64_MAX);
    message->prepare.replaced = reader_uint(reader, 0, UINT64_MAX);
    message->prepare.by_hand = reader_bool(reader);
}

/* REPLICA_LIST_REPLY: as LIST_REPLY, and [[name or nil, digest]...] */
static void encode_replica_list_reply(const struct message *message, struct writer *writer)
{
    const struct message_list_reply *reply = &message->list_reply;

    assert(reply->mark_count <= LIST_MARKS_MAX);
    payload_encode_list_reply(message, writer);
    writer_array(writer, reply->mark_count);
    for (uint16_t i = 0; i < reply->mark_count; i++) {
        writer_array(writer, MARK_FIELDS);
        writer_blob(writer, reply->marks[i].name);
        writer_bytes(writer, slice_of(reply->marks[i].digest, DIGEST_SIZE));
    }
}

static void decode_replica_list_reply(struct reader *reader, struct message *message)
{
    struct message_list_reply *reply = &message->list_reply;

    payload_decode_list_reply(reader, message);
    struct reader array = reader_array(reader, 0, LIST_MARKS_MAX);
    uint16_t count = (uint16_t)array.left;
    reply->marks = count > 0 ? calloc(count, sizeof *reply->marks) : NULL;
    if (count > 0 && !reply->marks) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    while (reply->mark_count < count && !reader_failed(&array)) {
        struct list_mark *mark = &reply->marks[reply->mark_count++];
        struct reader fields = reader_array(&array, MARK_FIELDS, MARK_FIELDS);
        mark->name = payload_read_range_end(&fields);
        reader_copy(&fields, mark->digest, DIGEST_SIZE);
        bool is_last = reply->mark_count == count;
        bool is_first = reply->mark_count == 1;
        reader_require(&fields, mark->name || is_last);
        reader_require(
            &fields, !mark->name || is_first ||
                         slice_compare(blob_slice(mark[-1].name), blob_slice(mark->name)) < 0);
    }
}

/* RING_PUSH: epoch, node */
static void encode_ring_push(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->ring_push.epoch);
    writer_uint(writer, message->ring_push.node);
}

static void decode_ring_push(struct reader *reader, struct message *message)
{
    message->ring_push.epoch = reader_uint(reader, 1, UINT64_MAX);
    message->ring_push.node = reader_uint(reader, 1, UINT64_MAX);
}

/* REPLACE: member */
static void encode_replace(const struct message *message, struct writer *writer)
{
    writer_uint(writer, message->replace.member);
}

static void decode_replace(struct reader *reader, struct message *message)
{
    message->replace.member = reader_uint(reader, 1, UINT64_MAX);
}

const struct payload payload_node[PAYLOAD_NODE_COUNT] = {
    {MESSAGE_HELLO, 9, encode_hello, decode_hello},
    {MESSAGE_HELLO_REPLY, 9, encode_hello, decode_hello},
    {MESSAGE_PROOF, 1, encode_proof, decode_proof},
    {MESSAGE_PROOF_REPLY, 0, NULL, NULL},
    {MESSAGE_REPLICA_GET, 4, encode_replica_get, decode_replica_get},
    {MESSAGE_REPLICA_GET_REPLY, 3, encode_replica_get_reply, decode_replica_get_reply},
    {MESSAGE_REPLICA_PUT, 6, encode_replica_put, decode_replica_put},
    {MESSAGE_REPLICA_PUT_REPLY, 0, NULL, NULL},
    {MESSAGE_REPLICA_LIST, LIST_FIELDS + 1, encode_replica_list, decode_replica_list},
    {MESSAGE_REPLICA_LIST_REPLY, LIST_REPLY_FIELDS + 1, encode_replica_list_reply,
     decode_replica_list_reply},
    {MESSAGE_JOIN, 2, encode_join, decode_join},
    {MESSAGE_JOIN_REPLY, 1, payload_encode_ring, payload_decode_ring},
    {MESSAGE_PREPARE, 4, encode_prepare, decode_prepare},
    {MESSAGE_PREPARE_REPLY, 0, NULL, NULL},
    {MESSAGE_RING_PUSH, 2, encode_ring_push, decode_ring_push},
    {MESSAGE_RING_PUSH_REPLY, 0, NULL, NULL},
    {MESSAGE_REPLACE, 1, encode_replace, decode_replace},
    {MESSAGE_REPLACE_REPLY, 0, NULL, NULL},
};
