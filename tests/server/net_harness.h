/*
 * net_harness.h - a loop on a thread of its own, with a listener and perhaps a peer, for tests.
 *
 * Threads:  all members but the thread and the command belong to the loop; harness_do runs a
 *           function there and makes what it wrote visible here. The counters may be read at
 *           any time; what belongs to an event is written before it is counted.
 */
#ifndef TESTS_SERVER_NET_HARNESS_H
#define TESTS_SERVER_NET_HARNESS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "node/net/listener.h"
#include "node/net/peer.h"

enum { HELD_MAX = 1024 };

/* The listener greets everyone, answers STATUS at once and keeps GET until it is told to
 * answer. */
struct harness {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_async_t command;
    pthread_t thread;
    sem_t done;
    void (*function)(struct harness *harness);

    char address[ADDRESS_SIZE];
    struct connection_group group; /* the loop's */
    struct memory memory_seen;     /* its memory when harness_look ran last */
    struct listener *listener;
    bool refuse_hello;
    bool keep_hello;
    atomic_size_t held_count;
    uint64_t held[HELD_MAX];
    uint64_t held_id[HELD_MAX];
    enum message_type held_type[HELD_MAX];
    size_t answered;
    size_t connected;             /* when it was counted last */
    struct object *answer_object; /* what GET is answered with; borrowed */
    atomic_size_t misbehaved;
    _Atomic(enum status) misbehaviour;

    char peer_address[ADDRESS_SIZE];
    struct peer *peer;
    atomic_size_t ups, downs, failures, replies;
    enum status failure;
    char failure_text[CONNECTION_TEXT_SIZE];
};

/* For cmocka. */
int harness_setup(void **state);
int harness_teardown(void **state);

/* Runs the function on the loop and waits for it. */
void harness_do(struct harness *harness, void (*function)(struct harness *harness));
/* Waits until a counter of the harness is at least `wanted`; false if that never comes. */
bool harness_wait(struct harness *harness, const atomic_size_t *value, size_t wanted);
/* Answers the oldest request that is kept, or all. */
void harness_answer_next(struct harness *harness);
void harness_answer_all(struct harness *harness);
void harness_look(struct harness *harness); /* takes memory_seen */
/* Waits until just so many are connected. */
void harness_wait_connected(struct harness *harness, size_t wanted);
/* Something was counted as misbehaviour, the last time with this status. */
void harness_assert_misbehaved(struct harness *harness, enum status status);
/* Begins to connect to harness->peer_address. */
void harness_connect_peer(struct harness *harness);

#endif
