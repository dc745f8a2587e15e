/*
 * large_share.c - a block of one large content becomes one of another, without its bytes.
 *
 * Shape:    only within a block set and a stripe, where one entry means the same block for both;
 *           a copy of a file is of the same set (large_again). Whoever collects reads all paths
 *           that may name the set, so that a block lives as long as one of them does.
 */
#include <errno.h>
#include <string.h>

#include "fs/model/large_internal.h"

/* What is known of how long ago an entry was named or stored, for who takes it over. */
struct age {
    uint64_t based_ns;
    uint64_t held_ns;
    bool was_unheld;
};

/* The earlier one; 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The entry as it is stored; a hole if there is none, or the block differs from it. */
static int take_entry(struct large *large, uint32_t index, struct block_entry *ret_entry,
                      struct age *ret_age)
{
    pthread_mutex_lock(&large->lock);
    bool is_there = index < manifest_block_count(large->size);
    int failed = is_there ? large_entry(large, index, ret_entry) : 0;

    if (!is_there || large_find_edited(large, index)) {
        memset(ret_entry, 0, sizeof *ret_entry);
    }
    uint64_t unnamed_ns = large->unnamed.count > 0 ? large->unnamed_since_ns : 0;
    *ret_age = (struct age){.based_ns = earlier(large->based_ns, unnamed_ns),
                            .held_ns = large->held_ns,
                            .was_unheld = large->was_unheld};
    pthread_mutex_unlock(&large->lock);
    return failed;
}

/* The lock is held. */
static int give_entry(struct large *large, uint32_t index, const struct block_entry *entry,
                      uint64_t end)
{
    int failed = large_reserve(large, end);

    failed = failed != 0 ? failed : large_replace_block(large, index, entry);
    if (failed == 0 && end > large->size) {
        large->size = end;
    }
    return failed;
}

int large_share(struct large *from, uint32_t from_index, struct large *to, uint32_t to_index,
                uint64_t end, bool *ret_shared)
{
    struct block_entry entry = {{0}, {0}};
    struct age age;

    *ret_shared = false;
    if (memcmp(&from->set, &to->set, sizeof from->set) != 0 ||
        from_index / STRIPE_BLOCKS != to_index / STRIPE_BLOCKS) {
        return 0;
    }
    int failed = take_entry(from, from_index, &entry, &age);
    if (failed != 0 || block_entry_is_hole(&entry)) {
        return failed;
    }
    pthread_mutex_lock(&to->lock);
    failed = large_begin_change(to);
    if (failed == 0) {
        failed = give_entry(to, to_index, &entry, end);
        to->based_ns = earlier(to->based_ns, age.based_ns);
        to->held_ns = earlier(to->held_ns, age.held_ns);
        to->was_unheld |= age.was_unheld;
        large_end_change(to);
    }
    pthread_mutex_unlock(&to->lock);
    *ret_shared = failed == 0;
    return failed;
}
