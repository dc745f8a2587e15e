/*
 * lone_rows.c - listings of a core as text.
 */
#include "tests/core/lone_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/record.h"
#include "tests/ring/make.h"

enum { ROOM = ROWS_MAX + 1 };

static const struct {
    char state;
    const char *text;
} states[] = {{'L', "1.5:5 | 1.5:5"},
              {'D', "1.5:5 |"},
              {'M', "2.6:6 | 2.6:6"},
              {'B', "1.5:5 2.6:6 | 1.5:5 2.6:6"},
              {'N', "1.5:5 2.6:6 | 2.6:6"}};

static struct blob *record_of(char state, enum row_kind kind)
{
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (states[i].state == state) {
            struct object *object = make_object(states[i].text, NULL);
            for (uint32_t j = 0; kind == ROW_DIRECTORY && j < object->version_count; j++) {
                object->versions[j].attributes.type = VERSION_DIRECTORY;
            }
            struct object *row = object_project(object);
            struct buffer bytes = {0};
            record_encode(row, false, &bytes);
            struct blob *record = blob_new(buffer_slice(&bytes));
            buffer_release(&bytes);
            object_unref(row);
            object_unref(object);
            return record;
        }
    }
    assert_int_equal(state, 'X');
    return blob_new(slice_of_string("\xc1"));
}

void rows_add(struct message_list_reply *reply, const char *name, enum row_kind kind,
              char state)
{
    assert_true(reply->row_count < ROOM);
    reply->rows[reply->row_count++] = (struct row){.name = blob_new(slice_of_string(name)),
                                                   .kind = kind,
                                                   .record = record_of(state, kind)};
}

static void add_word(struct message_list_reply *reply, char *word)
{
    char *rest = word + strlen(word) - 1;
    if (word[0] == '>') {
        reply->more = true;
        reply->resume = blob_new(slice_of_string(word + 1));
    } else if (word[0] == '#') {
        struct list_mark *mark = &reply->marks[reply->mark_count++];
        memset(mark->digest, *rest, DIGEST_SIZE);
        bool is_end = word[1] == ':';
        mark->name = is_end ? NULL : blob_new(slice_of(word + 1, (size_t)(rest - word) - 2));
    } else {
        bool is_directory = rest[-2] == '/';
        rest[is_directory ? -2 : -1] = '\0';
        rows_add(reply, word, is_directory ? ROW_DIRECTORY : ROW_FILE, *rest);
    }
}

struct message_list_reply rows_of(const char *text)
{
    struct message_list_reply reply = {.rows = calloc(ROOM, sizeof *reply.rows),
                                       .marks = calloc(ROOM, sizeof *reply.marks)};
    char copy[ROWS_TEXT_SIZE];
    assert_true(reply.rows && reply.marks && strlen(text) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", text);
    char *rest = NULL;
    uint16_t counted = ROOM;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (word[0] == '|') {
            counted = reply.mark_count;
        } else {
            add_word(&reply, word);
        }
    }
    reply.mark_count = counted < reply.mark_count ? counted : reply.mark_count;
    return reply;
}

static char state_of(const struct row *row)
{
    struct row opened = {
        .kind = row->kind, .object = object_ref(row->object), .record = blob_ref(row->record)};
    char text[MAKE_TEXT_SIZE];
    char state = '?';
    if (message_open_row(&opened) == STATUS_OK) {
        object_print(opened.object, text);
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            state = strcmp(states[i].text, text) == 0 ? states[i].state : state;
        }
    }
    row_release(&opened);
    return state;
}

void rows_print(const struct message_list_reply *reply, char ret_text[ROWS_TEXT_SIZE])
{
    size_t length = 0;
    ret_text[0] = '\0';
    for (uint16_t i = 0; i < reply->row_count && length < ROWS_TEXT_SIZE; i++) {
        const struct row *row = &reply->rows[i];
        length += (size_t)snprintf(ret_text + length, ROWS_TEXT_SIZE - length, "%s%.*s%s=%c",
                                   length > 0 ? " " : "", (int)row->name->size,
                                   (const char *)row->name->data,
                                   row->kind == ROW_DIRECTORY ? "/" : "", state_of(row));
    }
    assert_int_equal(reply->more, reply->resume != NULL);
    if (reply->more && length < ROWS_TEXT_SIZE) {
        length += (size_t)snprintf(ret_text + length, ROWS_TEXT_SIZE - length, "%s>%.*s",
                                   length > 0 ? " " : "", (int)reply->resume->size,
                                   (const char *)reply->resume->data);
    }
    assert_true(length < ROWS_TEXT_SIZE);
}

struct message rows_listing(uint16_t limit, uint8_t r, bool live_only)
{
    struct message message = {.type = MESSAGE_LIST, .request_id = 9};
    message.list.directory = blob_new(slice_of_string("d/"));
    message.list.limit = limit;
    message.list.r = r;
    message.list.live_only = live_only;
    message.list.deadline_ms = 5000;
    return message;
}

void rows_own(struct lone *lone, const char *text)
{
    lone_stored(lone, lone_store(lone, STORE_LIST),
                (struct store_result){.list = rows_of(text)});
}

void rows_peer(struct lone *lone, const char *text)
{
    lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_LIST),
                (struct message){.list_reply = rows_of(text)});
}

void assert_rows(struct lone *lone, const char *expected)
{
    char text[ROWS_TEXT_SIZE];
    struct action *reply = lone_reply(lone, MESSAGE_LIST_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->message.status, STATUS_OK);
    assert_int_equal(reply->message.request_id, 9);
    assert_int_equal(reply->handle, LONE_HANDLE);
    rows_print(&reply->message.list_reply, text);
    assert_string_equal(text, expected);
    lone_drop(lone, reply);
    assert_null(lone_reply(lone, MESSAGE_LIST_REPLY));
}

void assert_rows_failed(struct lone *lone, enum status status)
{
    struct action *reply = lone_reply(lone, MESSAGE_LIST_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->message.status, status);
    assert_int_equal(reply->message.request_id, 9);
    assert_int_equal(reply->handle, LONE_HANDLE);
    lone_drop(lone, reply);
}
