/*
 * refills.c - compares a refilled node with what others held all the time.
 */
#include "tests/sim/refills.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/sim/load.h"

/* What others held of each key and its row when a node's refill began. */
struct refill {
    node_id node; /* which refills; 0: none does */
    node_id holder[WORLD_NODES_MAX];
    struct object *copy[WORLD_NODES_MAX][HISTORY_KEYS_MAX][2]; /* owned */
};

struct refills {
    struct check *check;
    struct refill of[WORLD_NODES_MAX];
    char breach[100];
};

static void forget(struct refill *refill)
{
    for (int node = 0; node < WORLD_NODES_MAX; node++) {
        for (int key = 0; key < HISTORY_KEYS_MAX; key++) {
            object_unref(refill->copy[node][key][0]);
            object_unref(refill->copy[node][key][1]);
        }
    }
    *refill = (struct refill){0};
}

/* What the node holds of the key, or of its row; NULL also if it cannot be told. A reference. */
static struct object *look(struct check *check, int node, int key, bool is_row)
{
    struct object *object = NULL;
    struct slice text = slice_of_string(load_key(key));
    struct slice placed = is_row ? key_directory(text) : text;
    if (!check_is_primary(check, node, placed) ||
        !check_read(check->world, node, text, is_row, &object)) {
        return NULL;
    }
    return object;
}

static void remember(struct refill *refill, struct check *check, int refilling)
{
    refill->node = world_store(check->world, refilling)->node;
    for (int node = 0; node < check->nodes; node++) {
        if (node == refilling || !world_is_complete(check->world, node)) {
            continue;
        }
        refill->holder[node] = world_store(check->world, node)->node;
        for (int key = 0; key < check->keys; key++) {
            refill->copy[node][key][0] = look(check, node, key, false);
            refill->copy[node][key][1] = look(check, node, key, true);
        }
    }
}

static bool is_live(const struct object *object, struct dot dot)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        if (dot_equal(object->versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

/* Each version that was live then and is now is known to the node. */
static bool has_all(const struct object *own, const struct object *then,
                    const struct object *now)
{
    for (uint32_t i = 0; then && i < then->version_count; i++) {
        struct dot dot = then->versions[i].dot;
        bool may_be_truncated = own && own->clock.count >= CLOCK_PAIRS_KEPT;
        if (is_live(now, dot) && !may_be_truncated &&
            !(own && clock_covers(&own->clock, dot))) {
            return false;
        }
    }
    return true;
}

static bool lacks(struct refills *refills, int node, int holder, int key, bool is_row)
{
    struct check *check = refills->check;
    struct object *own = NULL;
    struct slice text = slice_of_string(load_key(key));
    struct slice placed = is_row ? key_directory(text) : text;
    if (!check_is_primary(check, node, placed) ||
        !check_read(check->world, node, text, is_row, &own)) {
        return false; /* it was damaged once more */
    }
    struct object *now = look(check, holder, key, is_row);
    bool good = has_all(own, refills->of[node].copy[holder][key][is_row], now);
    object_unref(own);
    object_unref(now);
    if (!good) {
        (void)snprintf(refills->breach, sizeof refills->breach,
                       "key %d: node %d is complete without what node %d has of its %s", key,
                       node, holder, is_row ? "row" : "object");
        world_trace(check->world, node, "%s", refills->breach);
    }
    return !good;
}

static void compare(struct refills *refills, int node)
{
    struct check *check = refills->check;
    const node_id *holders = refills->of[node].holder;
    for (int holder = 0; holder < check->nodes; holder++) {
        bool is_same = holders[holder] != 0 && world_is_up(check->world, holder) &&
                       world_store(check->world, holder)->node == holders[holder];
        for (int i = 0; is_same && i < 2 * check->keys; i++) {
            if (lacks(refills, node, holder, i / 2, i % 2 != 0)) {
                return;
            }
        }
    }
}

void refills_step(struct refills *refills)
{
    struct check *check = refills->check;
    for (int node = 0; node < check->nodes; node++) {
        struct refill *refill = &refills->of[node];
        bool is_up = world_is_up(check->world, node);
        if (refill->node == 0 && world_is_refilling(check->world, node)) {
            remember(refill, check, node);
        } else if (refill->node != 0 && is_up &&
                   refill->node != world_store(check->world, node)->node) {
            forget(refill); /* its disk was lost again */
        } else if (refill->node != 0 && world_is_complete(check->world, node)) {
            if (refills->breach[0] == '\0') {
                compare(refills, node);
            }
            forget(refill);
        }
    }
}

struct refills *refills_new(struct check *check)
{
    struct refills *refills = calloc(1, sizeof *refills);
    assert(refills);
    refills->check = check;
    return refills;
}

void refills_free(struct refills *refills)
{
    for (int node = 0; node < WORLD_NODES_MAX; node++) {
        forget(&refills->of[node]);
    }
    free(refills);
}

const char *refills_breach(const struct refills *refills)
{
    return refills->breach[0] != '\0' ? refills->breach : NULL;
}
