/*
 * world_calls.c - clients' requests, and their answers.
 */
#include <assert.h>

#include "tests/sim/world_internal.h"

int world_ask_copy(struct world *world, int node, const struct message *request)
{
    int index = 0;
    while (index < WORLD_CALLS_MAX && world->calls[index].used) {
        index++;
    }
    assert(index < WORLD_CALLS_MAX);
    struct call *call = &world->calls[index];
    *call = (struct call){.used = true, .node = node, .uses = call->uses + 1};
    if (!world->nodes[node].up) {
        call->done = true;
        call->reply.status = STATUS_UNREACHABLE;
        return index;
    }
    struct item item = item_of_message(world, request);
    item.type = ITEM_REQUEST;
    item.node = node;
    item.life = world->nodes[node].life;
    item.from = WORLD_CLIENTS;
    item.call = index;
    item.uses = call->uses;
    message_leave(world, item, WORLD_CLIENTS, request->type, NULL);
    return index;
}

int world_ask(struct world *world, int node, struct message *request)
{
    int call = world_ask_copy(world, node, request);
    message_release(request);
    return call;
}

int world_ask_as_node(struct world *world, int node, struct message *request)
{
    int call = world_ask(world, node, request);
    world->calls[call].is_node = true;
    return call;
}

bool world_answered(const struct world *world, int call)
{
    return world->calls[call].done;
}

void world_take(struct world *world, int call, struct message *ret_reply)
{
    assert(world->calls[call].done);
    *ret_reply = world->calls[call].reply;
    world->calls[call] = (struct call){.uses = world->calls[call].uses};
}

void world_forget(struct world *world, int call)
{
    message_release(&world->calls[call].reply);
    world->calls[call].used = false;
}

bool world_wait(struct world *world, int call, uint64_t limit_us, struct message *ret_reply)
{
    uint64_t end_us = world->now_us + limit_us;
    while (!world_answered(world, call) && world->count > 0 &&
           world->heap[0]->at_us <= end_us) {
        (void)world_step(world);
    }
    if (!world_answered(world, call)) {
        return false;
    }
    world_take(world, call, ret_reply);
    return true;
}

void calls_break(struct world *world, int node)
{
    for (int i = 0; i < WORLD_CALLS_MAX; i++) {
        struct call *call = &world->calls[i];
        if (call->used && !call->done && call->node == node) {
            call->done = true;
            call->reply = (struct message){.status = STATUS_CLOSED};
        }
    }
}

void calls_answer(struct world *world, const struct item *item, struct message *reply)
{
    struct call *call = &world->calls[item->call];
    if (call->used && !call->done && call->uses == item->uses) {
        call->done = true;
        call->reply = *reply;
        *reply = (struct message){0};
    }
}
