/*
 * ctl_status.c - dynamoctl status and ring.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/admin.h"
#include "node/dynamoctl/ctl.h"
#include "ring/preference_list.h"

/* What one member answered. */
struct account {
    bool is_up;
    struct message_status_reply reply; /* if it is up */
    struct error error;                /* if not */
    char remark[ADMIN_REMARK_SIZE];    /* its own, or "" */
};

struct report {
    const struct ring *ring;
    uint32_t timeout_ms;
    struct account *accounts; /* one for each member */
};

static void ask_status(void *argument, unsigned index)
{
    struct report *report = argument;
    const struct member *member = &report->ring->members[index];
    struct account *account = &report->accounts[index];
    account->is_up = admin_status(member->address, report->timeout_ms, &account->reply,
                                  account->remark, &account->error) == STATUS_OK;
    /* Somebody else may listen at the address of a member that is gone. */
    if (account->is_up && account->reply.node != member->id) {
        account->is_up = false;
        account->error.code = STATUS_REFUSED;
        snprintf(account->error.text, sizeof account->error.text,
                 "%s: another node answers there, %016" PRIx64, member->address,
                 account->reply.node);
        admin_status_release(&account->reply);
    }
}

static unsigned owned_partitions(const struct ring *ring, unsigned member)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ring->partition_count; i++) {
        count += ring->owner[i] == member;
    }
    return count;
}

static const struct statistic *find_statistic(const struct message_status_reply *reply,
                                              const char *name)
{
    for (unsigned i = 0; i < reply->stat_count; i++) {
        if (strcmp(reply->stats[i].name, name) == 0) {
            return &reply->stats[i];
        }
    }
    return NULL;
}

static uint64_t statistic_of(const struct message_status_reply *reply, const char *name)
{
    const struct statistic *statistic = find_statistic(reply, name);
    return statistic ? statistic->value : 0;
}

static bool is_refilling(const struct message_status_reply *reply)
{
    const struct statistic *complete = find_statistic(reply, "complete");
    return complete && complete->value == 0;
}

static const char *state_of(const struct account *account)
{
    if (!account->is_up) {
        return "DN";
    }
    if (account->reply.disk_state != DISK_WELL) {
        return "UD";
    }
    if (!account->reply.ready) {
        return "UJ";
    }
    return is_refilling(&account->reply) ? "UR" : "UN";
}

/* What the others that answer make of a member. */
struct views {
    unsigned count; /* have an opinion */
    unsigned up;    /* ... and find it up */
};

static struct views views_of(const struct report *report, node_id id)
{
    struct views views = {0};
    for (unsigned i = 0; i < report->ring->member_count; i++) {
        const struct message_status_reply *reply = &report->accounts[i].reply;
        /* Of a member that is down nothing is told: it has no peers here. */
        for (unsigned peer = 0; peer < reply->peer_count; peer++) {
            views.count += reply->peers[peer].id == id;
            views.up += reply->peers[peer].id == id && reply->peers[peer].up;
        }
    }
    return views;
}

static void print_remark(const struct account *account)
{
    if (account->remark[0] != '\0') {
        fputs("   ", stdout);
        ctl_print_name(stdout, slice_of_string(account->remark));
        putchar('\n');
    }
}

static void print_member(const struct report *report, unsigned index)
{
    const struct member *member = &report->ring->members[index];
    const struct account *account = &report->accounts[index];
    const struct message_status_reply *reply = &account->reply;
    struct views views = views_of(report, member->id);
    printf("%s %-21s %016" PRIx64 " %3u/%-3u", state_of(account), member->address, member->id,
           views.up, views.count);
    if (!account->is_up) {
        putchar(' ');
        ctl_print_name(stdout, slice_of_string(account->error.text));
        putchar('\n');
        print_remark(account);
        return;
    }
    char disk_free[CTL_SIZE_TEXT];
    char disk_total[CTL_SIZE_TEXT];
    ctl_format_size(reply->disk_free, disk_free);
    ctl_format_size(reply->disk_total, disk_total);
    uint64_t failed = statistic_of(reply, "puts_failed") + statistic_of(reply, "gets_failed") +
                      statistic_of(reply, "lists_failed");
    printf(" %5" PRIu64 " %10s of %-10s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64
           " %7" PRIu64 "%s",
           reply->epoch, disk_free, disk_total, statistic_of(reply, "gets"),
           statistic_of(reply, "puts"), statistic_of(reply, "lists"), failed,
           statistic_of(reply, "corrupt"), is_refilling(reply) ? " refilling" : "");
    if (reply->disk_state != DISK_WELL) {
        printf(" disk %s", disk_state_name(reply->disk_state));
    }
    putchar('\n');
    print_remark(account);
}

static void print_report(const struct report *report)
{
    const struct ring *ring = report->ring;
    printf("cluster %016" PRIx64 ", epoch %" PRIu64
           ", %u members, %u partitions, %u replicas\n",
           ring->cluster_id, ring->epoch, (unsigned)ring->member_count,
           (unsigned)ring->partition_count, (unsigned)ring_replicas(ring));
    printf("   %-21s %-16s %-7s %5s %10s    %-10s %8s %8s %8s %6s %7s\n", "ADDRESS", "ID",
           "SEEN", "EPOCH", "FREE", "DISK", "GETS", "PUTS", "LISTS", "FAILED", "CORRUPT");
    for (unsigned i = 0; i < ring->member_count; i++) {
        print_member(report, i);
    }
}

static void print_reply_json(struct json *json, const struct message_status_reply *reply)
{
    json_bool(json, "ready", reply->ready);
    json_unsigned(json, "epoch", reply->epoch);
    json_unsigned(json, "disk_total", reply->disk_total);
    json_unsigned(json, "disk_free", reply->disk_free);
    json_string(json, "disk_state", disk_state_name(reply->disk_state));
    json_array_begin(json, "peers");
    for (unsigned i = 0; i < reply->peer_count; i++) {
        json_object_begin(json, NULL);
        json_identity(json, "id", reply->peers[i].id);
        json_string(json, "address", reply->peers[i].address);
        json_bool(json, "up", reply->peers[i].up);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_begin(json, "stats");
    for (unsigned i = 0; i < reply->stat_count; i++) {
        json_unsigned(json, reply->stats[i].name, reply->stats[i].value);
    }
    json_object_end(json);
}

static void print_report_json(const struct report *report)
{
    struct json json = {.out = stdout};
    json_object_begin(&json, NULL);
    ctl_json_ring(&json, report->ring);
    json_array_begin(&json, "members");
    for (unsigned i = 0; i < report->ring->member_count; i++) {
        const struct account *account = &report->accounts[i];
        struct views views = views_of(report, report->ring->members[i].id);
        json_object_begin(&json, NULL);
        json_string(&json, "address", report->ring->members[i].address);
        json_identity(&json, "id", report->ring->members[i].id);
        json_string(&json, "state", state_of(account));
        json_bool(&json, "up", account->is_up);
        json_unsigned(&json, "asked_peers", views.count);
        json_unsigned(&json, "seen_up_by", views.up);
        if (account->is_up) {
            print_reply_json(&json, &account->reply);
        } else {
            json_string(&json, "error", account->error.text);
        }
        if (account->remark[0] != '\0') {
            json_string(&json, "remark", account->remark);
        }
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

int ctl_status(struct ctl *ctl)
{
    struct ring *ring = ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    struct report report = {
        .ring = ring,
        .timeout_ms = ctl_member_timeout(ctl),
        .accounts = calloc(ring->member_count, sizeof *report.accounts),
    };
    int code = CTL_OK;
    if (!report.accounts) {
        code = ctl_fail(ctl, NULL, STATUS_NO_MEMORY);
        goto out;
    }
    ctl_ask_members(ring->member_count, ask_status, &report);
    if (ctl->json) {
        print_report_json(&report);
    } else {
        print_report(&report);
    }
    for (unsigned i = 0; i < ring->member_count; i++) {
        admin_status_release(&report.accounts[i].reply);
    }
out:
    free(report.accounts);
    free(ring);
    return code;
}

static void print_shares(const struct ring *ring, bool is_json)
{
    struct json json = {.out = stdout};
    if (is_json) {
        json_object_begin(&json, NULL);
        ctl_json_ring(&json, ring);
        json_array_begin(&json, "members");
    } else {
        printf("cluster %016" PRIx64 ", epoch %" PRIu64 ", %u partitions, %u replicas\n",
               ring->cluster_id, ring->epoch, (unsigned)ring->partition_count,
               (unsigned)ring_replicas(ring));
    }
    for (unsigned i = 0; i < ring->member_count; i++) {
        unsigned owned = owned_partitions(ring, i);
        double share = (double)owned / ring->partition_count;
        if (is_json) {
            json_object_begin(&json, NULL);
            json_string(&json, "address", ring->members[i].address);
            json_identity(&json, "id", ring->members[i].id);
            json_unsigned(&json, "tokens", owned);
            json_fraction(&json, "share", share);
            json_object_end(&json);
        } else {
            printf("%-21s %016" PRIx64 " %4u tokens %5.1f %%\n", ring->members[i].address,
                   ring->members[i].id, owned, 100 * share);
        }
    }
    if (is_json) {
        json_array_end(&json);
        json_object_end(&json);
    }
}

static void print_place_json(const struct ring *ring, struct slice key,
                             const struct preference_list *list)
{
    struct json json = {.out = stdout};
    struct position position = position_of(key_placed_by(key));
    json_object_begin(&json, NULL);
    json_bytes(&json, "key", key);
    json_hex(&json, "position", slice_of(position.byte, POSITION_SIZE));
    json_unsigned(&json, "partition", ring_partition(ring, key));
    json_array_begin(&json, "preference_list");
    for (unsigned i = 0; i < list->count; i++) {
        json_object_begin(&json, NULL);
        json_string(&json, "address", ring->members[list->member[i]].address);
        json_identity(&json, "id", ring->members[list->member[i]].id);
        json_bool(&json, "primary", i < list->primary);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void print_place(const struct ring *ring, struct slice key,
                        const struct preference_list *list)
{
    struct position position = position_of(key_placed_by(key));
    fputs("position ", stdout);
    for (unsigned i = 0; i < POSITION_SIZE; i++) {
        printf("%02x", position.byte[i]);
    }
    printf(", partition %u of %u\n", (unsigned)ring_partition(ring, key),
           (unsigned)ring->partition_count);
    for (unsigned i = 0; i < list->count; i++) {
        printf("%2u %-21s %016" PRIx64 " %s\n", i + 1, ring->members[list->member[i]].address,
               ring->members[list->member[i]].id, i < list->primary ? "holds it" : "fallback");
    }
}

int ctl_ring(struct ctl *ctl)
{
    struct slice key = slice_of_string(ctl->argument_count > 0 ? ctl->arguments[0] : "/");
    if (!key_is_valid(key)) {
        return ctl_fail(ctl, ctl->arguments[0], STATUS_BAD_KEY);
    }
    struct ring *ring = ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    struct preference_list list;
    preference_list_build(ring, ring_partition(ring, key), &list);
    if (ctl->argument_count == 0) {
        print_shares(ring, ctl->json);
    } else if (ctl->json) {
        print_place_json(ring, key, &list);
    } else {
        print_place(ring, key, &list);
    }
    free(ring);
    return CTL_OK;
}
