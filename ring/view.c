/*
 * view.c - grouping the versions that a reader should see as one.
 */
#include "ring/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A zero write id is that of nobody, so that writers who leave it out do not hide each other.
 */
static bool has_write_id(const struct version *version)
{
    static const uint8_t zero[WRITE_ID_SIZE] = {0};
    return memcmp(version->write_id, zero, WRITE_ID_SIZE) != 0;
}

static bool are_one(const struct version *a, const struct version *b)
{
    if (has_write_id(a) && memcmp(a->write_id, b->write_id, WRITE_ID_SIZE) == 0) {
        return true;
    }
    /* The size tells devices apart, which have no content. */
    return a->attributes.type == b->attributes.type &&
           a->attributes.size == b->attributes.size &&
           memcmp(a->content_hash, b->content_hash, CONTENT_HASH_SIZE) == 0;
}

/* Moves the group led by `from` under the leader `to`, among the first `count` versions. */
static void join_group(uint32_t *leader, uint32_t count, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < count; i++) {
        leader[i] = leader[i] == from ? to : leader[i];
    }
}

/*
 * `leader[i]` is the newest version of i's group: the greatest index, as versions are in order.
 * "Are one" is not transitive by itself (one pair may share an id, another the content), so
 * that two whole groups are joined whenever a pair of theirs is one.
 */
static void find_leaders(const struct object *object, uint32_t *leader)
{
    const struct version *versions = object->versions;
    for (uint32_t i = 0; i < object->version_count; i++) {
        leader[i] = i;
        for (uint32_t j = 0; j < i; j++) {
            if (leader[j] != i && are_one(&versions[j], &versions[i])) {
                join_group(leader, i, leader[j], i);
            }
        }
    }
}

/* Writes the group led by version `newest` behind the `placed` members of earlier groups. */
static void add_group(struct view *view, const struct object *object, const uint32_t *leader,
                      uint32_t newest, uint32_t placed)
{
    struct view_group *group = &view->groups[view->count++];
    *group = (struct view_group){.newest = &object->versions[newest], .first = placed};
    for (uint32_t i = 0; i <= newest; i++) {
        if (leader[i] == newest) {
            view->members[placed + group->count++] = i;
        }
    }
}

enum status view_build(const struct object *object, struct view *ret_view)
{
    assert(ret_view);

    uint32_t count = !object ? 0 : object->version_count;
    if (count == 0) {
        *ret_view = (struct view){0};
        return STATUS_OK;
    }
    struct view view = {
        .groups = malloc(count * sizeof *view.groups),
        .members = malloc(count * sizeof *view.members),
    };
    uint32_t *leader = malloc(count * sizeof *leader);
    if (!view.groups || !view.members || !leader) {
        free(leader);
        view_release(&view);
        return STATUS_NO_MEMORY;
    }
    find_leaders(object, leader);
    uint32_t placed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (leader[i] == i) {
            add_group(&view, object, leader, i, placed);
            placed += view.groups[view.count - 1].count;
        }
    }
    assert(placed == count);
    free(leader);
    *ret_view = view;
    return STATUS_OK;
}

void view_release(struct view *view)
{
    if (!view) {
        return;
    }
    free(view->groups);
    free(view->members);
    *view = (struct view){0};
}
