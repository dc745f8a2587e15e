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
    int node = (int)(world_random(port->world) % (uint64_t)client->options.nodes);
    enum status status =
        port_ask(port, node, message, port_now_us(port) + PATIENCE_US, ret_reply);
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

static struct attributes file_attributes(void)
{
    return (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = sizeof(uint32_t)};
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
        message.put.value.content = blob_new(slice_of(&put->number, sizeof put->number));
        message.put.value.attributes = file_attributes();
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

static enum status any_list(struct client *client, const char *key, uint16_t limit)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 1};
    struct message reply = {0};
    message.list.directory = blob_new(key_directory(slice_of_string(key)));
    message.list.limit = limit;
    message.list.live_only = true;
    message.list.deadline_ms = DEADLINE_MS;
    enum status status = ask_any(client, &message, &reply);
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
    struct version value = {.attributes = file_attributes()};
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
    value.content = blob_new(slice_of(&put->number, sizeof put->number));
    enum status status = kv_put(client->kv, &arguments, &options, NULL);
    blob_unref(value.content);
    return status;
}

static enum status ring_list(struct client *client, const char *key, uint16_t limit)
{
    struct kv_options options = {0};
    struct kv_list list = {.directory = key_directory(slice_of_string(key)), .limit = limit};
    struct kv_rows rows = {0};
    enum status status = kv_list(client->kv, &list, &options, &rows);
    if (status == STATUS_OK) {
        kv_rows_release(&rows);
    }
    return status;
}

/* Either ---------------------------------------------------------------------------------- */

static enum status make_ready(struct client *client)
{
    return client->options.knows_ring && !client->kv ? open_cluster(client) : STATUS_OK;
}

enum status client_get(struct client *client, const char *key, struct object **ret_object)
{
    enum status status = make_ready(client);
    *ret_object = NULL;
    if (status != STATUS_OK) {
        return status;
    }
    return client->kv ? ring_get(client, key, ret_object) : any_get(client, key, ret_object);
}

enum status client_put(struct client *client, const struct client_put *put)
{
    enum status status = make_ready(client);
    if (status != STATUS_OK) {
        return status;
    }
    status = client->kv ? ring_put(client, put) : any_put(client, put);
    return client->port.is_dead ? STATUS_TIMEOUT : status;
}

enum status client_list(struct client *client, const char *key, uint16_t limit)
{
    enum status status = make_ready(client);
    if (status != STATUS_OK) {
        return status;
    }
    return client->kv ? ring_list(client, key, limit) : any_list(client, key, limit);
}

void client_close(struct client *client)
{
    kv_close(client->kv);
    client->kv = NULL;
}
