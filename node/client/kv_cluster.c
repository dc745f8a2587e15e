/*
 * kv_cluster.c - a cluster as a kv: requests out of arguments, results out of replies.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/address.h"
#include "node/client/cluster.h"
#include "node/client/socket.h"
#include "node/client/value.h"
#include "node/wire/record.h"
#include "ring/preference_list.h"

/* How long the first address may be silent before the next one is asked. */
enum { OPEN_PATIENCE_MS = 500 };

static struct cluster *cluster_of(struct kv *kv)
{
    return (struct cluster *)kv;
}

static uint64_t whole_ns(const struct cluster *cluster, const struct kv_options *options)
{
    uint32_t ms = options->deadline_ms ? options->deadline_ms : cluster->defaults.deadline_ms;
    return (ms ? ms : KV_DEADLINE_DEFAULT_MS) * NS_PER_MS;
}

static uint64_t deadline_of(struct cluster *cluster, const struct kv_options *options)
{
    uint64_t whole = whole_ns(cluster, options);
    uint64_t deadline_ns = kv_limits_deadline(client_now_ns() + whole);
    return cluster_silence_deadline(cluster, deadline_ns, whole);
}

static uint8_t choose(uint8_t wanted, uint8_t otherwise)
{
    return wanted ? wanted : otherwise;
}

/* What was sent off is what was stored: a copy whose content does not match its checksum is as
 * bad as none, and another replica is asked. */
static enum status check_get(const struct cluster_request *request, const struct message *reply)
{
    (void)request;
    const struct object *object = reply->get_reply.object;
    if (object_is_live(object) != (reply->status == STATUS_OK)) {
        return STATUS_BAD_MESSAGE;
    }
    return object ? record_verify(object) : STATUS_OK;
}

static enum status cluster_get(struct kv *kv, struct slice key,
                               const struct kv_options *options, struct object **ret_object,
                               uint64_t *ret_names_us)
{
    struct cluster *cluster = cluster_of(kv);
    struct message message = {.type = MESSAGE_GET};
    struct message reply;
    message.get.key = blob_new(key);
    message.get.r = choose(options->r, cluster->defaults.r);
    if (!message.get.key) {
        return STATUS_NO_MEMORY;
    }
    struct cluster_request request = {
        .message = &message,
        .deadline_ms = &message.get.deadline_ms,
        .placed_by = key,
        .deadline_ns = deadline_of(cluster, options),
        .whole_ns = whole_ns(cluster, options),
        .check = check_get,
    };
    enum status status = cluster_call(cluster, &request, &reply);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *ret_object = reply.get_reply.object;
        reply.get_reply.object = NULL;
        *ret_names_us = reply.get_reply.names_us;
        message_release(&reply);
    }
    message_release(&message);
    return status;
}

/* A copy of `count` dots. NULL when memory is short, and for none. */
static struct dot *copy_dots(const struct dot *dots, uint32_t count)
{
    struct dot *copy = count > 0 ? malloc(count * sizeof *copy) : NULL;
    if (copy) {
        memcpy(copy, dots, count * sizeof *copy);
    }
    return copy;
}

/* Fills a zeroed message, which the caller releases also after a failure. */
static enum status fill_put(const struct kv_put *put, uint8_t w, struct message *message)
{
    struct message_put *to = &message->put;
    message->type = MESSAGE_PUT;
    to->key = blob_new(put->key);
    to->mode = put->mode;
    to->w = w;
    to->sync = put->sync;
    if (put->mode == UPDATE_ALL) {
        to->context = copy_dots(put->context.pair, put->context.count);
        to->context_count = to->context ? put->context.count : 0;
    }
    to->dots = copy_dots(put->dots, put->dot_count);
    to->dot_count = to->dots ? put->dot_count : 0;
    if (!to->key || to->dot_count != put->dot_count ||
        (put->mode == UPDATE_ALL && to->context_count != put->context.count)) {
        return STATUS_NO_MEMORY;
    }
    if (!put->value) {
        return STATUS_OK;
    }
    enum status status = value_prepare(put->value, &to->value);
    to->has_value = status == STATUS_OK;
    return status;
}

static enum status check_put(const struct cluster_request *request, const struct message *reply)
{
    (void)request;
    return reply->status == STATUS_OK && !reply->put_reply.row ? STATUS_BAD_MESSAGE : STATUS_OK;
}

static enum status cluster_put(struct kv *kv, const struct kv_put *put,
                               const struct kv_options *options, struct object **ret_row)
{
    struct cluster *cluster = cluster_of(kv);
    struct message message = {0};
    struct message reply;
    enum status status = fill_put(put, choose(options->w, cluster->defaults.w), &message);
    if (status != STATUS_OK) {
        goto out;
    }
    struct cluster_request request = {
        .message = &message,
        .deadline_ms = &message.put.deadline_ms,
        .placed_by = put->key,
        .is_put = true,
        .deadline_ns = deadline_of(cluster, options),
        .whole_ns = whole_ns(cluster, options),
        .check = check_put,
    };
    status = cluster_call(cluster, &request, &reply);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        goto out;
    }
    if (status == STATUS_OK && ret_row) {
        *ret_row = reply.put_reply.row;
        reply.put_reply.row = NULL;
    }
    message_release(&reply);
out:
    message_release(&message);
    return status;
}

/* Live rows of the range that was asked for. */
static enum status check_list(const struct cluster_request *request,
                              const struct message *reply)
{
    const struct message_list_reply *rows = &reply->list_reply;
    for (uint16_t i = 0; i < rows->row_count; i++) {
        if (!object_is_live(rows->rows[i].object)) {
            return STATUS_BAD_MESSAGE;
        }
    }
    return list_reply_fits(rows, &request->message->list) ? STATUS_OK : STATUS_BAD_MESSAGE;
}

static enum status cluster_list(struct kv *kv, const struct kv_list *list,
                                const struct kv_options *options, struct kv_rows *ret_rows)
{
    struct cluster *cluster = cluster_of(kv);
    struct message message = {.type = MESSAGE_LIST};
    struct message reply;
    struct message_list *to = &message.list;
    to->directory = blob_new(list->directory);
    to->start = list->start.size > 0 ? blob_new(list->start) : NULL;
    to->after_start = list->start.size > 0 && list->after_start;
    to->end = list->end.size > 0 ? blob_new(list->end) : NULL;
    to->end_is_prefix = list->end.size > 0 && list->end_is_prefix;
    to->limit = list->limit;
    to->live_only = true;
    to->r = choose(options->r, cluster->defaults.r);
    enum status status = STATUS_NO_MEMORY;
    if (!to->directory || (list->start.size > 0 && !to->start) ||
        (list->end.size > 0 && !to->end)) {
        goto out;
    }
    struct cluster_request request = {
        .message = &message,
        .deadline_ms = &to->deadline_ms,
        .placed_by = list->directory,
        .deadline_ns = deadline_of(cluster, options),
        .whole_ns = whole_ns(cluster, options),
        .check = check_list,
    };
    status = cluster_call(cluster, &request, &reply);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        goto out;
    }
    struct message_list_reply *from = &reply.list_reply;
    *ret_rows = (struct kv_rows){.count = from->row_count,
                                 .rows = from->rows,
                                 .more = from->more,
                                 .resume = from->resume};
    *from = (struct message_list_reply){0};
    message_release(&reply);
    status = STATUS_OK;
out:
    message_release(&message);
    return status;
}

static enum status check_status(const struct cluster_request *request,
                                const struct message *reply)
{
    (void)request;
    const struct message_status_reply *node = &reply->status_reply;
    return reply->status == STATUS_OK && node->disk_free <= node->disk_total
               ? STATUS_OK
               : STATUS_BAD_MESSAGE;
}

static enum status cluster_space(struct kv *kv, const struct kv_options *options,
                                 struct kv_space *ret_space)
{
    struct cluster *cluster = cluster_of(kv);
    struct message message = {.type = MESSAGE_STATUS};
    struct message reply;
    struct cluster_request request = {
        .message = &message,
        .placed_by = slice_of_string("/"), /* any node will do */
        .deadline_ns = deadline_of(cluster, options),
        .whole_ns = whole_ns(cluster, options),
        .check = check_status,
    };
    enum status status = cluster_call(cluster, &request, &reply);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_space = (struct kv_space){.total = reply.status_reply.disk_total,
                                   .free_bytes = reply.status_reply.disk_free};
    message_release(&reply);
    return STATUS_OK;
}

static enum status cluster_replicas(struct kv *kv, struct slice key, struct buffer *ret_text)
{
    struct ring_snapshot *snapshot = cluster_ring_ref(cluster_of(kv));
    const struct ring *ring = &snapshot->ring;
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, key), &list);
    for (uint16_t i = 0; i < list.primary; i++) {
        if (i > 0) {
            buffer_append_byte(ret_text, ',');
        }
        buffer_append_slice(ret_text, slice_of_string(ring->members[list.member[i]].address));
    }
    cluster_ring_unref(snapshot);
    return ret_text->failed ? STATUS_NO_MEMORY : STATUS_OK;
}

static void cluster_census(struct kv *kv, struct slice key, const struct kv_options *options,
                           struct kv_census *ret_census)
{
    struct cluster *cluster = cluster_of(kv);
    struct ring_snapshot *snapshot = cluster_ring_ref(cluster);
    const struct ring *ring = &snapshot->ring;
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, key), &list);
    uint8_t r = choose(options->r, cluster->defaults.r);
    struct kv_census census = {.holders = list.primary};
    census.needed = r > 0 && r < list.primary ? r : list.primary / 2U + 1;
    uint64_t patience_ns = whole_ns(cluster, options) / (list.primary + 1U);
    for (uint16_t i = 0; i < list.primary; i++) {
        struct error ignored;
        uint64_t deadline_ns = kv_limits_deadline(client_now_ns() + patience_ns);
        const char *address = ring->members[list.member[i]].address;
        census.answering +=
            cluster_ring_fetch(cluster, address, deadline_ns, &ignored) == STATUS_OK;
    }
    cluster_ring_unref(snapshot);
    *ret_census = census;
}

static enum status cluster_is_settled(struct kv *kv, const struct kv_options *options,
                                      struct error *ret_why)
{
    struct cluster *cluster = cluster_of(kv);
    return cluster_settled(cluster, deadline_of(cluster, options), ret_why);
}

static void cluster_close(struct kv *kv)
{
    struct cluster *cluster = cluster_of(kv);
    pool_free(cluster->pool);
    cluster_ring_unref(cluster->snapshot);
    pthread_mutex_destroy(&cluster->lock);
    free(cluster);
}

static const struct kv_operations cluster_operations = {
    .get = cluster_get,
    .put = cluster_put,
    .list = cluster_list,
    .space = cluster_space,
    .replicas = cluster_replicas,
    .census = cluster_census,
    .settled = cluster_is_settled,
    .close = cluster_close,
};

/* Takes the next address of a list, which was checked. False at its end. */
static bool next_address(const char **list, char ret_address[ADDRESS_SIZE])
{
    if (**list == '\0') {
        return false;
    }
    size_t size = strcspn(*list, ",");
    assert(size < ADDRESS_SIZE);
    memcpy(ret_address, *list, size);
    ret_address[size] = '\0';
    *list += size;
    if (**list == ',') {
        (*list)++;
    }
    return true;
}

/* Asks the addresses in turn for the ring, each for at most `patience_ns`. */
static enum status ask_for_ring(struct cluster *cluster, const char *addresses,
                                uint64_t deadline_ns, uint64_t patience_ns, bool *ret_silent,
                                struct error *error)
{
    char address[ADDRESS_SIZE];
    enum status status = STATUS_UNREACHABLE;
    *ret_silent = false;
    while (status != STATUS_OK && next_address(&addresses, address)) {
        uint64_t until = client_now_ns() + patience_ns;
        status = cluster_ring_fetch(cluster, address, until < deadline_ns ? until : deadline_ns,
                                    error);
        *ret_silent |= status == STATUS_TIMEOUT;
    }
    return status;
}

/* A node that is silent does not keep the others from being asked; one that is slow has time
 * enough in a later round. */
static enum status learn_ring(struct cluster *cluster, const char *addresses,
                              struct error *error)
{
    static const struct kv_options none;
    uint64_t deadline_ns = deadline_of(cluster, &none);
    uint64_t total_ns = deadline_ns - client_now_ns();
    bool is_lone = !strchr(addresses, ',');
    uint64_t patience_ns = is_lone ? total_ns : OPEN_PATIENCE_MS * NS_PER_MS;
    bool is_silent;
    enum status status =
        ask_for_ring(cluster, addresses, deadline_ns, patience_ns, &is_silent, error);
    while (status != STATUS_OK && is_silent && patience_ns < total_ns) {
        patience_ns *= 2;
        status = ask_for_ring(cluster, addresses, deadline_ns, patience_ns, &is_silent, error);
    }
    return status;
}

enum status kv_open_cluster(const char *addresses, const struct kv_options *defaults,
                            struct kv **ret_kv, struct error *error)
{
    assert(addresses && ret_kv && error);
    enum status status = address_check_list(addresses, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (!cluster || pthread_mutex_init(&cluster->lock, NULL) != 0) {
        free(cluster);
        goto no_memory;
    }
    cluster->kv.operations = &cluster_operations;
    if (defaults) {
        cluster->defaults = *defaults;
    }
    const char *secret_file = cluster->defaults.secret_file;
    cluster->defaults.secret_file = NULL; /* it is borrowed */
    if (pool_new(&cluster->pool) != STATUS_OK ||
        pool_use_secret_file(cluster->pool, secret_file) != STATUS_OK) {
        cluster_close(&cluster->kv);
        goto no_memory;
    }
    status = learn_ring(cluster, addresses, error);
    if (status != STATUS_OK) {
        cluster_close(&cluster->kv);
        return status;
    }
    *ret_kv = &cluster->kv;
    return STATUS_OK;
no_memory:
    error->code = STATUS_NO_MEMORY;
    snprintf(error->text, sizeof error->text, "%s", status_text(STATUS_NO_MEMORY));
    return STATUS_NO_MEMORY;
}
