/*
 * test_object.c - building, comparing, digesting, merging and projecting objects.
 *
 * Rules: object_new takes only what keeps the rules of object.h; equality and digest see clock
 * and dots only; a merge keeps what one side has and the other does not know, never truncates,
 * never drops a version because it equals another, keeps x's own and every content; a row is
 * its object without contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ring/row.h"
#include "tests/ring/make.h"

static const struct actor no_own = {0};

static void test_object_new__good_parts__are_copied(void **state)
{
    (void)state;
    struct made_clock clock;
    make_clock("1.1:5 2.1:7", &clock);
    struct version version = make_version(make_dot("2.1:7"), "milk");
    struct object *object = NULL;

    assert_int_equal(object_new(&clock.clock, &version, 1, (struct actor){1, 1}, &object),
                     STATUS_OK);
    clock.dots[0].counter = 99;
    version_drop(&version);

    assert_object(object, "1.1:5 2.1:7 | 2.1:7");
    assert_int_equal(object->own.node, 1);
    assert_memory_equal(object->versions[0].content->data, "milk", 4);
    assert_int_equal(atomic_load(&object->versions[0].content->references), 1);
    object_unref(object);
}

static void assert_refused(const char *clock_text, struct version *versions, uint32_t count)
{
    struct made_clock clock;
    make_clock(clock_text, &clock);
    struct object *object = NULL;
    assert_int_equal(object_new(&clock.clock, versions, count, no_own, &object),
                     STATUS_BAD_MESSAGE);
    assert_null(object);
}

static void test_object_new__broken_clock__is_refused(void **state)
{
    (void)state;

    assert_refused("2.1:1 1.1:1", NULL, 0);
    assert_refused("1.1:1 1.1:2", NULL, 0);
    assert_refused("1.1:0", NULL, 0);
    assert_refused("0.1:1", NULL, 0);
}

static void test_object_new__broken_dots__are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *clock;
        const char *dots[2];
    } cases[] = {
        {"1.1:5 2.1:7", {"1.1:5", "1.1:5"}}, /* a duplicate */
        {"1.1:5 2.1:7", {"2.1:7", "1.1:5"}}, /* newest first */
        {"1.1:5 2.1:7", {"1.1:5", "2.1:8"}}, /* above its pair */
        {"1.1:5 2.1:7", {"1.1:5", "2.2:6"}}, /* no pair */
        {"1.1:5 2.1:7", {"1.1:0", "2.1:7"}}, /* counters start at 1 */
        {"1.1:5 2.1:7", {"3.1:0", "2.1:7"}}, {"", {"1.1:1", "1.1:2"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct version versions[2] = {make_version(make_dot(cases[i].dots[0]), "a"),
                                      make_version(make_dot(cases[i].dots[1]), "b")};
        assert_refused(cases[i].clock, versions, 2);
        version_drop(&versions[0]);
        version_drop(&versions[1]);
    }
}

static void test_object_new__broken_version__is_refused(void **state)
{
    (void)state;
    struct version good = make_version(make_dot("1.1:5"), "milk");
    struct blob *large = blob_new_uninitialised(VALUE_SIZE_MAX + 1);
    struct blob *large_xattrs = blob_new_uninitialised(XATTRS_SIZE_MAX + 1);
    struct version bad[7];
    for (size_t i = 0; i < 7; i++) {
        bad[i] = good;
    }
    bad[0].attributes.size = 3;
    bad[1].attributes.type = (enum version_type)0;
    bad[2].attributes.type = (enum version_type)(VERSION_BLOCK_DEVICE + 1);
    bad[3].attributes.mode = 0100644;
    bad[4].content = large;
    bad[4].attributes.size = large->size;
    bad[5].xattrs = large_xattrs;
    bad[6].attributes.mode = 010000;

    for (size_t i = 0; i < 7; i++) {
        assert_refused("1.1:5", &bad[i], 1);
    }
    struct made_clock clock;
    struct object *object = NULL;
    make_clock("1.1:5", &clock);
    good.attributes.mode = 07777;
    good.xattrs = large_xattrs;
    good.xattrs->size = XATTRS_SIZE_MAX;
    assert_int_equal(object_new(&clock.clock, &good, 1, no_own, &object), STATUS_OK);

    object_unref(object);
    blob_unref(large);
    version_drop(&good);
}

static void test_object_new__no_clock__is_the_empty_one(void **state)
{
    (void)state;
    struct object *object = NULL;

    assert_int_equal(object_new(NULL, NULL, 0, no_own, &object), STATUS_OK);
    assert_object(object, "|");
    object_unref(object);
}

static void test_object_new__counts__end_at_the_limits(void **state)
{
    (void)state;
    static struct dot pairs[CLOCK_PAIRS_MAX + 1];
    static struct version versions[VERSIONS_MAX + 1];
    for (uint32_t i = 0; i <= CLOCK_PAIRS_MAX; i++) {
        pairs[i] = (struct dot){{1, i + 1}, i + 1};
    }
    for (uint32_t i = 0; i <= VERSIONS_MAX; i++) {
        versions[i].dot = pairs[i];
        versions[i].attributes.type = VERSION_FILE;
    }
    struct clock full = {.count = CLOCK_PAIRS_MAX, .pair = pairs};
    struct clock over = {.count = CLOCK_PAIRS_MAX + 1, .pair = pairs};
    struct object *object = NULL;

    assert_int_equal(object_new(&over, NULL, 0, no_own, &object), STATUS_BAD_MESSAGE);
    assert_int_equal(object_new(&full, versions, VERSIONS_MAX + 1, no_own, &object),
                     STATUS_BAD_MESSAGE);
    assert_null(object);
    assert_int_equal(object_new(&full, versions, VERSIONS_MAX, no_own, &object), STATUS_OK);
    assert_int_equal(object->version_count, VERSIONS_MAX);
    object_unref(object);
}

static void test_object_newest__versions__last_by_counter(void **state)
{
    (void)state;
    struct object *object = make_object("1.1:9 2.1:7 | 2.1:7 1.1:9", NULL);
    struct object *tombstone = make_object("1.1:9 |", NULL);

    assert_int_equal(object_newest(object)->dot.counter, 9);
    assert_true(object_is_live(object));
    assert_null(object_newest(tombstone));
    assert_false(object_is_live(tombstone));
    assert_null(object_newest(NULL));
    assert_false(object_is_live(NULL));

    object_unref(object);
    object_unref(tombstone);
}

static void test_object_equal__objects_that_differ__have_other_digests(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1.1:5 |",
        "1.1:6 |",
        "2.1:5 |",
        "1.2:5 |",
        "1.1:5 2.1:5 |",
        "1.1:5 | 1.1:5",
        "1.1:5 | 1.1:4",
        "1.1:5 | 1.1:4 1.1:5",
        "1.1:5 2.1:5 | 1.1:5",
    };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    struct object *objects[COUNT];
    uint8_t digests[COUNT][DIGEST_SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        objects[i] = make_object(texts[i], NULL);
        object_digest(objects[i], digests[i]);
    }

    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            bool same_digest = memcmp(digests[i], digests[j], DIGEST_SIZE) == 0;
            assert_int_equal(object_equal(objects[i], objects[j]), i == j);
            assert_int_equal(same_digest, i == j);
        }
        assert_false(object_equal(NULL, objects[i]));
        assert_false(object_equal(objects[i], NULL));
    }
    for (size_t i = 0; i < COUNT; i++) {
        object_unref(objects[i]);
    }
}

static void test_object_equal__times_of_delete__are_compared_and_merged(void **state)
{
    (void)state;
    struct object *early = make_object("1.1:5 |", NULL);
    struct object *late = make_object("1.1:5 |", NULL);
    uint8_t of_early[DIGEST_SIZE];
    uint8_t of_late[DIGEST_SIZE];
    object_set_deleted(early, 70);
    object_set_deleted(late, 71);

    object_digest(early, of_early);
    object_digest(late, of_late);
    struct object *merged = object_merge(early, late);
    struct object *row = object_project(late);

    assert_false(object_equal(early, late));
    assert_memory_not_equal(of_early, of_late, DIGEST_SIZE);
    assert_int_equal(merged->deleted_us, 71);
    assert_int_equal(row->deleted_us, 71);
    object_unref(early);
    object_unref(late);
    object_unref(merged);
    object_unref(row);
}

static void test_object_equal__same_dots__ignores_own_and_contents(void **state)
{
    (void)state;
    struct object *object = make_object("1.1:5 | 1.1:5", "1.1:0");
    struct object *row = object_project(object);
    uint8_t of_object[DIGEST_SIZE];
    uint8_t of_row[DIGEST_SIZE];

    object_digest(object, of_object);
    object_digest(row, of_row);

    assert_true(object_equal(object, row));
    assert_memory_equal(of_object, of_row, DIGEST_SIZE);
    object_unref(object);
    object_unref(row);
}

static void test_object_digest__null__is_that_of_the_empty_clock(void **state)
{
    (void)state;
    struct object *empty = make_object("|", NULL);
    uint8_t of_empty[DIGEST_SIZE];
    uint8_t of_null[DIGEST_SIZE];

    object_digest(empty, of_empty);
    object_digest(NULL, of_null);

    assert_memory_equal(of_empty, of_null, DIGEST_SIZE);
    assert_true(object_equal(empty, NULL));
    assert_true(object_equal(NULL, NULL));
    object_unref(empty);
}

/* More dots than are hashed in one piece: each of them must still count. */
static void test_object_digest__large_clock__sees_every_pair(void **state)
{
    (void)state;
    enum { PAIRS = 200 };
    struct dot pairs[PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++) {
        pairs[i] = (struct dot){{i + 1, 1}, 5};
    }
    struct clock clock = {.count = PAIRS, .pair = pairs};
    struct object *object = NULL;
    uint8_t digest[DIGEST_SIZE];
    assert_int_equal(object_new(&clock, NULL, 0, no_own, &object), STATUS_OK);
    object_digest(object, digest);
    object_unref(object);

    for (uint32_t i = 0; i < PAIRS; i++) {
        uint8_t other[DIGEST_SIZE];
        pairs[i].counter++;
        assert_int_equal(object_new(&clock, NULL, 0, no_own, &object), STATUS_OK);
        object_digest(object, other);
        assert_memory_not_equal(digest, other, DIGEST_SIZE);
        object_unref(object);
        pairs[i].counter--;
    }
}

static void test_object_content_size__all_blobs__are_summed(void **state)
{
    (void)state;
    struct version versions[2] = {make_version(make_dot("1.1:4"), "milk"),
                                  make_version(make_dot("1.1:5"), "bread")};
    versions[1].xattrs = blob_new(slice_of_string("colour"));
    struct made_clock clock;
    struct object *object = NULL;
    make_clock("1.1:5", &clock);
    assert_int_equal(object_new(&clock.clock, versions, 2, no_own, &object), STATUS_OK);

    assert_int_equal(object_content_size(object), 4 + 5 + 6);
    assert_int_equal(object_content_size(NULL), 0);

    object_unref(object);
    version_drop(&versions[0]);
    version_drop(&versions[1]);
}

static void assert_merge(const char *x_text, const char *y_text, const char *expected)
{
    struct object *x = make_object(x_text, "8.8:0");
    struct object *y = make_object(y_text, "9.9:0");

    struct object *xy = object_merge(x, y);
    struct object *yx = object_merge(y, x);

    assert_object(xy, expected);
    assert_object(yx, expected);
    assert_int_equal(xy->own.node, 8);
    assert_int_equal(yx->own.node, 9);
    object_unref(x);
    object_unref(y);
    object_unref(xy);
    object_unref(yx);
}

static void test_object_merge__pairs_of_copies__keeps_what_the_other_does_not_know(void **state)
{
    (void)state;

    /* The newer one wins when it knows the older. */
    assert_merge("1.1:1 | 1.1:1", "1.1:2 | 1.1:2", "1.1:2 | 1.1:2");
    /* Neither knows the other: siblings. */
    assert_merge("1.1:5 | 1.1:5", "2.1:4 | 2.1:4", "1.1:5 2.1:4 | 2.1:4 1.1:5");
    /* A delete wins over what it saw, and loses against what it did not. */
    assert_merge("1.1:5 | 1.1:5", "1.1:5 |", "1.1:5 |");
    assert_merge("1.1:6 | 1.1:6", "1.1:5 |", "1.1:6 | 1.1:6");
    /* Two dots of one actor, written with one context, are siblings. */
    assert_merge("1.1:2 | 1.1:1 1.1:2", "1.1:1 | 1.1:1", "1.1:2 | 1.1:1 1.1:2");
    /* The older of one actor's two was superseded on the other side only. */
    assert_merge("1.1:2 | 1.1:1 1.1:2", "1.1:2 2.1:3 | 1.1:2 2.1:3",
                 "1.1:2 2.1:3 | 1.1:2 2.1:3");
    /* Another birth of one node is another actor. */
    assert_merge("1.1:9 | 1.1:9", "1.2:3 | 1.2:3", "1.1:9 1.2:3 | 1.2:3 1.1:9");
    /* Both superseded something that the other still holds. */
    assert_merge("1.1:4 2.1:3 | 1.1:4", "1.1:2 2.1:5 | 2.1:5", "1.1:4 2.1:5 | 1.1:4 2.1:5");
}

static void test_object_merge__many_pairs__are_never_truncated(void **state)
{
    (void)state;

    assert_merge("1.1:1 2.1:1 3.1:1 4.1:1 5.1:1 6.1:1 7.1:1 |",
                 "11.1:1 12.1:1 13.1:1 14.1:1 15.1:1 16.1:1 17.1:1 |",
                 "1.1:1 2.1:1 3.1:1 4.1:1 5.1:1 6.1:1 7.1:1 "
                 "11.1:1 12.1:1 13.1:1 14.1:1 15.1:1 16.1:1 17.1:1 |");
}

static void test_object_merge__null__is_the_copy_that_knows_nothing(void **state)
{
    (void)state;
    struct object *object = make_object("1.1:5 | 1.1:5", "1.1:0");

    struct object *kept = object_merge(object, NULL);
    struct object *received = object_merge(NULL, object);

    assert_null(object_merge(NULL, NULL));
    assert_ptr_equal(kept, object);
    assert_object(received, "1.1:5 | 1.1:5");
    /* A copy that received its state has no own pair: rule 2. */
    assert_int_equal(received->own.node, 0);
    assert_memory_equal(received->versions[0].content->data, object->versions[0].content->data,
                        5);
    object_unref(kept);
    object_unref(received);
    object_unref(object);
}

static void test_object_merge__nothing_new__is_x_itself(void **state)
{
    (void)state;
    struct object *x = make_object("1.1:5 2.1:3 | 1.1:5", "1.1:0");
    static const char *const known[] = {"1.1:5 2.1:3 | 1.1:5", "1.1:5 | 1.1:5", "2.1:3 | 2.1:3",
                                        "|"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct object *y = make_object(known[i], NULL);
        struct object *merged = object_merge(x, y);
        assert_ptr_equal(merged, x);
        object_unref(merged);
        object_unref(y);
    }
    struct object *same = object_merge(x, x);
    assert_ptr_equal(same, x);
    object_unref(same);
    assert_int_equal(atomic_load(&x->references), 1);
    object_unref(x);
}

static void test_object_merge__something_new__is_not_x(void **state)
{
    (void)state;
    struct object *x = make_object("1.1:5 2.1:3 | 1.1:5", NULL);
    static const char *const news[] = {"1.1:5 2.1:3 |", "1.1:5 2.1:4 | 1.1:5", "3.1:1 |",
                                       "3.1:1 | 3.1:1"};

    for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) {
        struct object *y = make_object(news[i], NULL);
        struct object *merged = object_merge(x, y);
        assert_ptr_not_equal(merged, x);
        assert_false(object_equal(merged, x));
        object_unref(merged);
        object_unref(y);
    }
    object_unref(x);
}

static void test_object_merge__equal_contents__are_both_kept(void **state)
{
    (void)state;
    struct made_clock clock;
    struct object *objects[2];
    static const char *const dots[] = {"1.1:5", "2.1:6"};
    for (size_t i = 0; i < 2; i++) {
        struct version version = make_version(make_dot(dots[i]), "milk");
        memset(version.write_id, 7, WRITE_ID_SIZE);
        make_clock(dots[i], &clock);
        assert_int_equal(object_new(&clock.clock, &version, 1, no_own, &objects[i]), STATUS_OK);
        version_drop(&version);
    }

    struct object *merged = object_merge(objects[0], objects[1]);

    assert_object(merged, "1.1:5 2.1:6 | 1.1:5 2.1:6");
    object_unref(merged);
    object_unref(objects[0]);
    object_unref(objects[1]);
}

static void test_object_merge__row_and_object__keeps_the_content(void **state)
{
    (void)state;
    struct object *object = make_object("1.1:5 2.1:6 | 1.1:5 2.1:6", NULL);
    struct object *row = object_project(object);

    struct object *to_row = object_merge(row, object);
    struct object *to_object = object_merge(object, row);

    assert_ptr_equal(to_object, object);
    for (uint32_t i = 0; i < 2; i++) {
        assert_ptr_equal(to_row->versions[i].content, object->versions[i].content);
    }
    object_unref(to_row);
    object_unref(to_object);
    object_unref(object);
    object_unref(row);
}

/* A row may know more of the past than the object: its clock wins, but never its emptiness. */
static void
test_object_merge__object_with_a_row_that_knows_more__keeps_the_contents(void **state)
{
    struct object *object = make_object("1.1:5 | 1.1:5", NULL);
    struct object *later = make_object("1.1:5 2.1:7 | 1.1:5", NULL);
    struct object *row = object_project(later);

    (void)state;
    assert_non_null(row);
    struct object *there = object_merge(object, row);
    struct object *back = object_merge(row, object);

    assert_non_null(there->versions[0].content);
    assert_non_null(back->versions[0].content);
    assert_true(object_equal(there, later));
    assert_true(object_equal(back, later));
    object_unref(object);
    object_unref(later);
    object_unref(row);
    object_unref(there);
    object_unref(back);
}

/* Of a name in a conflict the change that was last counts, whichever version it is of. */
static void test_row_names__any_version_and_the_delete__the_latest_counts(void **state)
{
    struct object *row = make_object("1.1:5 2.1:7 | 1.1:5 2.1:7", NULL);

    (void)state;
    assert_int_equal(row_names_us(NULL), 0);
    row->versions[0].attributes.named_ns = 9000;
    row->versions[1].attributes.named_ns = 4000;
    assert_int_equal(row_names_us(row), 9);
    row->versions[1].attributes.named_ns = 11000;
    assert_int_equal(row_names_us(row), 11);
    object_set_deleted(row, 12);
    assert_int_equal(row_names_us(row), 12);
    object_unref(row);
}

static void test_object_project__object__loses_contents_only(void **state)
{
    (void)state;
    struct version version = make_version(make_dot("1.1:5"), "milk");
    version.xattrs = blob_new(slice_of_string("colour"));
    struct made_clock clock;
    struct object *object = NULL;
    make_clock("1.1:5 2.1:6", &clock);
    assert_int_equal(object_new(&clock.clock, &version, 1, (struct actor){1, 1}, &object),
                     STATUS_OK);

    struct object *row = object_project(object);

    assert_object(row, "1.1:5 2.1:6 | 1.1:5");
    assert_int_equal(row->own.node, 0);
    assert_null(row->versions[0].content);
    assert_null(row->versions[0].xattrs);
    assert_memory_equal(&row->versions[0].attributes, &version.attributes,
                        sizeof version.attributes);
    assert_memory_equal(row->versions[0].content_hash, version.content_hash, CONTENT_HASH_SIZE);
    assert_memory_equal(row->versions[0].write_id, version.write_id, WRITE_ID_SIZE);
    assert_int_equal(row->versions[0].attributes.size, 4);
    object_unref(row);
    object_unref(object);
    version_drop(&version);
}

static void test_object_unref__null_and_shared__are_safe(void **state)
{
    (void)state;
    struct object *object = make_object("1.1:5 | 1.1:5", NULL);

    assert_ptr_equal(object_ref(object), object);
    object_unref(object);

    assert_object(object, "1.1:5 | 1.1:5");
    object_unref(object);
    object_unref(NULL);
    assert_null(object_ref(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_new__good_parts__are_copied),
        cmocka_unit_test(test_object_new__broken_clock__is_refused),
        cmocka_unit_test(test_object_new__broken_dots__are_refused),
        cmocka_unit_test(test_object_new__broken_version__is_refused),
        cmocka_unit_test(test_object_new__no_clock__is_the_empty_one),
        cmocka_unit_test(test_object_new__counts__end_at_the_limits),
        cmocka_unit_test(test_object_newest__versions__last_by_counter),
        cmocka_unit_test(test_object_equal__objects_that_differ__have_other_digests),
        cmocka_unit_test(test_object_equal__times_of_delete__are_compared_and_merged),
        cmocka_unit_test(test_object_equal__same_dots__ignores_own_and_contents),
        cmocka_unit_test(test_object_digest__null__is_that_of_the_empty_clock),
        cmocka_unit_test(test_object_digest__large_clock__sees_every_pair),
        cmocka_unit_test(test_object_content_size__all_blobs__are_summed),
        cmocka_unit_test(
            test_object_merge__pairs_of_copies__keeps_what_the_other_does_not_know),
        cmocka_unit_test(test_object_merge__many_pairs__are_never_truncated),
        cmocka_unit_test(test_object_merge__null__is_the_copy_that_knows_nothing),
        cmocka_unit_test(test_object_merge__nothing_new__is_x_itself),
        cmocka_unit_test(test_object_merge__something_new__is_not_x),
        cmocka_unit_test(test_object_merge__equal_contents__are_both_kept),
        cmocka_unit_test(test_object_merge__row_and_object__keeps_the_content),
        cmocka_unit_test(
            test_object_merge__object_with_a_row_that_knows_more__keeps_the_contents),
        cmocka_unit_test(test_row_names__any_version_and_the_delete__the_latest_counts),
        cmocka_unit_test(test_object_project__object__loses_contents_only),
        cmocka_unit_test(test_object_unref__null_and_shared__are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
