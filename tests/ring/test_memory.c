/*
 * test_memory.c - every allocation of ring/ fails once: nothing is changed, nothing is leaked.
 *
 * Linked with --wrap, so that malloc and realloc of ring/ come here; a leak fails under the
 * address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/view.h"
#include "tests/ring/make.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int until_failure; /* allocations that still succeed; negative: all do */

static bool must_fail(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __real_realloc(memory, size);
}

static int set_up(void **state)
{
    (void)state;
    until_failure = -1;
    return 0;
}

/* What the operations work on, and the most allocations that one of them makes. */
enum { PAIRS = 80, ALLOCATIONS_MAX = 8 };

struct world {
    struct object *copy;
    struct object *other;
    struct version value;
    struct dot pairs[PAIRS]; /* a context too large for the stack */
};

/* Each returns true when it succeeded, and drops what it made. */
typedef bool (*operation)(struct world *world);

static bool do_new(struct world *world)
{
    struct object *made = NULL;
    enum status status = object_new(&world->copy->clock, world->copy->versions,
                                    world->copy->version_count, world->copy->own, &made);
    assert_int_equal(status, !made ? STATUS_NO_MEMORY : STATUS_OK);
    object_unref(made);
    return made;
}

static bool do_merge(struct world *world)
{
    struct object *made = object_merge(world->copy, world->other);
    object_unref(made);
    return made;
}

static bool do_receive(struct world *world)
{
    struct object *made = object_merge(NULL, world->copy);
    object_unref(made);
    return made;
}

static bool do_project(struct world *world)
{
    struct object *made = object_project(world->copy);
    object_unref(made);
    return made;
}

static bool do_update(struct world *world)
{
    struct update update = {.mode = UPDATE_ALL,
                            .context = {.count = PAIRS, .pair = world->pairs},
                            .value = &world->value};
    struct coordinator coordinator = {.node = 1, .counter = 500, .birth = 500};
    struct object *made = NULL;
    enum status status = object_update(world->copy, &update, &coordinator, &made);
    assert_int_equal(status, !made ? STATUS_NO_MEMORY : STATUS_OK);
    object_unref(made);
    return made;
}

static bool do_view(struct world *world)
{
    struct view view = {.count = 77};
    enum status status = view_build(world->copy, &view);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(view.count, 77);
        return false;
    }
    view_release(&view);
    return true;
}

static bool do_blob(struct world *world)
{
    (void)world;
    struct blob *blob = blob_new(slice_of_string("milk"));
    blob_unref(blob);
    return blob;
}

static bool do_buffer(struct world *world)
{
    (void)world;
    struct buffer buffer = {0};
    for (unsigned i = 0; i < 40; i++) {
        buffer_append(&buffer, "milk", 4);
    }
    bool is_whole = buffer.size == 160;
    assert_int_equal(is_whole, !buffer.failed);
    assert_int_equal(buffer.size % 4, 0);
    buffer_release(&buffer);
    return is_whole;
}

static void assert_survives(operation run, int allocations)
{
    struct world world = {.copy = make_object("1.10:20 2.1:7 | 2.1:7 1.10:20", "1.10:0"),
                          .other = make_object("1.10:20 3.1:9 | 3.1:9", NULL)};
    world.value.attributes.type = VERSION_FILE;
    world.value.xattrs = blob_new(slice_of_string("colour"));
    for (uint32_t i = 0; i < PAIRS; i++) {
        world.pairs[i] = (struct dot){{5, i}, 30 + i};
    }

    int failures = 0;
    bool succeeded = false;
    while (!succeeded && failures < ALLOCATIONS_MAX) {
        until_failure = failures;
        succeeded = run(&world);
        until_failure = -1;
        failures += !succeeded;
        assert_object(world.copy, "1.10:20 2.1:7 | 2.1:7 1.10:20");
        assert_int_equal(atomic_load(&world.copy->references), 1);
        assert_int_equal(atomic_load(&world.copy->versions[0].content->references), 1);
        assert_int_equal(atomic_load(&world.value.xattrs->references), 1);
    }

    assert_true(succeeded);
    assert_int_equal(failures, allocations);
    object_unref(world.copy);
    object_unref(world.other);
    version_drop(&world.value);
}

static void test_object__allocation_fails__nothing_is_changed(void **state)
{
    (void)state;

    assert_survives(do_new, 1);
    assert_survives(do_merge, 1);
    assert_survives(do_receive, 1);
    assert_survives(do_project, 1);
}

static void test_object_update__allocation_fails__nothing_is_changed(void **state)
{
    (void)state;

    /* The clock, the empty content, the object. */
    assert_survives(do_update, 3);
}

static void test_view_build__allocation_fails__nothing_is_changed(void **state)
{
    (void)state;

    assert_survives(do_view, 3);
}

static void test_bytes__allocation_fails__is_reported(void **state)
{
    (void)state;

    assert_survives(do_blob, 1);
    /* 64, 128 and 256 bytes. */
    assert_survives(do_buffer, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_object__allocation_fails__nothing_is_changed, set_up),
        cmocka_unit_test_setup(test_object_update__allocation_fails__nothing_is_changed,
                               set_up),
        cmocka_unit_test_setup(test_view_build__allocation_fails__nothing_is_changed, set_up),
        cmocka_unit_test_setup(test_bytes__allocation_fails__is_reported, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
