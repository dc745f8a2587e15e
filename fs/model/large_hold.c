/*
 * large_hold.c - open contents are held, so that nobody collects what they need.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/model/large_internal.h"
#include "node/base/now.h"

/* What is open for a shorter part of the grace time has no need of it: most files are. */
enum { HELD_AFTER = 8 };

/* All contents, referenced; *ret_count of them. NULL for none, and when memory is short. */
static struct large **list_all(struct blocks *blocks, size_t *ret_count)
{
    size_t count = 0;

    pthread_mutex_lock(&blocks->lock);
    for (struct large *large = blocks->first; large; large = large->next) {
        count++;
    }
    struct large **all = count > 0 ? malloc(count * sizeof *all) : NULL;
    count = 0;
    for (struct large *large = blocks->first; all && large; large = large->next) {
        all[count++] = large_ref(large);
    }
    pthread_mutex_unlock(&blocks->lock);
    *ret_count = count;
    return all;
}

static void hold(struct large *large)
{
    struct blocks *blocks = large->blocks;
    uint64_t now_ns = now_elapsed_ns();

    pthread_mutex_lock(&large->lock);
    bool is_young = now_ns - large->held_ns < blocks->grace_us * 1000 / HELD_AFTER;
    pthread_mutex_unlock(&large->lock);
    if (is_young || block_set_hold(blocks->kv, &large->set, blocks->holder, &blocks->options) !=
                        STATUS_OK) {
        return; /* The next time comes soon. */
    }
    pthread_mutex_lock(&large->lock);
    large->was_unheld |= large_is_old(large, large->held_ns);
    large->held_ns = now_ns;
    pthread_mutex_unlock(&large->lock);
}

void blocks_hold(struct blocks *blocks)
{
    const struct block_entry none = {{0}, {0}};
    size_t count;

    if (memcmp(blocks->holder, none.id, BLOCK_ID_SIZE) == 0 &&
        block_holder_new(blocks->holder) != STATUS_OK) {
        return;
    }
    struct large **all = list_all(blocks, &count);
    for (size_t i = 0; i < count; i++) {
        kv_limits_renew();
        hold(all[i]);
        large_unref(all[i]);
    }
    free(all);
}
