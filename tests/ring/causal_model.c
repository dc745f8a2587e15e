/*
 * causal_model.c - the cluster, its clients and its mishaps, and the check at the end.
 */
#include "tests/ring/causal_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ring/object.h"
#include "tests/ring/random.h"

enum {
    PRIMARIES_MAX = 5,
    FALLBACKS = 2,
    NODES_MAX = PRIMARIES_MAX + FALLBACKS,
    W = 2,
    RECORDS_MAX = 256,
    CONTEXTS_MAX = 64,
    PENDING_MAX = 32,
    STRANGER = 100, /* a node that has left, and whose clock was wrong */
    MINUTE_US = 60000000,
};

struct node {
    node_id id;
    bool is_fallback; /* its copy is a hint */
    bool is_up;
    struct object *copy;
    struct object *disk; /* what a crash leaves */
    uint64_t trusted_since;
    uint64_t last_counter; /* survives crashes, as the leased high-water mark does */
    int64_t skew_us;
};

/* One attempt at a write: it has one dot. */
struct record {
    struct dot dot;
    bool acknowledged;
    bool observed; /* a put or delete was handed it */
};

/* What a client was handed. */
struct context {
    struct object *object; /* NULL: it read nothing */
};

/* A put that a client may try again. */
struct attempt {
    uint32_t context; /* index, or CONTEXTS_MAX for none */
    uint64_t write;
};

struct pending {
    struct object *object;
    uint32_t node;
};

struct model {
    struct random random;
    struct causal_counts *counts;
    bool singly;
    uint64_t now_us;
    struct node nodes[NODES_MAX];
    uint32_t node_count;
    uint32_t primary_count;
    struct record records[RECORDS_MAX];
    uint32_t record_count;
    uint64_t write_count;
    struct context contexts[CONTEXTS_MAX];
    uint32_t context_count;
    struct attempt last_attempt;
    bool can_retry;
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    struct blob *content;
    bool is_exact;   /* nothing was truncated, rolled back or covered by guess */
    unsigned broken; /* bits of causal_outcome */
};

static struct object *must(struct object *object)
{
    if (!object) {
        abort();
    }
    return object;
}

static void replace(struct object **place, struct object *object)
{
    object_unref(*place);
    *place = object;
}

static void complain(struct model *model, enum causal_outcome outcome)
{
    model->broken |= (unsigned)outcome;
}

static void check_rules(struct model *model, const struct object *object)
{
    bool is_good = clock_is_valid(&object->clock);
    for (uint32_t i = 0; i < object->version_count; i++) {
        is_good =
            is_good && clock_covers(&object->clock, object->versions[i].dot) &&
            (i == 0 || dot_compare(object->versions[i - 1].dot, object->versions[i].dot) < 0);
    }
    if (!is_good) {
        complain(model, CAUSAL_BROKEN_RULES);
    }
}

static bool holds(const struct object *object, struct dot dot)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        if (dot_equal(object->versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

static struct record *record_of(struct model *model, const struct version *version)
{
    return &model->records[version->attributes.file_id - 1];
}

static void observe(struct model *model, const struct object *object)
{
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        record_of(model, &object->versions[i])->observed = true;
    }
}

static uint64_t wall_of(const struct model *model, const struct node *node)
{
    return model->now_us + (uint64_t)node->skew_us;
}

/* Greater than every counter that this node issued; see docs/design.md, The model. */
static uint64_t next_counter(const struct model *model, const struct node *node,
                             const struct object *current, const struct clock *context)
{
    uint64_t wall = wall_of(model, node);
    uint64_t floor = object_counter_floor(current, context, wall);
    uint64_t counter = floor > node->last_counter ? floor + 1 : node->last_counter + 1;
    return counter > wall ? counter : wall;
}

static struct node *any_node_up(struct model *model)
{
    struct node *up[NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].is_up) {
            up[count++] = &model->nodes[i];
        }
    }
    return count == 0 ? NULL : up[random_below(&model->random, count)];
}

static void absorb(struct model *model, struct node *node, struct object *object)
{
    if (object) {
        replace(&node->copy, must(object_merge(node->copy, object)));
        check_rules(model, node->copy);
    }
}

/* Rule 4 broken: the clock with one of the versions. */
static struct object *alone(const struct object *object, const struct version *version)
{
    struct object *sent = NULL;
    uint32_t count = !version ? 0 : 1;
    if (object_new(&object->clock, version, count, (struct actor){0}, &sent) != STATUS_OK) {
        abort();
    }
    return sent;
}

/* Sends a coordinator's whole copy, at once or to arrive late, or twice, or never. */
static bool send_copy(struct model *model, struct object *copy, uint32_t to)
{
    bool is_alone = model->singly && copy; /* a delete of nothing leaves no copy */
    struct object *sent = is_alone ? alone(copy, object_newest(copy)) : object_ref(copy);
    bool is_late = random_percent(&model->random, 25);
    bool is_kept = is_late || random_percent(&model->random, 15);
    if (is_kept && model->pending_count < PENDING_MAX) {
        model->pending[model->pending_count++] =
            (struct pending){.object = object_ref(sent), .node = to};
    }
    bool is_stored = !is_late && model->nodes[to].is_up;
    if (is_stored) {
        absorb(model, &model->nodes[to], sent);
    }
    object_unref(sent);
    return is_stored;
}

static uint32_t send_to_some(struct model *model, const struct node *coordinator)
{
    uint32_t stored = 0;
    uint32_t wanted = random_below(&model->random, 3);
    uint32_t start = random_below(&model->random, model->node_count);
    for (uint32_t i = 0; i < model->node_count && wanted > 0; i++) {
        uint32_t to = (start + i) % model->node_count;
        if (&model->nodes[to] != coordinator && random_percent(&model->random, 80)) {
            stored += send_copy(model, coordinator->copy, to);
            wanted--;
        }
    }
    return stored;
}

static bool was_truncated(const struct object *before, const struct clock *context,
                          const struct object *after)
{
    return (before && !clock_descends(&after->clock, &before->clock)) ||
           !clock_descends(&after->clock, context);
}

/* Notes the dot that the coordinator gave to the version with `file_id`. */
static void note_dot(struct model *model, struct node *node, const struct object *after,
                     uint64_t file_id)
{
    struct actor own = !node->copy ? (struct actor){0} : node->copy->own;
    bool was_usable = own.node != 0 && own.birth >= node->trusted_since;
    model->counts->reopened += was_usable && !actor_equal(own, after->own);
    model->counts->writes++;
    for (uint32_t i = 0; i < after->version_count; i++) {
        const struct version *version = &after->versions[i];
        if (version->attributes.file_id == file_id) {
            record_of(model, version)->dot = version->dot;
            node->last_counter = version->dot.counter;
        }
    }
}

/* A put or delete at its coordinator. Returns the record of the version, NULL for none. */
static struct record *coordinate(struct model *model, struct node *node,
                                 const struct update *asked, uint64_t write)
{
    struct update update = *asked;
    struct record *record = NULL;
    struct version value = {.content = model->content};
    struct coordinator coordinator = {.node = node->id, .trusted_since = node->trusted_since};
    coordinator.birth = coordinator.counter =
        next_counter(model, node, node->copy, &update.context);
    if (write != 0) {
        assert(model->record_count < RECORDS_MAX);
        record = &model->records[model->record_count++];
        memcpy(value.write_id, &write, sizeof write);
        value.attributes.type = VERSION_FILE;
        value.attributes.file_id = model->record_count;
        update.value = &value;
    }
    struct object *after = NULL;
    if (object_update(node->copy, &update, &coordinator, &after) != STATUS_OK) {
        /* The limit of siblings, or a dot not heard of: refused, so nothing was promised. */
        model->is_exact = false;
        if (record) {
            model->record_count--;
        }
        return NULL;
    }
    check_rules(model, after);
    const struct clock nothing = {0};
    const struct clock *context = update.mode == UPDATE_ALL ? &update.context : &nothing;
    if (was_truncated(node->copy, context, after)) {
        model->counts->truncated++;
        model->is_exact = false;
    }
    if (record) {
        note_dot(model, node, after, value.attributes.file_id);
    }
    if (after->version_count > model->counts->siblings_most) {
        model->counts->siblings_most = after->version_count;
    }
    replace(&node->copy, after);
    return record;
}

static void check_superseded(struct model *model, const struct node *node,
                             const struct object *handed, const struct update *update)
{
    for (uint32_t i = 0; handed && i < handed->version_count; i++) {
        struct dot dot = handed->versions[i].dot;
        bool is_named = update->mode == UPDATE_ALL ||
                        (update->dot_count > 0 && dot_equal(update->dots[0], dot));
        if (is_named && holds(node->copy, dot)) {
            complain(model, CAUSAL_STILL_THERE);
        }
    }
}

static void finish_write(struct model *model, struct node *node, struct record *record)
{
    uint32_t copies = 1 + send_to_some(model, node);
    if (record && copies >= W) {
        record->acknowledged = true;
        model->counts->acknowledged++;
    }
}

/* Everything that `handed` shows is superseded. */
static void put_all(struct model *model, struct node *node, struct object *handed,
                    uint64_t write)
{
    struct update update = {.mode = UPDATE_ALL};
    if (handed) {
        update.context = handed->clock;
    }
    observe(model, handed);
    struct record *record = coordinate(model, node, &update, write);
    check_superseded(model, node, handed, &update);
    finish_write(model, node, record);
}

/* One sibling that `handed` shows is superseded; the coordinator may read a quorum first. */
static void put_some(struct model *model, struct node *node, struct object *handed,
                     uint64_t write)
{
    uint32_t chosen = random_below(&model->random, handed->version_count);
    const struct version *version = &handed->versions[chosen];
    struct update update = {
        .mode = UPDATE_SOME, .context = handed->clock, .dots = &version->dot, .dot_count = 1};
    if (random_percent(&model->random, 50)) {
        struct node *other = any_node_up(model);
        absorb(model, node, !other || other == node ? NULL : other->copy);
    }
    if (!holds(node->copy, version->dot)) {
        /* Nothing to drop here: the sibling stays where it is. */
        model->is_exact = false;
    }
    record_of(model, version)->observed = true;
    model->counts->some++;
    struct record *record = coordinate(model, node, &update, write);
    check_superseded(model, node, handed, &update);
    finish_write(model, node, record);
}

/* Mostly late contexts, so that siblings meet, but any of them may come back. */
static uint32_t choose_context(struct model *model)
{
    if (model->context_count == 0 || random_percent(&model->random, 20)) {
        return CONTEXTS_MAX;
    }
    return random_below(&model->random, model->context_count);
}

static struct object *context_at(const struct model *model, uint32_t index)
{
    return index == CONTEXTS_MAX ? NULL : model->contexts[index].object;
}

static void step_put(struct model *model)
{
    struct node *node = any_node_up(model);
    if (!node || model->record_count == RECORDS_MAX) {
        return;
    }
    uint32_t index = choose_context(model);
    struct object *handed = context_at(model, index);
    bool is_delete = random_percent(&model->random, 15);
    uint64_t write = is_delete ? 0 : ++model->write_count;
    model->counts->deletes += is_delete;
    bool is_some = handed && handed->version_count > 1;
    if (is_some && random_percent(&model->random, 30)) {
        put_some(model, node, handed, write);
        return;
    }
    put_all(model, node, handed, write);
    model->can_retry = !is_delete;
    model->last_attempt = (struct attempt){.context = index, .write = write};
}

/* The same put again, mostly through another coordinator. */
static void step_retry(struct model *model)
{
    struct node *node = any_node_up(model);
    if (!node || !model->can_retry || model->record_count == RECORDS_MAX) {
        return;
    }
    model->counts->retries++;
    put_all(model, node, context_at(model, model->last_attempt.context),
            model->last_attempt.write);
}

static void remember_context(struct model *model, struct object *object)
{
    uint32_t place = model->context_count;
    if (place == CONTEXTS_MAX) {
        place = random_below(&model->random, CONTEXTS_MAX);
        model->can_retry = false;
    } else {
        model->context_count++;
    }
    replace(&model->contexts[place].object, object);
}

/* A get from one to three nodes; now and then it repairs them. */
static void step_get(struct model *model)
{
    struct object *got = NULL;
    struct node *asked[3] = {NULL};
    uint32_t count = 1 + random_below(&model->random, 3);
    for (uint32_t i = 0; i < count; i++) {
        asked[i] = any_node_up(model);
        if (!asked[i]) {
            object_unref(got);
            return;
        }
        if (asked[i]->copy) {
            struct object *merged = must(object_merge(got, asked[i]->copy));
            replace(&got, merged);
        }
    }
    if (random_percent(&model->random, 25) && !model->singly) {
        absorb(model, asked[0], got);
    }
    remember_context(model, got);
}

/* The context of a client that also met a node with a clock far ahead, which has left. */
static void step_far_context(struct model *model)
{
    struct node *node = any_node_up(model);
    if (!node) {
        return;
    }
    uint64_t ahead = model->now_us + 100 * (uint64_t)MINUTE_US;
    struct dot far = {{STRANGER + random_below(&model->random, 3), 1},
                      ahead + random_below(&model->random, 1000)};
    struct clock clock = {.count = 1, .pair = &far};
    struct object *object = NULL;
    if (object_new(&clock, NULL, 0, (struct actor){0}, &object) != STATUS_OK) {
        abort();
    }
    if (node->copy) {
        replace(&object, must(object_merge(object, node->copy)));
    }
    remember_context(model, object);
}

/*
 * A delete whose context covers all that its coordinator's own pair will ever write: it
 * supersedes what that pair wrote so far, and nothing that comes.
 */
static void step_cover_own(struct model *model)
{
    struct node *node = any_node_up(model);
    if (!node || !node->copy || node->copy->own.node != node->id) {
        return;
    }
    struct dot far = {node->copy->own, model->now_us + 100 * (uint64_t)MINUTE_US};
    for (uint32_t i = 0; i < model->record_count; i++) {
        struct record *record = &model->records[i];
        record->observed = record->observed || actor_equal(record->dot.actor, far.actor);
    }
    struct update update = {.mode = UPDATE_ALL, .context = {.count = 1, .pair = &far}};
    struct record *record = NULL;
    if (model->record_count < RECORDS_MAX && random_percent(&model->random, 50)) {
        record = coordinate(model, node, &update, ++model->write_count);
    } else {
        coordinate(model, node, &update, 0);
    }
    finish_write(model, node, record);
}

static void step_hand_off(struct model *model)
{
    struct node *from =
        &model->nodes[model->primary_count + random_below(&model->random, FALLBACKS)];
    struct node *to = &model->nodes[random_below(&model->random, model->primary_count)];
    if (from->copy && from->is_up && to->is_up) {
        absorb(model, to, from->copy);
        replace(&from->copy, NULL);
        replace(&from->disk, NULL);
        model->counts->handed_off++;
    }
}

/* Copies `from` to `to`: whole, or one version after the other. */
static void repair(struct model *model, struct node *from, struct node *to)
{
    struct object *copy = object_ref(from->copy);
    for (uint32_t i = 0; model->singly && copy && i < copy->version_count; i++) {
        struct object *sent = alone(copy, &copy->versions[i]);
        absorb(model, to, sent);
        object_unref(sent);
    }
    if (!model->singly) {
        absorb(model, to, copy);
    }
    object_unref(copy);
}

static void step_repair(struct model *model)
{
    struct node *a = any_node_up(model);
    struct node *b = any_node_up(model);
    if (a && a != b && !a->is_fallback && !b->is_fallback) {
        repair(model, a, b);
        repair(model, b, a);
    }
}

/* A late replica write arrives; it may arrive again. */
static void step_deliver(struct model *model)
{
    if (model->pending_count == 0) {
        return;
    }
    uint32_t chosen = random_below(&model->random, model->pending_count);
    struct pending *pending = &model->pending[chosen];
    if (model->nodes[pending->node].is_up) {
        absorb(model, &model->nodes[pending->node], pending->object);
    }
    if (random_percent(&model->random, 80)) {
        object_unref(pending->object);
        *pending = model->pending[--model->pending_count];
    }
}

/* True if every acknowledged version of this copy also lives on another node. */
static bool can_lose_copy(struct model *model, const struct node *node)
{
    for (uint32_t i = 0; node->copy && i < node->copy->version_count; i++) {
        const struct version *version = &node->copy->versions[i];
        bool is_safe = !record_of(model, version)->acknowledged;
        for (uint32_t j = 0; j < model->node_count && !is_safe; j++) {
            is_safe = &model->nodes[j] != node && holds(model->nodes[j].copy, version->dot);
        }
        if (!is_safe) {
            return false;
        }
    }
    return true;
}

/* An unclean stop: back to what the disk had, or to nothing. Never more than N - W do so with
 * one version. */
static void step_crash(struct model *model)
{
    struct node *node = &model->nodes[random_below(&model->random, model->node_count)];
    if (!can_lose_copy(model, node)) {
        return;
    }
    bool is_disk_lost = random_percent(&model->random, 30);
    if (is_disk_lost) {
        replace(&node->disk, NULL);
    }
    model->is_exact = model->is_exact && object_equal(node->copy, node->disk);
    replace(&node->copy, object_ref(node->disk));
    node->last_counter += 1 + random_below(&model->random, 5);
    node->trusted_since = node->last_counter;
    model->counts->rolled_back++;
}

static void step_sync(struct model *model)
{
    for (uint32_t i = 0; i < model->node_count; i++) {
        replace(&model->nodes[i].disk, object_ref(model->nodes[i].copy));
    }
}

/* A wall clock is set: right, a little off, or minutes ahead or behind. */
static void step_skew(struct model *model)
{
    static const int64_t skews[] = {
        0, 0, 5, -5, 1000, 10 * (int64_t)MINUTE_US, -10 * (int64_t)MINUTE_US};
    uint32_t chosen = random_below(&model->random, sizeof skews / sizeof skews[0]);
    model->nodes[random_below(&model->random, model->node_count)].skew_us = skews[chosen];
}

static void step_toggle(struct model *model)
{
    struct node *node = &model->nodes[random_below(&model->random, model->node_count)];
    node->is_up = !node->is_up;
}

static void step(struct model *model)
{
    static const struct {
        uint32_t weight;
        void (*run)(struct model *model);
    } steps[] = {
        {20, step_get},   {36, step_put},    {5, step_retry},       {9, step_hand_off},
        {8, step_repair}, {8, step_deliver}, {8, step_toggle},      {3, step_sync},
        {6, step_crash},  {2, step_skew},    {2, step_far_context}, {1, step_cover_own},
    };
    uint32_t all = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        all += steps[i].weight;
    }
    uint32_t drawn = random_below(&model->random, all);
    size_t chosen = 0;
    while (drawn >= steps[chosen].weight) {
        drawn -= steps[chosen++].weight;
    }
    model->now_us += 1 + random_below(&model->random, 3);
    if (random_percent(&model->random, 2)) {
        model->now_us += 2 * (uint64_t)MINUTE_US;
    }
    steps[chosen].run(model);
}

/* All copies merged, in an order and a grouping of their own for each `order`. */
static struct object *merge_all(struct model *model, uint32_t order)
{
    struct object *halves[2] = {NULL, NULL};
    for (uint32_t i = 0; i < model->node_count; i++) {
        uint32_t at = order == 0 ? i : random_below(&model->random, model->node_count);
        uint32_t half = order == 0 ? 0 : random_below(&model->random, 2);
        if (model->nodes[at].copy) {
            replace(&halves[half], must(object_merge(halves[half], model->nodes[at].copy)));
        }
    }
    /* Those that chance has left out. */
    for (uint32_t i = 0; i < model->node_count; i++) {
        if (model->nodes[i].copy) {
            replace(&halves[1], must(object_merge(halves[1], model->nodes[i].copy)));
        }
    }
    if (halves[0]) {
        replace(&halves[1], must(object_merge(halves[1], halves[0])));
    }
    object_unref(halves[0]);
    return halves[1];
}

static void check_end(struct model *model)
{
    struct object *total = merge_all(model, 0);
    for (uint32_t order = 1; order <= 3; order++) {
        struct object *other = merge_all(model, order);
        if (!object_equal(total, other)) {
            complain(model, CAUSAL_DIVERGED);
        }
        object_unref(other);
    }
    for (uint32_t i = 0; i < model->record_count; i++) {
        const struct record *record = &model->records[i];
        bool is_live = holds(total, record->dot);
        if (record->acknowledged && !record->observed && !is_live) {
            complain(model, CAUSAL_LOST);
        }
        if (model->is_exact && is_live == record->observed) {
            complain(model, CAUSAL_NOT_EXACT);
        }
    }
    model->counts->exact += model->is_exact;
    object_unref(total);
}

static void release(struct model *model)
{
    for (uint32_t i = 0; i < model->node_count; i++) {
        object_unref(model->nodes[i].copy);
        object_unref(model->nodes[i].disk);
    }
    for (uint32_t i = 0; i < model->context_count; i++) {
        object_unref(model->contexts[i].object);
    }
    for (uint32_t i = 0; i < model->pending_count; i++) {
        object_unref(model->pending[i].object);
    }
    blob_unref(model->content);
}

unsigned causal_run(uint64_t seed, bool singly, struct causal_counts *counts)
{
    struct model model = {.random = {.state = seed}, .counts = counts, .singly = singly};
    model.now_us = UINT64_C(1000000000000);
    model.is_exact = true;
    model.content = blob_new(slice_of(NULL, 0));
    if (!model.content) {
        abort();
    }
    model.primary_count = 2 + random_below(&model.random, PRIMARIES_MAX - 1);
    model.node_count = model.primary_count + FALLBACKS;
    for (uint32_t i = 0; i < model.node_count; i++) {
        model.nodes[i] =
            (struct node){.id = i + 1, .is_fallback = i >= model.primary_count, .is_up = true};
    }
    uint32_t steps = 20 + random_below(&model.random, 60);
    for (uint32_t i = 0; i < steps; i++) {
        step(&model);
    }
    check_end(&model);
    release(&model);
    counts->histories++;
    return model.broken;
}

const char *causal_promise_text(unsigned index)
{
    static const char *const texts[CAUSAL_PROMISES] = {
        "lost an acknowledged version",
        "diverged",
        "left a version that was superseded",
        "broke the rules of objects",
        "brought a version back, or dropped one, without cause",
    };
    assert(index < CAUSAL_PROMISES);
    return texts[index];
}
