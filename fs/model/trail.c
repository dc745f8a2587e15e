/*
 * trail.c - where in a directory each position of a listing was.
 */
#include "fs/model/trail.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring/fnv.h"

enum { CAPACITY_FIRST = 8 };

static void batch_release(struct trail_batch *batch)
{
    free(batch->marks);
    blob_unref(batch->end);
}

void trail_release(struct trail *trail)
{
    for (size_t i = 0; i < trail->count; i++) {
        batch_release(&trail->batches[i]);
    }
    free(trail->batches);
    *trail = (struct trail){0};
}

/* What a name is known by, with 1 in 2^64 of taking one that is new for one that is gone. */
static uint64_t mark_of(const struct listing *listing, size_t i)
{
    const struct entry *entry = &listing->entries[i];
    uint64_t hash = fnv64(listing_base(listing, i));

    hash = fnv64_add(hash, slice_of(&entry->kind, sizeof entry->kind));
    return fnv64_add(hash, slice_of(&entry->number, sizeof entry->number));
}

static int make_room(struct trail *trail)
{
    if (trail->count < trail->capacity) {
        return 0;
    }
    size_t capacity = trail->capacity == 0 ? CAPACITY_FIRST : trail->capacity * 2;
    struct trail_batch *batches = realloc(trail->batches, capacity * sizeof *batches);
    if (!batches) {
        return ENOMEM;
    }
    trail->batches = batches;
    trail->capacity = capacity;
    return 0;
}

int trail_add(struct trail *trail, uint64_t first, const struct listing *listing,
              struct blob *end)
{
    assert(listing->count > 0);

    struct trail_batch batch = {.first = first,
                                .count = listing->count,
                                .marks = malloc(listing->count * sizeof *batch.marks)};
    if (!batch.marks || make_room(trail) != 0) {
        free(batch.marks);
        return ENOMEM;
    }
    for (size_t i = 0; i < batch.count; i++) {
        batch.marks[i] = mark_of(listing, i);
    }
    batch.end = blob_ref(end);
    trail->batches[trail->count++] = batch;
    return 0;
}

size_t trail_find(const struct trail *trail, uint64_t position)
{
    assert(trail->count > 0 && trail->batches[0].first <= position);

    size_t low = 0;
    size_t high = trail->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (trail->batches[middle].first <= position) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Adds entries for the names up to `end`, which are gone. */
static int add_gone(size_t *next, size_t end, struct listing *window)
{
    while (*next < end) {
        if (!listing_add(window, slice_of(NULL, 0))) {
            return ENOMEM;
        }
        ++*next;
    }
    return 0;
}

int trail_match(const struct trail_batch *batch, size_t *next, const struct listing *page,
                bool is_last, struct listing *window)
{
    int failed = 0;

    for (size_t i = 0; failed == 0 && i < page->count && *next < batch->count; i++) {
        uint64_t mark = mark_of(page, i);
        size_t at = *next;
        while (at < batch->count && batch->marks[at] != mark) {
            at++;
        }
        if (at == batch->count) {
            continue; /* it is new, and has no position */
        }
        failed = add_gone(next, at, window);
        if (failed == 0) {
            failed = !listing_copy(window, page, i) ? ENOMEM : 0;
            ++*next;
        }
    }
    return failed == 0 && is_last ? add_gone(next, batch->count, window) : failed;
}
