/*
 * conflicts.c - the numbers of siblings, which stay what they are while a conflict lasts.
 */
#include "fs/model/conflicts.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/names.h"
#include "fs/model/shown.h"

struct numbered {
    uint32_t number;
    uint32_t dot_count;
    struct dot *dots; /* owned */
};

struct conflict {
    struct conflict *next_in_bucket;
    struct conflict *newer; /* in order of showing */
    struct conflict *older;
    uint32_t greatest; /* number given out */
    uint32_t count;
    struct numbered *items; /* owned */
    size_t key_size;
    uint8_t key[];
};

struct conflicts {
    pthread_mutex_t lock;
    uint32_t capacity;
    uint32_t count;
    uint32_t bucket_count; /* a power of two */
    struct conflict **buckets;
    struct conflict *newest;
    struct conflict *oldest;
};

struct conflicts *conflicts_new(uint32_t capacity)
{
    assert(capacity > 0 && capacity <= CONFLICTS_MAX);

    struct conflicts *conflicts = calloc(1, sizeof *conflicts);
    if (!conflicts) {
        return NULL;
    }
    conflicts->capacity = capacity;
    conflicts->bucket_count = 1;
    while (conflicts->bucket_count < capacity) {
        conflicts->bucket_count *= 2;
    }
    conflicts->buckets = calloc(conflicts->bucket_count, sizeof(struct conflict *));
    if (!conflicts->buckets) {
        free(conflicts);
        return NULL;
    }
    pthread_mutex_init(&conflicts->lock, NULL);
    return conflicts;
}

static void items_free(struct numbered *items, uint32_t count)
{
    for (uint32_t i = 0; items && i < count; i++) {
        free(items[i].dots);
    }
    free(items);
}

static void conflict_free(struct conflict *conflict)
{
    items_free(conflict->items, conflict->count);
    free(conflict);
}

void conflicts_free(struct conflicts *conflicts)
{
    if (!conflicts) {
        return;
    }
    while (conflicts->oldest) {
        struct conflict *next = conflicts->oldest->newer;
        conflict_free(conflicts->oldest);
        conflicts->oldest = next;
    }
    pthread_mutex_destroy(&conflicts->lock);
    free(conflicts->buckets);
    free(conflicts);
}

static struct conflict **place_of(struct conflicts *conflicts, struct slice key)
{
    struct position position = position_of(key);
    uint32_t hash;

    memcpy(&hash, position.byte, sizeof hash);
    struct conflict **place = &conflicts->buckets[hash & (conflicts->bucket_count - 1)];
    while (*place &&
           ((*place)->key_size != key.size || memcmp((*place)->key, key.data, key.size) != 0)) {
        place = &(*place)->next_in_bucket;
    }
    return place;
}

static void unlink_from_order(struct conflicts *conflicts, struct conflict *conflict)
{
    *(conflict->newer ? &conflict->newer->older : &conflicts->newest) = conflict->older;
    *(conflict->older ? &conflict->older->newer : &conflicts->oldest) = conflict->newer;
    conflict->newer = NULL;
    conflict->older = NULL;
}

static void link_as_newest(struct conflicts *conflicts, struct conflict *conflict)
{
    conflict->older = conflicts->newest;
    *(conflicts->newest ? &conflicts->newest->newer : &conflicts->oldest) = conflict;
    conflicts->newest = conflict;
}

static void drop(struct conflicts *conflicts, struct conflict **place)
{
    struct conflict *conflict = *place;

    *place = conflict->next_in_bucket;
    unlink_from_order(conflicts, conflict);
    conflict_free(conflict);
    conflicts->count--;
}

/* The conflict of `key`, new if need be, as the newest shown. NULL when memory is short. */
static struct conflict *obtain(struct conflicts *conflicts, struct slice key)
{
    struct conflict **place = place_of(conflicts, key);

    if (*place) {
        unlink_from_order(conflicts, *place);
        link_as_newest(conflicts, *place);
        return *place;
    }
    struct conflict *conflict = calloc(1, sizeof *conflict + key.size);
    if (!conflict) {
        return NULL;
    }
    memcpy(conflict->key, key.data, key.size);
    conflict->key_size = key.size;
    if (conflicts->count == conflicts->capacity) {
        struct conflict *oldest = conflicts->oldest;
        drop(conflicts, place_of(conflicts, slice_of(oldest->key, oldest->key_size)));
        place = place_of(conflicts, key);
    }
    *place = conflict;
    link_as_newest(conflicts, conflict);
    conflicts->count++;
    return conflict;
}

static bool is_taken(const struct taken_numbers *taken, uint32_t number)
{
    for (size_t i = 0; i < taken->count; i++) {
        if (taken->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* The number that the group already has, the lowest if two groups became one; 0 if none. */
static uint32_t known_number(const struct conflict *conflict, const struct object *row,
                             const struct view *view, uint32_t group)
{
    uint32_t number = 0;

    for (uint32_t i = 0; i < conflict->count; i++) {
        const struct numbered *item = &conflict->items[i];
        bool is_better = number == 0 || item->number < number;
        if (is_better && shown_group_has_dot(row, view, group, item->dots, item->dot_count)) {
            number = item->number;
        }
    }
    return number;
}

bool conflicts_peek(struct conflicts *conflicts, struct slice key, const struct object *row,
                    const struct view *view, uint32_t *ret_numbers)
{
    assert(ret_numbers);

    bool is_complete = true;

    pthread_mutex_lock(&conflicts->lock);
    const struct conflict *conflict = *place_of(conflicts, key);
    for (uint32_t group = 0; group < view->count && is_complete; group++) {
        ret_numbers[group] = !conflict ? 0 : known_number(conflict, row, view, group);
        is_complete = ret_numbers[group] != 0;
    }
    pthread_mutex_unlock(&conflicts->lock);
    return is_complete;
}

/* True if `number` is among the first `count` given to groups of this view. */
static bool is_given(const uint32_t *numbers, uint32_t count, uint32_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* The next number that is neither a real file's nor in use; numbers are not given out twice as
 * long as they last. */
static uint32_t next_number(struct conflict *conflict, const struct taken_numbers *taken,
                            const uint32_t *numbers, uint32_t count)
{
    uint32_t number = conflict->greatest;

    for (uint32_t tries = 0; tries < SIBLING_NUMBER_MAX; tries++) {
        number = number == SIBLING_NUMBER_MAX ? 1 : number + 1;
        if (!is_taken(taken, number) && !is_given(numbers, count, number)) {
            conflict->greatest = number;
            return number;
        }
    }
    return 0;
}

/* Puts the groups with their numbers in place of what the conflict remembered. */
static enum status remember(struct conflict *conflict, const struct object *row,
                            const struct view *view, const uint32_t *numbers)
{
    struct numbered *items = calloc(view->count, sizeof *items);
    if (!items) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t group = 0; group < view->count; group++) {
        const struct view_group *members = &view->groups[group];
        items[group].number = numbers[group];
        items[group].dots = malloc(members->count * sizeof(struct dot));
        if (!items[group].dots) {
            items_free(items, group);
            return STATUS_NO_MEMORY;
        }
        items[group].dot_count = members->count;
        for (uint32_t i = 0; i < members->count; i++) {
            items[group].dots[i] = row->versions[view->members[members->first + i]].dot;
        }
    }
    items_free(conflict->items, conflict->count);
    conflict->items = items;
    conflict->count = view->count;
    return STATUS_OK;
}

enum status conflicts_number(struct conflicts *conflicts, struct slice key,
                             const struct object *row, const struct view *view,
                             const struct taken_numbers *taken, uint32_t *ret_numbers)
{
    assert(view->count > 0);

    enum status status = STATUS_OK;
    pthread_mutex_lock(&conflicts->lock);
    struct conflict *conflict = obtain(conflicts, key);
    if (!conflict) {
        status = STATUS_NO_MEMORY;
        goto out;
    }
    for (uint32_t group = 0; group < view->count; group++) {
        uint32_t number = known_number(conflict, row, view, group);
        bool is_lost = is_taken(taken, number) || is_given(ret_numbers, group, number);
        ret_numbers[group] = is_lost ? 0 : number;
    }
    for (uint32_t group = 0; group < view->count; group++) {
        if (ret_numbers[group] == 0) {
            ret_numbers[group] = next_number(conflict, taken, ret_numbers, view->count);
        }
        if (ret_numbers[group] == 0) {
            status = STATUS_TOO_MANY_VERSIONS; /* real files have all the numbers */
            goto out;
        }
    }
    status = remember(conflict, row, view, ret_numbers);
out:
    pthread_mutex_unlock(&conflicts->lock);
    return status;
}

bool conflicts_are_none(struct conflicts *conflicts)
{
    pthread_mutex_lock(&conflicts->lock);
    bool are_none = conflicts->count == 0;
    pthread_mutex_unlock(&conflicts->lock);
    return are_none;
}

void conflicts_forget(struct conflicts *conflicts, struct slice key)
{
    pthread_mutex_lock(&conflicts->lock);
    if (conflicts->count > 0) {
        struct conflict **place = place_of(conflicts, key);
        if (*place) {
            drop(conflicts, place);
        }
    }
    pthread_mutex_unlock(&conflicts->lock);
}

static bool has_any(const struct numbered *item, const struct dot *dots, uint32_t count)
{
    for (uint32_t i = 0; i < item->dot_count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (dot_equal(item->dots[i], dots[j])) {
                return true;
            }
        }
    }
    return false;
}

void conflicts_rewritten(struct conflicts *conflicts, struct slice key,
                         const struct dot *old_dots, uint32_t old_count, struct dot new_dot)
{
    assert(old_dots || old_count == 0);

    pthread_mutex_lock(&conflicts->lock);
    struct conflict *conflict = conflicts->count > 0 ? *place_of(conflicts, key) : NULL;
    for (uint32_t i = 0; conflict && i < conflict->count; i++) {
        if (has_any(&conflict->items[i], old_dots, old_count)) {
            conflict->items[i].dots[0] = new_dot;
            conflict->items[i].dot_count = 1;
            break;
        }
    }
    pthread_mutex_unlock(&conflicts->lock);
}
