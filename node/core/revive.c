/*
 * revive.c - a live row revives its directory (docs/design.md, Objects and rows).
 *
 *   FINDING ──► CHECKING_ROW ──► CHECKING_DIRECTORY ──► CREATING ──► the intent is dropped
 *      ▲              │ dead by the quorum       │ live
 *      └──────────────┘                          └──► the intent is dropped
 *
 * Whenever a row became live under a missing or deleted directory, or a directory was deleted
 * over a live row, the store left an intent. A quorum read of the row decides, because a
 * replica that merely lags must not bring back what `rm -r` removed. Creating the directory
 * makes its own row live in the parent, and so on up.
 */
#include "node/core/revive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/get.h"
#include "node/core/intents.h"
#include "node/core/list.h"
#include "node/core/outbox.h"
#include "node/core/put.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

struct revive_state {
    uint64_t stamp;
    struct row row; /* the live row that was found */
};

static struct revive_state *revive_of(const struct request *request)
{
    return request_own(request, sizeof(struct revive_state));
}

enum { REVIVED_MODE = 0755 };

static void revive_find(struct core *core, struct request *request)
{
    request_go(request, STATE_FINDING);
    struct store_request *store =
        request_store(core, request, LEG_OF_STORE, STORE_FIND_LIVE_ROW);
    store->key = blob_ref(request->key);
    store->list.start = blob_ref(revive_of(request)->row.name);
}

bool revive_start(struct core *core, struct request *scan, const struct intent *intent)
{
    assert(scan->kind && intent->kind == INTENT_REVIVE && intent->key);
    struct request *request =
        request_new(core, &revive_kind, core->now_us + 3 * (uint64_t)CHILD_DEADLINE_US, false);
    if (!request) {
        return false;
    }
    request_set_parent(request, scan);
    request->key = blob_ref(intent->key);
    revive_of(request)->stamp = intent->stamp;
    revive_find(core, request);
    return true;
}

static void revive_finish(struct core *core, struct request *request, bool ok)
{
    if (ok) {
        intents_clear(core, INTENT_REVIVE, request->key, revive_of(request)->stamp);
    }
    struct child_result result = {.status = ok ? STATUS_OK : STATUS_TIMEOUT};
    child_finish(core, request, &result);
}

static void revive_on_stored(struct core *core, struct request *request, uint8_t leg,
                             struct store_result *result)
{
    assert(leg == LEG_OF_STORE);
    if (result->status != STATUS_OK || request->state != STATE_FINDING) {
        revive_finish(core, request, false);
        return;
    }
    if (result->list.row_count == 0) {
        revive_finish(core, request, true);
        return;
    }
    struct row *row = &revive_of(request)->row;
    row_release(row);
    row->name = blob_ref(result->list.rows[0].name);
    row->kind = result->list.rows[0].kind;
    row->object = object_ref(result->object);
    bool is_alone = planted(PLANTED_REVIVE_ALONE);
    request_go(request, STATE_CHECKING_ROW);
    if (is_alone) {
        request_go(request, STATE_CHECKING_DIRECTORY);
    }
    bool is_asked = is_alone ? get_start_child(core, request, request->key, 0)
                             : list_start_child(core, request, request->key, row->name);
    if (!is_asked) {
        revive_finish(core, request, false);
    }
}

/* The directory as `mkdir -p` by the row's owner would have made it. */
static struct message_put *revived_directory(struct core *core, const struct request *request,
                                             const struct object *tombstone)
{
    assert(revive_of(request)->row.object);
    struct message_put *put = calloc(1, sizeof *put);
    if (!put) {
        return NULL;
    }
    put->key = blob_ref(request->key);
    put->mode = UPDATE_ALL;
    if (tombstone && tombstone->clock.count > 0) {
        size_t size = tombstone->clock.count * sizeof *put->context;
        put->context = malloc(size);
        if (!put->context) {
            blob_unref(put->key);
            free(put);
            return NULL;
        }
        memcpy(put->context, tombstone->clock.pair, size);
        put->context_count = tombstone->clock.count;
    }
    const struct version *newest = object_newest(revive_of(request)->row.object);
    int64_t now_ns = (int64_t)core->wall_us * 1000;
    put->has_value = true;
    put->value.content = blob_new(slice_of(NULL, 0));
    put->value.attributes = (struct attributes){
        .type = VERSION_DIRECTORY,
        .mode = REVIVED_MODE,
        .user = newest ? newest->attributes.user : 0,
        .group = newest ? newest->attributes.group : 0,
        .accessed_ns = now_ns,
        .modified_ns = now_ns,
        .changed_ns = now_ns,
        .file_id = core_random(core) | 1,
    };
    for (int i = 0; i < WRITE_ID_SIZE; i += 8) {
        uint64_t random = core_random(core);
        memcpy(put->value.write_id + i, &random, sizeof random);
    }
    return put;
}

static void revive_on_row(struct core *core, struct request *request,
                          const struct message_list_reply *list)
{
    assert(request->state == STATE_CHECKING_ROW);
    bool is_live = false;
    for (uint16_t i = 0; list && i < list->row_count; i++) {
        is_live |= object_is_live(list->rows[i].object);
    }
    if (!is_live) {
        mark(MARK_REVIVE_ROW_GONE);
        revive_find(core, request);
        return;
    }
    request_go(request, STATE_CHECKING_DIRECTORY);
    if (!get_start_child(core, request, request->key, 0)) {
        revive_finish(core, request, false);
    }
}

static void revive_create(struct core *core, struct request *request,
                          const struct object *tombstone)
{
    assert(object_is_live(revive_of(request)->row.object));
    struct message_put *put = revived_directory(core, request, tombstone);
    if (!put) {
        revive_finish(core, request, false);
        return;
    }
    mark(MARK_REVIVED);
    request_go(request, STATE_CREATING);
    core->stats.directories_revived++;
    if (!put_start_child(core, request, put, 0)) {
        revive_finish(core, request, false);
    }
}

static void revive_on_child(struct core *core, struct request *request,
                            struct child_result *result)
{
    assert(request->state == STATE_CHECKING_ROW || request->state == STATE_CHECKING_DIRECTORY ||
           request->state == STATE_CREATING);
    bool is_answer = result->status == STATUS_OK || result->status == STATUS_NOT_FOUND;
    if (!is_answer) {
        revive_finish(core, request, false);
    } else if (request->state == STATE_CHECKING_ROW) {
        revive_on_row(core, request, result->list);
    } else if (request->state == STATE_CHECKING_DIRECTORY &&
               result->status == STATUS_NOT_FOUND) {
        revive_create(core, request, result->object);
    } else {
        mark_if(request->state == STATE_CHECKING_DIRECTORY, MARK_REVIVE_LIVES);
        revive_finish(core, request, true);
    }
}

static void revive_on_due(struct core *core, struct request *request)
{
    revive_finish(core, request, false);
}

static void revive_release(struct request *request)
{
    row_release(&revive_of(request)->row);
}

const struct request_kind revive_kind = {
    .name = "revive",
    .own_size = sizeof(struct revive_state),
    .comes_from = {[STATE_FINDING] = FROM(STATE_WAITING) | FROM(STATE_CHECKING_ROW),
                   [STATE_CHECKING_ROW] = FROM(STATE_FINDING),
                   [STATE_CHECKING_DIRECTORY] = FROM(STATE_CHECKING_ROW),
                   [STATE_CREATING] = FROM(STATE_CHECKING_DIRECTORY)},
    .on_stored = revive_on_stored,
    .on_child = revive_on_child,
    .on_due = revive_on_due,
    .release = revive_release,
};
