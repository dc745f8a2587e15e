/*
 * store.c - releasing requests and results.
 */
#include "node/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "node/wire/message.h"

void intents_free(struct intent *intents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blob_unref(intents[i].key);
    }
    free(intents);
}

void hints_free(struct hint *hints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blob_unref(hints[i].key);
        object_unref(hints[i].object);
    }
    free(hints);
}

void scrubbed_entries_free(struct scrubbed_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blob_unref(entries[i].entry.key);
    }
    free(entries);
}

static void put_free(struct message_put *put)
{
    if (!put) {
        return;
    }
    /* message_release knows what a put owns; the put moves into a message for it. */
    struct message message = {.type = MESSAGE_PUT, .put = *put};
    message_release(&message);
    free(put);
}

static void list_release(struct message_list *list)
{
    blob_unref(list->directory);
    blob_unref(list->start);
    blob_unref(list->end);
}

void store_request_release(struct store_request *request)
{
    if (!request) {
        return;
    }
    blob_unref(request->key);
    switch ((int)request->operation) {
    case STORE_COORDINATE:
    case STORE_COORDINATE_HINT:
        put_free(request->coordinate.put);
        break;
    case STORE_MERGE:
        object_unref(request->merge.object);
        break;
    case STORE_HINT:
        object_unref(request->hint.object);
        break;
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
        list_release(&request->list);
        break;
    case STORE_CLEAR_INTENTS:
        intents_free(request->clear_intents.intents, request->clear_intents.count);
        break;
    case STORE_CLEAR_HINTS:
        hints_free(request->clear_hints.hints, request->clear_hints.count);
        break;
    case STORE_SAVE_RING:
        free(request->save_ring.ring);
        break;
    default:
        break; /* all that it owns is the key */
    }
    memset(request, 0, sizeof *request);
}

void store_result_release(struct store_result *result)
{
    if (!result) {
        return;
    }
    object_unref(result->object);
    blob_unref(result->text);
    switch ((int)result->operation) {
    case STORE_LIST:
    case STORE_FIND_LIVE_ROW:
        list_reply_release(&result->list);
        break;
    case STORE_LIST_INTENTS:
        intents_free(result->intents.intent, result->intents.count);
        break;
    case STORE_LIST_HINTS:
        hints_free(result->hints.hint, result->hints.count);
        break;
    case STORE_HINT_OWNERS:
        free(result->owners.owner);
        break;
    case STORE_TREE:
        free(result->hashes);
        break;
    case STORE_TREE_KEYS:
    case STORE_SCRUB:
        scrubbed_entries_free(result->entries.scrubbed, result->entries.count);
        break;
    default:
        break; /* there is nothing more that it owns */
    }
    memset(result, 0, sizeof *result);
}
