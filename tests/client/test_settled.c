/*
 * test_settled.c - whether all that was acknowledged is where reads of all holders find it: only
 *                  if every member answers, is whole and keeps no hint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/client/cluster_fixture.h"

enum { MEMBERS = 5 };

struct many {
    struct kv *store;
    struct fake_node *nodes[MEMBERS];
    struct ring ring;
    struct kv *kv;
};

static int set_up(void **state)
{
    static struct many many;
    struct kv_options defaults = {.deadline_ms = SHORT_MS};
    struct error error;

    many = (struct many){0};
    assert_int_equal(kv_open_memory(&many.store), STATUS_OK);
    for (int i = 0; i < MEMBERS; i++) {
        many.nodes[i] = fake_node_new(many.store);
    }
    cluster_make_ring(many.nodes, MEMBERS, &many.ring);
    for (int i = 0; i < MEMBERS; i++) {
        fake_node_set_ring(many.nodes[i], &many.ring);
        fake_node_set_id(many.nodes[i], many.ring.members[i].id);
        fake_node_set_statistic(many.nodes[i], "complete", 1);
    }
    assert_int_equal(
        kv_open_cluster(fake_node_address(many.nodes[0]), &defaults, &many.kv, &error),
        STATUS_OK);
    *state = &many;
    return 0;
}

static int tear_down(void **state)
{
    struct many *many = *state;

    kv_close(many->kv);
    for (int i = 0; i < MEMBERS; i++) {
        fake_node_free(many->nodes[i]);
    }
    kv_close(many->store);
    return 0;
}

/* Fails the test unless it is for the reason that names node `i`. */
static void assert_unsettled(struct many *many, int i, enum status expected, const char *why)
{
    struct error error = {.code = STATUS_OK};

    assert_int_equal(kv_settled(many->kv, NULL, &error), expected);
    assert_int_equal(error.code, expected);
    assert_non_null(strstr(error.text, fake_node_address(many->nodes[i])));
    assert_non_null(strstr(error.text, why));
}

static void test_settled__all_members_are_well__yes(void **state)
{
    struct many *many = *state;
    static const struct hint_owner none = {.owner = 1};
    struct error error;
    fake_node_set_hints(many->nodes[2], &none, 1);

    assert_int_equal(kv_settled(many->kv, NULL, &error), STATUS_OK);

    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(fake_node_requests(many->nodes[i]), 2);
    }
}

static void test_settled__any_member_keeps_a_hint__no(void **state)
{
    static const struct hint_owner owners[2] = {{.owner = 1}, {.owner = 2, .count = 1}};

    for (int i = 0; i < MEMBERS; i++) {
        struct many *many = *state;
        fake_node_set_hints(many->nodes[i], owners, 2);
        assert_unsettled(many, i, STATUS_BUSY, "hints");
        fake_node_set_hints(many->nodes[i], NULL, 0);
    }
}

static void test_settled__any_member_is_away__no(void **state)
{
    for (int i = 0; i < MEMBERS; i++) {
        struct many *many = *state;
        fake_node_stop(many->nodes[i]);
        assert_unsettled(many, i, STATUS_UNREACHABLE, "");
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
}

static void test_settled__a_member_is_frozen__no_by_the_deadline(void **state)
{
    struct many *many = *state;
    fake_node_freeze(many->nodes[4]);

    assert_unsettled(many, 4, STATUS_TIMEOUT, "");

    fake_node_thaw(many->nodes[4]);
    struct error error;
    assert_int_equal(kv_settled(many->kv, NULL, &error), STATUS_OK);
}

static void test_settled__a_member_says_no__no(void **state)
{
    struct many *many = *state;
    static const struct step busy = {STEP_STATUS, STATUS_BUSY};
    fake_node_script(many->nodes[1], &busy, 1);

    assert_unsettled(many, 1, STATUS_BUSY, "");
}

static void test_settled__a_member_refills__no(void **state)
{
    struct many *many = *state;
    fake_node_set_statistic(many->nodes[3], "complete", 0);

    assert_unsettled(many, 3, STATUS_NOT_READY, "refills");
}

static void test_settled__another_node_at_the_place__no(void **state)
{
    struct many *many = *state;
    fake_node_set_id(many->nodes[3], 99);

    assert_unsettled(many, 3, STATUS_STALE_RING, "ring");
}

static void test_settled__a_newer_ring__is_fetched_for_the_next_time(void **state)
{
    struct many *many = *state;
    struct ring newer = many->ring;
    struct error error;
    newer.epoch++;
    for (int i = 0; i < MEMBERS; i++) {
        fake_node_set_ring(many->nodes[i], &newer);
    }

    assert_unsettled(many, 0, STATUS_STALE_RING, "ring");

    assert_int_equal(kv_settled(many->kv, NULL, &error), STATUS_OK);
}

/* Whoever holds anything holds all: a read of all holders misses nothing. */
static void test_settled__no_more_members_than_copies__yes_without_a_question(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    assert_int_equal(kv_settled(fixture->kv, NULL, &error), STATUS_OK);

    assert_requests(fixture, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_settled__all_members_are_well__yes),
        TEST(test_settled__any_member_keeps_a_hint__no),
        TEST(test_settled__any_member_is_away__no),
        TEST(test_settled__a_member_is_frozen__no_by_the_deadline),
        TEST(test_settled__a_member_says_no__no),
        TEST(test_settled__a_member_refills__no),
        TEST(test_settled__another_node_at_the_place__no),
        TEST(test_settled__a_newer_ring__is_fetched_for_the_next_time),
        cmocka_unit_test_setup_teardown(
            test_settled__no_more_members_than_copies__yes_without_a_question, cluster_set_up,
            cluster_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
