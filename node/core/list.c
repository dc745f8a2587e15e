/*
 * list.c - a listing at its coordinator: R streams of rows merged.
 *
 * Each of R replicas of the directory sends its rows from the cursor on, up to the limit. The
 * streams are merged name by name, up to the first name beyond which one of them has not told
 * all; there the next request resumes. Its cost is that of the directory, never of the cluster.
 */
#include "node/core/list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/detector.h"
#include "node/core/forward.h"
#include "node/core/get.h"
#include "node/core/legs.h"
#include "node/core/list_compare.h"
#include "node/core/outbox.h"
#include "node/core/placement.h"
#include "node/core/read_legs.h"
#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

struct list_state {
    struct message_list list; /* its directory is request->key */
    bool by_marks; /* live rows with marks are asked for; else all rows, to be merged */
    uint8_t r;
};

static struct list_state *list_of(const struct request *request)
{
    return request_own(request, sizeof(struct list_state));
}

static bool list_may_compare(const struct request *request)
{
    /* Looking up a name is for small answers, which the store gives at once. */
    const struct message_list *list = &list_of(request)->list;
    return list->live_only && !list->end && !request->is_child;
}

static void list_check(struct core *core, struct request *request);

enum {
    ROW_REPAIRS_MAX = 32, /* rows written back after one listing; the next one goes on */
    FULL_ROWS_MIN = 256,
};

static void list_ask(struct core *core, struct request *request, uint8_t i)
{
    assert(i < request->leg_count && request->state == STATE_ASKING);
    struct leg *leg = &request->leg[i];
    const struct message_list *from = &list_of(request)->list;
    struct message_list *to;
    bool is_self = leg->peer == PEER_SELF;
    if (is_self && core->is_complete) { /* what is missing while it refills says nothing */
        leg->state = LEG_SENT;
        struct store_request *store = request_store(core, request, i, STORE_LIST);
        store->key = blob_ref(request->key);
        to = &store->list;
        *to = *from;
    } else if (!is_self && peer_is_usable(core, leg->peer)) {
        to = &request_send(core, request, i, MESSAGE_REPLICA_LIST)->list;
        *to = *from;
        to->directory = blob_ref(request->key);
    } else {
        mark_if(is_self, MARK_LIST_OWN_WITHHELD);
        leg->state = LEG_FAILED;
        return;
    }
    blob_ref(to->start);
    blob_ref(to->end);
    to->live_only = list_of(request)->by_marks;
    leg->asks_digest = list_of(request)->by_marks;
    if (!to->live_only && list_may_compare(request) && to->limit < FULL_ROWS_MIN) {
        to->limit = FULL_ROWS_MIN; /* most of them may be tombstones */
    }
}

static void list_begin(struct core *core, struct request *request)
{
    assert(request->key && request->leg_count == 0);
    request_go(request, STATE_ASKING);
    list_of(request)->r = core_quorum(core, list_of(request)->list.r);
    request->ring_mark = core->ring_mark;
    list_of(request)->by_marks = list_may_compare(request);
    request_add_primaries(core, request, ring_partition(core->ring, blob_slice(request->key)));
    request_wake_at(core, request, core->now_us + HEDGE_AFTER_US);
    detector_note_read(core);
    list_check(core, request);
}

/* Coordinates here although this node is no primary. */
static void list_start_fallback(struct core *core, struct request *from,
                                struct message *message)
{
    assert(from->is_client && !from->replied);
    struct request *request = request_new(core, &list_kind, from->deadline_us, true);
    if (!request) {
        (void)request_reply(core, from, MESSAGE_LIST_REPLY, forward_failure(from, STATUS_BUSY));
        return;
    }
    core->stats.lists++;
    request->started_us = from->started_us;
    request->failure = from->failure;
    request->handle = from->handle;
    request->reply_id = from->reply_id;
    request->key = message->list.directory;
    message->list.directory = NULL;
    list_of(request)->list = message->list;
    memset(&message->list, 0, sizeof message->list);
    list_begin(core, request);
}

void list_on_request(struct core *core, struct event *event)
{
    assert(core->ring && event->message->type == MESSAGE_LIST);
    struct message *message = event->message;
    struct slice directory = blob_slice(message->list.directory);
    uint16_t partition = ring_partition(core->ring, directory);
    if (!core_is_primary(core, partition)) {
        forward_start(core, event, partition, MESSAGE_LIST_REPLY, list_start_fallback);
        return;
    }
    uint64_t deadline_us = core_deadline_of(core, message->list.deadline_ms);
    struct request *request = request_has_room(core, true, 0)
                                  ? request_new(core, &list_kind, deadline_us, true)
                                  : NULL;
    if (!request) {
        (void)core_reply(core, event, MESSAGE_LIST_REPLY, STATUS_BUSY);
        return;
    }
    core->stats.lists++;
    request->handle = event->handle;
    request->reply_id = message->request_id;
    request->key = message->list.directory;
    message->list.directory = NULL;
    list_of(request)->list = message->list;
    memset(&message->list, 0, sizeof message->list);
    list_begin(core, request);
}

bool list_start_child(struct core *core, struct request *parent, struct blob *directory,
                      struct blob *name)
{
    assert(parent->kind && directory && name);
    struct request *request =
        request_new(core, &list_kind, core->now_us + CHILD_DEADLINE_US, false);
    if (!request) {
        return false;
    }
    request_set_parent(request, parent);
    request->key = blob_ref(directory);
    list_of(request)->list.start = blob_ref(name);
    list_of(request)->list.end = blob_ref(name);
    list_of(request)->list.limit = 2;
    list_begin(core, request);
    return true;
}

static void list_end(struct core *core, struct request *request, enum status status,
                     struct message_list_reply *list)
{
    assert(status != STATUS_OK || list);
    if (request->is_child) {
        for (uint16_t i = 0; list && i < list->row_count; i++) {
            if (message_open_row(&list->rows[i]) != STATUS_OK) {
                status = STATUS_CORRUPT;
            }
        }
        struct child_result result = {.status = status, .list = list};
        child_finish(core, request, &result);
        return;
    }
    struct message *message =
        request_reply(core, request, MESSAGE_LIST_REPLY, forward_failure(request, status));
    if (status == STATUS_OK) {
        message->list_reply = *list;
        memset(list, 0, sizeof *list);
    } else {
        core->stats.lists_failed++;
    }
    request_free(core, request);
}

/* Where each answered leg's stream stands. */
struct streams {
    uint16_t at[LEGS_MAX];
};

static struct row *stream_head(const struct request *request, const struct streams *at,
                               uint8_t i)
{
    assert(i < request->leg_count);
    const struct leg *leg = &request->leg[i];
    if (leg->state != LEG_DONE || at->at[i] >= leg->list.row_count) {
        return NULL;
    }
    return &leg->list.rows[at->at[i]];
}

/* The least (name, kind) at the head of any stream, or NULL at the end of all. */
static struct row *streams_least(const struct request *request, const struct streams *at)
{
    struct row *least = NULL;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct row *head = stream_head(request, at, i);
        if (head && (!least || row_compare(head, least) < 0)) {
            least = head;
        }
    }
    return least;
}

/* The least name at which a stream was cut short, or NULL if all are told to the end. */
static struct blob *streams_cut(const struct request *request)
{
    struct blob *cut = NULL;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        if (leg->state == LEG_DONE && leg->list.more &&
            (!cut || slice_compare(blob_slice(leg->list.resume), blob_slice(cut)) < 0)) {
            cut = leg->list.resume;
        }
    }
    return cut;
}

/*
 * Brings the replicas that lag up to the merged row: a merge, never a new event. Where a
 * replica holds the object too, the object has to come along, or a power cut might take it from
 * the one disk that has it and leave the row ahead for ever: so the object is read, and
 * repaired with its row.
 */
static void list_repair(struct core *core, const struct request *request,
                        const struct streams *at, const struct row *row, struct object *merged)
{
    assert(merged && request->state == STATE_ASKING);
    struct buffer key = {0};
    key_append_child(&key, blob_slice(request->key), blob_slice(row->name), row->kind);
    struct blob *blob = key.failed ? NULL : blob_new(buffer_slice(&key));
    buffer_release(&key);
    bool has_object_to_repair = false;
    for (uint8_t i = 0; blob && i < request->leg_count; i++) {
        const struct leg *leg = &request->leg[i];
        const struct row *head = stream_head(request, at, i);
        bool has_row = head && row_compare(head, row) == 0;
        if (leg->state != LEG_DONE || (has_row && object_equal(head->object, merged))) {
            continue;
        }
        if (peer_holds(core, leg->peer, blob_slice(blob))) {
            has_object_to_repair = true;
            continue;
        }
        core->stats.read_repairs++;
        mark(MARK_LIST_REPAIR_ROW);
        if (leg->peer == PEER_SELF) {
            struct store_request *store = core_store(core, STORE_MERGE);
            store->key = blob_ref(blob);
            store->merge.object = object_ref(merged);
            store->merge.parts = REPLICA_ROW;
        } else if (peer_is_usable(core, leg->peer)) {
            struct message *message = core_send(core, leg->peer, MESSAGE_REPLICA_PUT);
            message->replica_put.key = blob_ref(blob);
            message->replica_put.object = object_ref(merged);
            message->replica_put.parts = REPLICA_ROW;
        }
    }
    if (has_object_to_repair) {
        mark(MARK_LIST_REPAIR_OBJECT);
        get_start_repair(core, blob);
    }
    blob_unref(blob);
}

/* True if every replica that answered has the same bytes for this row: the usual case, in which
 * nothing is decoded. */
static bool streams_agree(const struct request *request, const struct streams *at,
                          const struct row *row)
{
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state != LEG_DONE) {
            continue;
        }
        const struct row *head = stream_head(request, at, i);
        if (!head || row_compare(head, row) != 0 || !row->record ||
            !slice_equal(blob_slice(head->record), blob_slice(row->record))) {
            return false;
        }
    }
    return true;
}

/*
 * Merges the heads that are `row`'s equals into ret_merged, a new reference. STATUS_CORRUPT for
 * a record that cannot be read; its leg has failed then.
 */
static enum status streams_merge(struct request *request, const struct streams *at,
                                 const struct row *row, struct object **ret_merged)
{
    struct object *merged = NULL;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state != LEG_DONE) {
            continue;
        }
        struct row *head = stream_head(request, at, i);
        if (!head || row_compare(head, row) != 0) {
            continue;
        }
        enum status status = message_open_row(head);
        if (status != STATUS_OK) {
            object_unref(merged);
            request->leg[i].state = status == STATUS_BAD_MESSAGE ? LEG_FAILED : LEG_DONE;
            return status == STATUS_BAD_MESSAGE ? STATUS_CORRUPT : status;
        }
        struct object *next = object_merge(merged, head->object);
        object_unref(merged);
        if (!next) {
            return STATUS_NO_MEMORY;
        }
        merged = next;
    }
    *ret_merged = merged;
    return STATUS_OK;
}

static void streams_pass(const struct request *request, struct streams *at,
                         const struct row *row)
{
    struct row passed = *row; /* its stream moves on under it */
    for (uint8_t i = 0; i < request->leg_count; i++) {
        const struct row *head = stream_head(request, at, i);
        if (head && row_compare(head, &passed) == 0) {
            at->at[i]++;
        }
    }
}

/* True if the answer is full at this row: only between names, so that no name is torn. */
static bool list_is_full(const struct request *request, const struct message_list_reply *list,
                         const struct row *row)
{
    /* Replicas may have been asked for more, so that tombstones are passed sooner. */
    bool has_wanted =
        list_may_compare(request) && list->row_count >= list_of(request)->list.limit;
    return (list->row_count + 2 > ROWS_MAX || has_wanted) &&
           (list->row_count == 0 ||
            slice_compare(blob_slice(list->rows[list->row_count - 1].name),
                          blob_slice(row->name)) != 0);
}

struct merge {
    struct streams at;
    unsigned repairs;
    struct message_list_reply *list;
};

/* The row that all agree on, handed on as it is. */
static void merge_same(struct request *request, struct merge *merge, const struct row *row)
{
    if (!list_of(request)->list.live_only || message_row_is_live(row)) {
        merge->list->rows[merge->list->row_count++] = (struct row){
            .name = blob_ref(row->name), .kind = row->kind, .record = blob_ref(row->record)};
    }
}

static enum status merge_different(struct core *core, struct request *request,
                                   struct merge *merge, const struct row *row)
{
    struct object *merged = NULL;
    enum status status = streams_merge(request, &merge->at, row, &merged);
    if (status != STATUS_OK) {
        return status;
    }
    /* What has no room now is found by the next listing. */
    if (merge->repairs < ROW_REPAIRS_MAX && core_has_room(core)) {
        list_repair(core, request, &merge->at, row, merged);
        merge->repairs++;
    }
    if (!list_of(request)->list.live_only || object_is_live(merged)) {
        merge->list->rows[merge->list->row_count++] = (struct row){
            .name = blob_ref(row->name), .kind = row->kind, .object = object_ref(merged)};
    }
    object_unref(merged);
    return STATUS_OK;
}

static enum status list_merge(struct core *core, struct request *request,
                              struct message_list_reply *list)
{
    struct merge merge = {.list = list};
    struct blob *cut = streams_cut(request);
    struct blob *last = cut;
    const struct row *row;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (row = streams_least(request, &merge.at))) {
        if (cut && slice_compare(blob_slice(row->name), blob_slice(cut)) > 0) {
            break;
        }
        if (list_is_full(request, list, row)) {
            mark(MARK_LIST_FULL);
            last = list->rows[list->row_count - 1].name;
            list->more = true;
            break;
        }
        if (streams_agree(request, &merge.at, row)) {
            merge_same(request, &merge, row);
        } else {
            status = merge_different(core, request, &merge, row);
        }
        streams_pass(request, &merge.at, row);
    }
    if (planted(PLANTED_LIST_DROPS_LAST) && list->row_count > 0) {
        row_release(&list->rows[--list->row_count]);
    }
    list->more |= cut != NULL;
    list->resume = list->more ? blob_ref(last) : NULL;
    return status;
}

static void list_answer(struct core *core, struct request *request)
{
    assert(!list_of(request)->by_marks);
    struct message_list_reply list = {0};
    enum status status = STATUS_NO_MEMORY;
    list.rows = calloc(ROWS_MAX, sizeof *list.rows);
    if (list.rows) {
        status = list_merge(core, request, &list);
    }
    if (status == STATUS_CORRUPT) {
        /* One replica's rows cannot be read: it does not count, another is asked. */
        core->stats.corrupt++;
        rows_free(list.rows, list.row_count);
        blob_unref(list.resume);
        list_check(core, request);
        return;
    }
    /* list_end frees the request and takes the rows when it succeeds. */
    list_end(core, request, status, &list);
    rows_free(list.rows, list.row_count);
    blob_unref(list.resume);
}

/* From now on all rows are asked for. */
static void compare_failed(struct core *core, struct request *request)
{
    assert(list_of(request)->by_marks);
    mark(MARK_LIST_DIFFERED);
    core->stats.lists_differed++;
    list_of(request)->by_marks = false;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        if (request->leg[i].state == LEG_DONE) {
            list_reply_release(&request->leg[i].list);
            list_ask(core, request, i);
        }
    }
    list_check(core, request);
}

static void list_answer_by_marks(struct core *core, struct request *request)
{
    assert(list_of(request)->by_marks);
    struct message_list_reply list = {0};
    if (!list_compare(request, &list)) {
        compare_failed(core, request);
        return;
    }
    list_end(core, request, STATUS_OK, &list); /* takes it */
}

static void list_check(struct core *core, struct request *request)
{
    assert(request->state == STATE_ASKING && list_of(request)->r > 0);
    read_ask_more(core, request, list_of(request)->r, list_ask);
    uint8_t done = read_legs_in(request, LEG_DONE);
    if (done + (unsigned)read_legs_in(request, LEG_SENT) < list_of(request)->r) {
        bool waits = request_waits_for_ring(core, request);
        mark_if(waits, MARK_READ_AGAIN_BY_NEW_RING);
        if (!waits) {
            list_end(core, request, STATUS_NO_QUORUM, NULL);
        }
        return;
    }
    if (done < list_of(request)->r && !(planted(PLANTED_LIST_ONE_ANSWER) && done > 0)) {
        return;
    }
    if (list_of(request)->by_marks) {
        list_answer_by_marks(core, request);
    } else {
        list_answer(core, request);
    }
}

/* Takes the stream out of the answer. */
static void leg_take_list(struct core *core, struct request *request, uint8_t i,
                          enum status status, struct message_list_reply *list)
{
    assert(i < request->leg_count && request->leg[i].state == LEG_SENT);
    struct leg *leg = &request->leg[i];
    if (status != STATUS_OK || leg->asks_digest != (list->mark_count > 0)) {
        leg->state = LEG_FAILED;
        return;
    }
    if (leg->asks_digest && !list_of(request)->by_marks) {
        mark(MARK_LIST_OVERTAKEN);
        list_ask(core, request, i); /* the others have been asked for all rows since */
        return;
    }
    leg->state = LEG_DONE;
    leg->list = *list;
    memset(list, 0, sizeof *list);
}

static void list_on_stored(struct core *core, struct request *request, uint8_t leg,
                           struct store_result *result)
{
    leg_take_list(core, request, leg, result->status, &result->list);
    list_check(core, request);
}

/* True if this may be what the leg was asked for. What another node's rows would make of the
 * listing otherwise, its client refuses as a whole. */
static bool list_reply_is_possible(const struct request *request, uint8_t i,
                                   const struct message_list_reply *reply)
{
    for (uint16_t j = 0; request->leg[i].asks_digest && j < reply->row_count; j++) {
        if (!message_row_is_live(&reply->rows[j])) {
            return false;
        }
    }
    return list_reply_fits(reply, &list_of(request)->list);
}

static void list_on_reply(struct core *core, struct request *request, uint8_t i,
                          struct message *message)
{
    bool is_list = message->type == MESSAGE_REPLICA_LIST_REPLY;
    enum status status = is_list ? message->status : STATUS_BAD_MESSAGE;
    request_note_ring(core, request, message);
    if (status == STATUS_OK && !list_reply_is_possible(request, i, &message->list_reply)) {
        core->stats.corrupt++;
        status = STATUS_BAD_MESSAGE;
    }
    leg_take_list(core, request, i, status, &message->list_reply);
    list_check(core, request);
}

static void list_on_due(struct core *core, struct request *request)
{
    if (request->deadline_us <= core->now_us) {
        list_end(core, request, STATUS_TIMEOUT, NULL);
        return;
    }
    if (request->state == STATE_WAITING) {
        list_begin(core, request);
        return;
    }
    read_hedge(core, request, list_ask);
}

static void list_release(struct request *request)
{
    struct message message = {.type = MESSAGE_LIST, .list = list_of(request)->list};
    message_release(&message);
}

const struct request_kind list_kind = {
    .name = "list",
    .own_size = sizeof(struct list_state),
    .comes_from = {[STATE_ASKING] = FROM(STATE_WAITING), [STATE_WAITING] = FROM(STATE_ASKING)},
    .on_reply = list_on_reply,
    .on_stored = list_on_stored,
    .on_due = list_on_due,
    .on_leg_failed = list_check,
    .release = list_release,
};
