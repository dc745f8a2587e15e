/*
 * cluster_fixture.c - see cluster_fixture.h.
 */
#include "tests/client/cluster_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ring/preference_list.h"

struct slice text(const char *string)
{
    return slice_of_string(string);
}

void cluster_make_ring(struct fake_node *const *nodes, uint16_t count, struct ring *ring)
{
    struct member members[MEMBERS_MAX] = {0};
    for (uint16_t i = 0; i < count; i++) {
        members[i].id = i + 1;
        snprintf(members[i].address, ADDRESS_SIZE, "%s", fake_node_address(nodes[i]));
    }
    assert_int_equal(ring_create(CLUSTER, 8, NODES, members, count, ring), STATUS_OK);
}

int cluster_set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    if (kv_open_memory(&fixture.store) != STATUS_OK) {
        return -1;
    }
    struct fake_node *nodes[NODES];
    for (int i = 0; i < NODES; i++) {
        nodes[i] = fake_node_new(fixture.store);
    }
    cluster_make_ring(nodes, NODES, &fixture.ring);
    struct preference_list list;
    preference_list_build(&fixture.ring, ring_partition(&fixture.ring, text("k")), &list);
    for (int i = 0; i < NODES; i++) {
        fixture.nodes[i] = nodes[list.member[i]];
        fake_node_set_ring(fixture.nodes[i], &fixture.ring);
    }
    struct kv_options defaults = {.deadline_ms = DEADLINE_MS};
    struct error error;
    if (kv_open_cluster(fake_node_address(nodes[0]), &defaults, &fixture.kv, &error) !=
        STATUS_OK) {
        return -1;
    }
    *state = &fixture;
    return 0;
}

int cluster_tear_down(void **state)
{
    struct fixture *fixture = *state;
    kv_close(fixture->kv);
    for (int i = 0; i < NODES; i++) {
        fake_node_free(fixture->nodes[i]);
    }
    kv_close(fixture->store);
    return 0;
}

enum status put_k(struct fixture *fixture, uint32_t deadline_ms)
{
    struct version value = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new(text("x"))};
    struct kv_put put = {.key = text("k"), .mode = UPDATE_ALL, .value = &value};
    struct kv_options options = {.deadline_ms = deadline_ms};
    struct object *row = NULL;
    enum status status = kv_put(fixture->kv, &put, &options, &row);
    assert_true((row != NULL) == (status == STATUS_OK));
    object_unref(row);
    blob_unref(value.content);
    return status;
}

enum status get_k(struct fixture *fixture, uint32_t deadline_ms)
{
    struct kv_options options = {.deadline_ms = deadline_ms};
    struct object *object = NULL;
    enum status status = kv_get(fixture->kv, text("k"), &options, &object);
    object_unref(object);
    return status;
}

void assert_requests(struct fixture *fixture, unsigned first, unsigned second, unsigned third)
{
    assert_int_equal(fake_node_requests(fixture->nodes[0]), first);
    assert_int_equal(fake_node_requests(fixture->nodes[1]), second);
    assert_int_equal(fake_node_requests(fixture->nodes[2]), third);
}
