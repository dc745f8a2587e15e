/*
 * ctl_members.c - finding the ring, and asking all of its members the same.
 */
#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/admin.h"
#include "node/client/socket.h"
#include "node/dynamoctl/ctl.h"

enum {
    ASKERS_MAX = 16, /* members asked at one time */
    /* A member that is down must not hold the others up; a healthy one answers in less. */
    MEMBER_TIMEOUT_MS = 2000,
    AWAIT_RING_MS = 200,
};

/* What is left to be asked. */
struct asking {
    unsigned count;
    atomic_uint next;
    void (*ask)(void *argument, unsigned index);
    void *argument;
};

/* Takes the next address of a list parted by commas; one that is too long is cut, and then no
 * node's. False at its end. */
static bool next_address(const char **list, char ret_address[ADDRESS_SIZE + 1])
{
    size_t size = strcspn(*list, ",");
    if (size == 0) {
        return false;
    }
    snprintf(ret_address, ADDRESS_SIZE + 1, "%.*s", (int)(size < INT_MAX ? size : INT_MAX),
             *list);
    *list += size;
    *list += **list == ',';
    return true;
}

/* NULL, and why, with `ret_is_on_its_way` if a node answers that has no ring yet. */
static struct ring *try_ring(const struct ctl *ctl, bool *ret_is_on_its_way,
                             struct error *error)
{
    const char *list = ctl->cluster;
    char address[ADDRESS_SIZE + 1];
    struct ring *ring = NULL;
    *error = (struct error){.text = "no address of a node"};
    *ret_is_on_its_way = false;
    while (next_address(&list, address)) {
        enum status status = admin_ring(address, ctl->timeout_ms, &ring, error);
        if (status == STATUS_OK) {
            return ring;
        }
        *ret_is_on_its_way |= status == STATUS_NOT_READY;
    }
    return NULL;
}

struct ring *ctl_find_ring(const struct ctl *ctl)
{
    return ctl_await_ring(ctl, 0);
}

struct ring *ctl_await_ring(const struct ctl *ctl, uint32_t patience_s)
{
    uint64_t deadline_ns = client_now_ns() + patience_s * (1000 * NS_PER_MS);
    struct error error;
    bool is_on_its_way = false;
    struct ring *ring = try_ring(ctl, &is_on_its_way, &error);
    while (!ring && is_on_its_way && client_now_ns() < deadline_ns) {
        socket_pause_until(client_now_ns() + AWAIT_RING_MS * NS_PER_MS);
        ring = try_ring(ctl, &is_on_its_way, &error);
    }
    if (!ring) {
        ctl_complain(ctl, NULL, error.text);
    }
    return ring;
}

node_id ctl_find_node(const struct ring *ring, const char *text)
{
    int member = strlen(text) < ADDRESS_SIZE ? ring_find_address(ring, text) : -1;
    if (member >= 0) {
        return ring->members[member].id;
    }
    bool is_hex = strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
    return is_hex ? strtoull(text, NULL, 16) : 0;
}

uint32_t ctl_member_timeout(const struct ctl *ctl)
{
    return ctl->timeout_ms < MEMBER_TIMEOUT_MS ? ctl->timeout_ms : MEMBER_TIMEOUT_MS;
}

static void *ask_next(void *argument)
{
    struct asking *asking = argument;
    unsigned i;
    while ((i = atomic_fetch_add(&asking->next, 1)) < asking->count) {
        asking->ask(asking->argument, i);
    }
    return NULL;
}

void ctl_ask_members(unsigned count, void (*ask)(void *argument, unsigned index),
                     void *argument)
{
    assert(ask);
    struct asking asking = {.count = count, .ask = ask, .argument = argument};
    pthread_t threads[ASKERS_MAX];
    unsigned started = 0;
    while (started + 1 < count && started < ASKERS_MAX &&
           pthread_create(&threads[started], NULL, ask_next, &asking) == 0) {
        started++;
    }
    ask_next(&asking);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

void ctl_json_ring(struct json *json, const struct ring *ring)
{
    json_identity(json, "cluster", ring->cluster_id);
    json_unsigned(json, "epoch", ring->epoch);
    json_unsigned(json, "partitions", ring->partition_count);
    json_unsigned(json, "replicas", ring->replica_count);
}

bool ctl_open(const struct ctl *ctl, struct kv **ret_kv)
{
    struct kv_options options = {.deadline_ms = ctl->timeout_ms, .r = ctl->r, .w = ctl->w};
    struct error error;
    if (kv_open_cluster(ctl->cluster, &options, ret_kv, &error) != STATUS_OK) {
        ctl_complain(ctl, NULL, error.text);
        return false;
    }
    return true;
}
