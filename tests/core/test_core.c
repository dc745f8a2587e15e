/*
 * test_core.c - the rules of requests, on whole clusters under virtual time.
 *
 * - nodes that start together form one ring; a node joins one that holds no data, else is
 * refused
 * - a put answers at W copies of object and row; a dead replica costs nothing; below W:
 * NO_QUORUM
 * - a put without context makes a sibling; with context it supersedes what it covers
 * - naming dots supersedes those alone
 * - a read merges, and repairs the replicas that lag
 * - a node outside the preference list forwards
 * - rows follow their objects, also after failures; a live row revives its directory
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/core/copies.h"

/* `chain`: each starts when the one before has, and was told of that one alone. */
static struct world *nodes_of(int nodes, bool chain)
{
    struct world_options options = cluster_options(7, nodes);
    if (!chain) {
        return cluster_start(&options);
    }
    options.seeds_chain = true;
    struct world *world = world_new(&options);
    for (int i = 0; i < nodes; i++) {
        world_start(world, i);
        world_run(world, 2000000);
    }
    world_run(world, 5000000);
    return world;
}

static void assert_content(struct world *world, int node, const char *key, const char *expected)
{
    struct object *object = NULL;
    char text[512];
    enum status status = ask_get(world, node, key, &object);
    assert_int_equal(status, expected[0] ? STATUS_OK : STATUS_NOT_FOUND);
    object_text(object, text, sizeof text);
    assert_string_equal(text, expected);
    object_unref(object);
}

static void assert_names(struct world *world, int node, const char *directory,
                         const char *expected)
{
    char names[512];
    assert_int_equal(ask_list(world, node, directory, names, sizeof names), STATUS_OK);
    assert_string_equal(names, expected);
}

/* Runs until the directory is listed so, at most 60 s of virtual time. */
static void await_names(struct world *world, int node, const char *directory,
                        const char *expected)
{
    char names[512] = "";
    for (int i = 0; i < 600; i++) {
        enum status status = ask_list(world, node, directory, names, sizeof names);
        if (status == STATUS_OK && strcmp(names, expected) == 0) {
            return;
        }
        world_run(world, 100000);
    }
    assert_string_equal(names, expected);
}

static void assert_one_ring(struct world *world, int nodes)
{
    const struct ring *first = core_ring(world_core(world, 0));
    assert_non_null(first);
    for (int i = 0; i < nodes; i++) {
        const struct ring *ring = core_ring(world_core(world, i));
        assert_non_null(ring);
        assert_int_equal(ring->member_count, nodes);
        assert_true(ring->cluster_id == first->cluster_id && ring->epoch == first->epoch);
        assert_memory_equal(ring->owner, first->owner,
                            first->partition_count * sizeof ring->owner[0]);
    }
}

static void test_membership__started_together__form_one_ring(void **state)
{
    (void)state;
    struct world *world = nodes_of(5, false);
    assert_one_ring(world, 5);
    assert_true(core_ring(world_core(world, 0))->epoch == 1);
    world_free(world);
}

static void test_membership__joined_one_by_one__form_one_ring(void **state)
{
    (void)state;
    struct world *world = nodes_of(4, true);
    assert_one_ring(world, 4);
    assert_true(core_ring(world_core(world, 0))->epoch == 4);
    world_free(world);
}

static void test_membership__join_with_data__is_refused(void **state)
{
    (void)state;
    struct world_options options = {
        .seed = 1, .nodes = 2, .replica_count = 3, .partition_count = 64, .seeds_chain = true};
    struct world *world = world_new(&options);
    world_start(world, 0);
    world_run(world, 1000000);
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_OK);

    world_start(world, 1);
    world_run(world, 10000000);

    assert_null(core_ring(world_core(world, 1)));
    assert_int_equal(core_ring(world_core(world, 0))->member_count, 1);
    assert_int_equal(ask_put(world, 0, "b", "2", NULL, NULL), STATUS_OK);
    world_free(world);
}

static void test_membership__restart__needs_no_other_node(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    assert_int_equal(ask_put(world, 1, "a", "1", NULL, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        world_kill(world, i);
    }
    world_start(world, 1);
    world_run(world, 1000000);
    assert_non_null(core_ring(world_core(world, 1)));
    world_start(world, 2);
    world_run(world, 1000000);
    assert_content(world, 1, "a", "1,");
    world_free(world);
}

static void test_put__any_node__is_read_at_every_node(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    for (int i = 0; i < 3; i++) {
        char key[] = "k0";
        key[1] = (char)('0' + i);
        assert_int_equal(ask_put(world, i, key, "value", NULL, NULL), STATUS_OK);
        for (int j = 0; j < 3; j++) {
            assert_content(world, j, key, "value,");
        }
    }
    assert_names(world, 2, "/", "k0 k1 k2 ");
    world_free(world);
}

static void test_put__without_context__makes_a_sibling(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    assert_int_equal(ask_put(world, 0, "a", "one", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", "two", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", "three", NULL, NULL), STATUS_OK);
    assert_content(world, 2, "a", "one,two,three,");
    world_free(world);
}

static void test_put__with_context__supersedes_what_it_covers(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *seen = NULL;
    assert_int_equal(ask_put(world, 0, "a", "one", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", "two", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_get(world, 2, "a", &seen), STATUS_OK);
    assert_int_equal(ask_put(world, 2, "a", "late", NULL, NULL), STATUS_OK);

    assert_int_equal(ask_put(world, 0, "a", "both", seen, NULL), STATUS_OK);

    assert_content(world, 1, "a", "late,both,");
    object_unref(seen);
    world_free(world);
}

static void test_put_some__one_of_three_siblings__leaves_the_others(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *seen = NULL;
    assert_int_equal(ask_put(world, 0, "a", "one", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", "two", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 2, "a", "three", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_get(world, 0, "a", &seen), STATUS_OK);

    assert_int_equal(ask_put_some(world, 2, "a", NULL, &seen->versions[1], 1), STATUS_OK);
    assert_content(world, 0, "a", "one,three,");
    assert_int_equal(ask_put_some(world, 1, "a", "uno", &seen->versions[0], 1), STATUS_OK);
    assert_content(world, 0, "a", "three,uno,");
    object_unref(seen);
    world_free(world);
}

static void test_put__one_replica_dead__costs_nothing(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    world_kill(world, 2);
    world_run(world, 1000000);
    uint64_t before_us = world_now(world);
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_OK);
    assert_true(world_now(world) - before_us < 5000);
    assert_content(world, 1, "a", "1,");
    world_free(world);
}

static void test_put__one_replica_stopped__costs_nothing(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    world_pause(world, 2, true);
    uint64_t before_us = world_now(world);
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_OK);
    assert_true(world_now(world) - before_us < 5000);
    assert_content(world, 1, "a", "1,");
    assert_true(world_now(world) - before_us < 100000);
    world_free(world);
}

static void test_put__two_replicas_dead__is_indeterminate(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *object = NULL;
    world_kill(world, 1);
    world_kill(world, 2);
    world_run(world, 1000000);
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_NO_QUORUM);
    assert_int_equal(ask_get(world, 0, "a", &object), STATUS_NO_QUORUM);
    char names[64];
    assert_int_equal(ask_list(world, 0, "/", names, sizeof names), STATUS_NO_QUORUM);
    world_free(world);
}

static void test_put__two_replicas_stopped__times_out(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *object = NULL;
    world_pause(world, 1, true);
    world_pause(world, 2, true);
    uint64_t before_us = world_now(world);
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_TIMEOUT);
    assert_int_equal(ask_get(world, 0, "a", &object), STATUS_TIMEOUT);
    assert_true(world_now(world) - before_us < 11000000);
    world_free(world);
}

static struct object *copy_of(struct world *world, int node, const char *key)
{
    struct store_request request = {.operation = STORE_GET,
                                    .key = blob_new(slice_of_string(key))};
    struct store_result result = {0};
    store_apply(world_store(world, node), &request, 1, &result);
    assert_int_equal(result.status, STATUS_OK);
    struct object *object = object_ref(result.object);
    store_result_release(&result);
    store_request_release(&request);
    return object;
}

static void test_get__stale_replica__is_repaired(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    assert_int_equal(ask_put(world, 0, "b", "1", NULL, NULL), STATUS_OK);
    /* Under the cluster's feet: two replicas hold an object that the third never heard of. */
    struct object *object = copy_of(world, 0, "b");
    for (int i = 0; i < 2; i++) {
        struct store_request request = {
            .operation = STORE_MERGE,
            .key = blob_new(slice_of_string("a")),
            .merge = {.object = object_ref(object), .parts = REPLICA_OBJECT | REPLICA_ROW}};
        struct store_result result = {0};
        store_apply(world_store(world, i), &request, 1, &result);
        assert_int_equal(result.status, STATUS_OK);
        store_result_release(&result);
        store_request_release(&request);
    }
    object_unref(object);
    struct object *before = copy_of(world, 2, "a");
    assert_null(before);

    assert_content(world, 2, "a", "1,");
    world_run(world, 1000000);

    struct object *after = copy_of(world, 2, "a");
    struct object *origin = copy_of(world, 0, "a");
    assert_true(object_is_live(after) && object_equal(after, origin));
    object_unref(after);
    object_unref(origin);
    world_free(world);
}

/* Whoever coordinates: a replica that missed the change is outvoted, though it agrees about the
 * directory itself. */
static void test_get__directory__tells_the_latest_change_that_any_answer_knows(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    uint64_t before = 0;
    uint64_t names_us = 0;
    assert_int_equal(ask_names_us(world, 0, "/", &names_us), STATUS_NOT_FOUND);
    assert_int_equal(names_us, 0);
    assert_int_equal(ask_put(world, 0, "b", "1", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_names_us(world, 1, "/", &before), STATUS_NOT_FOUND);
    assert_true(before > 0);
    world_run(world, 1000000);
    struct object *object = NULL;
    assert_int_equal(ask_put(world, 0, "elsewhere/b", "2", NULL, &object), STATUS_OK);
    for (int i = 0; i < 2; i++) { /* under the cluster's feet, as above */
        struct store_request request = {
            .operation = STORE_MERGE,
            .key = blob_new(slice_of_string("late")),
            .merge = {.object = object_ref(object), .parts = REPLICA_ROW}};
        struct store_result result = {0};
        store_apply(world_store(world, i), &request, 1, &result);
        assert_int_equal(result.status, STATUS_OK);
        store_result_release(&result);
        store_request_release(&request);
    }

    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_names_us(world, i, "/", &names_us), STATUS_NOT_FOUND);
        assert_true(names_us >= row_names_us(object) && row_names_us(object) > before);
    }

    object_unref(object);
    world_free(world);
}

static void test_forward__node_outside_the_list__hands_on(void **state)
{
    (void)state;
    struct world *world = nodes_of(6, false);
    char key[] = "key-00";
    for (int i = 0; i < 40; i++) {
        key[4] = (char)('0' + i / 10);
        key[5] = (char)('0' + i % 10);
        assert_int_equal(ask_put(world, i % 6, key, "v", NULL, NULL), STATUS_OK);
        assert_content(world, (i + 3) % 6, key, "v,");
    }
    assert_true(world_sent(world, MESSAGE_PUT) > 40);
    char names[512];
    assert_int_equal(ask_list(world, 3, "/", names, sizeof names), STATUS_OK);
    assert_int_equal(strlen(names), 40 * strlen("key-00 "));
    world_free(world);
}

static void test_delete__seen_version__is_gone_from_the_listing(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *row = NULL;
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, &row), STATUS_OK);
    assert_int_equal(ask_put(world, 0, "b", "2", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", NULL, row, NULL), STATUS_OK);
    assert_content(world, 2, "a", "");
    assert_names(world, 2, "/", "b ");
    object_unref(row);
    world_free(world);
}

static void assert_holds_nothing(struct world *world, int node)
{
    static const enum store_operation looks[] = {STORE_HOLDS_DATA, STORE_HINT_OWNERS};
    for (size_t i = 0; i < 2; i++) {
        struct store_request request = {.operation = looks[i]};
        struct store_result result = {0};
        store_apply(world_store(world, node), &request, 1, &result);
        assert_int_equal(result.status, STATUS_OK);
        assert_false(result.holds_data);
        assert_int_equal(result.owners.count, 0);
        store_result_release(&result);
    }
}

static void test_delete__of_what_was_never_there__leaves_nothing(void **state)
{
    (void)state;
    struct world *world = nodes_of(5, false);
    int nodes[WORLD_NODES_MAX];
    int primaries = nodes_of_key(world, "none", nodes);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask_put(world, i, "none", NULL, NULL, NULL), STATUS_OK);
    }
    world_run(world, 10000000);
    for (int i = 0; i < 5; i++) {
        assert_holds_nothing(world, i);
    }

    /* No primary can be reached: the delete is a fallback's. */
    for (int i = 0; i < primaries; i++) {
        world_kill(world, nodes[i]);
    }
    world_run(world, 10000000);
    assert_int_equal(ask_put(world, nodes[primaries], "none", NULL, NULL, NULL), STATUS_OK);
    for (int i = primaries; i < 5; i++) {
        assert_holds_nothing(world, nodes[i]);
    }
    world_free(world);
}

static void test_delete__against_a_write__the_write_stays(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *row = NULL;
    assert_int_equal(ask_put(world, 0, "a", "old", NULL, &row), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "a", "new", row, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 2, "a", NULL, row, NULL), STATUS_OK);
    assert_content(world, 0, "a", "new,");
    object_unref(row);
    world_free(world);
}

static void test_revive__deep_key__makes_its_directories(void **state)
{
    (void)state;
    struct world *world = nodes_of(5, false);
    assert_int_equal(ask_put(world, 4, "a/b/c", "1", NULL, NULL), STATUS_OK);
    await_names(world, 0, "/", "a/ ");
    await_names(world, 1, "a/", "b/ ");
    assert_names(world, 2, "a/b/", "c ");
    world_free(world);
}

static void test_revive__directory_deleted_over_a_new_file__comes_back(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *directory = NULL;
    assert_int_equal(ask_put(world, 0, "d/", "", NULL, &directory), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "d/new", "1", NULL, NULL), STATUS_OK);
    assert_int_equal(ask_put(world, 2, "d/", NULL, directory, NULL), STATUS_OK);
    await_names(world, 0, "/", "d/ ");
    assert_names(world, 0, "d/", "new ");
    object_unref(directory);
    world_free(world);
}

static void test_revive__emptied_directory__stays_deleted(void **state)
{
    (void)state;
    struct world *world = nodes_of(3, false);
    struct object *directory = NULL;
    struct object *file = NULL;
    assert_int_equal(ask_put(world, 0, "d/", "", NULL, &directory), STATUS_OK);
    assert_int_equal(ask_put(world, 1, "d/x", "1", NULL, &file), STATUS_OK);
    world_run(world, 1000000);
    /* Node 2 misses that the file goes, and sees the directory go over its live row. */
    world_cut(world, 0, 2, true);
    world_cut(world, 1, 2, true);
    assert_int_equal(ask_put(world, 0, "d/x", NULL, file, NULL), STATUS_OK);
    world_cut(world, 0, 2, false);
    world_cut(world, 1, 2, false);
    world_run(world, 1000000);
    assert_int_equal(ask_put(world, 0, "d/", NULL, directory, NULL), STATUS_OK);
    world_run(world, 60000000);
    assert_names(world, 2, "/", "");
    assert_content(world, 2, "d/", "");
    object_unref(directory);
    object_unref(file);
    world_free(world);
}

static void test_intent__row_replicas_away__row_appears_when_they_return(void **state)
{
    (void)state;
    struct world *world = nodes_of(6, false);
    /* Whichever nodes hold the row, at most one of the object's is among them for some key: cut
     * each pair in turn. */
    for (int away = 0; away < 6; away++) {
        char key[] = "dir/file-0";
        key[9] = (char)('0' + away);
        world_kill(world, away);
        world_kill(world, (away + 1) % 6);
        world_run(world, 500000);
        int asked = (away + 3) % 6;
        enum status status = ask_put(world, asked, key, "v", NULL, NULL);
        assert_true(status == STATUS_OK || status == STATUS_NO_QUORUM ||
                    status == STATUS_UNREACHABLE);
        world_start(world, away);
        world_start(world, (away + 1) % 6);
        world_run(world, 2000000);
        if (status != STATUS_OK) {
            assert_int_equal(ask_put(world, asked, key, "v", NULL, NULL), STATUS_OK);
        }
    }
    await_names(world, 2, "dir/", "file-0 file-1 file-2 file-3 file-4 file-5 ");
    await_names(world, 5, "/", "dir/ ");
    world_free(world);
}

static void test_intent__coordinator_killed_after_its_batch__pushes_at_restart(void **state)
{
    (void)state;
    struct world *world = nodes_of(6, false);
    /* The coordinator writes its own copy and dies before the row goes out: with a one-way cut
     * of all its links the put fails, yet its object and intent are on its disk. */
    for (int other = 1; other < 6; other++) {
        world_cut(world, 0, other, true);
    }
    int call = -1;
    char key[] = "solo-0";
    enum status status = STATUS_UNREACHABLE;
    for (int i = 0; i < 10 && status != STATUS_NO_QUORUM; i++) {
        key[5] = (char)('0' + i);
        call = ask_put_later(world, 0, key, "v", NULL);
        struct message reply = {0};
        assert_true(world_wait(world, call, ASK_LIMIT_US, &reply));
        status = reply.status;
        message_release(&reply);
    }
    assert_int_equal(status, STATUS_NO_QUORUM);
    world_kill(world, 0);
    for (int other = 1; other < 6; other++) {
        world_cut(world, 0, other, false);
    }
    world_start(world, 0);
    char expected[16] = "";
    (void)snprintf(expected, sizeof expected, "%s ", key);
    await_names(world, 3, "/", expected);
    world_free(world);
}

static void test_request__after_drain__is_closed(void **state)
{
    (void)state;
    struct world *world = nodes_of(1, false);
    core_drain((struct core *)(uintptr_t)world_core(world, 0));
    assert_int_equal(ask_put(world, 0, "a", "1", NULL, NULL), STATUS_CLOSED);
    assert_int_equal(core_requests_in_flight(world_core(world, 0)), 0);
    world_free(world);
}

static void test_delete__of_the_root__is_refused(void **state)
{
    (void)state;
    struct world *world = nodes_of(1, false);
    assert_int_equal(ask_put(world, 0, "/", NULL, NULL, NULL), STATUS_BAD_KEY);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership__started_together__form_one_ring),
        cmocka_unit_test(test_membership__joined_one_by_one__form_one_ring),
        cmocka_unit_test(test_membership__join_with_data__is_refused),
        cmocka_unit_test(test_membership__restart__needs_no_other_node),
        cmocka_unit_test(test_put__any_node__is_read_at_every_node),
        cmocka_unit_test(test_put__without_context__makes_a_sibling),
        cmocka_unit_test(test_put__with_context__supersedes_what_it_covers),
        cmocka_unit_test(test_put_some__one_of_three_siblings__leaves_the_others),
        cmocka_unit_test(test_put__one_replica_dead__costs_nothing),
        cmocka_unit_test(test_put__one_replica_stopped__costs_nothing),
        cmocka_unit_test(test_put__two_replicas_dead__is_indeterminate),
        cmocka_unit_test(test_put__two_replicas_stopped__times_out),
        cmocka_unit_test(test_get__stale_replica__is_repaired),
        cmocka_unit_test(test_get__directory__tells_the_latest_change_that_any_answer_knows),
        cmocka_unit_test(test_forward__node_outside_the_list__hands_on),
        cmocka_unit_test(test_delete__seen_version__is_gone_from_the_listing),
        cmocka_unit_test(test_delete__of_what_was_never_there__leaves_nothing),
        cmocka_unit_test(test_delete__against_a_write__the_write_stays),
        cmocka_unit_test(test_revive__deep_key__makes_its_directories),
        cmocka_unit_test(test_revive__directory_deleted_over_a_new_file__comes_back),
        cmocka_unit_test(test_revive__emptied_directory__stays_deleted),
        cmocka_unit_test(test_intent__row_replicas_away__row_appears_when_they_return),
        cmocka_unit_test(test_intent__coordinator_killed_after_its_batch__pushes_at_restart),
        cmocka_unit_test(test_request__after_drain__is_closed),
        cmocka_unit_test(test_delete__of_the_root__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
