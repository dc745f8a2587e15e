/*
 * test_hostile.c - whatever a client or a node may say in valid messages, no node stops.
 *
 * Messages of every type, drawn at random within what the codec lets through, are asked of a
 * cluster that works meanwhile. Half of them name the ring that is in force, so that they are
 * not refused for that. Half of the runs have clients alone: a node may bid all others to hold
 * writes still. The core's assertions and core_check judge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/wire/codec.h"
#include "tests/core/ask.h"
#include "tests/core/cluster.h"
#include "tests/wire/sample.h"

enum { MESSAGES = 4000, NODES = 3 };

/* As it is after the way through the codec, which refuses what must not be. */
static bool pass_codec(struct message *message)
{
    struct buffer buffer = {0};
    struct message decoded = {0};
    codec_encode(message, &buffer);
    enum status status = codec_decode(buffer_slice(&buffer), &decoded);
    buffer_release(&buffer);
    message_release(message);
    *message = decoded;
    return status == STATUS_OK;
}

/* Keys and members that the cluster has, now and then. */
static void make_fitting(struct sample *sample, const struct world *world, int node,
                         struct message *message)
{
    const struct core *core = world_core(world, node);
    const struct ring *ring = core_ring(core);
    message->ring_epoch = sample_chance(sample, 50) ? core_ring_mark(core) : 0;
    if (message->type == MESSAGE_PUT && sample_chance(sample, 70)) {
        blob_unref(message->put.key);
        message->put.key = blob_new(slice_of_string(
            message->put.has_value && message->put.value.attributes.type == VERSION_DIRECTORY
                ? "d/"
                : "d/k"));
    } else if (message->type == MESSAGE_GET && sample_chance(sample, 70)) {
        blob_unref(message->get.key);
        message->get.key = blob_new(slice_of_string("d/k"));
    } else if (message->type == MESSAGE_REPLACE && ring && sample_chance(sample, 50)) {
        message->replace.member = ring->members[0].id;
    } else if (message->type == MESSAGE_DROP_HINTS && ring && sample_chance(sample, 50)) {
        message->drop_hints.owner = ring->members[1].id;
    }
}

static void ask_at_random(struct sample *sample, struct world *world, bool may_be_node)
{
    struct message message = {0};
    int node = (int)sample_below(sample, NODES);
    enum message_type type = sample_types[sample_below(sample, SAMPLE_TYPES)];
    sample_message(sample, type, &message);
    make_fitting(sample, world, node, &message);
    if (!pass_codec(&message)) {
        message_release(&message);
        return;
    }
    bool is_node = may_be_node && sample_chance(sample, 50);
    int call =
        is_node ? world_ask_as_node(world, node, &message) : world_ask(world, node, &message);
    world_run(world, sample_below(sample, 20000));
    world_forget(world, call);
}

static void test_core__any_valid_message__no_node_stops(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sample sample = {.state = seed * UINT64_C(0x9e3779b97f4a7c15)};
        struct world *world = cluster_of(seed, NODES);
        for (int i = 0; i < MESSAGES; i++) {
            ask_at_random(&sample, world, seed % 2 == 0);
        }
        world_run(world, 60000000);
        for (int node = 0; node < NODES; node++) {
            struct message message = {.type = MESSAGE_STATUS};
            struct message reply = {0};
            core_check(world_core(world, node));
            assert_true(
                world_wait(world, world_ask(world, node, &message), ASK_LIMIT_US, &reply));
            assert_int_equal(reply.type, MESSAGE_STATUS_REPLY);
            message_release(&reply);
        }
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core__any_valid_message__no_node_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
