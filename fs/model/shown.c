/*
 * shown.c - what this mount has shown of a name: exactly that is what a write to it supersedes.
 */
#include "fs/model/shown.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void shown_release(struct shown *shown)
{
    object_unref(shown->row);
    free(shown->dots);
    *shown = (struct shown){0};
}

void shown_set_all(struct shown *shown, struct object *row)
{
    struct shown result = {.row = object_ref(row)};

    shown_move(shown, &result);
}

enum status shown_set_group(struct shown *shown, struct object *row, const struct view *view,
                            uint32_t group)
{
    assert(group < view->count);

    const struct view_group *members = &view->groups[group];
    struct shown result = {.dots = malloc(members->count * sizeof *result.dots)};
    if (!result.dots) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        result.dots[i] = row->versions[view->members[members->first + i]].dot;
    }
    result.dot_count = members->count;
    result.row = object_ref(row);
    shown_move(shown, &result);
    return STATUS_OK;
}

enum status shown_copy(struct shown *shown, const struct shown *from)
{
    struct shown result = {0};

    if (from->dots) {
        result.dots = malloc(from->dot_count * sizeof *result.dots);
        if (!result.dots) {
            return STATUS_NO_MEMORY;
        }
        memcpy(result.dots, from->dots, from->dot_count * sizeof *result.dots);
        result.dot_count = from->dot_count;
    }
    result.row = object_ref(from->row);
    shown_move(shown, &result);
    return STATUS_OK;
}

void shown_move(struct shown *shown, struct shown *from)
{
    assert(shown != from);

    shown_release(shown);
    *shown = *from;
    *from = (struct shown){0};
}

void shown_apply(const struct shown *shown, struct kv_put *put)
{
    assert(put->key.size > 0);

    if (shown->dots) {
        put->mode = UPDATE_SOME;
        put->dots = shown->dots;
        put->dot_count = shown->dot_count;
        return;
    }
    put->mode = UPDATE_ALL;
    if (shown->row) {
        put->context = shown->row->clock;
    }
}

bool shown_group_has_dot(const struct object *row, const struct view *view, uint32_t group,
                         const struct dot *dots, uint32_t dot_count)
{
    assert(group < view->count);

    const struct view_group *members = &view->groups[group];

    for (uint32_t i = 0; i < members->count; i++) {
        struct dot dot = row->versions[view->members[members->first + i]].dot;
        for (uint32_t j = 0; j < dot_count; j++) {
            if (dot_equal(dot, dots[j])) {
                return true;
            }
        }
    }
    return false;
}

/* The index of the group with a member whose content has `hash`; view->count if none. */
static uint32_t find_own(const struct object *row, const struct view *view, const uint8_t *hash)
{
    for (uint32_t group = view->count; group-- > 0;) {
        const struct view_group *members = &view->groups[group];
        for (uint32_t i = 0; i < members->count; i++) {
            const struct version *version = &row->versions[view->members[members->first + i]];
            if (memcmp(version->content_hash, hash, CONTENT_HASH_SIZE) == 0) {
                return group;
            }
        }
    }
    return view->count;
}

/* True if each version of the row is in the own group or was shown before as part of a whole
 * row. */
static bool is_all_known(const struct shown *before, const struct object *row,
                         const struct view *view, uint32_t own)
{
    for (uint32_t group = 0; group < view->count; group++) {
        const struct view_group *members = &view->groups[group];
        if (group == own) {
            continue;
        }
        if (before->dots || !before->row) {
            return false;
        }
        for (uint32_t i = 0; i < members->count; i++) {
            struct dot dot = row->versions[view->members[members->first + i]].dot;
            if (!clock_covers(&before->row->clock, dot)) {
                return false;
            }
        }
    }
    return true;
}

enum status shown_after_put(struct shown *shown, struct object *row,
                            const uint8_t hash[CONTENT_HASH_SIZE], bool only_own,
                            struct dot *ret_dot)
{
    assert(row);

    struct view view;
    enum status status = view_build(row, &view);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t own = find_own(row, &view, hash);
    struct dot dot = {0};
    if (own < view.count) {
        dot = view.groups[own].newest->dot;
    }
    if (!only_own && own < view.count && is_all_known(shown, row, &view, own)) {
        shown_set_all(shown, row);
    } else if (own < view.count) {
        status = shown_set_group(shown, row, &view, own);
    } else {
        shown_set_all(shown, NULL);
    }
    view_release(&view);
    if (status == STATUS_OK) {
        *ret_dot = dot;
    }
    return status;
}
