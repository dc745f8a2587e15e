/*
 * expect.h - what must succeed: the cluster is available as long as enough nodes can be
 * reached.
 *
 * A put needs W nodes that have been well all the time, a get and a listing R complete
 * primaries, of those that the node asked can reach; whatever the others do. Well is who is up,
 * whose disk has room, is whole and not slow, and whose links are neither cut nor in bad
 * weather; and who was that also before, for as long as a suspicion may last.
 */
#ifndef TESTS_SIM_EXPECT_H
#define TESTS_SIM_EXPECT_H

#include "tests/sim/world.h"

enum { EXPECT_ANY_NODE = -1 };

/* Of one request. */
struct expect {
    struct world *world;
    uint64_t since_us;
    uint32_t complete; /* nodes (bits) that were complete when it began */
    uint32_t members;
};

/* A request is about to be sent. */
struct expect expect_begin(struct world *world);

/*
 * It ended. True if it had to succeed, having asked `node`; EXPECT_ANY_NODE: the shipping
 * client, which finds one by itself, and is not asked to find the only one of several that
 * would do.
 */
bool expect_put(const struct expect *expect, int node, struct slice key, uint8_t w);
/* The same of what reads `count` of the primaries of `key`. */
bool expect_read(const struct expect *expect, int node, struct slice key, uint8_t count);

#endif
