/*
 * marks.c - see marks.h.
 */
#include "node/client/marks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct marked_set *marks_take(struct marks *marks, const struct block_set *set)
{
    assert(marks && set);

    struct marked_set **at = &marks->shards[set->byte[0]];

    while (*at && memcmp(&(*at)->set, set, sizeof *set) != 0) {
        at = &(*at)->next;
    }
    struct marked_set *marked = *at;
    if (marked) {
        *at = marked->next;
        assert(marks->count >= marked->count);
        marks->count -= marked->count;
    }
    return marked;
}

static int compare(const void *a, const void *b)
{
    const struct mark *x = a;
    const struct mark *y = b;

    return slice_compare(blob_slice(x->what.key), blob_slice(y->what.key));
}

void marks_put(struct marks *marks, struct marked_set *marked)
{
    assert(marks && marked);

    if (marked->count == 0) {
        marked_free(marked);
        return;
    }
    qsort(marked->marks, marked->count, sizeof *marked->marks, compare);
    struct marked_set **first = &marks->shards[marked->set.byte[0]];
    marked->next = *first;
    *first = marked;
    marks->count += marked->count;
}

struct mark *marked_find(const struct marked_set *marked, const struct blob *key)
{
    assert(key);

    size_t low = 0;
    size_t high = marked ? marked->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(blob_slice(marked->marks[middle].what.key), blob_slice(key));
        if (order == 0) {
            return &marked->marks[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

void marked_free(struct marked_set *marked)
{
    if (!marked) {
        return;
    }
    for (size_t i = 0; i < marked->count; i++) {
        blob_unref(marked->marks[i].what.key);
        object_unref(marked->marks[i].what.row);
    }
    free(marked->marks);
    free(marked);
}

void marks_drop_old(struct marks *marks, uint8_t shard, uint64_t pass)
{
    assert(marks);

    struct marked_set **at = &marks->shards[shard];

    while (*at) {
        struct marked_set *marked = *at;
        if (marked->pass == pass) {
            at = &marked->next;
            continue;
        }
        *at = marked->next;
        marks->count -= marked->count;
        marked_free(marked);
    }
}

void marks_release(struct marks *marks)
{
    for (unsigned shard = 0; shard < BLOCK_SHARDS; shard++) {
        while (marks->shards[shard]) {
            struct marked_set *marked = marks->shards[shard];
            marks->shards[shard] = marked->next;
            marked_free(marked);
        }
    }
    marks->count = 0;
}
