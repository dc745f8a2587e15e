/*
 * load.c - the workload: blind puts, read-modify-write with contexts new and old, deletes,
 * dropping of single siblings, listings, retries of one write through another coordinator.
 */
#include "tests/sim/load.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_US = 12000000, THINK_US = 40000 };

enum doing { DOING_NOTHING, DOING_GET, DOING_PUT, DOING_LIST };

struct client {
    enum doing doing;
    int call;
    int key;
    uint32_t number; /* of the write under way; UINT32_MAX for a delete */
    uint8_t retries;
    uint64_t next_us; /* when it does something again */
    uint64_t give_up_us;
    struct object *seen[HISTORY_KEYS_MAX];
    struct message again; /* the put under way, for a retry under the same write id */
};

struct load {
    struct world *world;
    struct history *history;
    struct load_options options;
    uint32_t sent, acknowledged;
    bool stopped;
    struct client client[LOAD_CLIENTS_MAX];
};

const char *load_key(int key)
{
    static const char *const keys[HISTORY_KEYS_MAX] = {
        "a",     "b",     "d/a", "d/b", "d/e/a", "d/e/b", "f/a", "f/b",
        "g/h/a", "g/h/b", "i",   "j",   "k",     "l/a",   "l/b", "m",
    };
    assert(key >= 0 && key < HISTORY_KEYS_MAX);
    return keys[key];
}

struct load *load_new(struct world *world, struct history *history,
                      const struct load_options *options)
{
    assert(options->clients <= LOAD_CLIENTS_MAX && options->keys <= HISTORY_KEYS_MAX);
    struct load *load = calloc(1, sizeof *load);
    assert(load);
    load->world = world;
    load->history = history;
    load->options = *options;
    return load;
}

static void again_release(struct client *client)
{
    message_release(&client->again);
}

void load_free(struct load *load)
{
    for (int i = 0; i < LOAD_CLIENTS_MAX; i++) {
        for (int key = 0; key < HISTORY_KEYS_MAX; key++) {
            object_unref(load->client[i].seen[key]);
        }
        again_release(&load->client[i]);
    }
    free(load);
}

static uint32_t pick(struct load *load, uint32_t count)
{
    return (uint32_t)(world_random(load->world) % count);
}

static void send(struct load *load, struct client *client, struct message *message,
                 enum doing doing)
{
    int node = (int)pick(load, (uint32_t)load->options.nodes);
    client->call = world_ask(load->world, node, message);
    client->doing = doing;
    client->give_up_us = world_now(load->world) + PATIENCE_US;
}

static void send_get(struct load *load, struct client *client)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 1};
    message.get.key = blob_new(slice_of_string(load_key(client->key)));
    message.get.deadline_ms = 5000;
    message.get.r = load->options.r;
    send(load, client, &message, DOING_GET);
}

static void send_list(struct load *load, struct client *client)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 1};
    struct slice key = slice_of_string(load_key(client->key));
    message.list.directory = blob_new(key_directory(key));
    message.list.limit = (uint16_t)(1 + pick(load, 8));
    message.list.live_only = true;
    message.list.deadline_ms = 5000;
    send(load, client, &message, DOING_LIST);
}

/* One more message with the same content and write id. */
static struct message put_copy(const struct message *from)
{
    struct message to = *from;
    blob_ref(to.put.key);
    blob_ref(to.put.value.content);
    if (to.put.context) {
        size_t size = to.put.context_count * sizeof *to.put.context;
        to.put.context = malloc(size);
        assert(to.put.context);
        memcpy(to.put.context, from->put.context, size);
    }
    if (to.put.dots) {
        size_t size = to.put.dot_count * sizeof *to.put.dots;
        to.put.dots = malloc(size);
        assert(to.put.dots);
        memcpy(to.put.dots, from->put.dots, size);
    }
    return to;
}

static void put_fill_value(struct load *load, struct client *client, struct message *message)
{
    client->number = history_write(load->history, client->key);
    message->put.has_value = true;
    message->put.value.content = blob_new(slice_of(&client->number, sizeof client->number));
    message->put.value.attributes =
        (struct attributes){.type = VERSION_FILE, .mode = 0644, .size = sizeof client->number};
    for (int i = 0; i < WRITE_ID_SIZE; i++) {
        message->put.value.write_id[i] = (uint8_t)world_random(load->world);
    }
}

static void copy_context(struct message *message, const struct object *seen)
{
    size_t size = seen->clock.count * sizeof *message->put.context;
    message->put.context = malloc(size);
    assert(message->put.context);
    memcpy(message->put.context, seen->clock.pair, size);
    message->put.context_count = seen->clock.count;
}

/* Supersedes one sibling of what was seen. */
static void put_name_one(struct load *load, struct message *message, const struct object *seen)
{
    const struct version *one = &seen->versions[pick(load, seen->version_count)];
    message->put.mode = UPDATE_SOME;
    /* A context may come along; it must add nothing (rule 3). */
    copy_context(message, seen);
    message->put.dots = malloc(sizeof *message->put.dots);
    assert(message->put.dots);
    message->put.dots[0] = one->dot;
    message->put.dot_count = 1;
    uint32_t number = history_number(one);
    if (number < load->history->count) {
        load->history->write[number].superseded = true;
    }
}

static void put_with_context(struct load *load, struct message *message,
                             const struct object *seen)
{
    copy_context(message, seen);
    history_supersede(load->history, seen);
}

static void send_put(struct load *load, struct client *client)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    message.put.key = blob_new(slice_of_string(load_key(client->key)));
    message.put.mode = UPDATE_ALL;
    message.put.deadline_ms = 5000;
    message.put.sync = pick(load, 8) == 0;
    message.put.w = load->options.w;
    struct object *seen = client->seen[client->key];
    bool is_delete = pick(load, 6) == 0;
    if (seen && seen->version_count > 1 && pick(load, 4) == 0) {
        put_name_one(load, &message, seen);
    } else if (seen && seen->clock.count > 0 && pick(load, 5) != 0) {
        put_with_context(load, &message, seen);
    } else {
        is_delete = false; /* A blind delete has nothing to do. */
    }
    client->number = UINT32_MAX;
    if (!is_delete) {
        put_fill_value(load, client, &message);
        load->history->write[client->number].synced = message.put.sync;
        load->history->write[client->number].copies = load->options.w;
    }
    client->retries = (uint8_t)pick(load, 3);
    again_release(client);
    client->again = put_copy(&message);
    send(load, client, &message, DOING_PUT);
}

static void finish(struct load *load, struct client *client)
{
    client->doing = DOING_NOTHING;
    client->next_us = world_now(load->world) + pick(load, THINK_US);
}

static void on_put(struct load *load, struct client *client, const struct message *reply)
{
    if (reply->status == STATUS_OK && reply->type == MESSAGE_PUT_REPLY) {
        load->acknowledged++;
        if (client->number != UINT32_MAX) {
            load->history->write[client->number].acknowledged = true;
        }
    } else if (client->retries > 0) {
        client->retries--;
        struct message message = put_copy(&client->again);
        send(load, client, &message, DOING_PUT);
        return;
    }
    finish(load, client);
}

static void on_answer(struct load *load, struct client *client, const struct message *reply)
{
    if (client->doing == DOING_PUT) {
        on_put(load, client, reply);
        return;
    }
    bool is_get = client->doing == DOING_GET && reply->type == MESSAGE_GET_REPLY;
    if (is_get && (reply->status == STATUS_OK || reply->status == STATUS_NOT_FOUND)) {
        object_unref(client->seen[client->key]);
        client->seen[client->key] = object_ref(reply->get_reply.object);
    }
    finish(load, client);
}

static void begin(struct load *load, struct client *client)
{
    load->sent++;
    client->key = (int)pick(load, (uint32_t)load->options.keys);
    uint32_t what = pick(load, 10);
    if (what < 4) {
        send_get(load, client);
    } else if (what < 9) {
        send_put(load, client);
    } else {
        send_list(load, client);
    }
}

void load_step(struct load *load)
{
    uint64_t now_us = world_now(load->world);
    for (int i = 0; i < load->options.clients; i++) {
        struct client *client = &load->client[i];
        if (client->doing == DOING_NOTHING) {
            bool more = !load->stopped && load->sent < load->options.requests &&
                        load->history->count < HISTORY_WRITES_MAX;
            if (more && client->next_us <= now_us) {
                begin(load, client);
            }
            continue;
        }
        struct message reply = {0};
        if (world_answered(load->world, client->call)) {
            world_take(load->world, client->call, &reply);
            on_answer(load, client, &reply);
            message_release(&reply);
        } else if (client->give_up_us <= now_us) {
            world_forget(load->world, client->call);
            finish(load, client);
        }
    }
}

bool load_is_done(const struct load *load)
{
    for (int i = 0; i < load->options.clients; i++) {
        if (load->client[i].doing != DOING_NOTHING) {
            return false;
        }
    }
    return load->stopped || load->sent >= load->options.requests;
}

void load_stop(struct load *load)
{
    load->stopped = true;
}

uint32_t load_acknowledged(const struct load *load)
{
    return load->acknowledged;
}
