/*
 * blocks.c - see blocks.h.
 */
#include "tests/sim/blocks.h"

#include "tests/sim/kept.h"

/* Holders go first, a grace time after they were seen, and then what they held; passes begin up
 * to a quarter of that time late, four times. */
enum { STEP_US = 1000, READ_LIMIT_US = 60000000, QUARTERS = 13 };

bool blocks_look(struct check *check, const struct mounts *mounts)
{
    if (mounts_breach(mounts)) {
        (void)snprintf(check->why, sizeof check->why, "%s", mounts_breach(mounts));
        return false;
    }
    return kept_look(check, mounts);
}

static void run(struct check *check, struct mounts *mounts, uint64_t limit_us)
{
    uint64_t end_us = world_now(check->world) + limit_us;
    while (world_now(check->world) < end_us && !mounts_are_done(mounts)) {
        world_run(check->world, STEP_US);
        mounts_step(mounts);
    }
}

bool blocks_check(struct check *check, struct mounts *mounts, uint64_t grace_us)
{
    if (!blocks_look(check, mounts)) {
        return false;
    }
    mounts_begin_reading(mounts);
    run(check, mounts, READ_LIMIT_US);
    if (!blocks_look(check, mounts)) {
        return false;
    }
    mounts_begin_collecting(mounts);
    run(check, mounts, grace_us / 4 * QUARTERS);
    mounts_end(mounts);
    if (mounts_passes(mounts) == 0) {
        (void)snprintf(check->why, sizeof check->why, "no pass of a collector came to its end");
        return false;
    }
    return check_settles(check) && blocks_look(check, mounts) && kept_is_clean(check, mounts);
}
