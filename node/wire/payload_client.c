/*
 * payload_client.c - the fields of the messages that clients send and receive. Listings have
 * the same ones between nodes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/payload.h"
#include "node/wire/record.h"

enum {
    ROW_FIELDS = 3,
    PEER_FIELDS = 3,
    STATISTIC_FIELDS = 2,
    VALUE_FIELDS = 1 + ATTRIBUTES_FIELDS + 2,
    HOPS_MAX = 1, /* a request is forwarded once */
};

static void write_hops_and_deadline(struct writer *writer, uint8_t hops, uint32_t deadline_ms)
{
    assert(hops <= HOPS_MAX && deadline_ms <= DEADLINE_MAX_MS);
    writer_uint(writer, hops);
    writer_uint(writer, deadline_ms);
}

static void read_hops_and_deadline(struct reader *reader, uint8_t *ret_hops,
                                   uint32_t *ret_deadline_ms)
{
    *ret_hops = (uint8_t)reader_uint(reader, 0, HOPS_MAX);
    *ret_deadline_ms = (uint32_t)reader_uint(reader, 0, DEADLINE_MAX_MS);
}

/* GET: key, r, hops, deadline_ms */
static void encode_get(const struct message *message, struct writer *writer)
{
    const struct message_get *get = &message->get;

    writer_blob(writer, get->key);
    writer_uint(writer, get->r);
    write_hops_and_deadline(writer, get->hops, get->deadline_ms);
}

static void decode_get(struct reader *reader, struct message *message)
{
    struct message_get *get = &message->get;

    get->key = payload_read_key(reader);
    get->r = (uint8_t)reader_uint(reader, 0, REPLICAS_MAX);
    read_hops_and_deadline(reader, &get->hops, &get->deadline_ms);
}

/* GET_REPLY: object or nil, answers, names */
static void encode_get_reply(const struct message *message, struct writer *writer)
{
    payload_write_object(writer, message->get_reply.object);
    writer_uint(writer, message->get_reply.answers);
    writer_uint(writer, message->get_reply.names_us);
}

static void decode_get_reply(struct reader *reader, struct message *message)
{
    struct object *object = payload_read_object_or_nil(reader);

    message->get_reply.object = object;
    reader_require(reader, !object || payload_is_whole(object));
    message->get_reply.answers = (uint8_t)reader_uint(reader, 0, UINT8_MAX);
    message->get_reply.names_us = reader_uint(reader, 0, UINT64_MAX);
}

/* The value of a put: write id, attributes, content or nil, user attributes or nil. Its size
 * mostly follows from the content; its hash is the receiver's to compute. */
static void write_value(struct writer *writer, const struct version *value)
{
    struct attributes attributes = value->attributes;

    attributes.size = attributes_size_with(&attributes, blob_slice(value->content));
    writer_array(writer, VALUE_FIELDS);
    writer_bytes(writer, slice_of(value->write_id, WRITE_ID_SIZE));
    writer_attributes(writer, &attributes);
    writer_blob(writer, value->content);
    writer_blob(writer, blob_slice(value->xattrs).size > 0 ? value->xattrs : NULL);
}

static void read_value(struct reader *reader, struct version *value)
{
    struct reader fields = reader_array(reader, VALUE_FIELDS, VALUE_FIELDS);

    reader_copy(&fields, value->write_id, WRITE_ID_SIZE);
    reader_attributes(&fields, &value->attributes);
    if (!reader_skip_nil(&fields)) {
        value->content = reader_blob(&fields, 0, VALUE_SIZE_MAX);
    }
    if (!reader_skip_nil(&fields)) {
        value->xattrs = reader_blob(&fields, 1, XATTRS_SIZE_MAX);
    }
    reader_require(reader,
                   attributes_fit_content(&value->attributes, blob_slice(value->content)));
}

/* PUT: key, mode, context, dots, value or nil, w, sync, hops, deadline_ms */
static void encode_put(const struct message *message, struct writer *writer)
{
    const struct message_put *put = &message->put;

    assert(put->context_count <= CLOCK_PAIRS_MAX && put->dot_count <= DOTS_MAX);
    writer_blob(writer, put->key);
    writer_uint(writer, put->mode);
    payload_write_dots(writer, put->context, put->context_count);
    payload_write_dots(writer, put->dots, put->dot_count);
    if (put->has_value) {
        write_value(writer, &put->value);
    } else {
        writer_nil(writer);
    }
    writer_uint(writer, put->w);
    writer_bool(writer, put->sync);
    write_hops_and_deadline(writer, put->hops, put->deadline_ms);
}

static bool value_fits_key(const struct message_put *put)
{
    bool is_directory = put->value.attributes.type == VERSION_DIRECTORY;
    struct slice key = blob_slice(put->key);

    return !put->has_value ||
           (is_directory == key_is_directory(key) && !(is_directory && key_is_internal(key)));
}

static void decode_put(struct reader *reader, struct message *message)
{
    struct message_put *put = &message->put;
    struct clock context;

    put->key = payload_read_key(reader);
    put->mode = (enum update_mode)reader_uint(reader, UPDATE_ALL, UPDATE_NONE);
    put->context = payload_read_dots(reader, CLOCK_PAIRS_MAX, &put->context_count);
    put->dots = payload_read_dots(reader, DOTS_MAX, &put->dot_count);
    put->has_value = !reader_skip_nil(reader);
    if (put->has_value) {
        read_value(reader, &put->value);
    }
    put->w = (uint8_t)reader_uint(reader, 0, REPLICAS_MAX);
    put->sync = reader_bool(reader);
    read_hops_and_deadline(reader, &put->hops, &put->deadline_ms);
    if (!reader_failed(reader)) {
        context = (struct clock){.count = put->context_count, .pair = put->context};
        reader_require(reader, clock_is_valid(&context) && value_fits_key(put));
    }
}

/* PUT_REPLY: row or nil */
static void encode_put_reply(const struct message *message, struct writer *writer)
{
    payload_write_object(writer, message->put_reply.row);
}

static void decode_put_reply(struct reader *reader, struct message *message)
{
    struct object *row = payload_read_object_or_nil(reader);

    message->put_reply.row = row;
    reader_require(reader, !row || payload_is_row(row));
}

/* Where a range of names begins or ends: like a name, but `.` will do as a prefix. */
struct blob *payload_read_range_end(struct reader *reader)
{
    struct slice bytes;
    struct blob *blob;

    if (reader_skip_nil(reader)) {
        return NULL;
    }
    bytes = reader_bytes(reader, 1, NAME_SIZE_MAX);
    if (reader_failed(reader) || memchr(bytes.data, '/', bytes.size) ||
        memchr(bytes.data, '\0', bytes.size)) {
        reader_fail(reader, STATUS_BAD_MESSAGE);
        return NULL;
    }
    blob = blob_new(bytes);
    if (!blob) {
        reader_fail(reader, STATUS_NO_MEMORY);
    }
    return blob;
}

/* LIST: directory, start or nil, after_start, end or nil, end_is_prefix, limit, live_only, r,
 * hops, deadline_ms */
void payload_encode_list(const struct message *message, struct writer *writer)
{
    const struct message_list *list = &message->list;

    assert(list->limit >= 1 && list->limit <= ROWS_MAX);
    assert(message->type == MESSAGE_REPLICA_LIST || !list->for_repair);
    writer_blob(writer, list->directory);
    writer_blob(writer, list->start);
    writer_bool(writer, list->after_start);
    writer_blob(writer, list->end);
    writer_bool(writer, list->end_is_prefix);
    writer_uint(writer, list->limit);
    writer_bool(writer, list->live_only);
    writer_uint(writer, list->r);
    write_hops_and_deadline(writer, list->hops, list->deadline_ms);
}

void payload_decode_list(struct reader *reader, struct message *message)
{
    struct message_list *list = &message->list;

    list->directory = payload_read_key(reader);
    reader_require(reader, list->directory && key_is_directory(blob_slice(list->directory)));
    list->start = payload_read_range_end(reader);
    list->after_start = reader_bool(reader);
    list->end = payload_read_range_end(reader);
    list->end_is_prefix = reader_bool(reader);
    list->limit = (uint16_t)reader_uint(reader, 1, ROWS_MAX);
    list->live_only = reader_bool(reader);
    list->r = (uint8_t)reader_uint(reader, 0, REPLICAS_MAX);
    read_hops_and_deadline(reader, &list->hops, &list->deadline_ms);
}

/* [name, kind, row] */
static void write_row(struct writer *writer, const struct row *row)
{
    assert(row->name && (row->object || row->record));
    writer_array(writer, ROW_FIELDS);
    writer_blob(writer, row->name);
    writer_uint(writer, row->kind);
    if (row->object) {
        payload_write_object(writer, row->object);
    } else {
        writer_blob(writer, row->record);
    }
}

/* Into a zeroed row, which its caller releases, also after a failure. Unless `is_opened` its
 * record stays as it is: a coordinator compares it, and hands it on to a client that opens it.
 */
static void read_row(struct reader *reader, bool is_opened, struct row *row)
{
    struct reader fields = reader_array(reader, ROW_FIELDS, ROW_FIELDS);

    row->name = reader_blob(&fields, 1, NAME_SIZE_MAX);
    row->kind = (enum row_kind)reader_uint(&fields, ROW_DIRECTORY, ROW_FILE);
    if (is_opened) {
        row->object = payload_read_object(&fields);
    } else {
        row->record = reader_blob(&fields, 1, RECORD_ROW_SIZE_MAX);
    }
    if (reader_failed(&fields)) {
        return;
    }
    reader_require(&fields, key_name_is_valid(blob_slice(row->name)));
    reader_require(&fields, row->kind == ROW_DIRECTORY || row->kind == ROW_FILE);
    reader_require(&fields, !is_opened || payload_is_row(row->object));
    reader_require(&fields, !is_opened || payload_fits_kind(row->object, row->kind));
}

/* LIST_REPLY: rows, more, resume or nil */
void payload_encode_list_reply(const struct message *message, struct writer *writer)
{
    const struct message_list_reply *reply = &message->list_reply;

    assert(reply->row_count <= ROWS_MAX);
    assert(!reply->more || reply->resume);
    writer_array(writer, reply->row_count);
    for (uint16_t i = 0; i < reply->row_count; i++) {
        write_row(writer, &reply->rows[i]);
    }
    writer_bool(writer, reply->more);
    writer_blob(writer, reply->resume);
}

static void read_rows(struct reader *reader, bool is_opened, struct message_list_reply *reply)
{
    struct reader array = reader_array(reader, 0, ROWS_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    reply->rows = calloc(count, sizeof *reply->rows);
    if (!reply->rows) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    while (reply->row_count < count && !reader_failed(&array)) {
        struct row *row = &reply->rows[reply->row_count++];

        read_row(&array, is_opened, row);
        if (!reader_failed(&array) && row > reply->rows) {
            reader_require(&array, row_compare(row - 1, row) < 0);
        }
    }
}

void payload_decode_list_reply(struct reader *reader, struct message *message)
{
    struct message_list_reply *reply = &message->list_reply;

    read_rows(reader, message->type == MESSAGE_LIST_REPLY, reply);
    reply->more = reader_bool(reader);
    reply->resume = payload_read_range_end(reader);
    /* Else whoever asks again would get the same rows for ever. */
    reader_require(reader, !reply->more || reply->resume);
}

/* STATUS_REPLY: node, address, cluster_id, epoch, ready, disk_total, disk_free,
 * disk_state, [[id, address, up]...], [[name, value]...] */
static void encode_status_reply(const struct message *message, struct writer *writer)
{
    const struct message_status_reply *reply = &message->status_reply;

    assert(reply->peer_count <= MEMBERS_MAX && reply->stat_count <= STATS_MAX);
    writer_uint(writer, reply->node);
    payload_write_text(writer, reply->address, ADDRESS_SIZE);
    writer_uint(writer, reply->cluster_id);
    writer_uint(writer, reply->epoch);
    writer_bool(writer, reply->ready);
    writer_uint(writer, reply->disk_total);
    writer_uint(writer, reply->disk_free);
    writer_uint(writer, reply->disk_state);
    writer_array(writer, reply->peer_count);
    for (uint16_t i = 0; i < reply->peer_count; i++) {
        writer_array(writer, PEER_FIELDS);
        writer_uint(writer, reply->peers[i].id);
        payload_write_text(writer, reply->peers[i].address, ADDRESS_SIZE);
        writer_bool(writer, reply->peers[i].up);
    }
    writer_array(writer, reply->stat_count);
    for (uint16_t i = 0; i < reply->stat_count; i++) {
        writer_array(writer, STATISTIC_FIELDS);
        payload_write_text(writer, reply->stats[i].name, sizeof reply->stats[i].name);
        writer_uint(writer, reply->stats[i].value);
    }
}

static void read_peers(struct reader *reader, struct message_status_reply *reply)
{
    struct reader array = reader_array(reader, 0, MEMBERS_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    reply->peers = calloc(count, sizeof *reply->peers);
    if (!reply->peers) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    reply->peer_count = count;
    for (uint16_t i = 0; i < count && !reader_failed(&array); i++) {
        struct reader fields = reader_array(&array, PEER_FIELDS, PEER_FIELDS);

        reply->peers[i].id = reader_uint(&fields, 1, UINT64_MAX);
        reader_address(&fields, false, reply->peers[i].address);
        reply->peers[i].up = reader_bool(&fields);
    }
}

/* Printable and without spaces, for it is printed as a column. */
static void read_statistic(struct reader *reader, struct statistic *statistic)
{
    struct reader fields = reader_array(reader, STATISTIC_FIELDS, STATISTIC_FIELDS);
    struct slice name = reader_string(&fields, 1, sizeof statistic->name - 1);

    for (size_t i = 0; i < name.size; i++) {
        reader_require(&fields, name.data[i] > ' ' && name.data[i] <= '~');
        statistic->name[i] = (char)name.data[i];
    }
    statistic->value = reader_uint(&fields, 0, UINT64_MAX);
}

static void read_statistics(struct reader *reader, struct message_status_reply *reply)
{
    struct reader array = reader_array(reader, 0, STATS_MAX);
    uint16_t count = (uint16_t)array.left;

    if (count == 0) {
        return;
    }
    reply->stats = calloc(count, sizeof *reply->stats);
    if (!reply->stats) {
        reader_fail(reader, STATUS_NO_MEMORY);
        return;
    }
    reply->stat_count = count;
    for (uint16_t i = 0; i < count && !reader_failed(&array); i++) {
        read_statistic(&array, &reply->stats[i]);
    }
}

static void decode_status_reply(struct reader *reader, struct message *message)
{
    struct message_status_reply *reply = &message->status_reply;

    reply->node = reader_uint(reader, 0, UINT64_MAX);
    reader_address(reader, true, reply->address);
    reply->cluster_id = reader_uint(reader, 0, UINT64_MAX);
    reply->epoch = reader_uint(reader, 0, UINT64_MAX);
    reply->ready = reader_bool(reader);
    reply->disk_total = reader_uint(reader, 0, UINT64_MAX);
    reply->disk_free = reader_uint(reader, 0, UINT64_MAX);
    reply->disk_state = (enum disk_state)reader_uint(reader, 0, DISK_STATE_COUNT - 1);
    read_peers(reader, reply);
    read_statistics(reader, reply);
}

const struct payload payload_client[PAYLOAD_CLIENT_COUNT] = {
    {MESSAGE_GET, 4, encode_get, decode_get},
    {MESSAGE_GET_REPLY, 3, encode_get_reply, decode_get_reply},
    {MESSAGE_PUT, 9, encode_put, decode_put},
    {MESSAGE_PUT_REPLY, 1, encode_put_reply, decode_put_reply},
    {MESSAGE_LIST, LIST_FIELDS, payload_encode_list, payload_decode_list},
    {MESSAGE_LIST_REPLY, LIST_REPLY_FIELDS, payload_encode_list_reply,
     payload_decode_list_reply},
    {MESSAGE_STATUS, 0, NULL, NULL},
    {MESSAGE_STATUS_REPLY, 10, encode_status_reply, decode_status_reply},
    {MESSAGE_RING, 0, NULL, NULL},
    {MESSAGE_RING_REPLY, 1, payload_encode_ring, payload_decode_ring},
};
