/*
 * inode.c - the nodes that the kernel knows: names in directories, by id and by name.
 */
#include "fs/model/inode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS_FIRST = 1024, LONG_WAIT_MS = 60 * 1000 };

#define NANOSECONDS UINT64_C(1000000000)

static uint32_t bucket_of_id(const struct inodes *inodes, uint64_t id)
{
    return (uint32_t)(id & (inodes->bucket_count - 1));
}

/* FNV-1a over the parent's id and the name. */
static uint64_t hash_of_name(const struct node *parent, struct slice name)
{
    uint64_t hash = (UINT64_C(0xcbf29ce484222325) ^ parent->id) * UINT64_C(0x100000001b3);

    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ name.data[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static uint32_t bucket_of_name(const struct inodes *inodes, const struct node *parent,
                               struct slice name)
{
    return (uint32_t)(hash_of_name(parent, name) & (inodes->bucket_count - 1));
}

bool inodes_init(struct inodes *inodes)
{
    *inodes = (struct inodes){.next_id = NODE_ID_ROOT + 1, .bucket_count = BUCKETS_FIRST};
    inodes->by_id = calloc(BUCKETS_FIRST, sizeof(struct node *));
    inodes->by_name = calloc(BUCKETS_FIRST, sizeof(struct node *));
    inodes->root = calloc(1, sizeof(struct node));
    if (inodes->by_id == NULL || inodes->by_name == NULL || inodes->root == NULL) {
        free(inodes->by_id);
        free(inodes->by_name);
        free(inodes->root);
        return false;
    }
    inodes->root->id = NODE_ID_ROOT;
    inodes->root->type = VERSION_DIRECTORY;
    inodes->root->references = 1;
    inodes->by_id[bucket_of_id(inodes, NODE_ID_ROOT)] = inodes->root;
    inodes->count = 1;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&inodes->token_returned, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&inodes->lock, NULL);
    return true;
}

static void node_free(struct node *node)
{
    shown_release(&node->shown);
    free(node->name);
    free(node);
}

void inodes_release(struct inodes *inodes)
{
    for (uint32_t i = 0; i < inodes->bucket_count; i++) {
        while (inodes->by_id[i] != NULL) {
            struct node *node = inodes->by_id[i];
            assert(node->file == NULL);
            inodes->by_id[i] = node->next_by_id;
            node_free(node);
        }
    }
    free(inodes->by_id);
    free(inodes->by_name);
    pthread_cond_destroy(&inodes->token_returned);
    pthread_mutex_destroy(&inodes->lock);
}

void inodes_lock(struct inodes *inodes)
{
    pthread_mutex_lock(&inodes->lock);
}

void inodes_unlock(struct inodes *inodes)
{
    pthread_mutex_unlock(&inodes->lock);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

bool node_take_token(struct inodes *inodes, struct node *node, uint64_t deadline_ns)
{
    uint64_t now;

    while (node->is_token_taken && !kv_limits_is_interrupted() &&
           (now = now_ns()) < deadline_ns) {
        uint64_t until_ns = now + kv_limits_wait_ms(LONG_WAIT_MS) * (NANOSECONDS / 1000);
        if (until_ns > deadline_ns) {
            until_ns = deadline_ns;
        }
        struct timespec until = {.tv_sec = (time_t)(until_ns / NANOSECONDS),
                                 .tv_nsec = (long)(until_ns % NANOSECONDS)};
        (void)pthread_cond_timedwait(&inodes->token_returned, &inodes->lock, &until);
    }
    if (node->is_token_taken) {
        return false;
    }
    node->is_token_taken = true;
    return true;
}

void node_return_token(struct inodes *inodes, struct node *node)
{
    assert(node->is_token_taken);

    node->is_token_taken = false;
    pthread_cond_broadcast(&inodes->token_returned);
}

struct slice node_name(const struct node *node)
{
    return slice_of(node->name, node->name_size);
}

struct slice node_base(const struct node *node)
{
    return slice_of(node->name, node->base_size);
}

struct node *node_by_id(struct inodes *inodes, uint64_t id)
{
    struct node *node = inodes->by_id[bucket_of_id(inodes, id)];

    while (node != NULL && node->id != id) {
        node = node->next_by_id;
    }
    return node;
}

struct node *node_or_heir(struct inodes *inodes, uint64_t id)
{
    struct node *node = node_by_id(inodes, id);

    if (node == NULL || node->is_named || node->file != NULL || node->heir_id == 0) {
        return node;
    }
    struct node *heir = node_by_id(inodes, node->heir_id);
    return heir != NULL ? heir : node;
}

struct node *node_open(const struct inodes *inodes)
{
    for (uint32_t i = 0; i < inodes->bucket_count; i++) {
        for (struct node *node = inodes->by_id[i]; node != NULL; node = node->next_by_id) {
            if (node->file != NULL) {
                return node;
            }
        }
    }
    return NULL;
}

struct node *node_by_name(struct inodes *inodes, const struct node *parent, struct slice name)
{
    struct node *node = inodes->by_name[bucket_of_name(inodes, parent, name)];

    while (node != NULL && (node->parent != parent || !slice_equal(node_name(node), name))) {
        node = node->next_by_name;
    }
    return node;
}

bool inodes_was_removed(const struct inodes *inodes, const struct node *parent,
                        struct slice name, uint64_t since)
{
    if (inodes->removals - since > REMOVALS_REMEMBERED) {
        return true;
    }
    uint64_t hash = since < inodes->removals ? hash_of_name(parent, name) : 0;
    for (uint64_t i = since; i < inodes->removals; i++) {
        if (inodes->removed[i % REMOVALS_REMEMBERED] == hash) {
            return true;
        }
    }
    return false;
}

static void note_removal(struct inodes *inodes, const struct node *node)
{
    inodes->removed[inodes->removals++ % REMOVALS_REMEMBERED] =
        hash_of_name(node->parent, node_name(node));
}

static void name_link(struct inodes *inodes, struct node *node)
{
    uint32_t bucket = bucket_of_name(inodes, node->parent, node_name(node));

    node->next_by_name = inodes->by_name[bucket];
    inodes->by_name[bucket] = node;
    node->is_named = true;
}

/* Twice the buckets; that it fails makes the table slower, not wrong. */
static void grow(struct inodes *inodes)
{
    uint32_t old_count = inodes->bucket_count;
    struct node **old = inodes->by_id;
    struct node **by_id = calloc((size_t)old_count * 2, sizeof(struct node *));
    struct node **by_name = calloc((size_t)old_count * 2, sizeof(struct node *));

    if (by_id == NULL || by_name == NULL) {
        free(by_id);
        free(by_name);
        return;
    }
    free(inodes->by_name);
    inodes->by_id = by_id;
    inodes->by_name = by_name;
    inodes->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct node *node = old[i];
            old[i] = node->next_by_id;
            uint32_t bucket = bucket_of_id(inodes, node->id);
            node->next_by_id = by_id[bucket];
            by_id[bucket] = node;
            if (node->is_named) {
                name_link(inodes, node);
            }
        }
    }
    free(old);
}

static void set_parent(struct node *node, struct node *parent)
{
    node->parent = node_ref(parent);
    parent->children++;
}

struct node *node_add(struct inodes *inodes, struct node *parent,
                      const struct node_description *description)
{
    assert(node_by_name(inodes, parent, description->name) == NULL);

    struct node *node = calloc(1, sizeof *node);
    char *name = malloc(description->name.size);
    if (node == NULL || name == NULL) {
        free(node);
        free(name);
        return NULL;
    }
    memcpy(name, description->name.data, description->name.size);
    if (inodes->count >= inodes->bucket_count && inodes->bucket_count < UINT32_C(1) << 30) {
        grow(inodes);
    }
    node->id = inodes->next_id++;
    node->references = 1;
    set_parent(node, parent);
    node->name = name;
    node->name_size = description->name.size;
    node->base_size = description->base_size;
    node->number = description->number;
    node->type = description->type;
    uint32_t bucket = bucket_of_id(inodes, node->id);
    node->next_by_id = inodes->by_id[bucket];
    inodes->by_id[bucket] = node;
    inodes->count++;
    name_link(inodes, node);
    return node;
}

struct node *node_ref(struct node *node)
{
    node->references++;
    return node;
}

void node_unname(struct inodes *inodes, struct node *node)
{
    if (!node->is_named) {
        return;
    }
    struct node **place =
        &inodes->by_name[bucket_of_name(inodes, node->parent, node_name(node))];
    while (*place != node) {
        place = &(*place)->next_by_name;
    }
    *place = node->next_by_name;
    node->next_by_name = NULL;
    node->is_named = false;
}

void node_set_pending(struct inodes *inodes, struct node *node, bool is_pending)
{
    if (node->is_pending == is_pending) {
        return;
    }
    node->is_pending = is_pending;
    if (is_pending) {
        node->next_pending = inodes->pending;
        inodes->pending = node;
        return;
    }
    struct node **place = &inodes->pending;
    while (*place != node) {
        place = &(*place)->next_pending;
    }
    *place = node->next_pending;
    node->next_pending = NULL;
}

void node_unlink(struct inodes *inodes, struct node *node)
{
    assert(node->parent != NULL);

    node_unname(inodes, node);
    node_set_pending(inodes, node, false);
    note_removal(inodes, node);
    node->is_unlinked = true;
}

static void remove_if_unused(struct inodes *inodes, struct node *node)
{
    while (node != NULL && node->references == 0 && node->lookups == 0) {
        struct node *parent = node->parent;
        struct node **place = &inodes->by_id[bucket_of_id(inodes, node->id)];

        assert(node->file == NULL);
        node_set_pending(inodes, node, false);
        node_unname(inodes, node);
        while (*place != node) {
            place = &(*place)->next_by_id;
        }
        *place = node->next_by_id;
        inodes->count--;
        node_free(node);
        node = parent;
        if (node != NULL) {
            node->children--;
            node->references--;
        }
    }
}

void node_unref(struct inodes *inodes, struct node *node)
{
    if (node == NULL) {
        return;
    }
    assert(node->references > 0);
    node->references--;
    remove_if_unused(inodes, node);
}

void node_forget(struct inodes *inodes, struct node *node, uint64_t count)
{
    node->lookups -= count < node->lookups ? count : node->lookups;
    remove_if_unused(inodes, node);
}

enum status node_move(struct inodes *inodes, struct node *node, struct node *parent,
                      struct slice name, const struct node *as)
{
    char *copy = malloc(name.size);
    if (copy == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(copy, name.data, name.size);
    size_t base_size = as != NULL ? as->base_size : name.size;
    uint32_t number = as != NULL ? as->number : 0;
    struct node *replaced = node_by_name(inodes, parent, name);
    if (replaced != NULL && replaced != node) {
        node_unlink(inodes, replaced);
    }
    node_unname(inodes, node);
    note_removal(inodes, node);
    struct node *old_parent = node->parent;
    set_parent(node, parent);
    free(node->name);
    node->name = copy;
    node->name_size = name.size;
    node->base_size = base_size;
    node->number = number;
    name_link(inodes, node);
    old_parent->children--;
    node_unref(inodes, old_parent);
    return STATUS_OK;
}

void node_adopt(struct inodes *inodes, struct node *from, struct node *to)
{
    assert(from != to);

    for (uint32_t i = 0; i < inodes->bucket_count && from->children > 0; i++) {
        for (struct node *node = inodes->by_id[i]; node != NULL; node = node->next_by_id) {
            if (node->parent != from) {
                continue;
            }
            bool was_named = node->is_named;
            node_unname(inodes, node);
            set_parent(node, to);
            from->children--;
            from->references--;
            if (was_named && node_by_name(inodes, to, node_name(node)) == NULL) {
                name_link(inodes, node);
            }
        }
    }
    /* The caller refers to `from`, so that it cannot have been the last reference. */
    assert(from->references > 0);
}

void node_unname_siblings(struct inodes *inodes, const struct node *parent)
{
    for (uint32_t i = 0; i < inodes->bucket_count && parent->children > 0; i++) {
        for (struct node *node = inodes->by_id[i]; node != NULL; node = node->next_by_id) {
            if (node->parent == parent && node->number > 0) {
                node_unname(inodes, node);
            }
        }
    }
}

bool node_has_pending_child(const struct inodes *inodes, const struct node *parent)
{
    const struct node *node = inodes->pending;

    while (node != NULL && node->parent != parent) {
        node = node->next_pending;
    }
    return node != NULL;
}

enum status node_append_key(const struct node *node, struct buffer *buffer)
{
    const struct node *path[KEY_SIZE_MAX / 2 + 1];
    size_t depth = 0;
    size_t start = buffer->size;

    if (node->parent == NULL) {
        buffer_append_byte(buffer, '/');
        return buffer->failed ? STATUS_NO_MEMORY : STATUS_OK;
    }
    for (; node->parent != NULL; node = node->parent) {
        if (depth == sizeof path / sizeof *path) {
            return STATUS_BAD_KEY;
        }
        path[depth++] = node;
    }
    while (depth-- > 0) {
        buffer_append_slice(buffer, node_base(path[depth]));
        if (path[depth]->type == VERSION_DIRECTORY) {
            buffer_append_byte(buffer, '/');
        }
    }
    if (buffer->failed) {
        return STATUS_NO_MEMORY;
    }
    return buffer->size - start > KEY_SIZE_MAX ? STATUS_BAD_KEY : STATUS_OK;
}
