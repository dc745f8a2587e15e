/*
 * world_trace.c - a line for each event: time in microseconds, node, what, and of which key.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "tests/sim/world_internal.h"

void world_trace_to(struct world *world, FILE *file)
{
    world->trace = file;
}

static void begin_line(struct world *world, int node)
{
    if (node >= 0) {
        (void)fprintf(world->trace, "%12" PRIu64 " n%d ", world->now_us, node);
    } else {
        (void)fprintf(world->trace, "%12" PRIu64 " -- ", world->now_us);
    }
}

void world_trace(struct world *world, int node, const char *format, ...)
{
    if (!world->trace) {
        return;
    }
    va_list arguments;
    begin_line(world, node);
    va_start(arguments, format);
    (void)vfprintf(world->trace, format, arguments);
    va_end(arguments);
    (void)fputc('\n', world->trace);
}

static const struct blob *key_of(const struct message *message)
{
    switch ((int)message->type) {
    case MESSAGE_GET:
        return message->get.key;
    case MESSAGE_PUT:
        return message->put.key;
    case MESSAGE_LIST:
    case MESSAGE_REPLICA_LIST:
        return message->list.directory;
    case MESSAGE_REPLICA_GET:
        return message->replica_get.key;
    case MESSAGE_REPLICA_PUT:
        return message->replica_put.key;
    case MESSAGE_REAP:
        return message->reap.key;
    default:
        return NULL;
    }
}

/* What a replica is asked beyond the key. */
static void put_details(struct world *world, const struct message *message)
{
    if (message->type == MESSAGE_REPLICA_PUT) {
        const struct message_replica_put *put = &message->replica_put;
        (void)fprintf(world->trace, " parts %d versions %" PRIu32 "%s%s", put->parts,
                      put->object ? put->object->version_count : 0, put->sync ? " sync" : "",
                      put->hint_for ? " hint" : "");
    } else if (message->type == MESSAGE_REAP) {
        (void)fputs(message->reap.drop ? " drop" : " ask", world->trace);
    } else if (message->type == MESSAGE_TREE) {
        (void)fprintf(world->trace, " partition %u bucket %u", message->tree.partition,
                      message->tree.bucket);
    }
}

void trace_message(struct world *world, const struct item *item, const struct message *message)
{
    if (!world->trace) {
        return;
    }
    begin_line(world, item->node);
    (void)fprintf(world->trace, "%s", message_type_name(message->type));
    if (item->type == ITEM_REPLY) {
        (void)fprintf(world->trace, " to client %d", item->call);
    } else if (item->type == ITEM_REQUEST && item->call >= 0) {
        (void)fprintf(world->trace, " of client %d", item->call);
    } else {
        (void)fprintf(world->trace, " from n%d", item->from);
    }
    const struct blob *key = key_of(message);
    if (key) {
        struct slice bytes = blob_slice(key);
        (void)fprintf(world->trace, " %.*s", (int)bytes.size, (const char *)bytes.data);
    }
    put_details(world, message);
    if (!message_type_is_request(message->type)) {
        (void)fprintf(world->trace, " %s", status_name(message->status));
    }
    (void)fputc('\n', world->trace);
}

static const char *operation_name(enum store_operation operation)
{
    static const char *const names[] = {
        [STORE_GET] = "get",
        [STORE_GET_HINTS] = "get",
        [STORE_COORDINATE] = "coordinate",
        [STORE_COORDINATE_HINT] = "coordinate",
        [STORE_MERGE] = "merge",
        [STORE_LIST] = "list",
        [STORE_FIND_LIVE_ROW] = "find_live_row",
        [STORE_LIST_INTENTS] = "list_intents",
        [STORE_CLEAR_INTENTS] = "clear_intents",
        [STORE_SAVE_RING] = "save_ring",
        [STORE_HOLDS_DATA] = "holds_data",
        [STORE_HINT] = "hint",
        [STORE_LIST_HINTS] = "list_hints",
        [STORE_CLEAR_HINTS] = "clear_hints",
        [STORE_HINT_OWNERS] = "hint_owners",
        [STORE_TREE] = "tree",
        [STORE_TREE_KEYS] = "tree_keys",
        [STORE_SCRUB] = "scrub",
        [STORE_SALVAGE] = "salvage",
        [STORE_PROJECT] = "project",
        [STORE_REAP] = "reap",
        [STORE_VOUCH] = "vouch",
        [STORE_TRUST] = "trust",
        [STORE_SYNC] = "sync",
        [STORE_SET_COMPLETE] = "set_complete",
    };
    return names[operation];
}

void trace_stored(struct world *world, int node, const struct store_request *request,
                  const struct store_result *result)
{
    if (!world->trace) {
        return;
    }
    struct slice key = blob_slice(request->key);
    world_trace(world, node, "stored %s %.*s%s %s", operation_name(request->operation),
                (int)key.size, key.data ? (const char *)key.data : "",
                request->sync ? " sync" : "", status_name(result->status));
}
