/*
 * ctl_hints.c - dynamoctl hints: what is kept for members that could not be reached.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "node/base/now.h"
#include "node/client/admin.h"
#include "node/client/pool.h"
#include "node/dynamoctl/ctl.h"

/* What one member answered about the hints that it keeps. */
struct holder {
    bool has_answered;
    struct message_hints_reply reply; /* if it has */
    struct error error;               /* if not */
};

struct hints_report {
    const struct ring *ring;
    struct pool *pool;
    uint32_t timeout_ms;
    uint64_t now_us;
    struct holder *holders; /* one for each member */
};

static void ask_hints(void *argument, unsigned index)
{
    struct hints_report *report = argument;
    struct holder *holder = &report->holders[index];
    holder->has_answered =
        admin_hints(report->pool, report->ring->members[index].address, report->timeout_ms,
                    &holder->reply, &holder->error) == STATUS_OK;
}

/* The address of a member, or NULL for a node that is none any more. */
static const char *address_of(const struct ring *ring, node_id id)
{
    for (unsigned i = 0; i < ring->member_count; i++) {
        if (ring->members[i].id == id) {
            return ring->members[i].address;
        }
    }
    return NULL;
}

/* Of all members together; oldest_us is 0 if there are none. */
static struct hint_owner total_of(const struct hints_report *report)
{
    struct hint_owner total = {0};
    for (unsigned i = 0; i < report->ring->member_count; i++) {
        const struct message_hints_reply *reply = &report->holders[i].reply;
        for (unsigned k = 0; k < reply->count; k++) {
            const struct hint_owner *owner = &reply->owners[k];
            if (owner->count > 0 && (total.count == 0 || owner->oldest_us < total.oldest_us)) {
                total.oldest_us = owner->oldest_us;
            }
            total.count += owner->count;
            total.bytes += owner->bytes;
        }
    }
    return total;
}

static void print_line(const struct hints_report *report, const char *holder, const char *owner,
                       const struct hint_owner *hints)
{
    char size[CTL_SIZE_TEXT];
    char age[CTL_AGE_TEXT] = "-";
    ctl_format_size(hints->bytes, size);
    if (hints->count > 0) {
        /* Clocks differ: what was made just now may seem to be of the future. */
        bool is_past = hints->oldest_us < report->now_us;
        ctl_format_age(is_past ? report->now_us - hints->oldest_us : 0, age);
    }
    printf("%-21s %-21s %10" PRIu64 " %10s %8s\n", holder, owner, hints->count, size, age);
}

static void print_hints(const struct hints_report *report)
{
    const struct ring *ring = report->ring;
    struct hint_owner total = total_of(report);
    printf("%-21s %-21s %10s %10s %8s\n", "HELD BY", "FOR", "HINTS", "SIZE", "OLDEST");
    for (unsigned i = 0; i < ring->member_count; i++) {
        const struct message_hints_reply *reply = &report->holders[i].reply;
        for (unsigned k = 0; k < reply->count; k++) {
            char id[32];
            const char *owner = address_of(ring, reply->owners[k].owner);
            snprintf(id, sizeof id, "%016" PRIx64, reply->owners[k].owner);
            print_line(report, ring->members[i].address, owner ? owner : id, &reply->owners[k]);
        }
    }
    print_line(report, "total", "", &total);
}

static void print_numbers_json(struct json *json, const struct hint_owner *hints)
{
    json_unsigned(json, "count", hints->count);
    json_unsigned(json, "bytes", hints->bytes);
    if (hints->count > 0) {
        json_unsigned(json, "oldest_us", hints->oldest_us);
    } else {
        json_null(json, "oldest_us");
    }
}

static void print_hint_json(struct json *json, const struct ring *ring, unsigned holder,
                            const struct hint_owner *hints)
{
    const char *owner = address_of(ring, hints->owner);
    json_object_begin(json, NULL);
    json_string(json, "holder", ring->members[holder].address);
    json_identity(json, "holder_id", ring->members[holder].id);
    if (owner) {
        json_string(json, "owner", owner);
    } else {
        json_null(json, "owner");
    }
    json_identity(json, "owner_id", hints->owner);
    print_numbers_json(json, hints);
    json_object_end(json);
}

static void print_hints_json(const struct hints_report *report)
{
    const struct ring *ring = report->ring;
    struct json json = {.out = stdout};
    struct hint_owner total = total_of(report);
    json_object_begin(&json, NULL);
    ctl_json_ring(&json, ring);
    json_array_begin(&json, "hints");
    for (unsigned i = 0; i < ring->member_count; i++) {
        for (unsigned k = 0; k < report->holders[i].reply.count; k++) {
            print_hint_json(&json, ring, i, &report->holders[i].reply.owners[k]);
        }
    }
    json_array_end(&json);
    json_object_begin(&json, "total");
    print_numbers_json(&json, &total);
    json_object_end(&json);
    json_array_begin(&json, "unreachable");
    for (unsigned i = 0; i < ring->member_count; i++) {
        if (!report->holders[i].has_answered) {
            json_object_begin(&json, NULL);
            json_string(&json, "address", ring->members[i].address);
            json_identity(&json, "id", ring->members[i].id);
            json_string(&json, "error", report->holders[i].error.text);
            json_object_end(&json);
        }
    }
    json_array_end(&json);
    json_object_end(&json);
}

/* Names those that did not answer: what they keep is not in the sums. */
static int complain_of_silent(const struct ctl *ctl, const struct hints_report *report)
{
    int code = CTL_OK;
    fflush(stdout);
    for (unsigned i = 0; i < report->ring->member_count; i++) {
        if (!report->holders[i].has_answered) {
            ctl_complain(ctl, NULL, report->holders[i].error.text);
            code = CTL_FAILURE;
        }
    }
    return code;
}

int ctl_hints(struct ctl *ctl)
{
    if (ctl->drop) {
        return ctl_drop_hints(ctl);
    }
    struct ring *ring = ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    struct hints_report report = {
        .ring = ring,
        .timeout_ms = ctl_member_timeout(ctl),
        .now_us = now_wall_us(),
        .holders = calloc(ring->member_count, sizeof *report.holders),
    };
    int code;
    if (!report.holders || pool_new(&report.pool) != STATUS_OK) {
        code = ctl_fail(ctl, NULL, STATUS_NO_MEMORY);
        goto out;
    }
    pool_expect_cluster(report.pool, ring->cluster_id);
    ctl_ask_members(ring->member_count, ask_hints, &report);
    if (ctl->json) {
        print_hints_json(&report);
    } else {
        print_hints(&report);
    }
    code = complain_of_silent(ctl, &report);
    for (unsigned i = 0; i < ring->member_count; i++) {
        admin_hints_release(&report.holders[i].reply);
    }
out:
    pool_free(report.pool);
    free(report.holders);
    free(ring);
    return code;
}
