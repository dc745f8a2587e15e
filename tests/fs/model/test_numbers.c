/*
 * test_numbers.c - names and numbers of siblings:
 *
 *   `BASE~vN`: N from 1, no leading zero, at most five digits
 *   a number once shown means the same version on that mount until the conflict is gone
 *   oldest first; later arrivals get the next numbers
 *   a real file called x~v1 keeps its name, numbers skip it
 *   the table is bounded: the conflict shown longest ago goes first
 */
#include <stdio.h>
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/names.h"
#include "fs/model/remove.h"
#include "tests/fs/model/fixture.h"

static bool parses(const char *name, const char *base, uint32_t number)
{
    struct slice got;
    uint32_t got_number;

    return names_parse_sibling(slice_of_string(name), &got, &got_number) &&
           slice_equal(got, slice_of_string(base)) && got_number == number;
}

static bool is_ordinary(const char *name)
{
    struct slice base;
    uint32_t number;

    return !names_parse_sibling(slice_of_string(name), &base, &number);
}

static void test_names__sibling_forms__parse(void **state)
{
    (void)state;
    assert_true(parses("a~v1", "a", 1));
    assert_true(parses("cart.json~v12", "cart.json", 12));
    assert_true(parses("a~v1~v2", "a~v1", 2));
    assert_true(parses("~v~v3", "~v", 3));
    assert_true(parses("a~v99999", "a", 99999));
}

static void test_names__other_forms__are_ordinary(void **state)
{
    (void)state;
    assert_true(is_ordinary("a"));
    assert_true(is_ordinary("a~v"));
    assert_true(is_ordinary("a~v0"));
    assert_true(is_ordinary("a~v01"));
    assert_true(is_ordinary("a~v1x"));
    assert_true(is_ordinary("a~V1"));
    assert_true(is_ordinary("~v1"));  /* no base */
    assert_true(is_ordinary(".~v1")); /* no legal base */
    assert_true(is_ordinary("a~v100000"));
    assert_true(is_ordinary("12"));
}

static void test_names__format__parses_back(void **state)
{
    char base[SIBLING_BASE_MAX];
    char name[SHOWN_NAME_MAX + 1];
    struct slice got;
    uint32_t number;

    (void)state;
    memset(base, 'x', sizeof base);
    size_t size = names_format_sibling(slice_of(base, sizeof base), SIBLING_NUMBER_MAX, name);

    assert_int_equal(size, SHOWN_NAME_MAX);
    assert_true(names_parse_sibling(slice_of(name, size), &got, &number));
    assert_int_equal(got.size, sizeof base);
    assert_int_equal(number, SIBLING_NUMBER_MAX);
}

static void test_numbers__one_is_dropped__others_keep_theirs(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    put_beside(mounts->kv, "f", "three");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2 f~v3");

    assert_int_equal(unlink_error(mounts->here, ROOT, "f~v1"), 0);

    assert_lists(mounts->here, ROOT, "f f~v2 f~v3");
    assert_reads(mounts->here, ROOT, "f~v2", "two");
    assert_reads(mounts->here, ROOT, "f~v3", "three");
    assert_int_equal(look_error(mounts->here, ROOT, "f~v1"), ENOENT);
}

static void test_numbers__later_arrival__gets_the_next(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_int_equal(unlink_error(mounts->there, ROOT, "f~v2"), 0);

    put_beside(mounts->kv, "f", "three");

    assert_lists(mounts->here, ROOT, "f f~v1 f~v3");
    assert_reads(mounts->here, ROOT, "f~v3", "three");
    /* The other mount has not shown this conflict yet but for the versions it dropped. */
    assert_reads(mounts->there, ROOT, "f~v1", "one");
}

static void test_numbers__conflict_gone__start_again(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    write_file(mounts->here, ROOT, "f", "merged");
    assert_lists(mounts->here, ROOT, "f");

    put_beside(mounts->kv, "f", "beside");

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_reads(mounts->here, ROOT, "f~v1", "merged");
    assert_reads(mounts->here, ROOT, "f~v2", "beside");
}

/* `rm f~v2` after `ls` never hits another version than that ls showed. */
static void test_numbers__changed_behind_the_listing__rm_hits_what_was_shown(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");

    assert_int_equal(unlink_error(mounts->there, ROOT, "f~v1"), 0);
    put_beside(mounts->kv, "f", "three");
    assert_int_equal(unlink_error(mounts->here, ROOT, "f~v2"), 0);

    assert_reads(mounts->here, ROOT, "f", "three");
    assert_int_equal(versions_of(mounts->kv, "f"), 1);
}

static void test_numbers__sibling_edited_here__keeps_its_number(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");

    write_file(mounts->here, ROOT, "f~v1", "one, edited");
    write_file(mounts->here, ROOT, "f~v1", "one, edited again");

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_reads(mounts->here, ROOT, "f~v1", "one, edited again");
}

/* It becomes the newest, and is still the same version of the conflict. */
static void test_numbers__chmod_of_a_conflict__settles_nothing(void **state)
{
    struct mounts *mounts = *state;
    struct change change = {.flags = CHANGE_MODE, .mode = 0600};
    struct stat attributes;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");

    uint64_t inode = look(mounts->here, ROOT, "f");
    assert_int_equal(change_attributes(mounts->here, inode, &change, &attributes), 0);

    assert_int_equal(attributes.st_mode & 07777, 0600);
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");
    assert_reads(mounts->here, ROOT, "f~v1", "one");
    assert_reads(mounts->here, ROOT, "f~v2", "two");
    assert_int_equal(versions_of(mounts->kv, "f"), 2);
    /* All of it was shown here, so that rm drops all of it. */
    assert_int_equal(remove_file(mounts->here, ROOT, "f"), 0);
    assert_int_equal(versions_of(mounts->kv, "f"), 0);
}

static void test_numbers__real_file_of_that_name__is_skipped(void **state)
{
    struct mounts *mounts = *state;
    write_file(mounts->here, ROOT, "f~v1", "real");
    make_conflict(mounts, "f", "one", "two");

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2 f~v3");
    assert_reads(mounts->here, ROOT, "f~v1", "real");
    assert_reads(mounts->here, ROOT, "f~v2", "one");
    assert_reads(mounts->here, ROOT, "f~v3", "two");
}

static void test_numbers__many_real_files__all_are_skipped(void **state)
{
    struct mounts *mounts = *state;
    char name[32];
    for (unsigned i = 1; i <= 20; i++) {
        snprintf(name, sizeof name, "f~v%u", i);
        write_file(mounts->there, ROOT, name, "real");
    }
    write_file(mounts->there, ROOT, "f~vx", "not of this form");
    kv_memory_scan_max(mounts->kv, 3);

    make_conflict(mounts, "f", "one", "two");

    assert_reads(mounts->here, ROOT, "f~v21", "one");
    assert_reads(mounts->here, ROOT, "f~v22", "two");
    assert_reads(mounts->here, ROOT, "f~v20", "real");
}

static void test_numbers__real_file_comes_later__keeps_its_name(void **state)
{
    struct mounts *mounts = *state;
    make_conflict(mounts, "f", "one", "two");
    assert_lists(mounts->here, ROOT, "f f~v1 f~v2");

    put_beside(mounts->kv, "f~v1", "real");

    assert_lists(mounts->here, ROOT, "f f~v1 f~v2 f~v3");
    assert_reads(mounts->here, ROOT, "f~v1", "real");
    assert_reads(mounts->here, ROOT, "f~v2", "two");
    assert_reads(mounts->here, ROOT, "f~v3", "one");
}

/* A sibling of a file that looks like a sibling. */
static void test_numbers__conflict_of_a_real_sibling_like_name__is_shown(void **state)
{
    struct mounts *mounts = *state;

    make_conflict(mounts, "f~v1", "one", "two");

    assert_lists(mounts->here, ROOT, "f~v1 f~v1~v1 f~v1~v2");
    assert_reads(mounts->here, ROOT, "f~v1~v1", "one");
}

static void test_numbers__name_of_full_length__shows_siblings(void **state)
{
    struct mounts *mounts = *state;
    char name[NAME_SIZE_MAX + 2] = {0};
    char sibling[SHOWN_NAME_MAX + 1];
    memset(name, 'n', SIBLING_BASE_MAX);

    make_conflict(mounts, name, "one", "two");
    snprintf(sibling, sizeof sibling, "%s~v1", name);
    assert_reads(mounts->here, ROOT, sibling, "one");

    memset(name, 'n', NAME_SIZE_MAX + 1);
    assert_int_equal(look_error(mounts->here, ROOT, name), ENAMETOOLONG);
    assert_int_equal(write_error(mounts->here, ROOT, name, "x"), ENAMETOOLONG);
}

/* The name that is shown for sibling `number` of `name`. */
static const char *sibling_of(const char *name, uint32_t number)
{
    static char sibling[SHOWN_NAME_MAX + 1];

    names_format_sibling(slice_of_string(name), number, sibling);
    return sibling;
}

static void assert_lists_siblings(struct fs *fs, const char *name)
{
    char expected[3 * (SHOWN_NAME_MAX + 1) + 1];
    int size = snprintf(expected, sizeof expected, "%s %s ", name, sibling_of(name, 1));

    /* In the order of bytes: `~` is behind all others. */
    snprintf(expected + size, sizeof expected - (size_t)size, "%s", sibling_of(name, 2));
    assert_lists(fs, ROOT, expected);
}

static void test_numbers__name_without_room_for_a_suffix__shows_siblings(void **state)
{
    struct mounts *mounts = *state;
    char name[NAME_SIZE_MAX + 1] = {0};
    char other[NAME_SIZE_MAX + 1] = {0};
    memset(name, 'n', SIBLING_BASE_MAX + 1);
    memset(other, 'n', NAME_SIZE_MAX);

    make_conflict(mounts, name, "one", "two");
    assert_int_equal(strlen(sibling_of(name, 1)), SIBLING_BASE_MAX + 3);
    assert_lists_siblings(mounts->here, name);
    assert_reads(mounts->here, ROOT, sibling_of(name, 1), "one");
    assert_reads(mounts->here, ROOT, sibling_of(name, 2), "two");
    assert_reads(mounts->here, ROOT, name, "two");

    make_conflict(mounts, other, "three", "four");
    assert_reads(mounts->there, ROOT, sibling_of(other, 1), "three");
    assert_reads(mounts->there, ROOT, sibling_of(name, 1), "one");
    assert_int_equal(look_error(mounts->there, ROOT, sibling_of(other, 3)), ENOENT);

    write_file(mounts->there, ROOT, sibling_of(other, 1), "edited");
    assert_reads(mounts->there, ROOT, sibling_of(other, 1), "edited");
    assert_reads(mounts->there, ROOT, sibling_of(other, 2), "four");
    assert_int_equal(rename_error(mounts->there, ROOT, sibling_of(other, 1), ROOT, other), 0);
    assert_reads(mounts->here, ROOT, other, "edited");
    assert_int_equal(versions_of(mounts->kv, other), 1);
    assert_int_equal(unlink_error(mounts->here, ROOT, other), 0);

    assert_int_equal(unlink_error(mounts->here, ROOT, sibling_of(name, 2)), 0);
    assert_lists(mounts->there, ROOT, name);
    assert_reads(mounts->there, ROOT, name, "one");
}

static void test_numbers__long_name_cut_at_a_character(void **state)
{
    uint8_t room[SIBLING_BASE_MAX];
    char name[NAME_SIZE_MAX + 1] = {0};
    struct slice beginning;

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(name, 'a', shift);
        for (size_t i = shift; i + 3 <= NAME_SIZE_MAX; i += 3) {
            memcpy(name + i, "\xe2\x82\xac", 4);
        }
        struct slice base = names_sibling_base(slice_of_string(name), room);
        assert_true(names_is_shortened(base, &beginning));
        assert_int_equal((beginning.size - shift) % 3, 0);
        assert_memory_equal(beginning.data, name, beginning.size);
        assert_true(base.size > SIBLING_BASE_MAX - 4);
    }
    assert_false(names_is_shortened(slice_of(name, SIBLING_BASE_MAX), &beginning));
}

/* An object with `count` versions, the first with `counter`, as rows of contents "a", "b"
 * ... */
static struct object *make_object(uint64_t counter, uint32_t count)
{
    struct version versions[8] = {0};
    struct dot pairs[8];
    struct object *object = NULL;

    for (uint32_t i = 0; i < count; i++) {
        char content = (char)('a' + (i + counter) % 26);
        struct actor actor = {.node = i + 1, .birth = 1};
        versions[i].dot = (struct dot){.actor = actor, .counter = counter + i};
        versions[i].attributes.type = VERSION_FILE;
        content_hash(slice_of(&content, 1), versions[i].content_hash);
        pairs[i] = versions[i].dot;
    }
    struct clock clock = {.count = count, .pair = pairs};
    assert_int_equal(object_new(&clock, versions, count, (struct actor){0}, &object),
                     STATUS_OK);
    return object;
}

static void number(struct conflicts *conflicts, const char *key, struct object *object,
                   uint32_t *ret_numbers)
{
    struct taken_numbers none = {0};
    struct view view;

    assert_int_equal(view_build(object, &view), STATUS_OK);
    assert_int_equal(
        conflicts_number(conflicts, slice_of_string(key), object, &view, &none, ret_numbers),
        STATUS_OK);
    view_release(&view);
}

static bool is_known(struct conflicts *conflicts, const char *key, struct object *object)
{
    uint32_t numbers[8];
    struct view view;

    assert_int_equal(view_build(object, &view), STATUS_OK);
    bool is_complete = conflicts_peek(conflicts, slice_of_string(key), object, &view, numbers);
    view_release(&view);
    return is_complete;
}

static void test_conflicts__full_table__drops_the_one_shown_longest_ago(void **state)
{
    struct conflicts *conflicts = conflicts_new(3);
    struct object *object = make_object(100, 2);
    uint32_t numbers[8];
    (void)state;

    number(conflicts, "a", object, numbers);
    number(conflicts, "b", object, numbers);
    number(conflicts, "c", object, numbers);
    number(conflicts, "a", object, numbers);
    number(conflicts, "d", object, numbers);

    assert_true(is_known(conflicts, "a", object));
    assert_false(is_known(conflicts, "b", object));
    assert_true(is_known(conflicts, "c", object));
    assert_true(is_known(conflicts, "d", object));
    object_unref(object);
    conflicts_free(conflicts);
}

static void test_conflicts__forgotten__is_numbered_anew(void **state)
{
    struct conflicts *conflicts = conflicts_new(3);
    struct object *first = make_object(100, 3);
    struct object *second = make_object(200, 2);
    uint32_t numbers[8];
    (void)state;
    number(conflicts, "a", first, numbers);
    number(conflicts, "a", second, numbers);
    assert_int_equal(numbers[0], 4);
    assert_int_equal(numbers[1], 5);

    conflicts_forget(conflicts, slice_of_string("a"));
    assert_true(conflicts_are_none(conflicts));
    number(conflicts, "a", second, numbers);

    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 2);
    object_unref(first);
    object_unref(second);
    conflicts_free(conflicts);
}

static void test_conflicts__rewritten__number_goes_with_the_new_dot(void **state)
{
    struct conflicts *conflicts = conflicts_new(3);
    struct object *before = make_object(100, 1);
    struct object *after = make_object(300, 1);
    uint32_t numbers[8];
    (void)state;
    number(conflicts, "a", before, numbers);

    conflicts_rewritten(conflicts, slice_of_string("a"), &before->versions[0].dot, 1,
                        after->versions[0].dot);
    assert_true(is_known(conflicts, "a", after));
    assert_false(is_known(conflicts, "a", before));

    object_unref(before);
    object_unref(after);
    conflicts_free(conflicts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names__sibling_forms__parse),
        cmocka_unit_test(test_names__other_forms__are_ordinary),
        cmocka_unit_test(test_names__format__parses_back),
        TEST(test_numbers__one_is_dropped__others_keep_theirs),
        TEST(test_numbers__later_arrival__gets_the_next),
        TEST(test_numbers__conflict_gone__start_again),
        TEST(test_numbers__changed_behind_the_listing__rm_hits_what_was_shown),
        TEST(test_numbers__sibling_edited_here__keeps_its_number),
        TEST(test_numbers__chmod_of_a_conflict__settles_nothing),
        TEST(test_numbers__real_file_of_that_name__is_skipped),
        TEST(test_numbers__many_real_files__all_are_skipped),
        TEST(test_numbers__real_file_comes_later__keeps_its_name),
        TEST(test_numbers__conflict_of_a_real_sibling_like_name__is_shown),
        TEST(test_numbers__name_of_full_length__shows_siblings),
        TEST(test_numbers__name_without_room_for_a_suffix__shows_siblings),
        cmocka_unit_test(test_numbers__long_name_cut_at_a_character),
        cmocka_unit_test(test_conflicts__full_table__drops_the_one_shown_longest_ago),
        cmocka_unit_test(test_conflicts__forgotten__is_numbered_anew),
        cmocka_unit_test(test_conflicts__rewritten__number_goes_with_the_new_dot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
