/*
 * ask.c - requests as a client would make them, and their answers as text.
 */
#include "tests/core/ask.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct blob *blob_of(const char *text)
{
    return blob_new(slice_of_string(text));
}

static struct message put_message(struct world *world, const char *key, const char *text)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    size_t length = strlen(key);
    message.put.key = blob_of(key);
    message.put.mode = UPDATE_ALL;
    message.put.deadline_ms = 5000;
    if (text) {
        bool is_directory = key[length - 1] == '/';
        message.put.has_value = true;
        message.put.value.content = blob_of(is_directory ? "" : text);
        message.put.value.attributes =
            (struct attributes){.type = is_directory ? VERSION_DIRECTORY : VERSION_FILE,
                                .mode = 0644,
                                .size = is_directory ? 0 : strlen(text)};
        for (int i = 0; i < WRITE_ID_SIZE; i++) {
            message.put.value.write_id[i] = (uint8_t)world_random(world);
        }
    }
    return message;
}

static void put_context(struct message *message, const struct object *context)
{
    if (context && context->clock.count > 0) {
        size_t size = context->clock.count * sizeof *message->put.context;
        message->put.context = malloc(size);
        assert(message->put.context);
        memcpy(message->put.context, context->clock.pair, size);
        message->put.context_count = context->clock.count;
    }
}

int ask_put_later(struct world *world, int node, const char *key, const char *text,
                  const struct object *context)
{
    struct message message = put_message(world, key, text);
    put_context(&message, context);
    return world_ask(world, node, &message);
}

static enum status put_wait(struct world *world, int call, struct object **ret_row)
{
    struct message reply = {0};
    if (!world_wait(world, call, ASK_LIMIT_US, &reply)) {
        return STATUS_TIMEOUT;
    }
    enum status status = reply.status;
    if (ret_row && status == STATUS_OK) {
        *ret_row = object_ref(reply.put_reply.row);
    }
    message_release(&reply);
    return status;
}

enum status ask_put(struct world *world, int node, const char *key, const char *text,
                    const struct object *context, struct object **ret_row)
{
    return put_wait(world, ask_put_later(world, node, key, text, context), ret_row);
}

enum status ask_put_some(struct world *world, int node, const char *key, const char *text,
                         const struct version *versions, uint32_t count)
{
    struct message message = put_message(world, key, text);
    message.put.mode = UPDATE_SOME;
    message.put.dots = count > 0 ? calloc(count, sizeof *message.put.dots) : NULL;
    assert(message.put.dots || count == 0);
    message.put.dot_count = count;
    for (uint32_t i = 0; i < count; i++) {
        message.put.dots[i] = versions[i].dot;
    }
    return put_wait(world, world_ask(world, node, &message), NULL);
}

enum status ask_get(struct world *world, int node, const char *key, struct object **ret_object)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 2};
    message.get.key = blob_of(key);
    message.get.deadline_ms = 5000;
    struct message reply = {0};
    if (!world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply)) {
        return STATUS_TIMEOUT;
    }
    enum status status = reply.status;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *ret_object = object_ref(reply.get_reply.object);
    }
    message_release(&reply);
    return status;
}

enum status ask_names_us(struct world *world, int node, const char *directory,
                         uint64_t *ret_names_us)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 4};
    message.get.key = blob_of(directory);
    message.get.deadline_ms = 5000;
    struct message reply = {0};
    if (!world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply)) {
        return STATUS_TIMEOUT;
    }
    enum status status = reply.status;
    *ret_names_us = reply.get_reply.names_us;
    message_release(&reply);
    return status;
}

static void append(char *text, size_t size, struct slice bytes, const char *end)
{
    size_t used = strlen(text);
    assert(used + bytes.size + strlen(end) + 1 < size);
    if (bytes.size > 0) {
        memcpy(text + used, bytes.data, bytes.size);
    }
    memcpy(text + used + bytes.size, end, strlen(end) + 1);
}

/* One page. `cursor` is taken over and replaced by the next one, or NULL at the end. */
static enum status list_page(struct world *world, int node, const char *directory,
                             struct blob **cursor, char *names, size_t size)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 3};
    message.list.directory = blob_of(directory);
    message.list.start = *cursor;
    message.list.after_start = *cursor;
    message.list.limit = 3;
    message.list.live_only = true;
    message.list.deadline_ms = 5000;
    *cursor = NULL;
    struct message reply = {0};
    if (!world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply)) {
        return STATUS_TIMEOUT;
    }
    for (uint16_t i = 0; reply.status == STATUS_OK && i < reply.list_reply.row_count; i++) {
        const struct row *row = &reply.list_reply.rows[i];
        append(names, size, blob_slice(row->name), row->kind == ROW_DIRECTORY ? "/ " : " ");
    }
    if (reply.status == STATUS_OK && reply.list_reply.more) {
        *cursor = blob_ref(reply.list_reply.resume);
    }
    enum status status = reply.status;
    message_release(&reply);
    return status;
}

enum status ask_list(struct world *world, int node, const char *directory, char *names,
                     size_t size)
{
    struct blob *cursor = NULL;
    names[0] = 0;
    enum status status;
    do {
        status = list_page(world, node, directory, &cursor, names, size);
    } while (status == STATUS_OK && cursor);
    blob_unref(cursor);
    return status;
}

void object_text(const struct object *object, char *text, size_t size)
{
    text[0] = 0;
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        append(text, size, blob_slice(object->versions[i].content), ",");
    }
}

enum status ask_outcome(struct world *world, int call)
{
    struct message reply = {0};
    bool answered = world_wait(world, call, ASK_LIMIT_US, &reply);
    enum status status = answered ? reply.status : STATUS_TIMEOUT;
    message_release(&reply);
    return status;
}

void ask_fill(struct world *world, int node, int from, int to)
{
    char key[32];
    for (int i = from; i < to; i++) {
        (void)snprintf(key, sizeof key, "d/%d", i);
        assert_int_equal(ask_put(world, node, key, key, NULL, NULL), STATUS_OK);
    }
}
