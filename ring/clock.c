/*
 * clock.c - comparing and joining vector clocks, as walks over two sorted arrays.
 */
#include "ring/clock.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct dot) == 24, "dots have no padding");

static const struct clock empty_clock = {0};

int actor_compare(struct actor a, struct actor b)
{
    if (a.node != b.node) {
        return a.node < b.node ? -1 : 1;
    }
    return (a.birth > b.birth) - (a.birth < b.birth);
}

bool actor_equal(struct actor a, struct actor b)
{
    return a.node == b.node && a.birth == b.birth;
}

int dot_compare(struct dot a, struct dot b)
{
    if (a.counter != b.counter) {
        return a.counter < b.counter ? -1 : 1;
    }
    return actor_compare(a.actor, b.actor);
}

bool dot_equal(struct dot a, struct dot b)
{
    return a.counter == b.counter && actor_equal(a.actor, b.actor);
}

uint64_t clock_counter(const struct clock *clock, struct actor actor)
{
    assert(clock);

    uint32_t low = 0;
    uint32_t high = clock->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = actor_compare(clock->pair[middle].actor, actor);
        if (order == 0) {
            return clock->pair[middle].counter;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return 0;
}

bool clock_covers(const struct clock *clock, struct dot dot)
{
    assert(dot.counter > 0);

    return clock && clock_counter(clock, dot.actor) >= dot.counter;
}

bool clock_equal(const struct clock *a, const struct clock *b)
{
    assert(a && b);

    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!dot_equal(a->pair[i], b->pair[i])) {
            return false;
        }
    }
    return true;
}

bool clock_descends(const struct clock *a, const struct clock *b)
{
    assert(a && b);

    uint32_t i = 0;
    for (uint32_t j = 0; j < b->count; j++) {
        while (i < a->count && actor_compare(a->pair[i].actor, b->pair[j].actor) < 0) {
            i++;
        }
        if (i == a->count || !actor_equal(a->pair[i].actor, b->pair[j].actor) ||
            a->pair[i].counter < b->pair[j].counter) {
            return false;
        }
    }
    return true;
}

uint64_t clock_greatest_counter(const struct clock *clock, uint64_t limit)
{
    uint64_t greatest = 0;
    for (uint32_t i = 0; clock && i < clock->count; i++) {
        uint64_t counter = clock->pair[i].counter;
        if (counter <= limit && counter > greatest) {
            greatest = counter;
        }
    }
    return greatest;
}

bool clock_is_valid(const struct clock *clock)
{
    assert(clock);

    if (clock->count > 0 && !clock->pair) {
        return false;
    }
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct dot *pair = &clock->pair[i];
        if (pair->counter == 0 || pair->actor.node == 0 ||
            (i > 0 && actor_compare(clock->pair[i - 1].actor, pair->actor) >= 0)) {
            return false;
        }
    }
    return true;
}

uint32_t clock_merge(const struct clock *a, const struct clock *b, struct dot *ret_pairs)
{
    a = !a ? &empty_clock : a;
    b = !b ? &empty_clock : b;
    assert(ret_pairs || a->count + b->count == 0);

    uint32_t i = 0;
    uint32_t j = 0;
    uint32_t count = 0;
    while (i < a->count && j < b->count) {
        int order = actor_compare(a->pair[i].actor, b->pair[j].actor);
        if (order < 0) {
            ret_pairs[count++] = a->pair[i++];
        } else if (order > 0) {
            ret_pairs[count++] = b->pair[j++];
        } else {
            bool left = a->pair[i].counter >= b->pair[j].counter;
            ret_pairs[count++] = left ? a->pair[i] : b->pair[j];
            i++;
            j++;
        }
    }
    for (; i < a->count; i++) {
        ret_pairs[count++] = a->pair[i];
    }
    for (; j < b->count; j++) {
        ret_pairs[count++] = b->pair[j];
    }
    return count;
}
