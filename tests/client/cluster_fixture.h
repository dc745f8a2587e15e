/*
 * cluster_fixture.h - three fake nodes over one store in memory, and a client of them.
 */
#ifndef TESTS_CLIENT_CLUSTER_FIXTURE_H
#define TESTS_CLIENT_CLUSTER_FIXTURE_H

#include "tests/client/fake_node.h"

enum { NODES = 3, CLUSTER = 77, DEADLINE_MS = 20000, SHORT_MS = 700 };

struct fixture {
    struct kv *store;
    struct fake_node *nodes[NODES]; /* in the order of the preference list of "k" */
    struct ring ring;
    struct kv *kv;
};

struct slice text(const char *string);
/* A ring of `count` nodes, whose ids are 1 and up in that order. */
void cluster_make_ring(struct fake_node *const *nodes, uint16_t count, struct ring *ring);
/* For cmocka: *state is a struct fixture. */
int cluster_set_up(void **state);
int cluster_tear_down(void **state);
/* Puts and gets "k". A deadline of 0 is DEADLINE_MS. */
enum status put_k(struct fixture *fixture, uint32_t deadline_ms);
enum status get_k(struct fixture *fixture, uint32_t deadline_ms);
/* So many requests came to the nodes so far. */
void assert_requests(struct fixture *fixture, unsigned first, unsigned second, unsigned third);

#endif
