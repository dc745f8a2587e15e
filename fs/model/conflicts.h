/*
 * conflicts.h - the numbers of siblings, which stay what they are while a conflict lasts.
 *
 * Shape:    a bounded table, key -> (number, dots) of each sibling; the conflict that was shown
 *           longest ago goes first when it is full.
 * Threads:  every function from any thread; it has its own lock.
 * Rule:     a number once shown means the same version on this mount until the conflict is
 *           gone: a group is recognised by any dot, a number is not given out twice.
 *           First come, first numbered; among those that come together, older dots first.
 */
#ifndef FS_MODEL_CONFLICTS_H
#define FS_MODEL_CONFLICTS_H

#include "ring/view.h"

struct conflicts;

enum { CONFLICTS_MAX = 65536 };

/* A table of at most `capacity` conflicts; NULL when memory is short. */
struct conflicts *conflicts_new(uint32_t capacity);
void conflicts_free(struct conflicts *conflicts);

/* Names that are taken by real files: the numbers N of `BASE~vN`, in any order. */
struct taken_numbers {
    const uint32_t *numbers;
    size_t count;
};

/*
 * The number of each group of `view` (of `row`, the object or row of `key`), if all of them
 * have one already. Returns false if some have none: then conflicts_number gives them theirs.
 */
bool conflicts_peek(struct conflicts *conflicts, struct slice key, const struct object *row,
                    const struct view *view, uint32_t *ret_numbers);

/*
 * The number of each group, given out as needed; groups that are gone are forgotten, `taken`
 * numbers skipped (a group whose number a real file has taken meanwhile gets another).
 * ret_numbers has room for view->count. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status conflicts_number(struct conflicts *conflicts, struct slice key,
                                        const struct object *row, const struct view *view,
                                        const struct taken_numbers *taken,
                                        uint32_t *ret_numbers);

/* True if the table is empty, as it nearly always is: then nobody needs to build a key. */
bool conflicts_are_none(struct conflicts *conflicts);
/* The conflict is over: its numbers are free again. */
void conflicts_forget(struct conflicts *conflicts, struct slice key);

/* This mount rewrote the sibling that has one of the old dots: its number goes with the new
 * one. */
void conflicts_rewritten(struct conflicts *conflicts, struct slice key,
                         const struct dot *old_dots, uint32_t old_count, struct dot new_dot);

#endif
