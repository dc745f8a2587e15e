/*
 * ctl_repair.c - dynamoctl repair: has all members compare their copies now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/client/admin.h"
#include "node/client/pool.h"
#include "node/client/socket.h"
#include "node/dynamoctl/ctl.h"

enum {
    POLL_MS = 200,
    /* A member that restarts is back in less. */
    LOST_AFTER_MS = 30000,
    /* Where no bar can be drawn. */
    LINE_EVERY_MS = 5000,
};

/*
 * One member's part. Its passes of anti-entropy are numbered; what was stored before the
 * command is surely compared by a pass that began after it.
 */
struct patient {
    bool has_answered;    /* ever */
    uint64_t keys_before; /* repaired before the command; what it counts begins at its start */
    bool is_asked;        /* the last question was to start */
    bool is_lost;         /* it is not asked any more: see error */
    bool is_done;
    uint64_t pass_wanted; /* done once so many are finished */
    uint64_t heard_ns;    /* when it answered last */
    struct message_repair_reply reply;
    struct error error; /* of the last question; STATUS_OK: none */
};

struct repair_run {
    const struct ring *ring;
    struct pool *pool;
    uint32_t timeout_ms;
    bool waits;     /* --wait: also for members that are on their way in */
    unsigned round; /* 0: before the start, to know which pass to wait for; 1: the start */
    struct patient *patients; /* one for each member */
};

static void note_reply(struct patient *patient, const struct message_repair_reply *reply,
                       unsigned round)
{
    if (round == 0 || !patient->has_answered) {
        /* A pass that runs may have gone past what was stored a moment ago. */
        patient->pass_wanted = reply->passes + (reply->is_running ? 2 : 1);
        patient->keys_before = reply->keys_repaired;
    } else if (reply->passes < patient->reply.passes) { /* it was restarted, and counts anew */
        patient->pass_wanted = reply->passes + 1;
        patient->keys_before = 0;
    }
    patient->reply = *reply;
    patient->has_answered = true;
    patient->heard_ns = client_now_ns();
    /* What was damaged, or came back empty, is repaired by further passes. */
    patient->is_done =
        reply->passes >= patient->pass_wanted && !reply->is_running && reply->is_complete;
}

/* Asks a member how far it is, or to start; and once more if it has forgotten. The answer to a
 * start tells how it was before. */
static void ask_repair(void *argument, unsigned index)
{
    struct repair_run *run = argument;
    struct patient *patient = &run->patients[index];
    struct message_repair_reply reply;
    struct error error = {0};
    if (patient->is_done || patient->is_lost) {
        return;
    }
    bool has_forgotten = run->round > 1 && !patient->is_asked && !patient->reply.is_running &&
                         patient->reply.passes <= patient->pass_wanted;
    patient->is_asked = run->round == 1 || has_forgotten;
    enum status status = admin_repair(run->pool, run->ring->members[index].address,
                                      run->timeout_ms, patient->is_asked, &reply, &error);
    patient->error = error;
    if (status == STATUS_OK) {
        note_reply(patient, &reply, run->round);
    } else if (run->waits && status != STATUS_UNREACHABLE && status != STATUS_TIMEOUT) {
        patient->heard_ns = client_now_ns(); /* it is there, though no member of a ring yet */
    } else if (run->round == 0 ||
               client_now_ns() - patient->heard_ns > LOST_AFTER_MS * NS_PER_MS) {
        patient->is_lost = true;
    }
}

static uint64_t keys_of(const struct patient *patient)
{
    uint64_t keys = patient->reply.keys_repaired;
    return keys > patient->keys_before ? keys - patient->keys_before : 0;
}

static void ask_all(struct repair_run *run)
{
    ctl_ask_members(run->ring->member_count, ask_repair, run);
    run->round++;
}

static bool is_over(const struct repair_run *run)
{
    for (unsigned i = 0; i < run->ring->member_count; i++) {
        if (!run->patients[i].is_done && !run->patients[i].is_lost) {
            return false;
        }
    }
    return true;
}

/* Of all members together. */
struct repair_total {
    unsigned started;
    unsigned finished;
    unsigned refilling;
    uint64_t pairs;
    uint64_t pairs_failed;
    uint64_t keys_repaired;
};

static struct repair_total total_of(const struct repair_run *run)
{
    struct repair_total total = {0};
    for (unsigned i = 0; i < run->ring->member_count; i++) {
        const struct patient *patient = &run->patients[i];
        total.started += patient->has_answered && patient->error.code == STATUS_OK;
        total.finished += patient->is_done;
        total.refilling += patient->has_answered && !patient->reply.is_complete;
        total.pairs += patient->reply.pairs_total;
        total.pairs_failed += patient->reply.pairs_failed;
        total.keys_repaired += keys_of(patient);
    }
    return total;
}

/* 0 to 100: the pass that is waited for, each member counting alike. */
static unsigned percent_of(const struct repair_run *run)
{
    unsigned count = 0;
    double sum = 0;
    for (unsigned i = 0; i < run->ring->member_count; i++) {
        const struct patient *patient = &run->patients[i];
        const struct message_repair_reply *reply = &patient->reply;
        bool is_wanted = reply->is_running && reply->passes + 1 >= patient->pass_wanted;
        if (patient->is_lost) {
            continue;
        }
        count++;
        if (patient->is_done) {
            sum += 1;
        } else if (is_wanted && reply->pairs_total > 0) {
            double share = (double)reply->pairs_done / (double)reply->pairs_total;
            sum += share < 1 ? share : 1;
        }
    }
    return count > 0 ? (unsigned)(100 * sum / count) : 100;
}

/* What was drawn last. */
struct progress {
    bool is_terminal;
    bool is_silent;
    unsigned percent;
    uint64_t line_ns;
};

static void show_progress(struct progress *progress, const struct repair_run *run)
{
    unsigned percent = percent_of(run);
    uint64_t now_ns = client_now_ns();
    if (progress->is_silent) {
        return;
    }
    /* A member that was restarted begins anew; a bar that goes back would only confuse. */
    percent = percent > progress->percent ? percent : progress->percent;
    if (progress->is_terminal) {
        char bar[CTL_BAR_TEXT];
        ctl_format_bar(percent, bar);
        printf("\r%s %" PRIu64 " keys repaired\033[K", bar, total_of(run).keys_repaired);
    } else if (percent > progress->percent &&
               now_ns - progress->line_ns >= LINE_EVERY_MS * NS_PER_MS) {
        printf("%u%%\n", percent);
        progress->line_ns = now_ns;
    } else {
        return;
    }
    progress->percent = percent;
    fflush(stdout);
}

/* Until all members are through or given up, or the time is over. */
static void wait_for_all(const struct ctl *ctl, struct repair_run *run)
{
    uint64_t deadline_ns = client_now_ns() + ctl->patience_s * (1000 * NS_PER_MS);
    struct progress progress = {
        .is_terminal = isatty(STDOUT_FILENO) == 1,
        .is_silent = ctl->json,
        .line_ns = client_now_ns(),
    };
    show_progress(&progress, run);
    while (!is_over(run) && client_now_ns() < deadline_ns) {
        (void)socket_pause_until(client_now_ns() + POLL_MS * NS_PER_MS);
        ask_all(run);
        show_progress(&progress, run);
    }
    if (progress.is_terminal && !progress.is_silent) {
        putchar('\n');
    }
}

static void print_member_json(struct json *json, const struct member *member,
                              const struct patient *patient)
{
    json_object_begin(json, NULL);
    json_string(json, "address", member->address);
    json_identity(json, "id", member->id);
    json_bool(json, "finished", patient->is_done);
    if (patient->has_answered) {
        json_bool(json, "complete", patient->reply.is_complete);
        json_unsigned(json, "passes", patient->reply.passes);
        json_unsigned(json, "pairs_done", patient->reply.pairs_done);
        json_unsigned(json, "pairs_total", patient->reply.pairs_total);
        json_unsigned(json, "pairs_failed", patient->reply.pairs_failed);
        json_unsigned(json, "keys_repaired", keys_of(patient));
    }
    if (patient->error.code != STATUS_OK) {
        json_string(json, "error", patient->error.text);
    }
    json_object_end(json);
}

static void print_repair_json(const struct repair_run *run)
{
    const struct ring *ring = run->ring;
    struct repair_total total = total_of(run);
    struct json json = {.out = stdout};
    json_object_begin(&json, NULL);
    ctl_json_ring(&json, ring);
    json_bool(&json, "finished", total.finished == ring->member_count);
    json_bool(&json, "complete", total.refilling == 0);
    json_unsigned(&json, "pairs", total.pairs);
    json_unsigned(&json, "pairs_failed", total.pairs_failed);
    json_unsigned(&json, "keys_repaired", total.keys_repaired);
    json_array_begin(&json, "members");
    for (unsigned i = 0; i < ring->member_count; i++) {
        print_member_json(&json, &ring->members[i], &run->patients[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void print_repair(const struct ctl *ctl, const struct repair_run *run)
{
    const struct ring *ring = run->ring;
    struct repair_total total = total_of(run);
    if (!ctl->wait) {
        printf("repair began on %u of %u members\n", total.started,
               (unsigned)ring->member_count);
        return;
    }
    printf("%u of %u members through: %" PRIu64 " keys repaired, %" PRIu64 " of %" PRIu64
           " pairs failed\n",
           total.finished, (unsigned)ring->member_count, total.keys_repaired,
           total.pairs_failed, total.pairs);
    for (unsigned i = 0; i < ring->member_count; i++) {
        const struct message_repair_reply *reply = &run->patients[i].reply;
        if (reply->pairs_failed > 0) {
            printf("%s: %" PRIu64 " of %" PRIu64 " pairs failed\n", ring->members[i].address,
                   reply->pairs_failed, reply->pairs_total);
        }
        if (run->patients[i].has_answered && !reply->is_complete) {
            printf("%s: refilling\n", ring->members[i].address);
        }
    }
}

/* Names the members that are not through, or did not start, and says how it all went. */
static int conclude(const struct ctl *ctl, const struct repair_run *run)
{
    struct repair_total total = total_of(run);
    bool is_well = !ctl->wait || (total.pairs_failed == 0 && total.refilling == 0);
    fflush(stdout);
    for (unsigned i = 0; i < run->ring->member_count; i++) {
        const struct patient *patient = &run->patients[i];
        if (patient->error.code != STATUS_OK && !patient->is_done) {
            ctl_complain(ctl, NULL, patient->error.text);
            is_well = false;
        } else if (ctl->wait && !patient->is_done) {
            ctl_complain(ctl, run->ring->members[i].address, "not finished in time");
            is_well = false;
        }
    }
    return is_well ? CTL_OK : CTL_FAILURE;
}

static int run_repair(const struct ctl *ctl, struct repair_run *run)
{
    ask_all(run);
    ask_all(run);
    if (ctl->wait) {
        wait_for_all(ctl, run);
    }
    if (ctl->json) {
        print_repair_json(run);
    } else {
        print_repair(ctl, run);
    }
    return conclude(ctl, run);
}

int ctl_repair(struct ctl *ctl)
{
    struct ring *ring = ctl->wait ? ctl_await_ring(ctl, ctl->patience_s) : ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    struct repair_run run = {
        .ring = ring,
        .timeout_ms = ctl_member_timeout(ctl),
        .waits = ctl->wait,
        .patients = calloc(ring->member_count, sizeof *run.patients),
    };
    int code;
    if (!run.patients || pool_new(&run.pool) != STATUS_OK) {
        code = ctl_fail(ctl, NULL, STATUS_NO_MEMORY);
    } else {
        pool_expect_cluster(run.pool, ring->cluster_id);
        code = run_repair(ctl, &run);
    }
    pool_free(run.pool);
    free(run.patients);
    free(ring);
    return code;
}
