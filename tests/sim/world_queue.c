/*
 * world_queue.c - what is going to happen, by time and, at one time, in the order in which it
 * was asked for.
 */
#include <assert.h>
#include <stdlib.h>

#include "tests/sim/world_internal.h"

static bool is_before(const struct item *a, const struct item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

/* A place for an item that is moved about no more. */
static struct item *place_new(struct world *world)
{
    struct item *place = world->free_items;
    if (place) {
        world->free_items = place->next_free;
        return place;
    }
    place = malloc(sizeof *place);
    assert(place);
    return place;
}

void queue_push(struct world *world, struct item item)
{
    if (world->count == world->capacity) {
        world->capacity = world->capacity ? world->capacity * 2 : 256;
        world->heap = realloc(world->heap, world->capacity * sizeof *world->heap);
        assert(world->heap);
    }
    struct item *place = place_new(world);
    *place = item;
    place->sequence = world->sequence++;
    size_t i = world->count++;
    while (i > 0 && is_before(place, world->heap[(i - 1) / 2])) {
        world->heap[i] = world->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->heap[i] = place;
}

struct item queue_pop(struct world *world)
{
    assert(world->count > 0);
    struct item *first = world->heap[0];
    struct item *last = world->heap[--world->count];
    size_t i = 0;
    while (2 * i + 1 < world->count) {
        size_t child = 2 * i + 1;
        if (child + 1 < world->count && is_before(world->heap[child + 1], world->heap[child])) {
            child++;
        }
        if (!is_before(world->heap[child], last)) {
            break;
        }
        world->heap[i] = world->heap[child];
        i = child;
    }
    world->heap[i] = last;
    struct item item = *first;
    first->next_free = world->free_items;
    world->free_items = first;
    return item;
}

void queue_free(struct world *world)
{
    while (world->count > 0) {
        struct item item = queue_pop(world);
        item_release(&item);
    }
    while (world->free_items) {
        struct item *next = world->free_items->next_free;
        free(world->free_items);
        world->free_items = next;
    }
    free(world->heap);
}

void item_release(struct item *item)
{
    buffer_release(&item->bytes);
    store_request_release(&item->store);
}

void queue_park(struct world_node *node, struct item item)
{
    if (node->waiting_count == node->waiting_capacity) {
        node->waiting_capacity = node->waiting_capacity ? node->waiting_capacity * 2 : 64;
        node->waiting = realloc(node->waiting, node->waiting_capacity * sizeof *node->waiting);
        assert(node->waiting);
    }
    node->waiting[node->waiting_count++] = item;
}

void queue_unpark(struct world *world, struct world_node *node)
{
    for (size_t i = 0; i < node->waiting_count; i++) {
        struct item item = node->waiting[i];
        item.at_us = world->now_us;
        if (item.type == ITEM_TICK && item.life == node->life) {
            node->tick_at_us = item.at_us;
        }
        queue_push(world, item);
    }
    node->waiting_count = 0;
}
