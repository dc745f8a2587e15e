/*
 * attributes.h - attributes that were changed beside one another.
 *
 * Two versions with one content and type are shown as one (ring/view.h); so that neither
 * change of their attributes is lost, each field is that of who set it last. This is a matter
 * of the view: no merge of objects depends on it.
 */
#ifndef RING_ATTRIBUTES_H
#define RING_ATTRIBUTES_H

#include "ring/object.h"

/*
 * Merges the mode, the owner and the times of `other` into `into`. Size, type, file id and the
 * name's time stay. Commutative, associative and idempotent for the fields that it merges:
 * those set at one moment are told apart by value.
 */
void attributes_merge(struct attributes *into, const struct attributes *other);

#endif
