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
    return a->attributes.type == b->attributes.type &&
           memcmp(a->content_hash, b->content_hash, CONTENT_HASH_SIZE) == 0;
}

/*
 * `leader[i]` is the newest version of i's group: the greatest index, as versions are in order.
 * "Are one" is not transitive by itself (one pair may share an id, another the content), so
 * that two whole groups are joined whenever a pair of theirs is one.
 */
static void find_leaders(const struct object *object, uint32_t *leader)
{
    for (uint32_t i = 0; i < object->version_count; i++) {
        leader[i] = i;
        for (uint32_t j = 0; j < i; j++) {
            if (leader[j] == i || !are_one(&object->versions[j], &object->versions[i])) {
                continue;
            }
            uint32_t joined = leader[j];
            for (uint32_t k = 0; k < i; k++) {
                leader[k] = leader[k] == joined ? i : leader[k];
            }
        }
    }
}

enum status view_build(const struct object *object, struct view *ret_view)
{
    assert(ret_view != NULL);

    uint32_t count = object == NULL ? 0 : object->version_count;
    if (count == 0) {
        *ret_view = (struct view){0};
        return STATUS_OK;
    }
    struct view view = {
        .groups = malloc(count * sizeof(*view.groups)),
        .members = malloc(count * sizeof(*view.members)),
    };
    uint32_t *leader = malloc(count * sizeof(*leader));
    if (view.groups == NULL || view.members == NULL || leader == NULL) {
        free(leader);
        view_release(&view);
        return STATUS_NO_MEMORY;
    }
    find_leaders(object, leader);
    uint32_t placed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (leader[i] != i) {
            continue;
        }
        struct view_group *group = &view.groups[view.count++];
        *group = (struct view_group){.newest = &object->versions[i], .first = placed};
        for (uint32_t j = 0; j <= i; j++) {
            if (leader[j] == i) {
                view.members[placed++] = j;
            }
        }
        group->count = placed - group->first;
    }
    assert(placed == count);
    free(leader);
    *ret_view = view;
    return STATUS_OK;
}

void view_release(struct view *view)
{
    if (view == NULL) {
        return;
    }
    free(view->groups);
    free(view->members);
    *view = (struct view){0};
}
