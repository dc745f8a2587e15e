/*
 * client.c - the two kinds of client.
 */
#include "tests/sim/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_US = 12000000, DEADLINE_MS = 5000 };

/* Any node ------------------------------------------------------------------------------- */

static enum status ask_any(struct client *client, const struct message *message,
                           struct message *ret_reply)
{
    struct port *port = &client->port;
    enum status status =
        port_ask(port, client->asked, message, port_now_us(port) + PATIENCE_US, ret_reply);
    return status == STATUS_OK ? ret_reply->status : status;
}

static enum status any_get(struct client *client, const char *key, struct object **ret_object)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 1};
    struct message reply = {0};
    message.get.key = blob_new(slice_of_string(key));
    message.get.deadline_ms = DEADLINE_MS;
    message.get.r = client->options.r;
    enum status status = ask_any(client, &message, &reply);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *ret_object = object_ref(reply.get_reply.object);
    }
    message_release(&message);
    message_release(&reply);
    return status;
}

static struct dot *copy_dots(const struct dot *dots, size_t count)
{
    struct dot *copy = malloc(count * sizeof *copy + 1);
    assert(copy);
    memcpy(copy, dots, count * sizeof *copy);
    return copy;
}

/* What is written: of a delete nothing. The caller unrefs the content. */
static struct version value_of(const struct client_put *put)
{
    uint8_t content[HISTORY_CONTENT_MAX];
    struct version value = {
        .attributes = {.type = VERSION_FILE, .mode = 0644, .modified_ns = put->number}};
    if (put->has_value) {
        value.attributes.size = history_content(put->number, content);
        value.content = blob_new(slice_of(content, value.attributes.size));
    }
    return value;
}

static enum status any_put(struct client *client, const struct client_put *put)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    struct message reply = {0};
    message.put.key = blob_new(slice_of_string(put->key));
    message.put.mode = put->mode;
    message.put.deadline_ms = DEADLINE_MS;
    message.put.sync = put->sync;
    message.put.w = client->options.w;
    if (put->context) {
        /* With UPDATE_SOME it comes along too; it must add nothing (rule 3). */
        message.put.context = copy_dots(put->context->clock.pair, put->context->clock.count);
        message.put.context_count = put->context->clock.count;
    }
    if (put->mode == UPDATE_SOME) {
        message.put.dots = copy_dots(&put->dot, 1);
        message.put.dot_count = 1;
    }
    if (put->has_value) {
        message.put.has_value = true;
        message.put.value = value_of(put);
        memcpy(message.put.value.write_id, put->write_id, WRITE_ID_SIZE);
    }
    enum status status = ask_any(client, &message, &reply);
    if (status == STATUS_OK && reply.type != MESSAGE_PUT_REPLY) {
        status = STATUS_BAD_MESSAGE;
    }
    message_release(&message);
    message_release(&reply);
    return status;
}

/* One page; *ret_start (owned) is where the next one begins, NULL after the last. */
static enum status any_list(struct client *client, struct listing *listing, uint16_t limit,
                            struct blob **start)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 1};
    struct message reply = {0};
    message.list.directory = blob_new(listing->directory);
    message.list.start = *start;
    message.list.after_start = *start;
    message.list.limit = limit;
    message.list.live_only = true;
    message.list.deadline_ms = DEADLINE_MS;
    message.list.r = client->options.r;
    *start = NULL;
    enum status status = ask_any(client, &message, &reply);
    if (status == STATUS_OK) {
        struct message_list_reply *list = &reply.list_reply;
        bool good = listing_take(listing, list->rows, list->row_count);
        status = good ? STATUS_OK : STATUS_BAD_MESSAGE;
        *start = list->more ? blob_ref(list->resume) : NULL;
    }
    message_release(&message);
    message_release(&reply);
    return status;
}

/* The shipping client -------------------------------------------------------------------- */

static enum status open_cluster(struct client *client)
{
    char addresses[WORLD_NODES_MAX * (ADDRESS_SIZE + 1)] = "";
    size_t used = 0;
    int first = (int)(world_random(client->port.world) % (uint64_t)client->options.nodes);
    for (int i = 0; i < client->options.nodes; i++) {
        int node = (i + first) % client->options.nodes;
        used += (size_t)snprintf(addresses + used, sizeof addresses - used, "%s%s",
                                 i > 0 ? "," : "", world_address(client->port.world, node));
    }
    struct kv_options defaults = {
        .deadline_ms = DEADLINE_MS, .r = client->options.r, .w = client->options.w};
    struct error error = {0};
    return kv_open_cluster(addresses, &defaults, &client->kv, &error);
}

static enum status ring_get(struct client *client, const char *key, struct object **ret_object)
{
    struct kv_options options = {0};
    return kv_get(client->kv, slice_of_string(key), &options, ret_object);
}

static enum status ring_put(struct client *client, const struct client_put *put)
{
    struct kv_options options = {0};
    struct version value = value_of(put);
    struct kv_put arguments = {
        .key = slice_of_string(put->key),
        .mode = put->mode,
        .dots = &put->dot,
        .dot_count = put->mode == UPDATE_SOME ? 1 : 0,
        .value = put->has_value ? &value : NULL,
        .sync = put->sync,
    };
    if (put->context && put->mode == UPDATE_ALL) {
        arguments.context = put->context->clock;
    }
    enum status status = kv_put(client->kv, &arguments, &options, NULL);
    blob_unref(value.content);
    return status;
}

static enum status ring_list(struct client *client, struct listing *listing, uint16_t limit,
                             struct blob **start)
{
    struct kv_options options = {0};
    struct kv_list list = {.directory = listing->directory,
                           .start = blob_slice(*start),
                           .after_start = *start,
                           .limit = limit};
    struct kv_rows rows = {0};
    struct blob *next = NULL;
    enum status status = kv_list(client->kv, &list, &options, &rows);
    if (status == STATUS_OK) {
        bool good = listing_take(listing, rows.rows, rows.count);
        status = good ? STATUS_OK : STATUS_BAD_MESSAGE;
        next = rows.more ? blob_ref(rows.resume) : NULL;
        kv_rows_release(&rows);
    }
    blob_unref(*start);
    *start = next;
    return status;
}

/* Either ---------------------------------------------------------------------------------- */

static enum status make_ready(struct client *client)
{
    return client->options.knows_ring && !client->kv ? open_cluster(client) : STATUS_OK;
}

static void choose_node(struct client *client)
{
    int drawn = (int)(world_random(client->port.world) % (uint64_t)client->options.nodes);
    client->asked = client->wanted == CLIENT_ANY_NODE ? drawn : client->wanted;
}

enum status client_get(struct client *client, const char *key, struct object **ret_object)
{
    choose_node(client);
    enum status status = make_ready(client);
    *ret_object = NULL;
    if (status != STATUS_OK) {
        return status;
    }
    return client->kv ? ring_get(client, key, ret_object) : any_get(client, key, ret_object);
}

enum status client_put(struct client *client, const struct client_put *put)
{
    choose_node(client);
    enum status status = make_ready(client);
    if (status != STATUS_OK) {
        return status;
    }
    status = client->kv ? ring_put(client, put) : any_put(client, put);
    return client->port.is_dead ? STATUS_TIMEOUT : status;
}

enum status client_list(struct client *client, struct slice directory, uint16_t limit,
                        struct listing *ret_listing)
{
    *ret_listing = (struct listing){.directory = directory};
    struct blob *start = NULL;
    choose_node(client);
    enum status status = make_ready(client);
    bool has_more = status == STATUS_OK;
    while (has_more) {
        status = client->kv ? ring_list(client, ret_listing, limit, &start)
                            : any_list(client, ret_listing, limit, &start);
        has_more =
            status == STATUS_OK && start && !ret_listing->is_overfull && !client->port.is_dead;
    }
    blob_unref(start);
    return client->port.is_dead ? STATUS_TIMEOUT : status;
}

void client_close(struct client *client)
{
    kv_close(client->kv);
    client->kv = NULL;
}
