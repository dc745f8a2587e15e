/*
 * bench.h - one node whose peers, disk and clock a test plays, and what it does, as text.
 *
 * Nodes are letters: A is the first of the preference list of the key that a test works on, B
 * the second, and so on; the first N are its primaries. What a step gives out is one line:
 *
 *   B:or        the copy and the row are sent to B, as REPLICA_PUT; "r": a row alone
 *   D:o/B!      the copy to D, kept for B; it is to be synced
 *   B?          asked for its copy; "d": for the digest, "h": what it keeps for others, "r": also
 *               while it refills
 *   B=          asked for rows; "r": also while it refills
 *   B>put       the request is handed on to B
 *   disk:merge:or!/B   a request to the own store: parts, sync, and for whom it is kept; "+row"
 *               and "+intent" of a coordinated put; "*" one that writes over what is damaged;
 *               "heal": a merge that replaces what is bad; "disk:hint:o/B": an object,
 *               without "o" a marker
 *   disk:clear_intents:5  stamps
 *   ok          the client is answered
 *
 * in that order, nodes by letter. What the node does by itself in the background is left out.
 *
 * Below it is a core as lone.h has it. Memory fails in one step only.
 */
#ifndef TESTS_CORE_BENCH_H
#define TESTS_CORE_BENCH_H

#include "node/core/request.h"
#include "tests/core/lone.h"

enum { BENCH_MEMBERS_MAX = 20, BENCH_TEXT_SIZE = 1024 };

struct bench {
    struct lone *lone;
    struct core *core; /* of `lone` */
    struct ring ring;
    int members;
    uint32_t idle_count; /* requests in flight when nothing is asked */
    char key[32];
    char self;                               /* the letter of this node */
    uint16_t member_at[BENCH_MEMBERS_MAX];   /* by letter */
    struct message asked[BENCH_MEMBERS_MAX]; /* what each letter was asked last; owned */
    uint64_t token[STORE_SET_COMPLETE + 1]; /* of the last request to the store, by operation */
    struct message reply;                   /* the last one to a client; owned */
    char text[BENCH_TEXT_SIZE];
};

/* A node in a ring of so many, all of which it is connected to. */
void bench_open(struct bench *bench, int members, uint16_t replicas);
/* The same; the node has this id, from 1 on, and so this place among the members. */
void bench_open_as(struct bench *bench, node_id node, int members, uint16_t replicas);
void bench_close(struct bench *bench);
/* Works on a key of whose list this node is `self`, and whose row is held by the nodes `rows`
 * (N letters, ascending). */
void bench_place(struct bench *bench, char self, const char *rows);
/* A node among `members`, N = 3, that is A of the key. */
void bench_open_first(struct bench *bench, int members, const char *rows);
/* The node is D of the key, no primary, and suspects all that are. */
void bench_open_fallback(struct bench *bench, int members, const char *rows);
/* The same of the root directory; this node is whatever it is. */
void bench_place_root(struct bench *bench);
uint16_t bench_peer(const struct bench *bench, char letter);
node_id bench_id(const struct bench *bench, char letter);

/* Fails the test unless that was given out. */
void assert_gives(const char *given, const char *expected);

/* What each of these gives out is its result, valid until the next one. */

/* A client's request for the key. `more` (may be NULL) changes it before it is sent. */
typedef void bench_change(struct message *message);
const char *bench_put(struct bench *bench, uint8_t w, bench_change *more);
const char *bench_get(struct bench *bench, uint8_t r, bench_change *more);
/* A rule of the core is called for the key. */
typedef void bench_rule(struct core *core, struct blob *key);
const char *bench_call(struct bench *bench, bench_rule *rule);
/* An intent for the key is found on the disk: the push begins anew. */
const char *bench_find_intent(struct bench *bench, uint64_t stamp);
/* The store's answer to the last request of this kind; `object` as in tests/ring/make.h, or
 * NULL. */
const char *bench_stored(struct bench *bench, enum store_operation operation,
                         enum status status, const char *object);
/* The same with a result that says more; its object, if any, is released. */
const char *bench_stored_with(struct bench *bench, struct store_result *result);
/* A node's answer to what it was asked last, without an object. */
const char *bench_answer(struct bench *bench, char letter, enum status status);
const char *bench_answer_object(struct bench *bench, char letter, const char *object);
const char *bench_answer_digest(struct bench *bench, char letter, const char *object);
/* An answer of a kind of its own. `message` is released. */
const char *bench_answer_with(struct bench *bench, char letter, struct message *message);
/* The connection to the node breaks; it is greeted again. */
const char *bench_lose(struct bench *bench, char letter);
const char *bench_find(struct bench *bench, char letter);
/* Time passes; then the clock ticks. */
const char *bench_wait(struct bench *bench, uint64_t us);
/* The nodes are suspected, until they answer, and not asked whether they are well. */
void bench_suspect(struct bench *bench, const char *letters);

/* In the next step all allocations but the first `count` fail. */
void bench_fail_after(int count);
/* Takes all room for clients' requests but for `left`. */
void bench_fill_clients(struct bench *bench, uint32_t left);
/* Takes all room for requests but for `left`. */
void bench_fill_table(struct bench *bench, uint32_t left);

#endif
