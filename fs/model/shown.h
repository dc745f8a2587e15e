/*
 * shown.h - what this mount has shown of a name: exactly that is what a write to it supersedes.
 *
 * Shape:    either all that the shown row's clock covers, or, for one sibling, just some dots.
 * Source:   docs/design.md, The mount: "all of those are superseded. What arrived later stays".
 * Never:    a version covered that this mount did not show.
 */
#ifndef FS_MODEL_SHOWN_H
#define FS_MODEL_SHOWN_H

#include "node/client/kv.h"

struct shown {
    struct object *row; /* as last read; counted. NULL: there was nothing */
    struct dot *dots;   /* owned; not NULL: just these are shown, not the whole row */
    uint32_t dot_count;
};

/* Drops the contents; a zeroed struct is allowed, and is what stays. */
void shown_release(struct shown *shown);
/* Shows the whole `row` (one more reference; NULL: nothing) in place of what was there. */
void shown_set_all(struct shown *shown, struct object *row);
/* Shows just the members of one group of `row`'s view. */
MUST_CHECK enum status shown_set_group(struct shown *shown, struct object *row,
                                       const struct view *view, uint32_t group);
/* Replaces the contents by a copy of `from`. */
MUST_CHECK enum status shown_copy(struct shown *shown, const struct shown *from);
/* Moves `from` into `shown`, which is released first. */
void shown_move(struct shown *shown, struct shown *from);

/* Fills in the part of a put that says what it supersedes. Borrows from `shown`. */
void shown_apply(const struct shown *shown, struct kv_put *put);

/* True if one of the group's dots is among `dots`. */
bool shown_group_has_dot(const struct object *row, const struct view *view, uint32_t group,
                         const struct dot *dots, uint32_t dot_count);

/*
 * What is shown after an own put of content with `hash` was answered by `row`: the whole row if
 * each of its versions is either the own one or was shown before, otherwise (another writer's
 * version came in between and nobody saw it here) just the own one. With `only_own` always just
 * the own one, as for a write to a sibling.
 *
 * shown     what was shown before, replaced
 * ret_dot   the newest dot of the own version; zero if it is already superseded
 */
MUST_CHECK enum status shown_after_put(struct shown *shown, struct object *row,
                                       const uint8_t hash[CONTENT_HASH_SIZE], bool only_own,
                                       struct dot *ret_dot);

#endif
