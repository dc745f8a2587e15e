/*
 * lone_hints.c - a core that keeps hints.
 */
#include "tests/core/lone_hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/core/timers.h"
#include "tests/ring/make.h"

enum { SECOND = 1000000 };

struct lone *hints_open(uint16_t members)
{
    struct lone *lone = lone_open(members, 3);
    hints_tell_owners(lone, 0, 0, 0);
    /* Once more, for the members that it met since. */
    lone_run(lone, LOOK_SOON_US);
    hints_tell_owners(lone, 0, 0, 0);
    while (lone_store(lone, STORE_LIST_INTENTS)) {
        lone_stored(lone, lone_store(lone, STORE_LIST_INTENTS), (struct store_result){0});
        lone_run(lone, 0);
    }
    return lone;
}

void hints_ask_owners(struct lone *lone)
{
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
    hints_wanted(lone->core, 0);
    lone_run(lone, 0);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 1);
}

void hints_tell_owners(struct lone *lone, node_id first, uint64_t count, node_id second)
{
    struct found_owners owners = {.owner = calloc(2, sizeof *owners.owner)};
    assert_non_null(owners.owner);
    owners.owner[0] = (struct hint_owner){.owner = first, .count = count};
    owners.owner[1] = (struct hint_owner){.owner = second, .count = count};
    owners.count = first == 0 ? 0 : second == 0 ? 1 : 2;
    struct store_result result = {.operation = STORE_HINT_OWNERS, .owners = owners};
    lone_stored(lone, lone_store(lone, STORE_HINT_OWNERS), result);
}

void hints_add(struct store_result *page, node_id owner, enum hint_kind kind, const char *key)
{
    struct found_hints *hints = &page->hints;
    hints->hint = realloc(hints->hint, (hints->count + 1U) * sizeof *hints->hint);
    assert_non_null(hints->hint);
    bool has_object = kind == HINT_OBJECT;
    hints->hint[hints->count] =
        (struct hint){.owner = owner,
                      .kind = kind,
                      .key = blob_new(slice_of_string(key)),
                      .object = has_object ? make_object("1.5:5 | 1.5:5", NULL) : NULL,
                      .stamp = HINT_STAMP + hints->count};
    hints->count++;
}

struct lone *hints_open_one(uint16_t members, node_id owner, enum hint_kind kind,
                            const char *key)
{
    struct lone *lone = hints_open(members);
    struct store_result page = {0};
    hints_ask_owners(lone);
    hints_tell_owners(lone, owner, 1, 0);
    hints_add(&page, owner, kind, key);
    lone_stored(lone, lone_store(lone, STORE_LIST_HINTS), page);
    return lone;
}

void hints_acknowledge(struct lone *lone, enum status status)
{
    lone_answer(lone, lone_sent(lone, MESSAGE_REPLICA_PUT), (struct message){.status = status});
}

void hints_dropped(struct lone *lone, enum status status)
{
    lone_stored(lone, lone_store(lone, STORE_CLEAR_HINTS),
                (struct store_result){.status = status});
}

void assert_hints_next(struct lone *lone, uint64_t seconds)
{
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
    lone_run(lone, seconds * SECOND - 1);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 0);
    lone_run(lone, 1);
    assert_int_equal(lone_stores(lone, STORE_HINT_OWNERS), 1);
}
