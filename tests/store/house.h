/*
 * house.h - a store with hints for the tests of them, and requests about hints in one line.
 */
#ifndef TESTS_STORE_HOUSE_H
#define TESTS_STORE_HOUSE_H

#include "node/store/hints.h"
#include "tests/store/fixture.h"

enum { ANNA = 21, BERT = 22, CARL = 23 }; /* members that are away */

struct house {
    struct fixture *fixture;
    struct engine *disk;
    struct spy_engine spy; /* around `disk`; what the hints use */
};

#define HOUSE_ON_MEMORY(test)                                                                  \
    {                                                                                          \
#test " (memory)", test, house_setup, house_teardown, &fixture_kinds[0]                \
    }
#define HOUSE_ON_LEVELDB(test)                                                                 \
    {                                                                                          \
#test " (leveldb)", test, house_setup, house_teardown, &fixture_kinds[1]               \
    }
#define HOUSE_ON_BOTH(test) HOUSE_ON_MEMORY(test), HOUSE_ON_LEVELDB(test)

/* *state is an enum fixture_kind before and a struct house after. */
int house_setup(void **state);
int house_teardown(void **state);
/* As fixture_restart; the counts of both spies begin anew. */
void house_restart(struct house *house, bool clean);
/* Ends the hints' engine of a house on LevelDB, or begins it. */
void house_close_hints(struct house *house);
enum status house_open_hints(struct house *house, struct error *error);

/* Takes the object (NULL: a marker); one owner or, with `other`, two. */
struct store_request hint_request(const char *key, struct object *object, node_id owner,
                                  node_id other);
/* Makes of a GET or COORDINATE the operation on the hints of the owners; 0: no other. */
struct store_request for_owners(struct store_request request, node_id owner, node_id other);
/* put_request at a fallback, without a row. */
struct store_request fallback_request(const char *key, const struct object *seen,
                                      const char *content, node_id owner, node_id other);
struct store_request list_hints_request(node_id owner, uint16_t limit);
struct store_request clear_hint_request(node_id owner, enum hint_kind kind, const char *key,
                                        uint64_t stamp);

/* The hint of the owner for the key; `stamp` 0: there is none. The caller drops its object. */
struct hint stored_hint_of(struct house *house, node_id owner, enum hint_kind kind,
                           const char *key);
uint64_t stored_stamp(struct house *house, node_id owner, enum hint_kind kind, const char *key);
/* What is kept for the owner; all 0: nothing. */
struct hint_owner stored_owner(struct house *house, node_id owner);
/* How many hints a listing gives, page by page; fails unless each page is OK. */
size_t count_hints(struct house *house, node_id owner);
bool has_any_hint(struct house *house, const char *key);

/* Keeps an object of one version (NULL: a marker) for the owner, or drops what is kept; fails
 * unless that is OK. */
void house_keep(struct house *house, const char *key, const char *content, node_id owner);
void house_drop(struct house *house, node_id owner, enum hint_kind kind, const char *key);

/* Puts bytes where the hint for the key is. */
void overwrite_hint(struct house *house, node_id owner, enum hint_kind kind, const char *key,
                    struct slice bytes);

#endif
