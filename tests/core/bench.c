/*
 * bench.c - one node whose peers, disk and clock a test plays.
 */
#include "tests/core/bench.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/get.h"
#include "ring/preference_list.h"
#include "tests/ring/make.h"

enum { PARTITIONS = 128, NAMES_MAX = 100000 };

static const uint64_t NEVER_US = UINT64_C(36000000000);

/* Letters ----------------------------------------------------------------------------------- */

uint16_t bench_peer(const struct bench *bench, char letter)
{
    assert_in_range(letter, 'A', 'A' + bench->members - 1);
    return bench->core->member_peer[bench->member_at[letter - 'A']];
}

node_id bench_id(const struct bench *bench, char letter)
{
    assert_in_range(letter, 'A', 'A' + bench->members - 1);
    return bench->ring.members[bench->member_at[letter - 'A']].id;
}

static char letter_of(const struct bench *bench, uint16_t peer)
{
    char letter = 'A';
    while (bench_peer(bench, letter) != peer) {
        letter++;
    }
    return letter;
}

static char letter_of_id(const struct bench *bench, node_id id)
{
    char letter = 'A';
    while (bench_id(bench, letter) != id) {
        letter++;
    }
    return letter;
}

static void place_key(struct bench *bench, const char *key)
{
    struct preference_list list;
    (void)snprintf(bench->key, sizeof bench->key, "%s", key);
    preference_list_build(&bench->ring, ring_partition(&bench->ring, slice_of_string(key)),
                          &list);
    for (uint16_t i = 0; i < list.count; i++) {
        bench->member_at[i] = list.member[i];
    }
    bench->self = letter_of(bench, PEER_SELF);
}

static bool rows_are_at(const struct bench *bench, const char *rows)
{
    struct preference_list list;
    struct slice directory = key_directory(slice_of_string(bench->key));
    preference_list_build(&bench->ring, ring_partition(&bench->ring, directory), &list);
    bool is_same = strlen(rows) == list.primary;
    for (uint16_t i = 0; i < list.primary; i++) {
        char letter = letter_of(bench, bench->core->member_peer[list.member[i]]);
        is_same = is_same && strchr(rows, letter);
    }
    return is_same;
}

void bench_place(struct bench *bench, char self, const char *rows)
{
    char key[32];
    int number = 0;
    do {
        assert_true(number < NAMES_MAX);
        (void)snprintf(key, sizeof key, "d%d/f", number++);
        place_key(bench, key);
    } while (bench->self != self || !rows_are_at(bench, rows));
}

void bench_place_root(struct bench *bench)
{
    place_key(bench, "/");
}

/* What a step gives out --------------------------------------------------------------------- */

static void say(struct bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct bench *bench, const char *format, ...)
{
    size_t used = strlen(bench->text);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(bench->text + used, sizeof bench->text - used, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && used + (size_t)size < sizeof bench->text);
}

static void say_parts(struct bench *bench, uint8_t parts)
{
    say(bench, "%s%s", (parts & REPLICA_OBJECT) ? "o" : "", (parts & REPLICA_ROW) ? "r" : "");
}

/* All that a test sees is of the key that it works on. */
static bool is_of_key(const struct bench *bench, const struct blob *key)
{
    return slice_equal(blob_slice(key), slice_of_string(bench->key));
}

static void say_message(struct bench *bench, char letter, const struct message *message)
{
    const struct message_replica_put *put = &message->replica_put;
    const struct message_replica_get *get = &message->replica_get;
    switch ((int)message->type) {
    case MESSAGE_REPLICA_PUT:
        assert_true(is_of_key(bench, put->key));
        say(bench, "%c:", letter);
        say_parts(bench, put->parts);
        if (put->hint_for != 0) {
            say(bench, "/%c", letter_of_id(bench, put->hint_for));
        }
        say(bench, "%s ", put->sync ? "!" : "");
        return;
    case MESSAGE_REPLICA_GET:
        assert_true(is_of_key(bench, get->key));
        say(bench, "%c?%s%s%s ", letter, get->digest_only ? "d" : "",
            get->from_hints ? "h" : "", get->for_repair ? "r" : "");
        return;
    case MESSAGE_REPLICA_LIST:
        say(bench, "%c=%s ", letter, message->list.for_repair ? "r" : "");
        return;
    case MESSAGE_PUT:
    case MESSAGE_GET:
    case MESSAGE_LIST:
        say(bench, "%c>%s ", letter, message_type_name(message->type));
        return;
    default:
        return;
    }
}

static bool is_background(enum message_type type)
{
    return type == MESSAGE_RING || type == MESSAGE_VOUCH || type == MESSAGE_PING ||
           type == MESSAGE_TREE || type == MESSAGE_RING_PUSH;
}

/* Those to each letter; the last one is kept, for its answer. */
static void say_sends(struct bench *bench)
{
    for (char letter = 'A'; letter < 'A' + bench->members; letter++) {
        for (int i = 0; i < bench->lone->count; i++) {
            struct action *action = bench->lone->pending[i];
            if (action->type != ACTION_SEND || action->peer != bench_peer(bench, letter) ||
                is_background(action->message.type)) {
                continue;
            }
            struct message *kept = &bench->asked[letter - 'A'];
            say_message(bench, letter, &action->message);
            message_release(kept);
            *kept = action->message;
            memset(&action->message, 0, sizeof action->message);
        }
    }
}

static const char *operation_name(enum store_operation operation)
{
    switch ((int)operation) {
    case STORE_GET:
        return "get";
    case STORE_GET_HINTS:
        return "get_hints";
    case STORE_COORDINATE:
        return "put";
    case STORE_COORDINATE_HINT:
        return "put_hint";
    case STORE_MERGE:
        return "merge";
    case STORE_LIST:
        return "list";
    case STORE_HINT:
        return "hint";
    case STORE_CLEAR_INTENTS:
        return "clear_intents";
    default:
        return NULL;
    }
}

static void say_owners(struct bench *bench, const struct owner_list *owners)
{
    say(bench, "/");
    for (uint8_t i = 0; i < owners->count; i++) {
        say(bench, "%c", letter_of_id(bench, owners->id[i]));
    }
}

static void say_coordinate(struct bench *bench, const struct store_coordinate *coordinate)
{
    say(bench, "%s%s%s", coordinate->with_row ? "+row" : "",
        coordinate->with_intent ? "+intent" : "", coordinate->over_damage ? "*" : "");
}

/* What the operation is told beside the key. */
static void say_told(struct bench *bench, const struct store_request *request)
{
    switch ((int)request->operation) {
    case STORE_GET_HINTS:
        say_owners(bench, &request->get_hints.owners);
        break;
    case STORE_COORDINATE:
        say_coordinate(bench, &request->coordinate);
        break;
    case STORE_COORDINATE_HINT:
        say_coordinate(bench, &request->coordinate);
        say_owners(bench, &request->coordinate.owners);
        break;
    case STORE_MERGE:
        say(bench, "%s", request->merge.with_intent ? "+intent" : "");
        break;
    case STORE_HINT:
        say(bench, "%s", request->hint.object ? ":o" : "");
        say_owners(bench, &request->hint.owners);
        break;
    case STORE_CLEAR_INTENTS:
        for (uint16_t i = 0; i < request->clear_intents.count; i++) {
            say(bench, ":%" PRIu64, request->clear_intents.intents[i].stamp);
        }
        break;
    default:
        break;
    }
}

static void say_store(struct bench *bench, const struct store_request *request)
{
    const char *name = operation_name(request->operation);
    bool is_revival =
        request->operation == STORE_LIST_INTENTS && request->list_intents.kind == INTENT_REVIVE;
    if (!is_revival) {
        bench->token[request->operation] = request->token;
    }
    if (!name) {
        return;
    }
    assert_true(request->operation == STORE_CLEAR_INTENTS || is_of_key(bench, request->key));
    bool heals = request->operation == STORE_MERGE && request->merge.heals;
    say(bench, "disk:%s", heals ? "heal" : name);
    if (request->operation == STORE_MERGE) {
        say(bench, ":");
        say_parts(bench, request->merge.parts);
    }
    say(bench, "%s", request->sync ? "!" : "");
    say_told(bench, request);
    say(bench, " ");
}

static void say_rest(struct bench *bench, struct action *action)
{
    if (action->type == ACTION_STORE) {
        say_store(bench, &action->request);
    } else if (action->type == ACTION_REPLY) {
        say(bench, "%s ", status_name(action->message.status));
        message_release(&bench->reply);
        bench->reply = action->message;
        memset(&action->message, 0, sizeof action->message);
    }
}

/* All that the last step gave out. */
static const char *say_pending(struct bench *bench)
{
    bench->text[0] = '\0';
    say_sends(bench);
    while (bench->lone->count > 0) {
        say_rest(bench, bench->lone->pending[0]);
        lone_drop(bench->lone, bench->lone->pending[0]);
    }
    size_t size = strlen(bench->text);
    if (size > 0) {
        bench->text[size - 1] = '\0'; /* the space behind the last one */
    }
    return bench->text;
}

static const char *step(struct bench *bench, struct event *event)
{
    lone_step(bench->lone, event);
    lone_fail_allocation(-1);
    return say_pending(bench);
}

void bench_fail_after(int count)
{
    lone_fail_allocations_from(count);
}

struct call {
    bench_rule *rule;
    struct blob *key;
};

static void call(struct core *core, void *context)
{
    const struct call *made = context;
    made->rule(core, made->key);
}

const char *bench_call(struct bench *bench, bench_rule *rule)
{
    struct call made = {.rule = rule, .key = blob_new(slice_of_string(bench->key))};
    lone_do(bench->lone, call, &made);
    lone_fail_allocation(-1);
    blob_unref(made.key);
    return say_pending(bench);
}

/* Setting up -------------------------------------------------------------------------------- */

const char *bench_find(struct bench *bench, char letter)
{
    lone_connect(bench->lone, bench_peer(bench, letter));
    lone_fail_allocation(-1);
    return say_pending(bench);
}

void bench_open(struct bench *bench, int members, uint16_t replicas)
{
    bench_open_as(bench, (node_id)members, members, replicas);
}

void bench_open_as(struct bench *bench, node_id node, int members, uint16_t replicas)
{
    assert_in_range(members, 1, BENCH_MEMBERS_MAX);
    memset(bench, 0, sizeof *bench);
    lone_ring((uint16_t)members, replicas, PARTITIONS, &bench->ring);
    struct core_config config = {.node = node,
                                 .ring = &bench->ring,
                                 .partition_count = PARTITIONS,
                                 .replica_count = replicas,
                                 .repair_interval_us = NEVER_US,
                                 .scrub_interval_us = NEVER_US};
    lone_address(node, config.address);
    bench->members = members;
    bench->lone = lone_open_with(&config);
    bench->core = bench->lone->core;
    for (int i = 0; i < members; i++) {
        bench->member_at[i] = (uint16_t)i;
    }
    (void)say_pending(bench);
    bench->idle_count = bench->core->active_count;
}

void bench_close(struct bench *bench)
{
    for (int i = 0; i < bench->members; i++) {
        message_release(&bench->asked[i]);
    }
    message_release(&bench->reply);
    lone_close(bench->lone);
}

void bench_suspect(struct bench *bench, const char *letters)
{
    for (; *letters; letters++) {
        struct peer *peer = &bench->core->peers[bench_peer(bench, *letters)];
        peer->is_suspect = true;
        peer->probe_us = UINT64_MAX;
    }
}

void bench_open_first(struct bench *bench, int members, const char *rows)
{
    bench_open(bench, members, 3);
    bench_place(bench, 'A', rows);
}

void bench_open_fallback(struct bench *bench, int members, const char *rows)
{
    bench_open(bench, members, 3);
    bench_place(bench, 'D', rows);
    bench_suspect(bench, "ABC");
}

void bench_fill_clients(struct bench *bench, uint32_t left)
{
    while (bench->core->client_count < CLIENT_REQUESTS_MAX - left) {
        assert_non_null(request_new(bench->core, &get_kind, UINT64_MAX, true));
    }
}

void bench_fill_table(struct bench *bench, uint32_t left)
{
    while (bench->core->active_count < REQUESTS_MAX - left) {
        assert_non_null(request_new(bench->core, &get_kind, UINT64_MAX, false));
    }
}

void assert_gives(const char *given, const char *expected)
{
    assert_string_equal(given, expected);
}

/* Events ------------------------------------------------------------------------------------ */

const char *bench_lose(struct bench *bench, char letter)
{
    struct event event = {.type = EVENT_PEER_DOWN, .peer = bench_peer(bench, letter)};
    return step(bench, &event);
}

const char *bench_wait(struct bench *bench, uint64_t us)
{
    struct event event = {.type = EVENT_TICK};
    bench->lone->now_us += us;
    bench->lone->wall_us += us;
    return step(bench, &event);
}

static const char *request(struct bench *bench, struct message *message, bench_change *more)
{
    struct event event = {
        .type = EVENT_REQUEST, .role = ROLE_CLIENT, .handle = 1, .message = message};
    if (more) {
        more(message);
    }
    (void)step(bench, &event);
    message_release(message);
    return bench->text;
}

const char *bench_put(struct bench *bench, uint8_t w, bench_change *more)
{
    struct message message = {.type = MESSAGE_PUT, .request_id = 1};
    bool is_directory = key_is_directory(slice_of_string(bench->key));
    message.put.key = blob_new(slice_of_string(bench->key));
    message.put.mode = UPDATE_ALL;
    message.put.has_value = true;
    message.put.value.attributes.type = is_directory ? VERSION_DIRECTORY : VERSION_FILE;
    message.put.w = w;
    return request(bench, &message, more);
}

const char *bench_get(struct bench *bench, uint8_t r, bench_change *more)
{
    struct message message = {.type = MESSAGE_GET, .request_id = 1};
    message.get.key = blob_new(slice_of_string(bench->key));
    message.get.r = r;
    return request(bench, &message, more);
}

const char *bench_stored_with(struct bench *bench, struct store_result *result)
{
    struct event event = {.type = EVENT_STORED, .result = result};
    result->token = bench->token[result->operation];
    (void)step(bench, &event);
    store_result_release(result);
    return bench->text;
}

const char *bench_stored(struct bench *bench, enum store_operation operation,
                         enum status status, const char *object)
{
    struct store_result result = {.operation = operation, .status = status};
    result.object = object ? make_object(object, NULL) : NULL;
    if (operation == STORE_COORDINATE) {
        result.intent_stamp = 5;
    }
    return bench_stored_with(bench, &result);
}

const char *bench_find_intent(struct bench *bench, uint64_t stamp)
{
    struct store_result result = {.operation = STORE_LIST_INTENTS, .intents = {.count = 1}};
    result.intents.intent = calloc(1, sizeof *result.intents.intent);
    assert_non_null(result.intents.intent);
    result.intents.intent[0] = (struct intent){
        .kind = INTENT_ROW, .key = blob_new(slice_of_string(bench->key)), .stamp = stamp};
    return bench_stored_with(bench, &result);
}

const char *bench_answer_with(struct bench *bench, char letter, struct message *message)
{
    const struct message *asked = &bench->asked[letter - 'A'];
    assert_int_not_equal(asked->type, 0);
    message->type = message->type != 0 ? message->type : (enum message_type)(asked->type + 1);
    message->request_id = asked->request_id;
    message->ring_epoch = message->ring_epoch != 0 ? message->ring_epoch : bench->ring.epoch;
    struct event event = {
        .type = EVENT_RESPONSE, .peer = bench_peer(bench, letter), .message = message};
    (void)step(bench, &event);
    message_release(message);
    return bench->text;
}

const char *bench_answer(struct bench *bench, char letter, enum status status)
{
    struct message message = {.status = status};
    return bench_answer_with(bench, letter, &message);
}

const char *bench_answer_object(struct bench *bench, char letter, const char *object)
{
    struct message message = {.status = STATUS_OK};
    message.replica_get_reply.object = object ? make_object(object, NULL) : NULL;
    return bench_answer_with(bench, letter, &message);
}

const char *bench_answer_digest(struct bench *bench, char letter, const char *object)
{
    struct message message = {.status = STATUS_OK};
    struct object *copy = object ? make_object(object, NULL) : NULL;
    message.replica_get_reply.has_digest = true;
    object_digest(copy, message.replica_get_reply.digest);
    object_unref(copy);
    return bench_answer_with(bench, letter, &message);
}
