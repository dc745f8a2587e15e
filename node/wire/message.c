/*
 * message.c - see message.h.
 */
#include "node/wire/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/wire/payload.h"
#include "node/wire/record.h"

static void release_put(struct message_put *put)
{
    blob_unref(put->key);
    free(put->context);
    free(put->dots);
    blob_unref(put->value.content);
    blob_unref(put->value.xattrs);
}

static void release_list(struct message_list *list)
{
    blob_unref(list->directory);
    blob_unref(list->start);
    blob_unref(list->end);
}

void list_marks_free(struct list_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blob_unref(marks[i].name);
    }
    free(marks);
}

void list_reply_release(struct message_list_reply *reply)
{
    rows_free(reply->rows, reply->row_count);
    blob_unref(reply->resume);
    list_marks_free(reply->marks, reply->mark_count);
    *reply = (struct message_list_reply){0};
}

static bool is_in_range(const struct message_list *list, const struct blob *name)
{
    struct slice bytes = blob_slice(name);
    struct slice end = blob_slice(list->end);
    int order = slice_compare(bytes, blob_slice(list->start));

    if (order < 0 || (order == 0 && list->after_start)) {
        return false;
    }
    if (!list->end) {
        return true;
    }
    return list->end_is_prefix ? slice_has_prefix(bytes, end) : slice_compare(bytes, end) <= 0;
}

bool list_reply_fits(const struct message_list_reply *reply, const struct message_list *list)
{
    if (reply->row_count > 0) {
        const struct blob *first = reply->rows[0].name;
        const struct blob *last = reply->rows[reply->row_count - 1].name;
        bool leads_back =
            reply->more && slice_compare(blob_slice(reply->resume), blob_slice(last)) < 0;

        /* What lies between two names of the range is in it too. */
        if (!is_in_range(list, first) || !is_in_range(list, last) || leads_back) {
            return false;
        }
    }
    for (uint16_t i = 0; i < reply->mark_count; i++) {
        if (reply->marks[i].name && !is_in_range(list, reply->marks[i].name)) {
            return false;
        }
    }
    return !reply->more || is_in_range(list, reply->resume);
}

/* Of what a coordinator asks of replicas, and of what brings them to agree. */
static void release_node_payload(struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_REPLICA_GET:
        blob_unref(message->replica_get.key);
        break;
    case MESSAGE_REPLICA_GET_REPLY:
        object_unref(message->replica_get_reply.object);
        break;
    case MESSAGE_REPLICA_PUT:
        blob_unref(message->replica_put.key);
        object_unref(message->replica_put.object);
        break;
    case MESSAGE_TREE_KEYS:
        blob_unref(message->tree_keys.after_key);
        break;
    case MESSAGE_TREE_KEYS_REPLY:
        tree_entries_free(message->tree_keys_reply.entries, message->tree_keys_reply.count);
        break;
    case MESSAGE_REAP:
        blob_unref(message->reap.key);
        break;
    case MESSAGE_HINTS_REPLY:
        free(message->hints_reply.owners);
        break;
    }
}

static void release_payload(struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_HELLO_REPLY:
        free(message->hello.seeds);
        break;
    case MESSAGE_GET:
        blob_unref(message->get.key);
        break;
    case MESSAGE_GET_REPLY:
        object_unref(message->get_reply.object);
        break;
    case MESSAGE_PUT:
        release_put(&message->put);
        break;
    case MESSAGE_PUT_REPLY:
        object_unref(message->put_reply.row);
        break;
    case MESSAGE_LIST:
    case MESSAGE_REPLICA_LIST:
        release_list(&message->list);
        break;
    case MESSAGE_LIST_REPLY:
    case MESSAGE_REPLICA_LIST_REPLY:
        list_reply_release(&message->list_reply);
        break;
    case MESSAGE_STATUS_REPLY:
        free(message->status_reply.peers);
        free(message->status_reply.stats);
        break;
    case MESSAGE_RING_REPLY:
    case MESSAGE_JOIN_REPLY:
        free(message->ring);
        break;
    case MESSAGE_REPLICA_GET:
    case MESSAGE_REPLICA_GET_REPLY:
    case MESSAGE_REPLICA_PUT:
    case MESSAGE_TREE_KEYS:
    case MESSAGE_TREE_KEYS_REPLY:
    case MESSAGE_REAP:
    case MESSAGE_HINTS_REPLY:
        release_node_payload(message);
        break;
    case MESSAGE_STATUS:
    case MESSAGE_RING:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_HINTS:
    case MESSAGE_REPAIR:
    case MESSAGE_REPAIR_REPLY:
    case MESSAGE_PING:
    case MESSAGE_PING_REPLY:
    case MESSAGE_TREE:
    case MESSAGE_TREE_REPLY:
    case MESSAGE_REAP_REPLY:
    case MESSAGE_VOUCH:
    case MESSAGE_VOUCH_REPLY:
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_PROOF:
    case MESSAGE_PROOF_REPLY:
    case MESSAGE_RING_PUSH:
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLACE:
    case MESSAGE_REPLACE_REPLY:
    case MESSAGE_DROP_HINTS:
    case MESSAGE_DROP_HINTS_REPLY:
        break;
    }
}

void tree_entries_free(struct tree_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blob_unref(entries[i].key);
    }
    free(entries);
}

void message_release(struct message *message)
{
    assert(message);
    release_payload(message);
    blob_unref(message->text);
    memset(message, 0, sizeof *message);
}

static const struct {
    enum message_type type;
    const char *name;
} names[] = {
    {MESSAGE_HELLO, "hello"},
    {MESSAGE_HELLO_REPLY, "hello_reply"},
    {MESSAGE_PROOF, "proof"},
    {MESSAGE_PROOF_REPLY, "proof_reply"},
    {MESSAGE_GET, "get"},
    {MESSAGE_GET_REPLY, "get_reply"},
    {MESSAGE_PUT, "put"},
    {MESSAGE_PUT_REPLY, "put_reply"},
    {MESSAGE_LIST, "list"},
    {MESSAGE_LIST_REPLY, "list_reply"},
    {MESSAGE_STATUS, "status"},
    {MESSAGE_STATUS_REPLY, "status_reply"},
    {MESSAGE_RING, "ring"},
    {MESSAGE_RING_REPLY, "ring_reply"},
    {MESSAGE_REPLICA_GET, "replica_get"},
    {MESSAGE_REPLICA_GET_REPLY, "replica_get_reply"},
    {MESSAGE_REPLICA_PUT, "replica_put"},
    {MESSAGE_REPLICA_PUT_REPLY, "replica_put_reply"},
    {MESSAGE_REPLICA_LIST, "replica_list"},
    {MESSAGE_REPLICA_LIST_REPLY, "replica_list_reply"},
    {MESSAGE_HINTS, "hints"},
    {MESSAGE_HINTS_REPLY, "hints_reply"},
    {MESSAGE_REPAIR, "repair"},
    {MESSAGE_REPAIR_REPLY, "repair_reply"},
    {MESSAGE_REPLACE, "replace"},
    {MESSAGE_REPLACE_REPLY, "replace_reply"},
    {MESSAGE_DROP_HINTS, "drop_hints"},
    {MESSAGE_DROP_HINTS_REPLY, "drop_hints_reply"},
    {MESSAGE_PING, "ping"},
    {MESSAGE_PING_REPLY, "ping_reply"},
    {MESSAGE_TREE, "tree"},
    {MESSAGE_TREE_REPLY, "tree_reply"},
    {MESSAGE_TREE_KEYS, "tree_keys"},
    {MESSAGE_TREE_KEYS_REPLY, "tree_keys_reply"},
    {MESSAGE_REAP, "reap"},
    {MESSAGE_REAP_REPLY, "reap_reply"},
    {MESSAGE_VOUCH, "vouch"},
    {MESSAGE_VOUCH_REPLY, "vouch_reply"},
    {MESSAGE_JOIN, "join"},
    {MESSAGE_JOIN_REPLY, "join_reply"},
    {MESSAGE_PREPARE, "prepare"},
    {MESSAGE_PREPARE_REPLY, "prepare_reply"},
    {MESSAGE_RING_PUSH, "ring_push"},
    {MESSAGE_RING_PUSH_REPLY, "ring_push_reply"},
};

const char *message_type_name(enum message_type type)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            return names[i].name;
        }
    }
    return "unknown";
}

bool message_type_is_request(enum message_type type)
{
    switch (type) {
    case MESSAGE_HELLO:
    case MESSAGE_PROOF:
    case MESSAGE_GET:
    case MESSAGE_PUT:
    case MESSAGE_LIST:
    case MESSAGE_STATUS:
    case MESSAGE_RING:
    case MESSAGE_REPLICA_GET:
    case MESSAGE_REPLICA_PUT:
    case MESSAGE_REPLICA_LIST:
    case MESSAGE_HINTS:
    case MESSAGE_REPAIR:
    case MESSAGE_PING:
    case MESSAGE_TREE:
    case MESSAGE_TREE_KEYS:
    case MESSAGE_REAP:
    case MESSAGE_VOUCH:
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_RING_PUSH:
    case MESSAGE_REPLACE:
    case MESSAGE_DROP_HINTS:
        return true;
    case MESSAGE_HELLO_REPLY:
    case MESSAGE_PROOF_REPLY:
    case MESSAGE_GET_REPLY:
    case MESSAGE_PUT_REPLY:
    case MESSAGE_LIST_REPLY:
    case MESSAGE_STATUS_REPLY:
    case MESSAGE_RING_REPLY:
    case MESSAGE_REPLICA_GET_REPLY:
    case MESSAGE_REPLICA_PUT_REPLY:
    case MESSAGE_REPLICA_LIST_REPLY:
    case MESSAGE_HINTS_REPLY:
    case MESSAGE_REPAIR_REPLY:
    case MESSAGE_PING_REPLY:
    case MESSAGE_TREE_REPLY:
    case MESSAGE_TREE_KEYS_REPLY:
    case MESSAGE_REAP_REPLY:
    case MESSAGE_VOUCH_REPLY:
    case MESSAGE_JOIN_REPLY:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_RING_PUSH_REPLY:
    case MESSAGE_REPLACE_REPLY:
    case MESSAGE_DROP_HINTS_REPLY:
        break;
    }
    return false;
}

enum status message_open_row(struct row *row)
{
    struct object *object = NULL;

    if (row->object) {
        return STATUS_OK;
    }
    enum status status = record_decode(blob_slice(row->record), &object);
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    if (status != STATUS_OK || !payload_is_row(object) ||
        !payload_fits_kind(object, row->kind) || object->own.node != 0) {
        object_unref(object);
        return STATUS_BAD_MESSAGE;
    }
    row->object = object;
    return STATUS_OK;
}

bool message_row_is_live(const struct row *row)
{
    return row->object ? object_is_live(row->object) : record_is_live(blob_slice(row->record));
}

const char *disk_state_name(enum disk_state state)
{
    switch (state) {
    case DISK_WELL:
        return "well";
    case DISK_FULL:
        return "full";
    case DISK_FAILING:
        return "failing";
    case DISK_GONE:
        return "gone";
    case DISK_STATE_COUNT:
        break;
    }
    return "?";
}

size_t message_put_size(const struct message_put *put)
{
    return blob_slice(put->value.content).size + blob_slice(put->value.xattrs).size;
}
