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

static void release_list_reply(struct message_list_reply *reply)
{
    rows_free(reply->rows, reply->row_count);
    blob_unref(reply->resume);
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
        release_list_reply(&message->list_reply);
        break;
    case MESSAGE_STATUS_REPLY:
        free(message->status_reply.peers);
        free(message->status_reply.stats);
        break;
    case MESSAGE_RING_REPLY:
    case MESSAGE_RING_PUSH:
    case MESSAGE_JOIN_REPLY:
        free(message->ring);
        break;
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
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_RING_PUSH_REPLY:
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
    assert(message != NULL);
    release_payload(message);
    blob_unref(message->text);
    memset(message, 0, sizeof(*message));
}

const char *message_type_name(enum message_type type)
{
    switch (type) {
    case MESSAGE_HELLO:
        return "hello";
    case MESSAGE_HELLO_REPLY:
        return "hello_reply";
    case MESSAGE_GET:
        return "get";
    case MESSAGE_GET_REPLY:
        return "get_reply";
    case MESSAGE_PUT:
        return "put";
    case MESSAGE_PUT_REPLY:
        return "put_reply";
    case MESSAGE_LIST:
        return "list";
    case MESSAGE_LIST_REPLY:
        return "list_reply";
    case MESSAGE_STATUS:
        return "status";
    case MESSAGE_STATUS_REPLY:
        return "status_reply";
    case MESSAGE_RING:
        return "ring";
    case MESSAGE_RING_REPLY:
        return "ring_reply";
    case MESSAGE_REPLICA_GET:
        return "replica_get";
    case MESSAGE_REPLICA_GET_REPLY:
        return "replica_get_reply";
    case MESSAGE_REPLICA_PUT:
        return "replica_put";
    case MESSAGE_REPLICA_PUT_REPLY:
        return "replica_put_reply";
    case MESSAGE_REPLICA_LIST:
        return "replica_list";
    case MESSAGE_REPLICA_LIST_REPLY:
        return "replica_list_reply";
    case MESSAGE_HINTS:
        return "hints";
    case MESSAGE_HINTS_REPLY:
        return "hints_reply";
    case MESSAGE_REPAIR:
        return "repair";
    case MESSAGE_REPAIR_REPLY:
        return "repair_reply";
    case MESSAGE_PING:
        return "ping";
    case MESSAGE_PING_REPLY:
        return "ping_reply";
    case MESSAGE_TREE:
        return "tree";
    case MESSAGE_TREE_REPLY:
        return "tree_reply";
    case MESSAGE_TREE_KEYS:
        return "tree_keys";
    case MESSAGE_TREE_KEYS_REPLY:
        return "tree_keys_reply";
    case MESSAGE_REAP:
        return "reap";
    case MESSAGE_REAP_REPLY:
        return "reap_reply";
    case MESSAGE_JOIN:
        return "join";
    case MESSAGE_JOIN_REPLY:
        return "join_reply";
    case MESSAGE_PREPARE:
        return "prepare";
    case MESSAGE_PREPARE_REPLY:
        return "prepare_reply";
    case MESSAGE_RING_PUSH:
        return "ring_push";
    case MESSAGE_RING_PUSH_REPLY:
        return "ring_push_reply";
    }
    return "unknown";
}

bool message_type_is_request(enum message_type type)
{
    switch (type) {
    case MESSAGE_HELLO:
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
    case MESSAGE_JOIN:
    case MESSAGE_PREPARE:
    case MESSAGE_RING_PUSH:
        return true;
    case MESSAGE_HELLO_REPLY:
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
    case MESSAGE_JOIN_REPLY:
    case MESSAGE_PREPARE_REPLY:
    case MESSAGE_RING_PUSH_REPLY:
        break;
    }
    return false;
}

enum status message_open_row(struct row *row)
{
    struct object *object = NULL;

    if (row->object != NULL) {
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
    return row->object != NULL ? object_is_live(row->object)
                               : record_is_live(blob_slice(row->record));
}
