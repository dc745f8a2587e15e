/*
 * view.h - what a reader sees of an object: equal versions shown once.
 *
 * Versions with one write id, or with equal content, type and size, are one group, shown by its
 * newest. This never changes the object: no merge depends on it (docs/design.md, The model).
 */
#ifndef RING_VIEW_H
#define RING_VIEW_H

#include "ring/object.h"

/* One shown version: `newest` stands for all members of the group. */
struct view_group {
    const struct version *newest; /* inside the object */
    uint32_t first;               /* index of the group's first entry in view.members */
    uint32_t count;
};

struct view {
    uint32_t count; /* groups, oldest first by the dot of their newest */
    struct view_group *groups;
    uint32_t *members; /* indexes into object->versions, group by group */
};

/* Groups the versions of `object` (NULL gives an empty view). STATUS_NO_MEMORY. Works on rows
 * as on objects. Valid as long as the object is. */
MUST_CHECK enum status view_build(const struct object *object, struct view *ret_view);
void view_release(struct view *view);

#endif
