/*
 * memory.c - see memory.h.
 */
#include "node/net/memory.h"

#include <assert.h>

static size_t limit(size_t given, size_t usual)
{
    return given != 0 ? given : usual;
}

void memory_change(struct memory *memory, bool is_node, size_t before, size_t now)
{
    assert(memory->used >= before);
    memory->used = memory->used - before + now;
    if (!is_node) {
        assert(memory->used_by_clients >= before);
        memory->used_by_clients = memory->used_by_clients - before + now;
    }
}

bool memory_has_room(const struct memory *memory, bool is_node, size_t more)
{
    assert(memory->used_by_clients <= memory->used);

    bool fits = memory->used + more <= limit(memory->max, MEMORY_MAX);

    return fits && (is_node || memory->used_by_clients + more <=
                                   limit(memory->clients_max, MEMORY_CLIENTS_MAX));
}

bool memory_is_tight(const struct memory *memory)
{
    assert(memory->used_by_clients <= memory->used);
    return memory->used_by_clients > limit(memory->clients_max, MEMORY_CLIENTS_MAX) / 2;
}
