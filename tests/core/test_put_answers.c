/*
 * test_put_answers.c - what a put is answered, and whether it may begin; bench.h says how to
 * read what is given out.
 *
 * - a failure that may yet appear says how far it came; one that cannot, nothing
 * - values that break the rules are refused before anything is written
 * - without room for a request or its memory the answer comes at once, and nothing is left behind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/detector.h"
#include "node/core/get.h"
#include "node/core/put.h"
#include "tests/core/bench.h"
#include "tests/ring/make.h"

static const char ONE[] = "1.1:5 | 1.1:5";
static const char OTHER[] = "2.1:6 | 2.1:6";

static const char *put_stored(struct bench *bench, uint8_t w)
{
    (void)bench_put(bench, w, NULL);
    return bench_stored(bench, STORE_COORDINATE, STATUS_OK, ONE);
}

static void assert_said(const struct bench *bench, const char *text)
{
    struct slice said = blob_slice(bench->reply.text);
    assert_int_equal(said.size, strlen(text));
    assert_memory_equal(said.data ? said.data : (const uint8_t *)"", text, said.size);
}

/* Answers ----------------------------------------------------------------------------------- */

static void test_answer__put_is_done__tells_the_row(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_answer(&bench, 'B', STATUS_OK), "ok");
    assert_int_equal(bench.reply.type, MESSAGE_PUT_REPLY);
    assert_int_equal(bench.reply.request_id, 1);
    assert_object(bench.reply.put_reply.row, ONE);
    assert_said(&bench, "");
    assert_int_equal(bench.core->stats.puts, 1);
    assert_int_equal(bench.core->stats.puts_failed, 0);
    bench_close(&bench);
}

static const char ONE_OF_TWO[] =
    "1 of 2 copies acknowledged; the write may yet appear (indeterminate)";

static void test_answer__write_may_yet_appear__says_how_far_it_came(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        const char *given;
    } cases[] = {{STATUS_BUSY, "no_quorum"}, {STATUS_NO_SPACE, "no_space"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 3, "ABC");
        assert_gives(put_stored(&bench, 2), "B:or C:or");
        assert_gives(bench_answer(&bench, 'B', cases[i].status), "");
        assert_gives(bench_answer(&bench, 'C', STATUS_BUSY), cases[i].given);
        assert_said(&bench, ONE_OF_TWO);
        assert_int_equal(bench.core->stats.puts_failed, 1);
        bench_close(&bench);
    }
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(put_stored(&bench, 2), "B:or C:or");
    assert_gives(bench_wait(&bench, 10000000), "timeout");
    assert_said(&bench, ONE_OF_TWO);
    assert_true(peer_is_suspect(bench.core, bench_peer(&bench, 'B')));
    bench_close(&bench);
}

static void test_answer__nothing_was_written__says_no_more(void **state)
{
    (void)state;
    static const enum status statuses[] = {STATUS_NO_SPACE, STATUS_IO,
                                           STATUS_TOO_MANY_VERSIONS};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct bench bench;
        bench_open_first(&bench, 3, "ABC");
        (void)bench_put(&bench, 2, NULL);
        assert_gives(bench_stored(&bench, STORE_COORDINATE, statuses[i], NULL),
                     status_name(statuses[i]));
        assert_said(&bench, "");
        assert_int_equal(bench.core->stats.puts_failed, 1);
        bench_close(&bench);
    }
}

/* Rules of values --------------------------------------------------------------------------- */

static void as_directory(struct message *message)
{
    message->put.value.attributes.type = VERSION_DIRECTORY;
}

static void as_file(struct message *message)
{
    message->put.value.attributes.type = VERSION_FILE;
}

static void as_delete(struct message *message)
{
    message->put.has_value = false;
}

static struct blob *blob_of_size(size_t size)
{
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    struct blob *blob = blob_new(slice_of(bytes, size));
    free(bytes);
    return blob;
}

static void largest(struct message *message)
{
    message->put.value.content = blob_of_size(VALUE_SIZE_MAX);
    message->put.value.xattrs = blob_of_size(XATTRS_SIZE_MAX);
}

static void too_large(struct message *message)
{
    message->put.value.content = blob_of_size(VALUE_SIZE_MAX + 1);
}

static void xattrs_too_large(struct message *message)
{
    message->put.value.xattrs = blob_of_size(XATTRS_SIZE_MAX + 1);
}

static void test_value__breaks_a_rule__is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_put(&bench, 2, as_directory), "bad_key");
    assert_gives(bench_put(&bench, 2, too_large), "too_large");
    assert_gives(bench_put(&bench, 2, xattrs_too_large), "too_large");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    assert_gives(bench_put(&bench, 2, largest), "disk:put+row+intent");
    assert_gives(bench_put(&bench, 2, as_delete), "disk:put+row+intent");
    bench_place_root(&bench);
    assert_gives(bench_put(&bench, 2, as_file), "bad_key");
    assert_gives(bench_put(&bench, 2, as_delete), "bad_key");
    assert_gives(bench_put(&bench, 2, NULL), "disk:put");
    bench_close(&bench);
}

static void as_some(struct message *message)
{
    message->put.mode = UPDATE_SOME;
    message->put.dots = calloc(1, sizeof *message->put.dots);
    assert_non_null(message->put.dots);
    message->put.dots[0] = make_dot("2.1:6");
    message->put.dot_count = 1;
}

/* Where there is no other copy, whoever writes all anew need not read what is damaged. */
static void test_store__there_is_no_other_copy__is_written_over_damage(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 2, 1);
    bench_place_root(&bench);
    assert_int_equal(bench.self, 'A');
    assert_gives(bench_put(&bench, 1, NULL), "disk:put*");
    assert_gives(bench_put(&bench, 1, as_some), "disk:get");
    assert_gives(bench_stored(&bench, STORE_GET, STATUS_OK, OTHER), "disk:merge:o disk:put");
    bench_close(&bench);
    bench_open(&bench, 2, 2);
    bench_place_root(&bench);
    assert_gives(bench_put(&bench, 1, NULL), "disk:put");
    bench_close(&bench);
}

/* No room ----------------------------------------------------------------------------------- */

static void as_fsync(struct message *message)
{
    message->put.mode = UPDATE_NONE;
    message->put.has_value = false;
    message->put.sync = true;
}

static void test_full_table__put__is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_fill_table(&bench, 0);
    assert_gives(bench_put(&bench, 2, NULL), "busy");
    bench_close(&bench);
    /* Room for the put, none for the read before it. */
    bench_open_first(&bench, 3, "ABC");
    bench_fill_table(&bench, 1);
    assert_gives(bench_put(&bench, 2, as_some), "no_quorum");
    assert_int_equal(bench.core->active_count, REQUESTS_MAX - 1);
    bench_close(&bench);
    bench_open_first(&bench, 3, "ABC");
    bench_fill_table(&bench, 1);
    assert_gives(bench_put(&bench, 2, as_fsync), "no_quorum");
    assert_int_equal(bench.core->active_count, REQUESTS_MAX - 1);
    bench_close(&bench);
    /* Room to hand it on, none to coordinate it here. */
    bench_open_fallback(&bench, 7, "ABC");
    bench_fill_table(&bench, 1);
    assert_gives(bench_put(&bench, 2, NULL), "busy");
    assert_int_equal(bench.core->active_count, REQUESTS_MAX - 1);
    bench_close(&bench);
}

static void without_memory(struct message *message)
{
    (void)message;
    bench_fail_after(0);
}

/* For the put, and not for the versions that it names. */
static void some_without_memory(struct message *message)
{
    as_some(message);
    bench_fail_after(1);
}

static void test_no_memory__put__is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_put(&bench, 2, without_memory), "no_memory");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    assert_gives(bench_put(&bench, 2, some_without_memory), "no_quorum");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
    bench_open_fallback(&bench, 7, "ABC");
    assert_gives(bench_put(&bench, 2, without_memory), "no_memory");
    assert_int_equal(bench.core->active_count, bench.idle_count);
    bench_close(&bench);
}

static void test_put__in_flight__is_counted_with_its_bytes(void **state)
{
    (void)state;
    for (int at_fallback = 0; at_fallback < 2; at_fallback++) {
        struct bench bench;
        if (at_fallback) {
            bench_open_fallback(&bench, 7, "ABC");
        } else {
            bench_open_first(&bench, 7, "ABC");
        }
        (void)bench_put(&bench, 1, largest);
        assert_int_equal(core_requests_in_flight(bench.core), 1);
        assert_int_equal(bench.core->bytes_in_flight, VALUE_SIZE_MAX + XATTRS_SIZE_MAX);
        assert_int_equal(bench.core->stats.puts, 1);
        assert_int_equal(bench.core->stats.fallback_puts, at_fallback);
        (void)bench_stored(&bench, at_fallback ? STORE_COORDINATE_HINT : STORE_COORDINATE,
                           STATUS_IO, NULL);
        assert_int_equal(bench.reply.status, STATUS_IO);
        assert_int_equal(core_requests_in_flight(bench.core), 0);
        assert_int_equal(bench.core->bytes_in_flight, 0);
        bench_close(&bench);
    }
}

/* What other requests ask for is not counted as clients': they would wait for each other. */
static void test_full_of_clients__what_they_need__may_begin(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    bench_fill_clients(&bench, 1);
    assert_gives(bench_put(&bench, 2, as_some), "B?d disk:get");
    assert_gives(bench_get(&bench, 2, NULL), "busy");
    assert_gives(bench_put(&bench, 2, NULL), "busy");
    assert_gives(bench_find_intent(&bench, 9), "disk:put+row");
    bench_close(&bench);
    bench_open_first(&bench, 3, "ABC");
    bench_fill_clients(&bench, 1);
    assert_gives(bench_put(&bench, 2, as_fsync), "B?d disk:get");
    bench_close(&bench);
}

/* Pushes ------------------------------------------------------------------------------------- */

static bool is_pushed;

/* For a request that is gone by the time. */
static void push(struct core *core, struct blob *key)
{
    struct request *parent = request_new(core, &get_kind, UINT64_MAX, false);
    is_pushed = push_object(core, parent, key, true);
    request_free(core, parent);
}

static void test_push__for_another_request__is_synced_as_it_asks(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_first(&bench, 3, "ABC");
    assert_gives(bench_call(&bench, push), "disk:put!+row+intent");
    assert_true(is_pushed);
    assert_gives(bench_stored(&bench, STORE_COORDINATE, STATUS_OK, ONE), "B?dr C?dr");
    assert_gives(bench_answer_digest(&bench, 'B', OTHER), "B:or!");
    bench_fail_after(0);
    assert_gives(bench_call(&bench, push), "");
    assert_false(is_pushed);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer__put_is_done__tells_the_row),
        cmocka_unit_test(test_answer__write_may_yet_appear__says_how_far_it_came),
        cmocka_unit_test(test_answer__nothing_was_written__says_no_more),
        cmocka_unit_test(test_value__breaks_a_rule__is_refused),
        cmocka_unit_test(test_store__there_is_no_other_copy__is_written_over_damage),
        cmocka_unit_test(test_full_table__put__is_refused_and_leaves_nothing),
        cmocka_unit_test(test_no_memory__put__is_refused_and_leaves_nothing),
        cmocka_unit_test(test_put__in_flight__is_counted_with_its_bytes),
        cmocka_unit_test(test_full_of_clients__what_they_need__may_begin),
        cmocka_unit_test(test_push__for_another_request__is_synced_as_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
