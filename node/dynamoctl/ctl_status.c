/*
 * ctl_status.c - dynamoctl status and ring.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/admin.h"
#include "node/dynamoctl/ctl.h"
#include "ring/preference_list.h"

/* What one member told. */
struct account {
    bool is_up;
    struct message_status_reply told; /* if it is up */
    struct error error;               /* if not */
    char remark[ADMIN_REMARK_SIZE];   /* its own, or "" */
};

struct survey {
    const struct ring *ring;
    uint32_t timeout_ms;
    struct account *accounts; /* one for each member */
};

static void ask_status(void *argument, unsigned index)
{
    struct survey *survey = argument;
    const struct member *member = &survey->ring->members[index];
    struct account *account = &survey->accounts[index];
    account->is_up = admin_status(member->address, survey->timeout_ms, &account->told,
                                  account->remark, &account->error) == STATUS_OK;
    /* Somebody else may listen at the address of a member that is gone. */
    if (account->is_up && account->told.node != member->id) {
        account->is_up = false;
        account->error.code = STATUS_REFUSED;
        snprintf(account->error.text, sizeof account->error.text,
                 "%s: another node answers there, %016" PRIx64, member->address,
                 account->told.node);
        admin_status_release(&account->told);
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

static const struct statistic *find_statistic(const struct message_status_reply *told,
                                              const char *name)
{
    for (unsigned i = 0; i < told->stat_count; i++) {
        if (strcmp(told->stats[i].name, name) == 0) {
            return &told->stats[i];
        }
    }
    return NULL;
}

static uint64_t statistic_of(const struct message_status_reply *told, const char *name)
{
    const struct statistic *statistic = find_statistic(told, name);
    return statistic ? statistic->value : 0;
}

static bool is_refilling(const struct message_status_reply *told)
{
    const struct statistic *complete = find_statistic(told, "complete");
    return complete && complete->value == 0;
}

static const char *state_of(const struct account *account)
{
    if (!account->is_up) {
        return "DN";
    }
    if (account->told.disk_state != DISK_WELL) {
        return "UD";
    }
    if (!account->told.ready) {
        return "UJ";
    }
    return is_refilling(&account->told) ? "UR" : "UN";
}

/* What the others that answer make of a member. */
struct views {
    unsigned count; /* have an opinion */
    unsigned up;    /* ... and find it up */
};

static struct views views_of(const struct survey *survey, node_id id)
{
    struct views views = {0};
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        const struct message_status_reply *told = &survey->accounts[i].told;
        /* Of a member that is down nothing is told: it has no peers here. */
        for (unsigned peer = 0; peer < told->peer_count; peer++) {
            views.count += told->peers[peer].id == id;
            views.up += told->peers[peer].id == id && told->peers[peer].up;
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

static void print_member(const struct survey *survey, unsigned index)
{
    const struct member *member = &survey->ring->members[index];
    const struct account *account = &survey->accounts[index];
    const struct message_status_reply *told = &account->told;
    struct views views = views_of(survey, member->id);
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
    ctl_format_size(told->disk_free, disk_free);
    ctl_format_size(told->disk_total, disk_total);
    uint64_t failed = statistic_of(told, "puts_failed") + statistic_of(told, "gets_failed") +
                      statistic_of(told, "lists_failed");
    printf(" %5" PRIu64 " %10s of %-10s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64
           " %7" PRIu64 "%s",
           told->epoch, disk_free, disk_total, statistic_of(told, "gets"),
           statistic_of(told, "puts"), statistic_of(told, "lists"), failed,
           statistic_of(told, "corrupt"), is_refilling(told) ? " refilling" : "");
    if (told->disk_state != DISK_WELL) {
        printf(" disk %s", disk_state_name(told->disk_state));
    }
    putchar('\n');
    print_remark(account);
}

static void print_survey(const struct survey *survey)
{
    const struct ring *ring = survey->ring;
    printf("cluster %016" PRIx64 ", epoch %" PRIu64
           ", %u members, %u partitions, %u replicas\n",
           ring->cluster_id, ring->epoch, (unsigned)ring->member_count,
           (unsigned)ring->partition_count, (unsigned)ring_replicas(ring));
    printf("   %-21s %-16s %-7s %5s %10s    %-10s %8s %8s %8s %6s %7s\n", "ADDRESS", "ID",
           "SEEN", "EPOCH", "FREE", "DISK", "GETS", "PUTS", "LISTS", "FAILED", "CORRUPT");
    for (unsigned i = 0; i < ring->member_count; i++) {
        print_member(survey, i);
    }
}

static void print_told_json(struct json *json, const struct message_status_reply *told)
{
    json_bool(json, "ready", told->ready);
    json_unsigned(json, "epoch", told->epoch);
    json_unsigned(json, "disk_total", told->disk_total);
    json_unsigned(json, "disk_free", told->disk_free);
    json_string(json, "disk_state", disk_state_name(told->disk_state));
    json_array_begin(json, "peers");
    for (unsigned i = 0; i < told->peer_count; i++) {
        json_object_begin(json, NULL);
        json_identity(json, "id", told->peers[i].id);
        json_string(json, "address", told->peers[i].address);
        json_bool(json, "up", told->peers[i].up);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_begin(json, "stats");
    for (unsigned i = 0; i < told->stat_count; i++) {
        json_unsigned(json, told->stats[i].name, told->stats[i].value);
    }
    json_object_end(json);
}

static void print_survey_json(const struct survey *survey)
{
    struct json json = {.out = stdout};
    json_object_begin(&json, NULL);
    ctl_json_ring(&json, survey->ring);
    json_array_begin(&json, "members");
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        const struct account *account = &survey->accounts[i];
        struct views views = views_of(survey, survey->ring->members[i].id);
        json_object_begin(&json, NULL);
        json_string(&json, "address", survey->ring->members[i].address);
        json_identity(&json, "id", survey->ring->members[i].id);
        json_string(&json, "state", state_of(account));
        json_bool(&json, "up", account->is_up);
        json_unsigned(&json, "asked_peers", views.count);
        json_unsigned(&json, "seen_up_by", views.up);
        if (account->is_up) {
            print_told_json(&json, &account->told);
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
    struct survey survey = {
        .ring = ring,
        .timeout_ms = ctl_member_timeout(ctl),
        .accounts = calloc(ring->member_count, sizeof *survey.accounts),
    };
    int code = CTL_OK;
    if (!survey.accounts) {
        code = ctl_fail(ctl, NULL, STATUS_NO_MEMORY);
        goto out;
    }
    ctl_ask_members(ring->member_count, ask_status, &survey);
    if (ctl->json) {
        print_survey_json(&survey);
    } else {
        print_survey(&survey);
    }
    for (unsigned i = 0; i < ring->member_count; i++) {
        admin_status_release(&survey.accounts[i].told);
    }
out:
    free(survey.accounts);
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
    struct position position = position_of(key);
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
    struct position position = position_of(key);
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
