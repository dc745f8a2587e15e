/*
 * update.c - a put or delete at its coordinator: superseding, the new dot, truncation.
 *
 * Source:   docs/design.md, The model; rules 1, 2, 3 and 5.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ring/mark.h"
#include "ring/object.h"
#include "ring/object_parts.h"
#include "ring/planted.h"
#include "ring/truncation.h"

/* Clocks of honest copies fit on the stack: kept pairs of a copy and of a context, and some. */
enum { PAIRS_ON_STACK = 64 };

static_assert(VERSIONS_PUT_MAX + CLOCK_PAIRS_KEPT < PAIRS_ON_STACK, "the usual clock fits");

static const struct clock empty_clock = {0};

uint64_t object_counter_floor(const struct object *current, const struct clock *context,
                              uint64_t wall_us)
{
    uint64_t limit = wall_us > UINT64_MAX - COUNTER_AHEAD_MAX_US
                         ? UINT64_MAX
                         : wall_us + COUNTER_AHEAD_MAX_US;
    uint64_t of_copy = !current ? 0 : clock_greatest_counter(&current->clock, limit);
    uint64_t of_context = clock_greatest_counter(context, limit);
    return of_copy > of_context ? of_copy : of_context;
}

/* What the new object will be made of. */
struct draft {
    const struct object *current; /* NULL: no copy yet */
    const struct update *update;
    uint32_t kept_count; /* versions of `current` that stay */
    size_t kept_size;    /* ... and their contents, bytes */
    struct dot *pairs;
    uint32_t pair_count;
    struct actor own;
    struct dot dot; /* of the new version */
    uint64_t deleted_us;
};

static bool is_superseded(const struct draft *draft, const struct version *version)
{
    const struct update *update = draft->update;
    if (planted(PLANTED_NO_DOTS) && update->value &&
        actor_equal(version->dot.actor, draft->own)) {
        return true;
    }
    if (update->mode == UPDATE_ALL) {
        return clock_covers(&update->context, version->dot);
    }
    for (uint32_t i = 0; i < update->dot_count; i++) {
        if (dot_equal(update->dots[i], version->dot)) {
            return true;
        }
    }
    return false;
}

static void count_kept(struct draft *draft)
{
    const struct object *current = draft->current;
    draft->kept_count = 0;
    draft->kept_size = 0;
    for (uint32_t i = 0; current && i < current->version_count; i++) {
        const struct version *version = &current->versions[i];
        if (!is_superseded(draft, version)) {
            draft->kept_count++;
            draft->kept_size += blob_slice(version->content).size;
            draft->kept_size += blob_slice(version->xattrs).size;
        }
    }
}

/* A key that already holds too much takes only puts that supersede something. */
static bool has_room(const struct draft *draft)
{
    const struct version *value = draft->update->value;
    uint32_t held = !draft->current ? 0 : draft->current->version_count;
    if (!value || draft->kept_count < held) {
        return true;
    }
    size_t size = draft->kept_size + blob_slice(value->content).size;
    size += blob_slice(value->xattrs).size;
    return draft->kept_count < VERSIONS_PUT_MAX &&
           (draft->kept_count == 0 || size <= SIBLINGS_SIZE_PUT_MAX);
}

/* Sets the counter of `actor` in the draft's clock, which has room for one pair more. */
static void set_pair(struct draft *draft, struct actor actor, uint64_t counter)
{
    uint32_t place = 0;
    while (place < draft->pair_count && actor_compare(draft->pairs[place].actor, actor) < 0) {
        place++;
    }
    if (place == draft->pair_count || !actor_equal(draft->pairs[place].actor, actor)) {
        memmove(&draft->pairs[place + 1], &draft->pairs[place],
                (draft->pair_count - place) * sizeof(struct dot));
        draft->pair_count++;
    }
    draft->pairs[place] = (struct dot){.actor = actor, .counter = counter};
}

/* A planted bug: the newest pair of the node, whatever copy of this key opened it. */
static struct actor find_own(const struct clock *clock, node_id node)
{
    struct dot newest = {0};
    for (uint32_t i = 0; planted(PLANTED_OWN_FOUND) && i < clock->count; i++) {
        const struct dot *pair = &clock->pair[i];
        newest = pair->actor.node == node && pair->counter > newest.counter ? *pair : newest;
    }
    return newest.actor;
}

/*
 * The dot of the new version. The own pair is extended only if this very copy opened it, after
 * the node's last unclean start (rule 2), and if its counter lies below the new one: a context
 * from a clock far ahead may cover counters of it that are still to come, and would cover the
 * new version at birth.
 */
static void open_dot(struct draft *draft, const struct coordinator *coordinator)
{
    struct clock clock = {.count = draft->pair_count, .pair = draft->pairs};
    struct actor own = !draft->current ? (struct actor){0} : draft->current->own;
    uint64_t counter = coordinator->counter;
    own = own.node == 0 ? find_own(&clock, coordinator->node) : own;
    bool trusted = own.node == coordinator->node &&
                   (own.birth >= coordinator->trusted_since || planted(PLANTED_TRUST));
    if (planted(PLANTED_BIRTH)) {
        own = (struct actor){.node = coordinator->node, .birth = 0};
    } else if (!trusted || clock_counter(&clock, own) >= counter) {
        mark_if(!trusted && own.node == coordinator->node, MARK_OWN_PAIR_DISTRUSTED);
        own = (struct actor){.node = coordinator->node, .birth = coordinator->birth};
        while (clock_counter(&clock, own) != 0) {
            own.birth++;
            counter++;
        }
    }
    draft->own = own;
    draft->dot = (struct dot){.actor = own, .counter = counter};
}

/* The new version with what the coordinator fills in. False when memory is short. */
static bool finish_value(const struct draft *draft, struct version *ret_version)
{
    struct version version = *draft->update->value;
    struct slice content = blob_slice(version.content);
    version.dot = draft->dot;
    version.attributes.size = attributes_size_with(&version.attributes, content);
    content_hash(content, version.content_hash);
    /* An empty content is not a missing one: only rows have none. */
    version.content = !version.content ? blob_new(content) : blob_ref(version.content);
    blob_ref(version.xattrs);
    *ret_version = version;
    return version.content;
}

/* Puts the new version among the kept ones, in order. Takes its blobs. */
static void insert_version(struct object_parts *parts, const struct version *version)
{
    uint32_t place = parts->object->version_count;
    while (place > 0 && dot_compare(parts->versions[place - 1].dot, version->dot) > 0) {
        place--;
    }
    memmove(&parts->versions[place + 1], &parts->versions[place],
            (parts->object->version_count - place) * sizeof(struct version));
    parts->versions[place] = *version;
    parts->object->version_count++;
}

static enum status assemble(struct draft *draft, struct object **ret_object)
{
    bool has_value = draft->update->value;
    struct version value;
    if (has_value && !finish_value(draft, &value)) {
        blob_unref(value.xattrs);
        return STATUS_NO_MEMORY;
    }
    uint32_t version_count = draft->kept_count + has_value;
    uint32_t pair_room = object_pairs_kept() + version_count;
    if (pair_room > draft->pair_count) {
        pair_room = draft->pair_count;
    }
    struct object_parts parts;
    if (!object_parts_new(version_count, pair_room, &parts)) {
        if (has_value) {
            blob_unref(value.content);
            blob_unref(value.xattrs);
        }
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; draft->current && i < draft->current->version_count; i++) {
        if (!is_superseded(draft, &draft->current->versions[i])) {
            object_parts_append(&parts, &draft->current->versions[i]);
        }
    }
    if (has_value) {
        insert_version(&parts, &value);
    }
    assert(parts.object->version_count == version_count);
    struct object_kept kept = {.versions = parts.versions,
                               .version_count = version_count,
                               .pair_limit = object_pairs_kept()};
    uint32_t pair_count = object_truncate(draft->pairs, draft->pair_count, &kept);
    assert(pair_count <= pair_room);
    mark_if(pair_count < draft->pair_count && version_count >= 3,
            MARK_TRUNCATED_BESIDE_SIBLINGS);
    memcpy(parts.pairs, draft->pairs, pair_count * sizeof(struct dot));
    parts.object->clock.count = pair_count;
    parts.object->deleted_us = draft->deleted_us;
    /* An own pair that was truncated may have been far ahead, and may come back with less. */
    bool has_own = clock_counter(&parts.object->clock, draft->own) != 0;
    parts.object->own = has_own ? draft->own : (struct actor){0};
    mark_if(!has_own && draft->own.node != 0, MARK_TRUNCATED_OWN_PAIR);
    *ret_object = parts.object;
    return STATUS_OK;
}

/* What object_new would accept again. Values from the network are checked when decoded. */
static bool value_is_storable(const struct version *value)
{
    struct slice content = blob_slice(value->content);
    struct attributes attributes = value->attributes;
    attributes.size = attributes_size_with(&attributes, content);
    return version_type_is_valid(attributes.type) && attributes.mode <= 07777 &&
           attributes_fit_content(&attributes, content) && content.size <= VALUE_SIZE_MAX &&
           blob_slice(value->xattrs).size <= XATTRS_SIZE_MAX;
}

/* True if the update deletes something, or learns that something was superseded. */
static bool deletes(const struct draft *draft)
{
    struct clock clock = {.count = draft->pair_count, .pair = draft->pairs};
    const struct object *current = draft->current;
    bool drops = current && draft->kept_count < current->version_count;
    return !draft->update->value &&
           (drops || !clock_equal(&clock, !current ? &empty_clock : &current->clock));
}

static enum status apply(struct draft *draft, const struct clock *context,
                         const struct coordinator *coordinator, struct object **ret_object)
{
    draft->pair_count =
        clock_merge(!draft->current ? NULL : &draft->current->clock, context, draft->pairs);
    if (draft->update->value) {
        open_dot(draft, coordinator);
        set_pair(draft, draft->own, draft->dot.counter);
    }
    count_kept(draft);
    if (!has_room(draft)) {
        mark(MARK_SIBLINGS_FULL);
        return STATUS_TOO_MANY_VERSIONS;
    }
    if (deletes(draft) && coordinator->counter > draft->deleted_us) {
        draft->deleted_us = coordinator->counter;
    }
    return assemble(draft, ret_object);
}

/* A dot that the copy has not heard of would come back with the next merge. */
static bool knows_named(const struct object *current, const struct update *update)
{
    const struct clock *clock = !current ? &empty_clock : &current->clock;
    for (uint32_t i = 0; i < update->dot_count; i++) {
        if (!clock_covers(clock, update->dots[i])) {
            return false;
        }
    }
    return true;
}

enum status object_update(struct object *current, const struct update *update,
                          const struct coordinator *coordinator, struct object **ret_object)
{
    assert(update && coordinator && ret_object);
    assert(coordinator->node != 0);
    assert(!update->value || (coordinator->counter > 0 && value_is_storable(update->value)));

    if (update->mode == UPDATE_NONE) {
        if (!current) {
            return STATUS_NOT_FOUND;
        }
        *ret_object = object_ref(current);
        return STATUS_OK;
    }
    assert(update->mode == UPDATE_ALL || update->mode == UPDATE_SOME);
    if (update->mode == UPDATE_SOME && !knows_named(current, update)) {
        mark(MARK_NAMED_UNKNOWN);
        return STATUS_UNKNOWN_VERSION;
    }
    bool with_context = update->mode == UPDATE_ALL || planted(PLANTED_NAME_DOTS);
    const struct clock *context = with_context ? &update->context : &empty_clock;
    uint32_t room = (!current ? 0 : current->clock.count) + context->count + 1;
    struct dot on_stack[PAIRS_ON_STACK];
    struct dot *on_heap = NULL;
    if (room > PAIRS_ON_STACK) {
        on_heap = malloc(room * sizeof(struct dot));
        if (!on_heap) {
            return STATUS_NO_MEMORY;
        }
    }
    struct draft draft = {
        .current = current,
        .update = update,
        .pairs = !on_heap ? on_stack : on_heap,
        .own = !current ? (struct actor){0} : current->own,
        .deleted_us = !current ? 0 : current->deleted_us,
    };
    enum status status = apply(&draft, context, coordinator, ret_object);
    free(on_heap);
    return status;
}
