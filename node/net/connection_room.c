/*
 * connection_room.c - the memory that a connection takes of its group's, and who waits for some.
 *
 * Connections that wait are starved: two queues, of nodes and of clients, since each have a share
 * of the memory (memory.h).
 */
#include <assert.h>

#include "node/net/connection_internal.h"

void connection_recount(struct connection *connection)
{
    assert(connection);

    size_t input = connection->input.input.capacity;

    if (connection->reserved > input) {
        input = connection->reserved;
    }
    size_t now =
        input + connection->output.capacity + connection->written.capacity + connection->held;
    memory_change(&connection->options.group->memory, connection->is_node, connection->charged,
                  now);
    connection->charged = now;
}

static struct connection_queue *queue_of(const struct connection *connection)
{
    struct connection_group *group = connection->options.group;

    return connection->is_node ? &group->starved_nodes : &group->starved_clients;
}

static void starve(struct connection *connection)
{
    struct connection_queue *queue = queue_of(connection);

    assert(!queue->first == !queue->last);
    if (connection->starved) {
        return;
    }
    connection->starved = true;
    connection->next_starved = NULL;
    if (queue->last) {
        queue->last->next_starved = connection;
    } else {
        queue->first = connection;
    }
    queue->last = connection;
}

static void unstarve(struct connection *connection)
{
    struct connection_queue *queue = queue_of(connection);
    struct connection **link = &queue->first;
    struct connection *before = NULL;

    if (!connection->starved) {
        return;
    }
    while (*link != connection) {
        assert(*link);
        before = *link;
        link = &before->next_starved;
    }
    *link = connection->next_starved;
    if (queue->last == connection) {
        queue->last = before;
    }
    connection->starved = false;
}

/*
 * True if there is room to go on: to take up the rest of a long message, all of it, so that
 * none is begun that cannot end; or to handle one more while others are in hand.
 */
static bool has_room_to_go_on(const struct connection *connection)
{
    const struct memory *memory = &connection->options.group->memory;
    size_t begun = frame_splitter_begun(&connection->input);
    size_t have = connection->input.input.capacity;

    if (have < connection->reserved) {
        have = connection->reserved;
    }
    if (begun > FRAME_SIZE_MAX_GREETING && begun > have) {
        return memory_has_room(memory, connection->is_node, begun - have);
    }
    return connection->held == 0 || memory_has_room(memory, connection->is_node, 0);
}

void connection_reserve(struct connection *connection)
{
    assert(connection);
    if (!has_room_to_go_on(connection)) {
        starve(connection);
        return;
    }
    size_t begun = frame_splitter_begun(&connection->input);
    if (begun > FRAME_SIZE_MAX_GREETING && begun > connection->reserved) {
        connection->reserved = begun;
        connection_recount(connection);
    }
}

void connection_change_share(struct connection *connection, bool is_node)
{
    assert(connection);

    struct memory *memory = &connection->options.group->memory;

    unstarve(connection);
    memory_change(memory, connection->is_node, connection->charged, 0);
    connection->is_node = is_node;
    memory_change(memory, is_node, 0, connection->charged);
}

void connection_leave_room(struct connection *connection)
{
    assert(connection);
    unstarve(connection);
    memory_change(&connection->options.group->memory, connection->is_node, connection->charged,
                  0);
    connection->charged = 0;
}

struct connection *connection_take_starved(struct connection_queue *queue)
{
    assert(queue);

    struct connection *connection = queue->first;

    if (!connection || !has_room_to_go_on(connection)) {
        return NULL;
    }
    unstarve(connection);
    return connection;
}
