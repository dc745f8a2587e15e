/*
 * fixture.h - a store on either engine for the tests of node/store/, and requests in one line.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/store/apply.h"
#include "tests/store/spy_engine.h"

enum { FIXTURE_PARTITIONS = 16, FIXTURE_NODE = 7 };
#define FIXTURE_WALL_US UINT64_C(1700000000000000)

enum fixture_kind { FIXTURE_MEMORY, FIXTURE_LEVELDB };

struct fixture {
    enum fixture_kind kind;
    char directory[64]; /* of LevelDB */
    struct engine *disk;
    struct spy_engine spy; /* around `disk`; what the state uses */
    struct store_state state;
    struct store_identity identity;
    uint64_t wall_us;
};

/* A test on both engines, for an array of struct CMUnitTest. */
extern enum fixture_kind fixture_kinds[2];
#define ON_MEMORY(test)                                                                        \
    {                                                                                          \
#test " (memory)", test, fixture_setup, fixture_teardown, &fixture_kinds[0]            \
    }
#define ON_LEVELDB(test)                                                                       \
    {                                                                                          \
#test " (leveldb)", test, fixture_setup, fixture_teardown, &fixture_kinds[1]           \
    }
#define ON_BOTH_ENGINES(test) ON_MEMORY(test), ON_LEVELDB(test)

/* *state is an enum fixture_kind before and a struct fixture after; the store has a ring. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A new directory below the temporary one; removed by remove_tree. */
void make_directory(char ret_path[64]);
void remove_tree(const char *path);

/* Opens a disk and a state on it. For tests that fail to open on purpose: engine_open_leveldb.
 */
void fixture_open(struct fixture *fixture, enum fixture_kind kind, const char *directory);
/* Ends the state, with the clean mark or as a crash does, and begins another on the same disk.
 */
void fixture_restart(struct fixture *fixture, bool clean);
void fixture_close(struct fixture *fixture);

/* A ring of `member_count` nodes with FIXTURE_PARTITIONS partitions. Static. */
const struct ring *fixture_ring(uint16_t member_count);

struct blob *key_of(const char *text);

/* Bytes that do not compress, of a sequence that begins with `*random` (not 0). */
void fill_noise(uint64_t *random, uint8_t *bytes, size_t size);

struct store_request get_request(const char *key);
/* Supersedes what `seen` holds (NULL: nothing); content NULL deletes. With row and intent. */
struct store_request put_request(const char *key, const struct object *seen,
                                 const char *content);
struct store_request none_request(const char *key);
/* Takes the object. */
struct store_request merge_request(const char *key, struct object *object, uint8_t parts);
struct store_request list_request(const char *directory, uint16_t limit);
struct store_request find_request(const char *directory, const char *after);
struct store_request intents_request(enum intent_kind kind);
struct store_request clear_request(enum intent_kind kind, const char *key, uint64_t stamp);
struct store_request plain_request(enum store_operation operation);

/* Applies the request as a group of its own, and releases it. */
struct store_result apply(struct fixture *fixture, struct store_request request);
/* The same for those whose result is only expected to have this status. */
void apply_expect(struct fixture *fixture, struct store_request request, enum status status);
/* Groups of several; releases the requests. */
void apply_group(struct fixture *fixture, struct store_request *requests, size_t count,
                 struct store_result *ret_results);

/* An object with one version by (node, birth): counter, or a tombstone (content NULL). */
struct object *object_of(node_id node, uint64_t counter, const char *content);

/* The copy under a key, NULL if there is none; the caller drops it. */
struct object *stored_object(struct fixture *fixture, const char *key);
/* The row of a name in a directory's listing, or NULL; the caller drops it. */
struct object *stored_row(struct fixture *fixture, const char *directory, const char *name);
/* The stamp of an intent; 0 if there is none. */
uint64_t stored_intent(struct fixture *fixture, enum intent_kind kind, const char *key);
/* Fails unless the object has one version with this content. */
void assert_content(const struct object *object, const char *content);

#endif
