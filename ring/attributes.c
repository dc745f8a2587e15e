/*
 * attributes.c - attributes that were changed beside one another.
 */
#include "ring/attributes.h"

#include <assert.h>

static void merge_mode(struct attributes *into, const struct attributes *other)
{
    bool is_later = other->mode_set_ns > into->mode_set_ns ||
                    (other->mode_set_ns == into->mode_set_ns && other->mode > into->mode);

    if (is_later) {
        into->mode = other->mode;
        into->mode_set_ns = other->mode_set_ns;
    }
}

static uint64_t owner_of(const struct attributes *attributes)
{
    return (uint64_t)attributes->user << 32 | attributes->group;
}

static void merge_owner(struct attributes *into, const struct attributes *other)
{
    bool is_later =
        other->owner_set_ns > into->owner_set_ns ||
        (other->owner_set_ns == into->owner_set_ns && owner_of(other) > owner_of(into));

    if (is_later) {
        into->user = other->user;
        into->group = other->group;
        into->owner_set_ns = other->owner_set_ns;
    }
}

static void merge_times(struct attributes *into, const struct attributes *other)
{
    bool is_greater =
        other->modified_ns > into->modified_ns ||
        (other->modified_ns == into->modified_ns && other->accessed_ns > into->accessed_ns);
    bool is_later = other->modified_set_ns > into->modified_set_ns ||
                    (other->modified_set_ns == into->modified_set_ns && is_greater);

    if (is_later) {
        into->modified_ns = other->modified_ns;
        into->accessed_ns = other->accessed_ns;
        into->modified_set_ns = other->modified_set_ns;
    }
}

void attributes_merge(struct attributes *into, const struct attributes *other)
{
    assert(into && other);

    merge_mode(into, other);
    merge_owner(into, other);
    merge_times(into, other);
    if (other->changed_ns > into->changed_ns) {
        into->changed_ns = other->changed_ns;
    }
}
