/*
 * test_client_memory.c - every allocation of the client fails once: no crash, no leak, and no
 * outcome that is not true.
 *
 * Linked with --wrap, so that malloc, calloc and realloc come here; only those of the test's
 * own thread fail, not those of the node that it talks to. A leak fails under the address
 * sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/client/fake_node.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

enum { ALLOCATIONS_MAX = 200 };

/* Allocations of this thread that still succeed; negative: all do. */
static _Thread_local int until_failure = -1;

static bool must_fail(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __real_realloc(memory, size);
}

struct world {
    struct kv *store;
    struct kv *kv; /* what the operation works on */
    struct fake_node *node;
    struct object *row; /* what was put; its clock is the context */
    struct version value;
};

static struct slice text(const char *string)
{
    return slice_of_string(string);
}

static void put_first(struct world *world)
{
    struct kv_put put = {.key = text("d/k"), .mode = UPDATE_ALL, .value = &world->value};
    assert_int_equal(kv_put(world->kv, &put, NULL, &world->row), STATUS_OK);
}

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){.value = {.attributes = {.type = VERSION_FILE}}};
    world.value.content = blob_new(text("content"));
    if (!world.value.content || kv_open_memory(&world.store) != STATUS_OK) {
        return -1;
    }
    *state = &world;
    return 0;
}

static int set_up_memory(void **state)
{
    int failure = set_up(state);
    struct world *world = *state;
    world->kv = world->store;
    put_first(world);
    return failure;
}

static int set_up_cluster(void **state)
{
    int failure = set_up(state);
    struct world *world = *state;
    world->node = fake_node_new(world->store);
    struct member member = {.id = 1};
    struct ring ring;
    struct error error;
    memcpy(member.address, fake_node_address(world->node), ADDRESS_SIZE);
    assert_int_equal(ring_create(1, 8, 3, &member, 1, &ring), STATUS_OK);
    fake_node_set_ring(world->node, &ring);
    assert_int_equal(kv_open_cluster(member.address, NULL, &world->kv, &error), STATUS_OK);
    put_first(world);
    return failure;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->kv != world->store) {
        kv_close(world->kv);
    }
    fake_node_free(world->node);
    kv_close(world->store);
    object_unref(world->row);
    blob_unref(world->value.content);
    return 0;
}

/* Each does one thing, drops what it made and returns the outcome. */
typedef enum status (*operation)(struct world *world);

static enum status do_get(struct world *world)
{
    struct object *object = NULL;
    enum status status = kv_get(world->kv, text("d/k"), NULL, &object);
    assert_true(object_is_live(object) == (status == STATUS_OK));
    object_unref(object);
    return status;
}

static enum status do_put(struct world *world)
{
    struct kv_put put = {.key = text("d/k"),
                         .mode = UPDATE_ALL,
                         .context = world->row->clock,
                         .dots = &world->row->versions[0].dot,
                         .dot_count = 1,
                         .value = &world->value};
    struct object *row = NULL;
    enum status status = kv_put(world->kv, &put, NULL, &row);
    assert_true((row != NULL) == (status == STATUS_OK));
    object_unref(row);
    return status;
}

static enum status do_list(struct world *world)
{
    struct kv_list list = {
        .directory = text("d/"), .limit = 10, .start = text("a"), .end = text("z")};
    struct kv_rows rows = {0};
    enum status status = kv_list(world->kv, &list, NULL, &rows);
    assert_int_equal(rows.count, status == STATUS_OK ? 1 : 0);
    kv_rows_release(&rows);
    return status;
}

static enum status do_replicas(struct world *world)
{
    struct buffer replicas = {0};
    enum status status = kv_replicas(world->kv, text("d/k"), &replicas);
    buffer_release(&replicas);
    return status;
}

static enum status do_space(struct world *world)
{
    struct kv_space space;
    return kv_space(world->kv, NULL, &space);
}

static enum status do_open_memory(struct world *world)
{
    (void)world;
    struct kv *kv = NULL;
    enum status status = kv_open_memory(&kv);
    kv_close(kv);
    return status;
}

static enum status do_open_cluster(struct world *world)
{
    struct kv *kv = NULL;
    struct error error = {0};
    enum status status = kv_open_cluster(fake_node_address(world->node), NULL, &kv, &error);
    assert_int_equal(error.code, status);
    kv_close(kv);
    return status;
}

static enum status do_context(struct world *world)
{
    struct buffer word = {0};
    struct object *object = NULL;
    enum status status = kv_context_format(&world->row->clock, &word);
    if (status == STATUS_OK) {
        status = kv_context_parse(buffer_slice(&word), &object);
    }
    object_unref(object);
    buffer_release(&word);
    return status;
}

/* A put that was sent before memory ran out may have been carried out. */
static bool is_true(operation run, enum status status)
{
    return status == STATUS_NO_MEMORY || (run == do_put && status == STATUS_TIMEOUT);
}

/* Lets the first, second, ... allocation fail until the operation needs no more of them. */
static void exhaust(struct world *world, operation run)
{
    for (int allocation = 0; allocation < ALLOCATIONS_MAX; allocation++) {
        until_failure = allocation;
        enum status status = run(world);
        bool has_failed = until_failure < 0;
        until_failure = -1;
        if (!has_failed) {
            assert_int_equal(status, STATUS_OK);
            return;
        }
        assert_true(status == STATUS_OK || is_true(run, status));
    }
    fail_msg("more allocations than expected");
}

static void test_kv_memory__each_allocation_fails__reported_and_nothing_leaks(void **state)
{
    static const operation operations[] = {do_get,      do_put,         do_list,
                                           do_replicas, do_open_memory, do_context};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        exhaust(*state, operations[i]);
    }
}

static void test_kv_cluster__each_allocation_fails__reported_and_nothing_leaks(void **state)
{
    static const operation operations[] = {do_get,      do_put,   do_list,
                                           do_replicas, do_space, do_open_cluster};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        exhaust(*state, operations[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_kv_memory__each_allocation_fails__reported_and_nothing_leaks, set_up_memory,
            tear_down),
        cmocka_unit_test_setup_teardown(
            test_kv_cluster__each_allocation_fails__reported_and_nothing_leaks, set_up_cluster,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
