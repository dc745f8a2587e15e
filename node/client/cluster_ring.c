/*
 * cluster_ring.c - what the client knows of the ring and of nodes that fail.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/cluster.h"
#include "node/client/socket.h"

enum {
    PAUSE_MIN_MS = 1000,
    PAUSE_MAX_MS = 10000,
    /* How long a call waits for the answer of a node that it probes, at least, and else in
     * latencies. */
    PROBE_MIN_MS = 25,
    PROBE_LATENCIES = 4,
    /* Where nobody answers at all, an operation waits for a tenth, but for two rounds. */
    SILENT_SHARE = 10,
    SILENT_MIN_MS = 300,
    /* One answer that took very long is no reason to wait as long for others. */
    LATENCY_MAX_MS = 500,
    LATENCY_RISE = 4, /* a quarter of the difference at once */
    LATENCY_FALL = 16,
    /* Epochs that nobody can tell the ring of are no reason to ask for it with every reply. */
    ASK_AGAIN_MS = 100,
};

struct ring_snapshot *cluster_ring_ref(struct cluster *cluster)
{
    pthread_mutex_lock(&cluster->lock);
    struct ring_snapshot *snapshot = cluster->snapshot;
    atomic_fetch_add(&snapshot->references, 1);
    pthread_mutex_unlock(&cluster->lock);
    return snapshot;
}

void cluster_ring_unref(struct ring_snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub(&snapshot->references, 1) == 1) {
        free(snapshot);
    }
}

/* Takes the place of an older ring. STATUS_REFUSED if it is another cluster's. */
static enum status install(struct cluster *cluster, const struct ring *ring)
{
    struct ring_snapshot *fresh = malloc(sizeof *fresh);
    if (!fresh) {
        return STATUS_NO_MEMORY;
    }
    atomic_init(&fresh->references, 1);
    fresh->ring = *ring;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&cluster->lock);
    struct ring_snapshot *dropped = fresh;
    const struct ring_snapshot *known = cluster->snapshot;
    if (known && known->ring.cluster_id != ring->cluster_id) {
        status = STATUS_REFUSED;
    } else if (!known || known->ring.epoch < ring->epoch) {
        dropped = cluster->snapshot;
        cluster->snapshot = fresh;
    }
    pthread_mutex_unlock(&cluster->lock);
    cluster_ring_unref(dropped);
    return status;
}

enum status cluster_ring_fetch(struct cluster *cluster, const char *address,
                               uint64_t deadline_ns, struct error *error)
{
    struct message request = {.type = MESSAGE_RING};
    struct pool_call call = {
        .address = address, .request = &request, .deadline_ns = deadline_ns};
    struct message reply;
    enum status status = pool_call(cluster->pool, &call, &reply);
    if (status != STATUS_OK) {
        *error = call.error;
        return status;
    }
    status = reply.status;
    if (status == STATUS_OK && !reply.ring) {
        status = STATUS_NOT_READY;
    }
    if (status == STATUS_OK) {
        status = install(cluster, reply.ring);
    }
    if (status == STATUS_OK) {
        pool_expect_cluster(cluster->pool, reply.ring->cluster_id);
    } else {
        error->code = status;
        snprintf(error->text, sizeof error->text, "%s: %s", address, status_text(status));
    }
    message_release(&reply);
    return status;
}

static uint64_t known_epoch(struct cluster *cluster)
{
    pthread_mutex_lock(&cluster->lock);
    uint64_t epoch = cluster->snapshot->ring.epoch;
    pthread_mutex_unlock(&cluster->lock);
    return epoch;
}

bool cluster_ring_learn(struct cluster *cluster, const char *address, uint64_t epoch,
                        uint64_t deadline_ns)
{
    uint64_t now = client_now_ns();
    pthread_mutex_lock(&cluster->lock);
    uint64_t known = cluster->snapshot->ring.epoch;
    bool is_asked = epoch > known && now - cluster->ring_asked_ns >= ASK_AGAIN_MS * NS_PER_MS;
    if (is_asked) {
        cluster->ring_asked_ns = now;
    }
    pthread_mutex_unlock(&cluster->lock);
    struct error ignored;
    if (is_asked && cluster_ring_fetch(cluster, address, deadline_ns, &ignored) != STATUS_OK) {
        /* The ring at hand still works, for nodes forward; the next reply tells again. */
        return false;
    }
    return known_epoch(cluster) > known;
}

/* The lock is held. */
static struct node_health *find_failing(struct cluster *cluster, node_id id)
{
    unsigned count = atomic_load(&cluster->failing_count);
    for (unsigned i = 0; i < count; i++) {
        if (cluster->failing[i].id == id) {
            return &cluster->failing[i];
        }
    }
    return NULL;
}

/* The lock is held. */
static struct node_health *first_to_end(struct cluster *cluster)
{
    struct node_health *first = &cluster->failing[0];
    for (unsigned i = 1; i < MEMBERS_MAX; i++) {
        if (cluster->failing[i].until_ns < first->until_ns) {
            first = &cluster->failing[i];
        }
    }
    return first;
}

/* A place for one more node that fails: that of the one whose pause ends first, when all are in
 * use by nodes that have long left. The lock is held. */
static struct node_health *add_failing(struct cluster *cluster, node_id id)
{
    unsigned count = atomic_load(&cluster->failing_count);
    struct node_health *health;
    if (count < MEMBERS_MAX) {
        health = &cluster->failing[count];
        atomic_store(&cluster->failing_count, count + 1);
    } else {
        health = first_to_end(cluster);
    }
    *health = (struct node_health){.id = id};
    return health;
}

void cluster_node_failed(struct cluster *cluster, node_id id)
{
    uint64_t now = client_now_ns();
    pthread_mutex_lock(&cluster->lock);
    struct node_health *health = find_failing(cluster, id);
    if (!health) {
        health = add_failing(cluster, id);
    }
    /* Many threads see one failure at once; it counts once. */
    if (now - health->failed_ns >= health->pause_ms * NS_PER_MS / 2) {
        uint32_t pause_ms = health->pause_ms ? 2 * health->pause_ms : PAUSE_MIN_MS;
        health->pause_ms = pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
        health->failed_ns = now;
        health->until_ns = now + health->pause_ms * NS_PER_MS;
    }
    pthread_mutex_unlock(&cluster->lock);
}

uint64_t cluster_silence_deadline(struct cluster *cluster, uint64_t deadline_ns,
                                  uint64_t whole_ns)
{
    uint64_t now = client_now_ns();
    if (!kv_limits_are_set() || now >= atomic_load(&cluster->silent_until_ns)) {
        return deadline_ns;
    }
    uint64_t patience = whole_ns / SILENT_SHARE;
    if (patience < SILENT_MIN_MS * NS_PER_MS) {
        patience = SILENT_MIN_MS * NS_PER_MS;
    }
    return now + patience < deadline_ns ? now + patience : deadline_ns;
}

void cluster_silence_note(struct cluster *cluster, uint64_t begin_ns, uint64_t whole_ns)
{
    uint64_t now = client_now_ns();
    if (kv_limits_are_set() && now - begin_ns >= whole_ns / 2) {
        atomic_store(&cluster->silent_until_ns, now + whole_ns);
    }
}

void cluster_node_works(struct cluster *cluster, node_id id)
{
    if (atomic_load(&cluster->silent_until_ns) != 0) {
        atomic_store(&cluster->silent_until_ns, 0);
    }
    if (atomic_load(&cluster->failing_count) == 0) {
        return;
    }
    pthread_mutex_lock(&cluster->lock);
    struct node_health *health = find_failing(cluster, id);
    if (health) {
        unsigned last = atomic_load(&cluster->failing_count) - 1;
        *health = cluster->failing[last];
        atomic_store(&cluster->failing_count, last);
    }
    pthread_mutex_unlock(&cluster->lock);
}

uint32_t cluster_node_pause_ms(struct cluster *cluster, node_id id)
{
    if (atomic_load(&cluster->failing_count) == 0) {
        return 0;
    }
    pthread_mutex_lock(&cluster->lock);
    const struct node_health *health = find_failing(cluster, id);
    uint32_t pause_ms = health ? health->pause_ms : 0;
    pthread_mutex_unlock(&cluster->lock);
    return pause_ms;
}

/* A failing node whose pause is over. It begins anew, so that nobody else asks. */
static bool take_due(struct cluster *cluster, node_id *ret_id)
{
    uint64_t now = client_now_ns();
    bool is_found = false;
    pthread_mutex_lock(&cluster->lock);
    unsigned count = atomic_load(&cluster->failing_count);
    for (unsigned i = 0; i < count && !is_found; i++) {
        struct node_health *health = &cluster->failing[i];
        if (now >= health->until_ns) {
            health->until_ns = now + health->pause_ms * NS_PER_MS;
            *ret_id = health->id;
            is_found = true;
        }
    }
    pthread_mutex_unlock(&cluster->lock);
    return is_found;
}

/* False if it is no member. */
static bool find_address(struct cluster *cluster, node_id id, char ret_address[ADDRESS_SIZE])
{
    struct ring_snapshot *snapshot = cluster_ring_ref(cluster);
    int index = ring_find(&snapshot->ring, id);
    if (index >= 0) {
        memcpy(ret_address, snapshot->ring.members[index].address, ADDRESS_SIZE);
    }
    cluster_ring_unref(snapshot);
    return index >= 0;
}

void cluster_nodes_probe(struct cluster *cluster, uint64_t deadline_ns)
{
    node_id id;
    char address[ADDRESS_SIZE];
    if (atomic_load(&cluster->failing_count) == 0 || !take_due(cluster, &id)) {
        return;
    }
    if (!find_address(cluster, id, address)) {
        cluster_node_works(cluster, id); /* or it would stay in the list for ever */
        return;
    }
    uint64_t patience = PROBE_LATENCIES * cluster_latency_ns(cluster);
    if (patience < PROBE_MIN_MS * NS_PER_MS) {
        patience = PROBE_MIN_MS * NS_PER_MS;
    }
    uint64_t until = client_now_ns() + patience;
    struct error ignored;
    /* It changes nothing there, however late the node reads it. */
    if (cluster_ring_fetch(cluster, address, until < deadline_ns ? until : deadline_ns,
                           &ignored) == STATUS_OK) {
        cluster_node_works(cluster, id);
    } else if (!kv_limits_is_interrupted()) {
        cluster_node_failed(cluster, id);
    }
}

uint64_t cluster_latency_ns(struct cluster *cluster)
{
    return atomic_load_explicit(&cluster->latency_us, memory_order_relaxed) * UINT64_C(1000);
}

void cluster_latency_learn(struct cluster *cluster, uint64_t took_ns)
{
    uint64_t took = took_ns / 1000;
    if (took > LATENCY_MAX_MS * 1000) {
        took = LATENCY_MAX_MS * 1000;
    }
    /* Of two answers at once one may count for nothing. */
    uint64_t known = atomic_load_explicit(&cluster->latency_us, memory_order_relaxed);
    if (took > known) {
        known += (took - known + LATENCY_RISE - 1) / LATENCY_RISE;
    } else {
        known -= (known - took) / LATENCY_FALL;
    }
    atomic_store_explicit(&cluster->latency_us, (unsigned)known, memory_order_relaxed);
}
