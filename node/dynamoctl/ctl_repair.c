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
    struct message_repair_reply told;
    struct error error; /* of the last question; STATUS_OK: none */
};

struct repair_survey {
    const struct ring *ring;
    struct pool *pool;
    uint32_t timeout_ms;
    bool waits;     /* --wait: also for members that are on their way in */
    unsigned round; /* 0: before the start, to know which pass to wait for; 1: the start */
    struct patient *patients; /* one for each member */
};

static void note_reply(struct patient *patient, const struct message_repair_reply *told,
                       unsigned round)
{
    if (round == 0 || !patient->has_answered) {
        /* A pass that runs may have gone past what was stored a moment ago. */
        patient->pass_wanted = told->passes + (told->is_running ? 2 : 1);
        patient->keys_before = told->keys_repaired;
    } else if (told->passes < patient->told.passes) { /* it was restarted, and counts anew */
        patient->pass_wanted = told->passes + 1;
        patient->keys_before = 0;
    }
    patient->told = *told;
    patient->has_answered = true;
    patient->heard_ns = socket_now_ns();
    /* What was damaged, or came back empty, is repaired by further passes. */
    patient->is_done =
        told->passes >= patient->pass_wanted && !told->is_running && told->is_complete;
}

/* Asks a member how far it is, or to start; and once more if it has forgotten. The answer to a
 * start tells how it was before. */
static void ask_repair(void *argument, unsigned index)
{
    struct repair_survey *survey = argument;
    struct patient *patient = &survey->patients[index];
    struct message_repair_reply told;
    struct error error = {0};
    if (patient->is_done || patient->is_lost) {
        return;
    }
    bool has_forgotten = survey->round > 1 && !patient->is_asked && !patient->told.is_running &&
                         patient->told.passes <= patient->pass_wanted;
    patient->is_asked = survey->round == 1 || has_forgotten;
    enum status status = admin_repair(survey->pool, survey->ring->members[index].address,
                                      survey->timeout_ms, patient->is_asked, &told, &error);
    patient->error = error;
    if (status == STATUS_OK) {
        note_reply(patient, &told, survey->round);
    } else if (survey->waits && status != STATUS_UNREACHABLE && status != STATUS_TIMEOUT) {
        patient->heard_ns = socket_now_ns(); /* it is there, though no member of a ring yet */
    } else if (survey->round == 0 ||
               socket_now_ns() - patient->heard_ns > LOST_AFTER_MS * NS_PER_MS) {
        patient->is_lost = true;
    }
}

static uint64_t keys_of(const struct patient *patient)
{
    uint64_t keys = patient->told.keys_repaired;
    return keys > patient->keys_before ? keys - patient->keys_before : 0;
}

static void ask_all(struct repair_survey *survey)
{
    ctl_ask_members(survey->ring->member_count, ask_repair, survey);
    survey->round++;
}

static bool is_over(const struct repair_survey *survey)
{
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        if (!survey->patients[i].is_done && !survey->patients[i].is_lost) {
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

static struct repair_total total_of(const struct repair_survey *survey)
{
    struct repair_total total = {0};
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        const struct patient *patient = &survey->patients[i];
        total.started += patient->has_answered && patient->error.code == STATUS_OK;
        total.finished += patient->is_done;
        total.refilling += patient->has_answered && !patient->told.is_complete;
        total.pairs += patient->told.pairs_total;
        total.pairs_failed += patient->told.pairs_failed;
        total.keys_repaired += keys_of(patient);
    }
    return total;
}

/* 0 to 100: the pass that is waited for, each member counting alike. */
static unsigned percent_of(const struct repair_survey *survey)
{
    unsigned count = 0;
    double sum = 0;
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        const struct patient *patient = &survey->patients[i];
        const struct message_repair_reply *told = &patient->told;
        bool is_wanted = told->is_running && told->passes + 1 >= patient->pass_wanted;
        if (patient->is_lost) {
            continue;
        }
        count++;
        if (patient->is_done) {
            sum += 1;
        } else if (is_wanted && told->pairs_total > 0) {
            double share = (double)told->pairs_done / (double)told->pairs_total;
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

static void show_progress(struct progress *progress, const struct repair_survey *survey)
{
    unsigned percent = percent_of(survey);
    uint64_t now_ns = socket_now_ns();
    if (progress->is_silent) {
        return;
    }
    /* A member that was restarted begins anew; a bar that goes back would only confuse. */
    percent = percent > progress->percent ? percent : progress->percent;
    if (progress->is_terminal) {
        char bar[CTL_BAR_TEXT];
        ctl_format_bar(percent, bar);
        printf("\r%s %" PRIu64 " keys repaired\033[K", bar, total_of(survey).keys_repaired);
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
static void wait_for_all(const struct ctl *ctl, struct repair_survey *survey)
{
    uint64_t deadline_ns = socket_now_ns() + ctl->patience_s * (1000 * NS_PER_MS);
    struct progress progress = {
        .is_terminal = isatty(STDOUT_FILENO) == 1,
        .is_silent = ctl->json,
        .line_ns = socket_now_ns(),
    };
    show_progress(&progress, survey);
    while (!is_over(survey) && socket_now_ns() < deadline_ns) {
        (void)socket_pause_until(socket_now_ns() + POLL_MS * NS_PER_MS);
        ask_all(survey);
        show_progress(&progress, survey);
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
        json_bool(json, "complete", patient->told.is_complete);
        json_unsigned(json, "passes", patient->told.passes);
        json_unsigned(json, "pairs_done", patient->told.pairs_done);
        json_unsigned(json, "pairs_total", patient->told.pairs_total);
        json_unsigned(json, "pairs_failed", patient->told.pairs_failed);
        json_unsigned(json, "keys_repaired", keys_of(patient));
    }
    if (patient->error.code != STATUS_OK) {
        json_string(json, "error", patient->error.text);
    }
    json_object_end(json);
}

static void print_repair_json(const struct repair_survey *survey)
{
    const struct ring *ring = survey->ring;
    struct repair_total total = total_of(survey);
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
        print_member_json(&json, &ring->members[i], &survey->patients[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
}

static void print_repair(const struct ctl *ctl, const struct repair_survey *survey)
{
    const struct ring *ring = survey->ring;
    struct repair_total total = total_of(survey);
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
        const struct message_repair_reply *told = &survey->patients[i].told;
        if (told->pairs_failed > 0) {
            printf("%s: %" PRIu64 " of %" PRIu64 " pairs failed\n", ring->members[i].address,
                   told->pairs_failed, told->pairs_total);
        }
        if (survey->patients[i].has_answered && !told->is_complete) {
            printf("%s: refilling\n", ring->members[i].address);
        }
    }
}

/* Names the members that are not through, or did not start, and says how it all went. */
static int conclude(const struct ctl *ctl, const struct repair_survey *survey)
{
    struct repair_total total = total_of(survey);
    bool is_well = !ctl->wait || (total.pairs_failed == 0 && total.refilling == 0);
    fflush(stdout);
    for (unsigned i = 0; i < survey->ring->member_count; i++) {
        const struct patient *patient = &survey->patients[i];
        if (patient->error.code != STATUS_OK && !patient->is_done) {
            ctl_complain(ctl, NULL, patient->error.text);
            is_well = false;
        } else if (ctl->wait && !patient->is_done) {
            ctl_complain(ctl, survey->ring->members[i].address, "not finished in time");
            is_well = false;
        }
    }
    return is_well ? CTL_OK : CTL_FAILURE;
}

static int run_repair(const struct ctl *ctl, struct repair_survey *survey)
{
    ask_all(survey);
    ask_all(survey);
    if (ctl->wait) {
        wait_for_all(ctl, survey);
    }
    if (ctl->json) {
        print_repair_json(survey);
    } else {
        print_repair(ctl, survey);
    }
    return conclude(ctl, survey);
}

int ctl_repair(struct ctl *ctl)
{
    struct ring *ring = ctl->wait ? ctl_await_ring(ctl, ctl->patience_s) : ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    struct repair_survey survey = {
        .ring = ring,
        .timeout_ms = ctl_member_timeout(ctl),
        .waits = ctl->wait,
        .patients = calloc(ring->member_count, sizeof *survey.patients),
    };
    int code;
    if (!survey.patients || pool_new(&survey.pool) != STATUS_OK) {
        code = ctl_fail(ctl, NULL, STATUS_NO_MEMORY);
    } else {
        pool_expect_cluster(survey.pool, ring->cluster_id);
        code = run_repair(ctl, &survey);
    }
    pool_free(survey.pool);
    free(survey.patients);
    free(ring);
    return code;
}
