/*
 * engine_memory.c - the engine in memory, for tests and the simulator.
 *
 * Shape:    a skip list under one lock. Its coin is a fixed sequence, so that equal calls build
 *           equal lists.
 * Never:    half a batch: all memory is taken before the first link changes.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/engine.h"

enum { LEVELS_MAX = 16 };

struct node {
    size_t key_size;
    size_t value_size;
    uint8_t *value; /* owned */
    uint8_t *key;   /* inside the node, behind the links */
    int level_count;
    struct node *next[];
};

struct memory_engine {
    struct engine base;
    pthread_rwlock_t lock;
    uint64_t coin;
    struct node *head[LEVELS_MAX];
};

static struct memory_engine *memory_of(struct engine *engine)
{
    return (struct memory_engine *)engine;
}

static struct slice node_key(const struct node *node)
{
    return slice_of(node->key, node->key_size);
}

static struct slice node_value(const struct node *node)
{
    return slice_of(node->value, node->value_size);
}

static void node_free(struct node *node)
{
    if (node) {
        free(node->value);
        free(node);
    }
}

/* One level more with a chance of one in four. */
static int toss_levels(struct memory_engine *memory)
{
    int levels = 1;

    memory->coin ^= memory->coin << 13;
    memory->coin ^= memory->coin >> 7;
    memory->coin ^= memory->coin << 17;
    for (uint64_t bits = memory->coin; levels < LEVELS_MAX && (bits & 3) == 0; bits >>= 2) {
        levels++;
    }
    return levels;
}

static struct node *node_new(struct memory_engine *memory, struct slice key, struct slice value)
{
    int levels = toss_levels(memory);
    size_t links_size = (size_t)levels * sizeof(struct node *);
    struct node *node = calloc(1, sizeof *node + links_size + key.size);
    uint8_t *copy = malloc(value.size > 0 ? value.size : 1);

    if (!node || !copy) {
        free(node);
        free(copy);
        return NULL;
    }
    node->level_count = levels;
    node->key_size = key.size;
    node->value_size = value.size;
    node->value = copy;
    node->key = (uint8_t *)node->next + links_size;
    if (key.size > 0) {
        memcpy(node->key, key.data, key.size);
    }
    if (value.size > 0) {
        memcpy(copy, value.data, value.size);
    }
    return node;
}

/* Where the links to the first node at or after `key` are, for each level. */
static struct node *seek(struct memory_engine *memory, struct slice key,
                         struct node **links[LEVELS_MAX])
{
    struct node **level_links = memory->head;

    for (int level = LEVELS_MAX - 1; level >= 0; level--) {
        while (level_links[level] && slice_compare(node_key(level_links[level]), key) < 0) {
            level_links = level_links[level]->next;
        }
        links[level] = &level_links[level];
    }
    return *links[0];
}

static void link_node(struct memory_engine *memory, struct node *node)
{
    struct node **links[LEVELS_MAX];
    struct node *found = seek(memory, node_key(node), links);

    if (found && slice_equal(node_key(found), node_key(node))) {
        uint8_t *old_value = found->value;

        found->value = node->value;
        found->value_size = node->value_size;
        node->value = old_value;
        node_free(node);
        return;
    }
    for (int level = 0; level < node->level_count; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
}

static void unlink_key(struct memory_engine *memory, struct slice key)
{
    struct node **links[LEVELS_MAX];
    struct node *found = seek(memory, key, links);

    if (!found || !slice_equal(node_key(found), key)) {
        return;
    }
    for (int level = 0; level < found->level_count; level++) {
        assert(*links[level] == found);
        *links[level] = found->next[level];
    }
    node_free(found);
}

static enum status memory_get(struct engine *engine, struct slice key, struct buffer *ret_value)
{
    struct memory_engine *memory = memory_of(engine);
    struct node **links[LEVELS_MAX];
    enum status status = STATUS_NOT_FOUND;

    pthread_rwlock_rdlock(&memory->lock);
    struct node *found = seek(memory, key, links);
    if (found && slice_equal(node_key(found), key)) {
        buffer_append_slice(ret_value, node_value(found));
        status = ret_value->failed ? STATUS_NO_MEMORY : STATUS_OK;
    }
    pthread_rwlock_unlock(&memory->lock);
    return status;
}

static enum status memory_write(struct engine *engine, const struct engine_write *writes,
                                size_t count, bool sync)
{
    struct memory_engine *memory = memory_of(engine);
    /* A node for each put: to be linked, or dropped if the key is there. */
    struct node **prepared = calloc(count > 0 ? count : 1, sizeof(struct node *));
    enum status status = STATUS_OK;

    (void)sync; /* memory survives neither */
    if (!prepared) {
        return STATUS_NO_MEMORY;
    }
    pthread_rwlock_wrlock(&memory->lock);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (writes[i].is_delete) {
            continue;
        }
        prepared[i] = node_new(memory, writes[i].key, writes[i].value);
        status = !prepared[i] ? STATUS_NO_MEMORY : STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (status != STATUS_OK) {
            node_free(prepared[i]);
        } else if (writes[i].is_delete) {
            unlink_key(memory, writes[i].key);
        } else {
            link_node(memory, prepared[i]);
        }
    }
    pthread_rwlock_unlock(&memory->lock);
    free(prepared);
    return status;
}

static enum status memory_scan(struct engine *engine, struct slice start, struct slice end,
                               bool cold, engine_visit *visit, void *context)
{
    struct memory_engine *memory = memory_of(engine);
    struct node **links[LEVELS_MAX];

    (void)cold;
    pthread_rwlock_rdlock(&memory->lock);
    struct node *node = seek(memory, start, links);
    while (node) {
        if (end.size > 0 && slice_compare(node_key(node), end) >= 0) {
            break;
        }
        if (!visit(context, node_key(node), node_value(node))) {
            break;
        }
        node = node->next[0];
    }
    pthread_rwlock_unlock(&memory->lock);
    return STATUS_OK;
}

static bool memory_is_quick(struct engine *engine, size_t size)
{
    (void)engine;
    (void)size;
    return true;
}

/* Memory is never damaged. */
static enum status memory_salvage(struct engine *engine, struct error *error)
{
    (void)engine;
    (void)error;
    return STATUS_OK;
}

static void memory_last_corruption(struct engine *engine, char *ret_text, size_t size)
{
    (void)engine;
    assert(size > 0);
    ret_text[0] = '\0';
}

static void memory_close(struct engine *engine)
{
    struct memory_engine *memory = memory_of(engine);
    struct node *node = memory->head[0];

    while (node) {
        struct node *next = node->next[0];
        node_free(node);
        node = next;
    }
    pthread_rwlock_destroy(&memory->lock);
    free(memory);
}

static const struct engine_operations memory_operations = {
    .get = memory_get,
    .write = memory_write,
    .scan = memory_scan,
    .is_quick = memory_is_quick,
    .salvage = memory_salvage,
    .last_corruption = memory_last_corruption,
    .close = memory_close,
};

enum status engine_open_memory(struct engine **ret_engine)
{
    assert(ret_engine);

    struct memory_engine *memory = calloc(1, sizeof *memory);

    if (!memory) {
        return STATUS_NO_MEMORY;
    }
    if (pthread_rwlock_init(&memory->lock, NULL) != 0) {
        free(memory);
        return STATUS_NO_MEMORY;
    }
    memory->base.operations = &memory_operations;
    memory->coin = UINT64_C(0x9e3779b97f4a7c15);
    *ret_engine = &memory->base;
    return STATUS_OK;
}
