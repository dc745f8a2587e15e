/*
 * inode.c - the inodes that the kernel knows: names in directories, by id and by name.
 */
#include "fs/model/inode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/condition.h"
#include "node/base/now.h"
#include "ring/fnv.h"

enum { BUCKETS_FIRST = 1024, LONG_WAIT_MS = 60 * 1000 };

#define NS_PER_MS UINT64_C(1000000)

static uint32_t bucket_of_id(const struct inodes *inodes, uint64_t id)
{
    return (uint32_t)(id & (inodes->bucket_count - 1));
}

static uint64_t hash_of_name(const struct inode *parent, struct slice name)
{
    uint64_t hash = fnv64_add(fnv64(slice_of(&parent->id, sizeof parent->id)), name);

    return hash ^ hash >> 32;
}

static uint32_t bucket_of_name(const struct inodes *inodes, const struct inode *parent,
                               struct slice name)
{
    return (uint32_t)(hash_of_name(parent, name) & (inodes->bucket_count - 1));
}

bool inodes_init(struct inodes *inodes)
{
    *inodes = (struct inodes){.next_id = INODE_ID_ROOT + 1, .bucket_count = BUCKETS_FIRST};
    inodes->by_id = calloc(BUCKETS_FIRST, sizeof(struct inode *));
    inodes->by_name = calloc(BUCKETS_FIRST, sizeof(struct inode *));
    inodes->root = calloc(1, sizeof(struct inode));
    if (!inodes->by_id || !inodes->by_name || !inodes->root) {
        free(inodes->by_id);
        free(inodes->by_name);
        free(inodes->root);
        return false;
    }
    inodes->root->id = INODE_ID_ROOT;
    inodes->root->type = VERSION_DIRECTORY;
    inodes->root->references = 1;
    inodes->by_id[bucket_of_id(inodes, INODE_ID_ROOT)] = inodes->root;
    inodes->count = 1;
    condition_init(&inodes->token_returned);
    pthread_mutex_init(&inodes->lock, NULL);
    return true;
}

static void inode_free(struct inode *inode)
{
    shown_release(&inode->shown);
    free(inode->name);
    free(inode);
}

void inodes_release(struct inodes *inodes)
{
    for (uint32_t i = 0; i < inodes->bucket_count; i++) {
        while (inodes->by_id[i]) {
            struct inode *inode = inodes->by_id[i];
            assert(!inode->file);
            inodes->by_id[i] = inode->next_by_id;
            inode_free(inode);
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

bool inode_take_token(struct inodes *inodes, struct inode *inode, uint64_t deadline_ns)
{
    assert(inode->references > 0);

    uint64_t now;

    while (inode->is_token_taken && !kv_limits_is_interrupted() &&
           (now = now_monotonic_ns()) < deadline_ns) {
        uint64_t until_ns = now + kv_limits_wait_ms(LONG_WAIT_MS) * NS_PER_MS;
        if (until_ns > deadline_ns) {
            until_ns = deadline_ns;
        }
        (void)condition_wait_until(&inodes->token_returned, &inodes->lock, until_ns);
    }
    if (inode->is_token_taken) {
        return false;
    }
    inode->is_token_taken = true;
    return true;
}

void inode_return_token(struct inodes *inodes, struct inode *inode)
{
    assert(inode->is_token_taken);

    inode->is_token_taken = false;
    pthread_cond_broadcast(&inodes->token_returned);
}

struct slice inode_name(const struct inode *inode)
{
    return slice_of(inode->name, inode->name_size);
}

struct slice inode_base(const struct inode *inode)
{
    return slice_of(inode->name + inode->base_start, inode->base_size);
}

struct inode *inode_by_id(struct inodes *inodes, uint64_t id)
{
    struct inode *inode = inodes->by_id[bucket_of_id(inodes, id)];

    while (inode && inode->id != id) {
        inode = inode->next_by_id;
    }
    return inode;
}

struct inode *inode_or_heir(struct inodes *inodes, uint64_t id)
{
    struct inode *inode = inode_by_id(inodes, id);

    if (!inode || inode->is_named || inode->file || inode->heir_id == 0) {
        return inode;
    }
    struct inode *heir = inode_by_id(inodes, inode->heir_id);
    return heir ? heir : inode;
}

struct inode *inode_open(const struct inodes *inodes)
{
    for (uint32_t i = 0; i < inodes->bucket_count; i++) {
        for (struct inode *inode = inodes->by_id[i]; inode; inode = inode->next_by_id) {
            if (inode->file) {
                return inode;
            }
        }
    }
    return NULL;
}

struct inode *inode_by_name(struct inodes *inodes, const struct inode *parent,
                            struct slice name)
{
    assert(parent && parent->type == VERSION_DIRECTORY);

    struct inode *inode = inodes->by_name[bucket_of_name(inodes, parent, name)];

    while (inode && (inode->parent != parent || !slice_equal(inode_name(inode), name))) {
        inode = inode->next_by_name;
    }
    return inode;
}

bool inodes_was_removed(const struct inodes *inodes, const struct inode *parent,
                        struct slice name, uint64_t since)
{
    assert(since <= inodes->removals);

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

static void note_removal(struct inodes *inodes, const struct inode *inode)
{
    inodes->removed[inodes->removals++ % REMOVALS_REMEMBERED] =
        hash_of_name(inode->parent, inode_name(inode));
}

static void name_link(struct inodes *inodes, struct inode *inode)
{
    uint32_t bucket = bucket_of_name(inodes, inode->parent, inode_name(inode));

    inode->next_by_name = inodes->by_name[bucket];
    inodes->by_name[bucket] = inode;
    inode->is_named = true;
}

/* Twice the buckets; that it fails makes the table slower, not wrong. */
static void grow(struct inodes *inodes)
{
    uint32_t old_count = inodes->bucket_count;
    struct inode **old = inodes->by_id;
    struct inode **by_id = calloc((size_t)old_count * 2, sizeof(struct inode *));
    struct inode **by_name = calloc((size_t)old_count * 2, sizeof(struct inode *));

    if (!by_id || !by_name) {
        free(by_id);
        free(by_name);
        return;
    }
    free(inodes->by_name);
    inodes->by_id = by_id;
    inodes->by_name = by_name;
    inodes->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct inode *inode = old[i];
            old[i] = inode->next_by_id;
            uint32_t bucket = bucket_of_id(inodes, inode->id);
            inode->next_by_id = by_id[bucket];
            by_id[bucket] = inode;
            if (inode->is_named) {
                name_link(inodes, inode);
            }
        }
    }
    free(old);
}

static void set_parent(struct inode *inode, struct inode *parent)
{
    inode->parent = inode_ref(parent);
    parent->children++;
}

/* The name and, where that is no part of it, the base behind it; NULL when memory is short. */
static char *copy_names(struct slice name, struct slice base)
{
    bool is_apart = !slice_has_prefix(name, base);
    char *names = malloc(name.size + (is_apart ? base.size : 0));

    if (names) {
        memcpy(names, name.data, name.size);
    }
    if (names && is_apart) {
        memcpy(names + name.size, base.data, base.size);
    }
    return names;
}

/* `names` is what copy_names gave for these sizes. */
static void set_names(struct inode *inode, char *names, size_t name_size, struct slice base)
{
    bool is_apart = !slice_has_prefix(slice_of(names, name_size), base);

    free(inode->name);
    inode->name = names;
    inode->name_size = name_size;
    inode->base_start = is_apart ? name_size : 0;
    inode->base_size = base.size;
}

struct inode *inode_add(struct inodes *inodes, struct inode *parent,
                        const struct inode_description *description)
{
    assert(parent && parent->type == VERSION_DIRECTORY);
    assert(!inode_by_name(inodes, parent, description->name));

    struct inode *inode = calloc(1, sizeof *inode);
    char *names = copy_names(description->name, description->base);
    if (!inode || !names) {
        free(inode);
        free(names);
        return NULL;
    }
    set_names(inode, names, description->name.size, description->base);
    if (inodes->count >= inodes->bucket_count && inodes->bucket_count < UINT32_C(1) << 30) {
        grow(inodes);
    }
    inode->id = inodes->next_id++;
    inode->references = 1;
    set_parent(inode, parent);
    inode->number = description->number;
    inode->type = description->type;
    uint32_t bucket = bucket_of_id(inodes, inode->id);
    inode->next_by_id = inodes->by_id[bucket];
    inodes->by_id[bucket] = inode;
    inodes->count++;
    name_link(inodes, inode);
    return inode;
}

struct inode *inode_ref(struct inode *inode)
{
    inode->references++;
    return inode;
}

void inode_unname(struct inodes *inodes, struct inode *inode)
{
    if (!inode->is_named) {
        return;
    }
    struct inode **place =
        &inodes->by_name[bucket_of_name(inodes, inode->parent, inode_name(inode))];
    while (*place != inode) {
        place = &(*place)->next_by_name;
    }
    *place = inode->next_by_name;
    inode->next_by_name = NULL;
    inode->is_named = false;
}

void inode_set_pending(struct inodes *inodes, struct inode *inode, bool is_pending)
{
    assert(!is_pending || inode->parent);

    if (inode->is_pending == is_pending) {
        return;
    }
    inode->is_pending = is_pending;
    if (is_pending) {
        inode->next_pending = inodes->pending;
        inodes->pending = inode;
        return;
    }
    struct inode **place = &inodes->pending;
    while (*place != inode) {
        place = &(*place)->next_pending;
    }
    *place = inode->next_pending;
    inode->next_pending = NULL;
}

void inode_unlink(struct inodes *inodes, struct inode *inode)
{
    assert(inode->parent);

    inode_unname(inodes, inode);
    inode_set_pending(inodes, inode, false);
    note_removal(inodes, inode);
    inode->is_unlinked = true;
}

static void remove_if_unused(struct inodes *inodes, struct inode *inode)
{
    while (inode && inode->references == 0 && inode->lookups == 0) {
        struct inode *parent = inode->parent;
        struct inode **place = &inodes->by_id[bucket_of_id(inodes, inode->id)];

        assert(!inode->file);
        inode_set_pending(inodes, inode, false);
        inode_unname(inodes, inode);
        while (*place != inode) {
            place = &(*place)->next_by_id;
        }
        *place = inode->next_by_id;
        inodes->count--;
        inode_free(inode);
        inode = parent;
        if (inode) {
            inode->children--;
            inode->references--;
        }
    }
}

void inode_unref(struct inodes *inodes, struct inode *inode)
{
    if (!inode) {
        return;
    }
    assert(inode->references > 0);
    inode->references--;
    remove_if_unused(inodes, inode);
}

void inode_forget(struct inodes *inodes, struct inode *inode, uint64_t count)
{
    inode->lookups -= count < inode->lookups ? count : inode->lookups;
    remove_if_unused(inodes, inode);
}

enum status inode_move(struct inodes *inodes, struct inode *inode, struct inode *parent,
                       struct slice name, const struct inode *as)
{
    assert(inode->parent);
    assert(parent && parent->type == VERSION_DIRECTORY);

    struct slice base = as ? inode_base(as) : name;
    char *names = copy_names(name, base);
    if (!names) {
        return STATUS_NO_MEMORY;
    }
    uint32_t number = as ? as->number : 0;
    struct inode *replaced = inode_by_name(inodes, parent, name);
    if (replaced && replaced != inode) {
        inode_unlink(inodes, replaced);
    }
    inode_unname(inodes, inode);
    note_removal(inodes, inode);
    struct inode *old_parent = inode->parent;
    set_parent(inode, parent);
    set_names(inode, names, name.size, base);
    inode->number = number;
    name_link(inodes, inode);
    old_parent->children--;
    inode_unref(inodes, old_parent);
    return STATUS_OK;
}

void inode_adopt(struct inodes *inodes, struct inode *from, struct inode *to)
{
    assert(to->type == VERSION_DIRECTORY);
    assert(from != to);

    for (uint32_t i = 0; i < inodes->bucket_count && from->children > 0; i++) {
        for (struct inode *inode = inodes->by_id[i]; inode; inode = inode->next_by_id) {
            if (inode->parent != from) {
                continue;
            }
            bool was_named = inode->is_named;
            inode_unname(inodes, inode);
            set_parent(inode, to);
            from->children--;
            from->references--;
            if (was_named && !inode_by_name(inodes, to, inode_name(inode))) {
                name_link(inodes, inode);
            }
        }
    }
    /* The caller refers to `from`, so that it cannot have been the last reference. */
    assert(from->references > 0);
}

void inode_unname_siblings(struct inodes *inodes, const struct inode *parent)
{
    assert(parent->type == VERSION_DIRECTORY);

    for (uint32_t i = 0; i < inodes->bucket_count && parent->children > 0; i++) {
        for (struct inode *inode = inodes->by_id[i]; inode; inode = inode->next_by_id) {
            if (inode->parent == parent && inode->number > 0) {
                inode_unname(inodes, inode);
            }
        }
    }
}

bool inode_has_pending_child(const struct inodes *inodes, const struct inode *parent)
{
    const struct inode *inode = inodes->pending;

    while (inode && inode->parent != parent) {
        inode = inode->next_pending;
    }
    return inode;
}

/* What the inode's own name adds to its key. */
static size_t key_part_size(const struct inode *inode)
{
    return inode->base_size + (inode->type == VERSION_DIRECTORY ? 1 : 0);
}

enum status inode_append_key(const struct inode *inode, struct buffer *buffer)
{
    assert(inode && buffer);

    size_t size = 0;

    if (!inode->parent) {
        buffer_append_byte(buffer, '/');
        return buffer->failed ? STATUS_NO_MEMORY : STATUS_OK;
    }
    for (const struct inode *part = inode; part->parent && size <= KEY_SIZE_MAX;
         part = part->parent) {
        size += key_part_size(part);
    }
    if (size > KEY_SIZE_MAX) {
        return STATUS_BAD_KEY;
    }
    uint8_t *key = buffer_reserve(buffer, size);
    if (!key) {
        return STATUS_NO_MEMORY;
    }
    for (const struct inode *part = inode; part->parent; part = part->parent) {
        struct slice base = inode_base(part);
        size -= key_part_size(part);
        memcpy(key + size, base.data, base.size);
        if (part->type == VERSION_DIRECTORY) {
            key[size + base.size] = '/';
        }
    }
    return STATUS_OK;
}
