/*
 * object_parts.h - inside of objects, for object.c and update.c alone.
 *
 * Memory:   an object, its versions and its pairs are one allocation.
 */
#ifndef RING_OBJECT_PARTS_H
#define RING_OBJECT_PARTS_H

#include "ring/object.h"

/* An object under construction: until it is published, its arrays may be written. */
struct object_parts {
    struct object *object;
    struct version *versions; /* room for the versions asked for */
    struct dot *pairs;        /* room for the pairs asked for */
};

/* One reference, no versions, an empty clock, own none. False when memory is short. */
bool object_parts_new(uint32_t version_room, uint32_t pair_room,
                      struct object_parts *ret_parts);

/* Appends a copy of `version` with references to its blobs. */
void object_parts_append(struct object_parts *parts, const struct version *version);

#endif
