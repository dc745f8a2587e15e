/*
 * lone.c - one core, given events one by one.
 */
#include "tests/core/lone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/request.h"

enum { PARTITIONS = 16 };

static const uint64_t START_US = 50000000;
static const uint64_t WALL_US = UINT64_C(1700000000000000);

static bool is_stepping;
static int until_failure = -1; /* allocations that still succeed; negative: all do */
static bool goes_on_failing;
static bool has_failed;
static long allocations; /* that are not freed yet */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);

static bool must_fail(void)
{
    bool fails = is_stepping && until_failure == 0;
    if (is_stepping && until_failure >= 0 && !(fails && goes_on_failing)) {
        until_failure--;
    }
    has_failed = has_failed || fails;
    return fails;
}

static void *counted(void *memory)
{
    allocations += memory ? 1 : 0;
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (must_fail()) {
        return NULL;
    }
    void *moved = __real_realloc(memory, size);
    return memory ? moved : counted(moved);
}

void __wrap_free(void *memory)
{
    allocations -= memory ? 1 : 0;
    __real_free(memory);
}

void lone_fail_allocation(int n)
{
    until_failure = n;
    goes_on_failing = false;
    has_failed = false;
}

void lone_fail_allocations_from(int n)
{
    lone_fail_allocation(n);
    goes_on_failing = true;
}

bool lone_has_failed(void)
{
    return has_failed;
}

static void take_actions(struct lone *lone)
{
    core_check(lone->core);
    for (uint32_t i = 0; i < lone->outbox->count; i++) {
        struct action *action = &lone->outbox->actions[i];
        if (action->type == ACTION_CONNECT || action->type == ACTION_NOTE) {
            action_release(action);
            continue;
        }
        assert_true(lone->count < LONE_PENDING_MAX);
        struct action *kept = malloc(sizeof *kept);
        assert_non_null(kept);
        *kept = *action;
        lone->pending[lone->count++] = kept;
        memset(action, 0, sizeof *action);
    }
    lone->outbox->count = 0;
}

void lone_step(struct lone *lone, struct event *event)
{
    event->now_us = lone->now_us;
    event->wall_us = lone->wall_us;
    is_stepping = true;
    core_step(lone->core, event, lone->outbox);
    is_stepping = false;
    take_actions(lone);
}

void lone_address(node_id member, char ret_address[ADDRESS_SIZE])
{
    (void)snprintf(ret_address, ADDRESS_SIZE, "10.0.0.%u:7450", (unsigned)member);
}

uint16_t lone_peer(const struct lone *lone, node_id member)
{
    int index = ring_find(lone->core->ring, member);
    assert_true(index >= 0);
    return lone->core->member_peer[index];
}

void lone_connect(struct lone *lone, uint16_t peer)
{
    const struct ring *ring = lone->core->ring;
    int member = ring_find_address(ring, lone->core->peers[peer].address);
    assert_true(member >= 0);
    struct message hello = {.type = MESSAGE_HELLO_REPLY, .ring_epoch = ring->epoch};
    hello.hello.node = ring->members[member].id;
    hello.hello.cluster_id = LONE_CLUSTER;
    struct event event = {.type = EVENT_PEER_UP, .peer = peer, .message = &hello};
    lone_step(lone, &event);
}

void lone_disconnect(struct lone *lone, uint16_t peer)
{
    struct event event = {.type = EVENT_PEER_DOWN, .peer = peer};
    lone_step(lone, &event);
}

void lone_ring(uint16_t members, uint16_t replicas, uint16_t partitions, struct ring *ret_ring)
{
    struct member all[MEMBERS_MAX] = {0};
    assert_in_range(members, 1, MEMBERS_MAX);
    for (uint16_t i = 0; i < members; i++) {
        all[i].id = i + 1U;
        lone_address(all[i].id, all[i].address);
    }
    assert_int_equal(ring_create(LONE_CLUSTER, partitions, replicas, all, members, ret_ring),
                     STATUS_OK);
}

/* Memory counts from `before` on. */
static struct lone *new_lone(const struct core_config *config, long before)
{
    struct lone *lone = calloc(1, sizeof *lone);
    assert_non_null(lone);
    lone->allocations = before;
    lone->now_us = START_US;
    lone->wall_us = WALL_US;
    lone_fail_allocation(-1);
    lone->core = core_new(config);
    lone->outbox = calloc(1, sizeof *lone->outbox);
    assert_true(lone->core && lone->outbox);
    return lone;
}

static void start(struct lone *lone)
{
    struct event tick = {.type = EVENT_TICK};
    lone_step(lone, &tick);
    for (uint16_t peer = 0; peer < lone->core->peer_count; peer++) {
        lone_connect(lone, peer);
    }
}

struct lone *lone_open_with(const struct core_config *config)
{
    struct lone *lone = new_lone(config, allocations);
    start(lone);
    return lone;
}

struct lone *lone_open(uint16_t members, uint16_t replicas)
{
    long before = allocations;
    struct ring *ring = calloc(1, sizeof *ring);
    assert_non_null(ring);
    if (members > 0) {
        lone_ring(members, replicas, PARTITIONS, ring);
    }
    uint16_t self = members > 1 ? 2 : 1;
    struct core_config config = {.node = self,
                                 .ring = members > 0 ? ring : NULL,
                                 .partition_count = PARTITIONS,
                                 .replica_count = replicas,
                                 .random_seed = 3};
    lone_address(self, config.address);
    struct lone *lone = new_lone(&config, before);
    /* Anti-entropy and scrubs wait for the end of it. */
    lone->core->repair.is_salvaging = true;
    lone->core->repair.salvages_hints = true;
    free(ring);
    start(lone);
    return lone;
}

void lone_close(struct lone *lone)
{
    lone_fail_allocation(-1);
    while (lone->count > 0) {
        lone_drop(lone, lone->pending[0]);
    }
    core_free(lone->core);
    free(lone->outbox);
    long before = lone->allocations;
    free(lone);
    assert_int_equal(allocations, before);
}

void lone_run(struct lone *lone, uint64_t us)
{
    uint64_t end_us = lone->now_us + us;
    while (core_deadline(lone->core) <= end_us) {
        uint64_t due_us = core_deadline(lone->core);
        uint64_t passed_us = due_us > lone->now_us ? due_us - lone->now_us : 0;
        lone->now_us += passed_us;
        lone->wall_us += passed_us;
        struct event tick = {.type = EVENT_TICK};
        lone_step(lone, &tick);
        assert_true(passed_us > 0 || core_deadline(lone->core) > lone->now_us);
    }
    lone->wall_us += end_us - lone->now_us;
    lone->now_us = end_us;
}

static bool is_it(const struct action *action, enum action_type type, int what)
{
    return action->type == type && (type == ACTION_STORE ? (int)action->request.operation
                                                         : (int)action->message.type) == what;
}

static struct action *find(struct lone *lone, enum action_type type, int what)
{
    for (int i = 0; i < lone->count; i++) {
        if (is_it(lone->pending[i], type, what)) {
            return lone->pending[i];
        }
    }
    return NULL;
}

static int count(const struct lone *lone, enum action_type type, int what)
{
    int found = 0;
    for (int i = 0; i < lone->count; i++) {
        found += is_it(lone->pending[i], type, what) ? 1 : 0;
    }
    return found;
}

struct action *lone_store(struct lone *lone, enum store_operation operation)
{
    return find(lone, ACTION_STORE, (int)operation);
}

struct action *lone_sent(struct lone *lone, enum message_type type)
{
    return find(lone, ACTION_SEND, (int)type);
}

struct action *lone_reply(struct lone *lone, enum message_type type)
{
    return find(lone, ACTION_REPLY, (int)type);
}

int lone_stores(const struct lone *lone, enum store_operation operation)
{
    return count(lone, ACTION_STORE, (int)operation);
}

int lone_sends(const struct lone *lone, enum message_type type)
{
    return count(lone, ACTION_SEND, (int)type);
}

void lone_drop(struct lone *lone, struct action *action)
{
    int at = 0;
    while (at < lone->count && lone->pending[at] != action) {
        at++;
    }
    assert_true(at < lone->count);
    lone->count--;
    memmove(&lone->pending[at], &lone->pending[at + 1],
            (size_t)(lone->count - at) * sizeof *lone->pending);
    action_release(action);
    free(action);
}

void lone_stored(struct lone *lone, struct action *action, struct store_result result)
{
    assert_non_null(action);
    assert_int_equal(action->type, ACTION_STORE);
    result.operation = action->request.operation;
    result.token = action->request.token;
    lone_drop(lone, action);
    struct event event = {.type = EVENT_STORED, .result = &result};
    lone_step(lone, &event);
    store_result_release(&result);
}

void lone_answer(struct lone *lone, struct action *action, struct message reply)
{
    assert_non_null(action);
    assert_int_equal(action->type, ACTION_SEND);
    reply.type = reply.type != 0 ? reply.type : (enum message_type)(action->message.type + 1);
    reply.request_id = action->message.request_id;
    reply.ring_epoch = lone->core->ring->epoch;
    struct event event = {.type = EVENT_RESPONSE, .peer = action->peer, .message = &reply};
    lone_drop(lone, action);
    lone_step(lone, &event);
    message_release(&reply);
}

void lone_ask(struct lone *lone, struct message message)
{
    message.ring_epoch = lone->core->ring_mark;
    struct event event = {
        .type = EVENT_REQUEST, .role = ROLE_NODE, .handle = LONE_HANDLE, .message = &message};
    lone_step(lone, &event);
    message_release(&message);
}

void lone_do(struct lone *lone, lone_deed *deed, void *context)
{
    lone->core->outbox = lone->outbox;
    is_stepping = true;
    deed(lone->core, context);
    is_stepping = false;
    lone->core->outbox = NULL;
    take_actions(lone);
}

static const struct request_kind filler_kind = {.name = "filler"};

void lone_fill_table(struct lone *lone, bool full)
{
    struct core *core = lone->core;
    while (full && request_new(core, &filler_kind, UINT64_MAX, false)) {
    }
    uint16_t slot = full ? NO_SLOT : core->active_head;
    while (slot != NO_SLOT) {
        struct request *request = &core->requests[slot];
        slot = request->next;
        if (request->kind == &filler_kind) {
            request_free(core, request);
        }
    }
}
