/*
 * value.h - what the client fills in of a value before it is stored.
 */
#ifndef NODE_CLIENT_VALUE_H
#define NODE_CLIENT_VALUE_H

#include "ring/object.h"

/*
 * Copies `value` (borrowed) with a new random write id, its size, and a content that is never
 * NULL (an empty file has an empty content; only rows have none). The copy owns a reference to
 * each of its blobs; value_release drops them. The coordinator hashes it.
 */
MUST_CHECK enum status value_prepare(const struct version *value, struct version *ret_value);
void value_release(struct version *value);

#endif
