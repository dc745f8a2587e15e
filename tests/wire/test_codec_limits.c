/*
 * test_codec_limits.c - every limit and every rule of the fields of clients' messages, at it
 * and over it.
 *
 * Shape:    see limit.h. The messages between nodes are in test_codec_limits_node.c, those of
 *           repair in test_codec_limits_repair.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "node/wire/record.h"
#include "node/wire/writer.h"
#include "ring/manifest.h"
#include "tests/wire/edit.h"
#include "tests/wire/limit.h"

/* A key of `size` bytes, in names of 100. */
static struct slice long_key(size_t size)
{
    struct writer writer = limit_writer();
    uint8_t key[KEY_SIZE_MAX + 2];

    assert_in_range(size, 1, sizeof key);
    for (size_t i = 0; i < size; i++) {
        key[i] = i % 101 == 100 ? '/' : 'x';
    }
    key[size - 1] = 'x';
    writer_bytes(&writer, slice_of(key, size));
    return limit_element();
}

static struct slice dot_of(uint64_t node, uint64_t counter)
{
    struct writer writer = limit_writer();

    writer_dot(&writer, (struct dot){.actor = {.node = node}, .counter = counter});
    return limit_element();
}

static struct dot *dots_of(uint32_t count)
{
    struct dot *dots = calloc(count, sizeof *dots);

    assert_non_null(dots);
    for (uint32_t i = 0; i < count; i++) {
        /* Even, so that there is room before the first one. */
        dots[i] = (struct dot){.actor = {.node = 2 * (uint64_t)i + 2}, .counter = 1};
    }
    return dots;
}

static struct message get(void)
{
    return (struct message){.type = MESSAGE_GET, .get.key = blob_of("a/b")};
}

static struct message put(uint32_t context_count, uint32_t dot_count)
{
    struct message message = {.type = MESSAGE_PUT};

    message.put.key = blob_of("a/b");
    message.put.mode = UPDATE_SOME;
    message.put.context_count = context_count;
    message.put.context = dots_of(context_count);
    message.put.dot_count = dot_count;
    message.put.dots = dots_of(dot_count);
    message.put.has_value = true;
    message.put.value.attributes.type = VERSION_FILE;
    message.put.value.content = blob_of("value");
    return message;
}

static struct message list(void)
{
    struct message message = {.type = MESSAGE_LIST};

    message.list.directory = blob_of("a/");
    message.list.limit = 1;
    return message;
}

static struct message list_reply(uint16_t row_count)
{
    struct message message = {.type = MESSAGE_LIST_REPLY};
    struct message_list_reply *reply = &message.list_reply;

    reply->rows = calloc(row_count, sizeof *reply->rows);
    reply->row_count = row_count;
    for (uint16_t i = 0; i < row_count; i++) {
        char name[16];

        snprintf(name, sizeof name, "name%04d", i);
        reply->rows[i].name = blob_of(name);
        reply->rows[i].kind = ROW_FILE;
        reply->rows[i].object = object_of(VERSION_FILE, false, 5);
    }
    return message;
}

static struct message status_reply(uint16_t peer_count, uint16_t stat_count)
{
    struct message message = {.type = MESSAGE_STATUS_REPLY};
    struct message_status_reply *reply = &message.status_reply;

    reply->peers = calloc(peer_count, sizeof *reply->peers);
    reply->peer_count = peer_count;
    reply->stats = calloc(stat_count, sizeof *reply->stats);
    reply->stat_count = stat_count;
    for (uint16_t i = 0; i < peer_count; i++) {
        reply->peers[i].id = 1 + (uint64_t)i;
        snprintf(reply->peers[i].address, ADDRESS_SIZE, "peer:%d", 1 + i);
    }
    for (uint16_t i = 0; i < stat_count; i++) {
        snprintf(reply->stats[i].name, sizeof reply->stats[i].name, "stat%d", i);
    }
    return message;
}

static void test_codec__head__is_checked(void **state)
{
    (void)state;
    assert_true(with(get(), "1", number(UINT64_MAX)));
    assert_true(with(get(), "2", number(UINT64_MAX)));
    assert_false(with(get(), "0", number(MESSAGE_PUT)));
    assert_false(with(get(), "0", number(UINT64_MAX)));
    assert_false(with(get(), "1", nil()));
    assert_true(with(list_reply(1), "3", number(STATUS_COUNT - 1)));
    assert_false(with(list_reply(1), "3", number(STATUS_COUNT)));
    assert_true(with(list_reply(1), "4", filler(TEXT_SIZE_MAX, true)));
    assert_false(with(list_reply(1), "4", filler(TEXT_SIZE_MAX + 1, true)));
    assert_false(with(list_reply(1), "4", string_of("")));
    assert_false(with(list_reply(1), "4", string_of("bell\a")));
    assert_false(with(list_reply(1), "4", bytes_of("bytes")));
}

static void test_codec_get__fields__are_checked(void **state)
{
    (void)state;
    assert_true(with(get(), "3", bytes_of("/")));
    assert_true(with(get(), "3", bytes_of("a/")));
    assert_true(with(get(), "3", long_key(KEY_SIZE_MAX)));
    assert_false(with(get(), "3", long_key(KEY_SIZE_MAX + 1)));
    assert_true(with(get(), "3", filler(NAME_SIZE_MAX, false)));
    assert_false(with(get(), "3", filler(NAME_SIZE_MAX + 1, false)));
    assert_false(with(get(), "3", bytes_of("")));
    assert_false(with(get(), "3", bytes_of("/a")));
    assert_false(with(get(), "3", bytes_of("a//b")));
    assert_false(with(get(), "3", bytes_of("a/../b")));
    assert_false(with(get(), "3", string_of("a")));
    assert_false(with(get(), "3", nil()));
    assert_true(with(get(), "4", number(REPLICAS_MAX)));
    assert_false(with(get(), "4", number(REPLICAS_MAX + 1)));
    assert_true(with(get(), "5", number(1)));
    assert_false(with(get(), "5", number(2)));
    assert_true(with(get(), "6", number(DEADLINE_MAX_MS)));
    assert_false(with(get(), "6", number(DEADLINE_MAX_MS + 1)));
}

static void test_codec_get_reply__object__is_whole_and_without_own(void **state)
{
    struct message message = {.type = MESSAGE_GET_REPLY};

    (void)state;
    assert_true(with(message, "5", record_of(VERSION_FILE, true, 5, false)));
    assert_false(with(message, "5", record_of(VERSION_FILE, true, 5, true)));
    assert_false(with(message, "5", record_of(VERSION_FILE, false, 5, false)));
    assert_true(with(message, "5", record_of(VERSION_DIRECTORY, false, 0, false)));
    assert_false(with(message, "5", bytes_of("")));
    assert_false(with(message, "5", bytes_of("garbage")));
    /* A newer record has no place in this version of the protocol. */
    assert_false(with(message, "5", bytes_of("\225\002")));
    assert_true(with(message, "6", number(UINT8_MAX)));
    assert_false(with(message, "6", number(UINT8_MAX + 1)));
}

static void test_codec_put__fields__are_checked(void **state)
{
    (void)state;
    assert_true(with(put(1, 1), "4", number(UPDATE_ALL)));
    assert_true(with(put(1, 1), "4", number(UPDATE_NONE)));
    assert_false(with(put(1, 1), "4", number(UPDATE_NONE + 1)));
    assert_false(with(put(1, 1), "4", number(0)));
    assert_false(with(put(1, 1), "5.0", dot_of(0, 1)));
    assert_false(with(put(1, 1), "5.0", dot_of(1, 0)));
    assert_false(with(put(2, 1), "5.0", dot_of(4, 1))); /* the second one's actor */
    assert_false(with(put(2, 1), "5.0", dot_of(5, 1))); /* descending */
    assert_false(with(put(1, 1), "6.0", dot_of(0, 1)));
    assert_false(with(put(1, 1), "6.0", dot_of(1, 0)));
    assert_true(with(put(1, 1), "7", nil()));
    assert_true(with(put(1, 1), "8", number(REPLICAS_MAX)));
    assert_false(with(put(1, 1), "8", number(REPLICAS_MAX + 1)));
    assert_false(with(put(1, 1), "9", number(1)));
    assert_false(with(put(1, 1), "10", number(2)));
    assert_false(with(put(1, 1), "11", number(DEADLINE_MAX_MS + 1)));
    assert_true(with_more(put(CLOCK_PAIRS_MAX - 1, 1), "5", dot_of(1, 1)));
    assert_false(with_more(put(CLOCK_PAIRS_MAX, 1), "5", dot_of(1, 1)));
    assert_true(with_more(put(1, DOTS_MAX - 1), "6", dot_of(1, 1)));
    assert_false(with_more(put(1, DOTS_MAX), "6", dot_of(1, 1)));
}

static void test_codec_put__value__is_checked(void **state)
{
    (void)state;
    assert_false(with(put(1, 1), "7.0", filler(WRITE_ID_SIZE - 1, false)));
    assert_false(with(put(1, 1), "7.0", filler(WRITE_ID_SIZE + 1, false)));
    assert_true(with(put(1, 1), "7.1", number(VERSION_SYMLINK)));
    assert_false(with(put(1, 1), "7.1", number(VERSION_DIRECTORY))); /* the key is a file's */
    assert_false(with(put(1, 1), "3", bytes_of("a/")));
    assert_false(with(put(1, 1), "7.2", number(010000)));
    assert_true(with(put(1, 1), "7.3", number(UINT32_MAX - 1)));
    assert_false(with(put(1, 1), "7.3", number(UINT32_MAX))); /* nobody, to the kernel */
    assert_true(with(put(1, 1), "7.4", number(UINT32_MAX - 1)));
    assert_false(with(put(1, 1), "7.4", number(UINT32_MAX)));
    assert_false(with(put(1, 1), "7.8", number(4))); /* not the content's size */
    assert_false(with(put(1, 1), "7.14", nil()));
    assert_true(with(put(1, 1), "7.15", filler(XATTRS_SIZE_MAX, false)));
    assert_false(with(put(1, 1), "7.15", filler(XATTRS_SIZE_MAX + 1, false)));
    assert_false(with(put(1, 1), "7.15", bytes_of("")));
}

static void test_codec_put__content__is_limited(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct message message = put(1, 1);

        blob_unref(message.put.value.content);
        message.put.value.content = blob_new_uninitialised(VALUE_SIZE_MAX + over);
        assert_non_null(message.put.value.content);
        memset(message.put.value.content->data, 'x', VALUE_SIZE_MAX + over);
        assert_int_equal(plain(message), over == 0);
    }
}

/* A put of a manifest of three blocks, which says `size` and has `cut` bytes less. */
static bool takes_large(uint64_t size, size_t cut)
{
    uint8_t entries[3 * BLOCK_ENTRY_SIZE] = {1};
    struct manifest manifest = {.size = 3 * BLOCK_SIZE,
                                .entries = slice_of(entries, sizeof entries)};
    struct message message = put(1, 1);
    struct buffer bytes = {0};

    manifest_append(&bytes, &manifest);
    assert_false(bytes.failed);
    blob_unref(message.put.value.content);
    message.put.value.content = blob_new(slice_of(bytes.data, bytes.size - cut));
    assert_non_null(message.put.value.content);
    message.put.value.attributes.type = VERSION_LARGE_FILE;
    message.put.value.attributes.size = size;
    buffer_release(&bytes);
    return plain(message);
}

static void test_codec_put__large_file__content_is_a_manifest_of_its_size(void **state)
{
    struct message text = put(1, 1);
    struct message nothing = put(1, 1);

    (void)state;
    assert_true(takes_large(3 * BLOCK_SIZE, 0));
    assert_false(takes_large(3 * BLOCK_SIZE - 1, 0));
    assert_false(takes_large(5, 0));
    assert_false(takes_large(3 * BLOCK_SIZE, 1));
    assert_false(takes_large(2 * BLOCK_SIZE, BLOCK_ENTRY_SIZE));
    text.put.value.attributes.type = VERSION_LARGE_FILE;
    text.put.value.attributes.size = text.put.value.content->size;
    assert_false(plain(text));
    nothing.put.value.attributes.type = VERSION_LARGE_FILE;
    blob_unref(nothing.put.value.content);
    nothing.put.value.content = NULL;
    assert_false(plain(nothing));
}

static void test_codec_put_reply__row__has_no_contents(void **state)
{
    struct message message = {.type = MESSAGE_PUT_REPLY};

    (void)state;
    assert_true(with(message, "5", record_of(VERSION_FILE, false, 5, false)));
    assert_false(with(message, "5", record_of(VERSION_FILE, true, 5, false)));
    assert_false(with(message, "5", record_of(VERSION_FILE, false, 5, true)));
}

static void test_codec_list__fields__are_checked(void **state)
{
    static const char *const ends[] = {"4", "6"};

    (void)state;
    assert_true(with(list(), "3", bytes_of("/")));
    assert_false(with(list(), "3", bytes_of("a")));
    for (size_t i = 0; i < 2; i++) {
        assert_true(with(list(), ends[i], bytes_of(".")));
        assert_true(with(list(), ends[i], filler(NAME_SIZE_MAX, false)));
        assert_false(with(list(), ends[i], filler(NAME_SIZE_MAX + 1, false)));
        assert_false(with(list(), ends[i], bytes_of("")));
        assert_false(with(list(), ends[i], bytes_of("a/b")));
        assert_false(with(list(), ends[i], slice_of("\304\003a\0b", 5)));
    }
    assert_false(with(list(), "5", number(1)));
    assert_false(with(list(), "7", nil()));
    assert_true(with(list(), "8", number(ROWS_MAX)));
    assert_false(with(list(), "8", number(ROWS_MAX + 1)));
    assert_false(with(list(), "8", number(0)));
    assert_false(with(list(), "9", number(0)));
    assert_false(with(list(), "10", number(REPLICAS_MAX + 1)));
    assert_false(with(list(), "11", number(2)));
    assert_false(with(list(), "12", number(DEADLINE_MAX_MS + 1)));
}

static void test_codec_list_reply__rows__are_checked(void **state)
{
    (void)state;
    assert_true(with(list_reply(2), "5.1.0", bytes_of("name0000x")));
    assert_false(with(list_reply(2), "5.1.0", bytes_of("name0000"))); /* twice */
    assert_false(with(list_reply(2), "5.1.0", bytes_of("name")));     /* descending */
    assert_false(with(list_reply(1), "5.0.0", bytes_of("..")));
    assert_false(with(list_reply(1), "5.0.0", bytes_of("a/b")));
    assert_true(with(list_reply(1), "5.0.0", filler(NAME_SIZE_MAX, false)));
    assert_false(with(list_reply(1), "5.0.0", filler(NAME_SIZE_MAX + 1, false)));
    assert_false(with(list_reply(1), "5.0.1", number(ROW_DIRECTORY))); /* holds a file */
    assert_false(with(list_reply(1), "5.0.1", number('e')));
    assert_false(with(list_reply(1), "5.0.2", nil()));
    assert_false(with(list_reply(1), "5.0.2", record_of(VERSION_DIRECTORY, false, 0, false)));
    assert_true(with(list_reply(1), "5.0.2", record_of(VERSION_SYMLINK, false, 0, false)));
    assert_false(with(list_reply(1), "5.0.2", record_of(VERSION_FILE, true, 5, false)));
    assert_false(with(list_reply(1), "5.0.2", record_of(VERSION_FILE, false, 5, true)));
}

/* A directory and a file of one name are two rows, in this order. */
static void test_codec_list_reply__one_name_twice__has_the_directory_first(void **state)
{
    (void)state;
    for (unsigned swapped = 0; swapped < 2; swapped++) {
        struct message message = list_reply(2);
        struct row *directory = &message.list_reply.rows[swapped];

        blob_unref(message.list_reply.rows[1].name);
        message.list_reply.rows[1].name = blob_ref(message.list_reply.rows[0].name);
        object_unref(directory->object);
        directory->object = object_of(VERSION_DIRECTORY, false, 0);
        directory->kind = ROW_DIRECTORY;
        assert_int_equal(plain(message), swapped == 0);
    }
}

static void test_codec_list_reply__counts_and_resume__are_checked(void **state)
{
    struct message one = list_reply(1);
    struct buffer bytes = {0};
    struct buffer row;
    struct buffer first = {0};

    (void)state;
    codec_encode(&one, &bytes);
    row = edit_extract(buffer_slice(&bytes), edit_find(buffer_slice(&bytes), "5.0"));
    assert_true(edit_nth(buffer_slice(&row), 1, bytes_of("name"), &first));
    assert_true(with_more(list_reply(ROWS_MAX - 1), "5", buffer_slice(&first)));
    assert_false(with_more(list_reply(ROWS_MAX), "5", buffer_slice(&first)));
    assert_true(with(list_reply(1), "7", bytes_of("name")));
    assert_false(with(list_reply(1), "7", bytes_of("a/b")));
    assert_false(with(list_reply(1), "6", slice_of("\303", 1))); /* more, but from where? */
    buffer_release(&bytes);
    buffer_release(&row);
    buffer_release(&first);
    message_release(&one);
}

static struct message marked_reply(uint16_t mark_count)
{
    struct message message = list_reply(1);
    struct message_list_reply *reply = &message.list_reply;

    message.type = MESSAGE_REPLICA_LIST_REPLY;
    reply->marks = calloc(mark_count + 1U, sizeof *reply->marks);
    reply->mark_count = mark_count;
    for (uint16_t i = 0; i < mark_count; i++) {
        char name[16];

        snprintf(name, sizeof name, "name%04d", i);
        reply->marks[i].name = blob_of(name);
    }
    return message;
}

/* In the order of names; the end comes last. */
static void test_codec_replica_list_reply__marks__are_checked(void **state)
{
    struct message two = marked_reply(2);
    struct buffer bytes = {0};
    struct buffer mark;
    struct buffer first = {0};

    (void)state;
    assert_true(plain(marked_reply(0)));
    assert_true(with(marked_reply(2), "8.1.0", bytes_of("name0000x")));
    assert_false(with(marked_reply(2), "8.1.0", bytes_of("name0000"))); /* twice */
    assert_false(with(marked_reply(2), "8.1.0", bytes_of("name")));     /* descending */
    assert_false(with(marked_reply(2), "8.1.0", bytes_of("a/b")));
    assert_true(with(marked_reply(2), "8.1.0", nil()));
    assert_false(with(marked_reply(2), "8.0.0", nil()));
    assert_false(with(marked_reply(1), "8.0.1", bytes_of("short")));
    codec_encode(&two, &bytes);
    mark = edit_extract(buffer_slice(&bytes), edit_find(buffer_slice(&bytes), "8.1"));
    assert_true(edit_nth(buffer_slice(&mark), 1, bytes_of("name"), &first));
    assert_true(with_more(marked_reply(LIST_MARKS_MAX - 1), "8", buffer_slice(&first)));
    assert_false(with_more(marked_reply(LIST_MARKS_MAX), "8", buffer_slice(&first)));
    buffer_release(&bytes);
    buffer_release(&mark);
    buffer_release(&first);
    message_release(&two);
}

static void test_codec_status_reply__fields__are_checked(void **state)
{
    (void)state;
    assert_true(with(status_reply(1, 1), "6", string_of("")));
    assert_false(with(status_reply(1, 1), "6", string_of("nowhere")));
    assert_false(with(status_reply(1, 1), "9", number(0)));
    assert_true(with(status_reply(1, 1), "12", number(DISK_GONE)));
    assert_false(with(status_reply(1, 1), "12", number(DISK_STATE_COUNT)));
    assert_false(with(status_reply(1, 1), "13.0.0", number(0)));
    assert_false(with(status_reply(1, 1), "13.0.1", string_of("")));
    assert_false(with(status_reply(1, 1), "13.0.2", number(1)));
    assert_true(with(status_reply(1, 1), "14.0.0", filler(31, true)));
    assert_false(with(status_reply(1, 1), "14.0.0", filler(32, true)));
    assert_false(with(status_reply(1, 1), "14.0.0", string_of("")));
    assert_false(with(status_reply(1, 1), "14.0.0", string_of("two words")));
    assert_true(plain(status_reply(MEMBERS_MAX, STATS_MAX)));
    assert_false(
        with_more(status_reply(MEMBERS_MAX, 1), "13", slice_of("\223\001\246here:1\303", 10)));
    assert_true(with_more(status_reply(MEMBERS_MAX - 1, 1), "13",
                          slice_of("\223\001\246here:1\303", 10)));
    assert_false(with_more(status_reply(1, STATS_MAX), "14", slice_of("\222\241x\001", 4)));
    assert_true(with_more(status_reply(1, STATS_MAX - 1), "14", slice_of("\222\241x\001", 4)));
}

/* A client cannot ask around the rule that incomplete copies are not believed. */
static void test_codec_list__for_repair__is_for_replicas(void **state)
{
    struct message replica_list = list();
    struct message as_if_for_clients = list();

    (void)state;
    replica_list.type = MESSAGE_REPLICA_LIST;
    assert_true(with(replica_list, "13", yes()));
    as_if_for_clients.type = MESSAGE_REPLICA_LIST;
    assert_false(with(as_if_for_clients, "0", number(MESSAGE_LIST)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__head__is_checked),
        cmocka_unit_test(test_codec_get__fields__are_checked),
        cmocka_unit_test(test_codec_get_reply__object__is_whole_and_without_own),
        cmocka_unit_test(test_codec_put__fields__are_checked),
        cmocka_unit_test(test_codec_put__value__is_checked),
        cmocka_unit_test(test_codec_put__content__is_limited),
        cmocka_unit_test(test_codec_put__large_file__content_is_a_manifest_of_its_size),
        cmocka_unit_test(test_codec_put_reply__row__has_no_contents),
        cmocka_unit_test(test_codec_list__fields__are_checked),
        cmocka_unit_test(test_codec_list_reply__rows__are_checked),
        cmocka_unit_test(test_codec_list_reply__one_name_twice__has_the_directory_first),
        cmocka_unit_test(test_codec_list_reply__counts_and_resume__are_checked),
        cmocka_unit_test(test_codec_replica_list_reply__marks__are_checked),
        cmocka_unit_test(test_codec_status_reply__fields__are_checked),
        cmocka_unit_test(test_codec_list__for_repair__is_for_replicas),
    };

    return cmocka_run_group_tests_name("codec_limits", tests, NULL, limit_release);
}
