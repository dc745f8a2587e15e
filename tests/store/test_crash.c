/*
 * test_crash.c - a store process is killed while it acknowledges writes.
 *
 * Rules: what was acknowledged is there after kill -9, synced or not; counters go on above
 *        every acknowledged one; the stop counts as unclean; own pairs are not extended.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/store/loop.h"

/* What the child writes into the pipe for each result. */
struct acknowledgement {
    uint32_t number;
    uint64_t counter;
};

enum { KEYS = 500, FULL = 64 };

static void key_text(uint32_t number, char text[32])
{
    (void)snprintf(text, 32, "k%u", number % KEYS);
}

static void save_ring(struct fixture *fixture)
{
    struct store_request request = plain_request(STORE_SAVE_RING);

    request.save_ring.ring = malloc(sizeof *request.save_ring.ring);
    assert_non_null(request.save_ring.ring);
    *request.save_ring.ring = *fixture_ring(1);
    apply_expect(fixture, request, STATUS_OK);
}

/* The child: puts in flight, and what each key holds as far as it knows. */
struct writer {
    struct fixture fixture;
    struct loop loop;
    int pipe_end;
    uint64_t tokens[FULL];
    uint32_t numbers[FULL];
    struct object *seen[KEYS];
};

static void writer_open(struct writer *writer, const char *directory, bool always_queue)
{
    char text[32];

    fixture_open(&writer->fixture, FIXTURE_LEVELDB, directory);
    if (!writer->fixture.identity.has_ring) {
        save_ring(&writer->fixture);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        key_text(i, text);
        writer->seen[i] = stored_object(&writer->fixture, text);
    }
    loop_begin(&writer->loop, &writer->fixture, always_queue);
}

static void writer_submit(struct writer *writer, size_t slot, uint32_t number)
{
    char text[32];
    char content[32];

    key_text(number, text);
    (void)snprintf(content, sizeof content, "%u", number);
    struct store_request request = put_request(text, writer->seen[number % KEYS], content);
    request.sync = number % 97 == 0;
    writer->numbers[slot] = number;
    writer->tokens[slot] = loop_submit(&writer->loop, request);
}

/* Tells the parent of one result. */
static void writer_acknowledge(struct writer *writer)
{
    struct store_result result = loop_wait(&writer->loop);
    size_t slot = 0;

    while (writer->tokens[slot] != result.token) {
        slot++;
    }
    struct acknowledgement acknowledgement = {.number = writer->numbers[slot],
                                              .counter = result.intent_stamp};
    size_t size = sizeof acknowledgement;
    if (result.status != STATUS_OK ||
        write(writer->pipe_end, &acknowledgement, size) != (ssize_t)size) {
        _exit(2);
    }
    struct object **seen = &writer->seen[writer->numbers[slot] % KEYS];
    object_unref(*seen);
    *seen = object_ref(result.object);
    store_result_release(&result);
}

/* Puts number after number, each over what the key holds, until it is killed. */
static void put_for_ever(const char *directory, int pipe_end, uint32_t begin)
{
    static struct writer writer;
    uint32_t number = begin;

    writer.pipe_end = pipe_end;
    writer_open(&writer, directory, begin % 2 == 0);
    for (;;) {
        for (size_t slot = 0; slot < FULL; slot++) {
            writer_submit(&writer, slot, number++);
        }
        for (size_t slot = 0; slot < FULL; slot++) {
            writer_acknowledge(&writer);
        }
    }
}

/* Runs the child until `limit` results are acknowledged, kills it, and reads what else it had
 * acknowledged. Fills the last number acknowledged of each key. Returns the greatest counter.
 */
static uint64_t run_and_kill(const char *directory, uint32_t begin, size_t limit,
                             uint32_t last[KEYS], uint32_t *ret_next)
{
    struct acknowledgement acknowledgement;
    uint64_t greatest = 0;
    int ends[2];
    int status = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        put_for_ever(directory, ends[1], begin);
    }
    close(ends[1]);
    for (size_t count = 0;; count++) {
        ssize_t size = read(ends[0], &acknowledgement, sizeof acknowledgement);
        if (size != sizeof acknowledgement) {
            break;
        }
        last[acknowledgement.number % KEYS] = acknowledgement.number;
        greatest = acknowledgement.counter > greatest ? acknowledgement.counter : greatest;
        *ret_next = acknowledgement.number + FULL + 1;
        if (count == limit) {
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return greatest;
}

static void assert_all_there(struct fixture *fixture, const uint32_t last[KEYS])
{
    char text[32];

    for (uint32_t i = 0; i < KEYS; i++) {
        if (last[i] == 0) {
            continue;
        }
        key_text(i, text);
        struct object *object = stored_object(fixture, text);
        struct object *row = stored_row(fixture, "/", text);
        const struct version *newest = object_newest(object);
        assert_non_null(newest);
        /* A later put may have been stored and not acknowledged. */
        struct slice content = blob_slice(newest->content);
        assert_true(content.size < sizeof text);
        memcpy(text, content.data, content.size);
        text[content.size] = 0;
        unsigned long number = strtoul(text, NULL, 10);
        assert_true(number >= last[i]);
        assert_int_equal(number % KEYS, i);
        assert_true(object_equal(object, row));
        key_text(i, text);
        assert_int_not_equal(stored_intent(fixture, INTENT_ROW, text), 0);
        object_unref(object);
        object_unref(row);
    }
}

static void test_crash__killed_while_writing__all_acknowledged_is_there(void **state)
{
    static uint32_t last[KEYS];
    char directory[64];
    uint32_t next = 1;
    uint64_t greatest = 0;

    (void)state;
    make_directory(directory);
    for (size_t round = 0; round < 4; round++) {
        struct fixture fixture;
        uint64_t counter = 0;
        uint64_t in_round = run_and_kill(directory, next, 2000 + round * 777, last, &next);
        assert_true(in_round > greatest);
        greatest = in_round;

        fixture_open(&fixture, FIXTURE_LEVELDB, directory);
        assert_false(fixture.identity.was_clean);
        assert_true(fixture.state.trusted_since > greatest);
        assert_all_there(&fixture, last);
        assert_int_equal(store_state_counter(&fixture.state, 0, fixture.wall_us, &counter),
                         STATUS_OK);
        assert_true(counter > greatest);
        greatest = counter;
        fixture_close(&fixture);
    }
    remove_tree(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash__killed_while_writing__all_acknowledged_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
