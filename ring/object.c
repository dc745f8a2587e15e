/*
 * object.c - building, comparing, merging and projecting the state of a key.
 */
#include "ring/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ring/manifest.h"
#include "ring/mark.h"
#include "ring/object_parts.h"
#include "ring/planted.h"
#include "ring/truncation.h"

static_assert(sizeof(struct object) % _Alignof(struct version) == 0, "versions follow it");
static_assert(sizeof(struct version) % _Alignof(struct dot) == 0, "pairs follow versions");

static const struct clock empty_clock = {0};

bool object_parts_new(uint32_t version_room, uint32_t pair_room, struct object_parts *ret_parts)
{
    size_t versions_size = version_room * sizeof(struct version);
    size_t pairs_size = pair_room * sizeof(struct dot);
    struct object *object = malloc(sizeof(struct object) + versions_size + pairs_size);
    if (!object) {
        return false;
    }
    struct version *versions = (struct version *)(object + 1);
    struct dot *pairs = (struct dot *)(versions + version_room);
    atomic_init(&object->references, 1);
    object->own = (struct actor){0};
    object->clock = (struct clock){.count = 0, .pair = pairs};
    object->deleted_us = 0;
    object->version_count = 0;
    object->versions = versions;
    *ret_parts = (struct object_parts){.object = object, .versions = versions, .pairs = pairs};
    return true;
}

void object_parts_append(struct object_parts *parts, const struct version *version)
{
    struct version *copy = &parts->versions[parts->object->version_count++];
    *copy = *version;
    blob_ref(copy->content);
    blob_ref(copy->xattrs);
}

struct object *object_ref(struct object *object)
{
    if (object) {
        uint_fast32_t before =
            atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
        assert(before > 0);
    }
    return object;
}

void object_unref(struct object *object)
{
    if (!object) {
        return;
    }
    uint_fast32_t before =
        atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1) {
        return;
    }
    for (uint32_t i = 0; i < object->version_count; i++) {
        blob_unref(object->versions[i].content);
        blob_unref(object->versions[i].xattrs);
    }
    free(object);
}

bool version_type_is_valid(uint64_t type)
{
    return type >= VERSION_FILE && type <= VERSION_BLOCK_DEVICE;
}

static bool is_device(enum version_type type)
{
    return type == VERSION_CHARACTER_DEVICE || type == VERSION_BLOCK_DEVICE;
}

bool attributes_fit_content(const struct attributes *attributes, struct slice content)
{
    if (attributes->type == VERSION_LARGE_FILE) {
        return manifest_has_size(content, attributes->size);
    }
    return is_device(attributes->type) ? content.size == 0 : content.size == attributes->size;
}

uint64_t attributes_size_with(const struct attributes *attributes, struct slice content)
{
    bool is_own = attributes->type == VERSION_LARGE_FILE || is_device(attributes->type);
    return is_own ? attributes->size : content.size;
}

static bool version_is_valid(const struct version *version, const struct clock *clock)
{
    if (version->dot.counter == 0 || !clock_covers(clock, version->dot)) {
        return false;
    }
    if (!version_type_is_valid(version->attributes.type) || version->attributes.mode > 07777) {
        return false;
    }
    if (version->xattrs && version->xattrs->size > XATTRS_SIZE_MAX) {
        return false;
    }
    return !version->content ||
           (attributes_fit_content(&version->attributes, blob_slice(version->content)) &&
            version->content->size <= VALUE_SIZE_MAX);
}

enum status object_new(const struct clock *clock, const struct version *versions,
                       uint32_t version_count, struct actor own, struct object **ret_object)
{
    assert(versions || version_count == 0);
    assert(ret_object);

    clock = !clock ? &empty_clock : clock;
    if (version_count > VERSIONS_MAX || clock->count > CLOCK_PAIRS_MAX ||
        !clock_is_valid(clock)) {
        return STATUS_BAD_MESSAGE;
    }
    for (uint32_t i = 0; i < version_count; i++) {
        if (!version_is_valid(&versions[i], clock) ||
            (i > 0 && dot_compare(versions[i - 1].dot, versions[i].dot) >= 0)) {
            return STATUS_BAD_MESSAGE;
        }
    }
    struct object_parts parts;
    if (!object_parts_new(version_count, clock->count, &parts)) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < version_count; i++) {
        object_parts_append(&parts, &versions[i]);
    }
    if (clock->count > 0) {
        memcpy(parts.pairs, clock->pair, clock->count * sizeof(struct dot));
    }
    parts.object->clock.count = clock->count;
    parts.object->own = own;
    *ret_object = parts.object;
    return STATUS_OK;
}

void object_set_deleted(struct object *object, uint64_t deleted_us)
{
    assert(object);
    assert(atomic_load_explicit(&object->references, memory_order_relaxed) == 1);

    object->deleted_us = deleted_us;
}

bool object_is_live(const struct object *object)
{
    return object && object->version_count > 0;
}

bool object_is_nothing(const struct object *object)
{
    return !object || object->clock.count == 0;
}

const struct version *object_newest(const struct object *object)
{
    return object_is_live(object) ? &object->versions[object->version_count - 1] : NULL;
}

static bool same_dots(const struct object *a, const struct object *b)
{
    if (a->version_count != b->version_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->version_count; i++) {
        if (!dot_equal(a->versions[i].dot, b->versions[i].dot)) {
            return false;
        }
    }
    return true;
}

bool object_equal(const struct object *a, const struct object *b)
{
    if (a == b) {
        return true;
    }
    if (!a || !b) {
        return object_is_nothing(a) && object_is_nothing(b);
    }
    return clock_equal(&a->clock, &b->clock) && same_dots(a, b) &&
           a->deleted_us == b->deleted_us;
}

/*
 * Bytes to be hashed, on the stack: an object of usual size is hashed in one call. When the
 * buffer is full, the hash of what it holds takes the place of it.
 */
struct digest_input {
    uint8_t bytes[1024];
    size_t size;
};

static void digest_add_word(struct digest_input *input, uint64_t word)
{
    if (input->size + sizeof word > sizeof input->bytes) {
        uint8_t folded[CONTENT_HASH_SIZE];
        content_hash(slice_of(input->bytes, input->size), folded);
        memcpy(input->bytes, folded, sizeof folded);
        input->size = sizeof folded;
    }
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        input->bytes[input->size++] = (uint8_t)(word >> (shift - 8));
    }
}

static void digest_add_dot(struct digest_input *input, struct dot dot)
{
    digest_add_word(input, dot.actor.node);
    digest_add_word(input, dot.actor.birth);
    digest_add_word(input, dot.counter);
}

void object_digest(const struct object *object, uint8_t ret_digest[DIGEST_SIZE])
{
    const struct clock *clock = !object ? &empty_clock : &object->clock;
    uint32_t version_count = !object ? 0 : object->version_count;
    struct digest_input input;
    input.size = 0;
    digest_add_word(&input, clock->count);
    for (uint32_t i = 0; i < clock->count; i++) {
        digest_add_dot(&input, clock->pair[i]);
    }
    digest_add_word(&input, version_count);
    for (uint32_t i = 0; i < version_count; i++) {
        digest_add_dot(&input, object->versions[i].dot);
    }
    digest_add_word(&input, !object ? 0 : object->deleted_us);
    digest_of(slice_of(input.bytes, input.size), ret_digest);
}

bool object_is_sound(const struct object *object)
{
    uint8_t hash[CONTENT_HASH_SIZE];

    assert(object);
    for (uint32_t i = 0; i < object->version_count; i++) {
        const struct version *version = &object->versions[i];
        if (!version->content) {
            continue;
        }
        content_hash(blob_slice(version->content), hash);
        if (memcmp(hash, version->content_hash, sizeof hash) != 0) {
            return false;
        }
    }
    return true;
}

size_t object_content_size(const struct object *object)
{
    size_t size = 0;
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        size += blob_slice(object->versions[i].content).size;
        size += blob_slice(object->versions[i].xattrs).size;
    }
    return size;
}

/* The versions that survive a merge, in order. */
struct merge_walk {
    const struct object *x;
    const struct object *y;
    uint32_t x_next;
    uint32_t y_next;
    bool x_gave; /* the survivor returned last is in x, as complete as it is known */
    bool y_gave; /* ... is in y so; both hold for a version of both sides */
};

/* One version of both sides: a row's lacks the content that an object's has. */
static const struct version *merge_walk_both(struct merge_walk *walk)
{
    const struct version *from_x = &walk->x->versions[walk->x_next++];
    const struct version *from_y = &walk->y->versions[walk->y_next++];
    bool x_lacks = !from_x->content && from_y->content;
    bool y_lacks = !from_y->content && from_x->content;
    walk->x_gave = !x_lacks;
    walk->y_gave = !y_lacks;
    return x_lacks ? from_y : from_x;
}

static const struct version *merge_walk_next(struct merge_walk *walk)
{
    const struct object *x = walk->x;
    const struct object *y = walk->y;
    while (walk->x_next < x->version_count || walk->y_next < y->version_count) {
        int order = 0;
        if (walk->y_next == y->version_count) {
            order = -1;
        } else if (walk->x_next == x->version_count) {
            order = 1;
        } else {
            order = dot_compare(x->versions[walk->x_next].dot, y->versions[walk->y_next].dot);
        }
        if (order == 0) {
            return merge_walk_both(walk);
        }
        walk->x_gave = order < 0;
        walk->y_gave = order > 0;
        const struct version *version =
            order < 0 ? &x->versions[walk->x_next++] : &y->versions[walk->y_next++];
        if (!clock_covers(order < 0 ? &y->clock : &x->clock, version->dot)) {
            return version;
        }
    }
    return NULL;
}

/* What a merge would give, found without allocating. */
struct merge_outcome {
    uint32_t version_count;
    bool is_x; /* it equals x, contents included */
    bool is_y;
};

static struct merge_outcome merge_preview(const struct object *x, const struct object *y)
{
    struct merge_walk walk = {.x = x, .y = y};
    struct merge_outcome outcome = {
        .version_count = 0,
        .is_x = clock_descends(&x->clock, &y->clock) && x->deleted_us >= y->deleted_us,
        .is_y = clock_descends(&y->clock, &x->clock) && y->deleted_us >= x->deleted_us,
    };
    while (merge_walk_next(&walk)) {
        outcome.version_count++;
        outcome.is_x = outcome.is_x && walk.x_gave;
        outcome.is_y = outcome.is_y && walk.y_gave;
    }
    outcome.is_x = outcome.is_x && outcome.version_count == x->version_count;
    outcome.is_y = outcome.is_y && outcome.version_count == y->version_count;
    return outcome;
}

/* `object` as another copy would receive it: without an own pair. */
static struct object *without_own(struct object *object)
{
    if (object->own.node == 0) {
        return object_ref(object);
    }
    struct object_parts parts;
    if (!object_parts_new(object->version_count, object->clock.count, &parts)) {
        return NULL;
    }
    for (uint32_t i = 0; i < object->version_count; i++) {
        object_parts_append(&parts, &object->versions[i]);
    }
    parts.object->clock.count = clock_merge(&object->clock, NULL, parts.pairs);
    parts.object->deleted_us = object->deleted_us;
    return parts.object;
}

/* A clock that only grows would one day not be readable any more. */
static void bound_clock(struct object_parts *parts)
{
    struct object *object = parts->object;
    struct object_kept kept = {.versions = parts->versions,
                               .version_count = object->version_count,
                               .pair_limit = CLOCK_PAIRS_MERGED_MAX / 2};
    if (planted(PLANTED_PRUNE_IN_MERGE)) {
        kept.pair_limit = object_pairs_kept();
    } else if (object->clock.count <= CLOCK_PAIRS_MERGED_MAX) {
        return;
    }
    object->clock.count = object_truncate(parts->pairs, object->clock.count, &kept);
    /* As in object_update: a pair that is gone may come back with less. */
    if (clock_counter(&object->clock, object->own) == 0) {
        object->own = (struct actor){0};
    }
}

struct object *object_merge(struct object *x, struct object *y)
{
    if (!y || x == y) {
        return object_ref(x);
    }
    if (!x) {
        return without_own(y);
    }
    struct merge_outcome outcome = merge_preview(x, y);
    if (outcome.is_x && !planted(PLANTED_PRUNE_IN_MERGE)) {
        return object_ref(x);
    }
    if (outcome.is_y && actor_equal(x->own, y->own) && !planted(PLANTED_PRUNE_IN_MERGE)) {
        return object_ref(y);
    }
    bool has_dead = !object_is_live(x) || !object_is_live(y);
    mark_if(has_dead && outcome.version_count > 0, MARK_TOMBSTONE_MET_LIVE);
    bool is_dead = !object_is_live(x) && !object_is_live(y);
    mark_if(is_dead && !outcome.is_x && !outcome.is_y, MARK_TOMBSTONES_MET);
    struct object_parts parts;
    uint32_t pair_room = outcome.is_y ? y->clock.count : x->clock.count + y->clock.count;
    if (!object_parts_new(outcome.version_count, pair_room, &parts)) {
        return NULL;
    }
    struct merge_walk walk = {.x = x, .y = y};
    for (uint32_t i = 0; i < outcome.version_count; i++) {
        object_parts_append(&parts, merge_walk_next(&walk));
    }
    parts.object->clock.count =
        clock_merge(outcome.is_y ? NULL : &x->clock, &y->clock, parts.pairs);
    parts.object->deleted_us = x->deleted_us > y->deleted_us ? x->deleted_us : y->deleted_us;
    parts.object->own = x->own;
    bound_clock(&parts);
    return parts.object;
}

struct object *object_project(const struct object *object)
{
    assert(object);

    struct object_parts parts;
    if (!object_parts_new(object->version_count, object->clock.count, &parts)) {
        return NULL;
    }
    for (uint32_t i = 0; i < object->version_count; i++) {
        struct version version = object->versions[i];
        version.content = NULL;
        version.xattrs = NULL;
        object_parts_append(&parts, &version);
    }
    parts.object->clock.count = clock_merge(&object->clock, NULL, parts.pairs);
    parts.object->deleted_us = object->deleted_us;
    return parts.object;
}
