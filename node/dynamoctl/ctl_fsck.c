/*
 * ctl_fsck.c - dynamoctl fsck: has every name its file, every file its blocks, every block a
 *              reason?
 *
 * What is found is told as it is found, one line or JSON object each; how far it is, on
 * standard error if that is a terminal.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "node/base/now.h"
#include "node/client/block_set.h"
#include "node/client/fsck.h"
#include "node/client/socket.h"
#include "node/dynamoctl/ctl.h"

enum { DRAW_EVERY_MS = 200 };

struct check {
    const struct ctl *ctl;
    struct json json;
    bool is_terminal;
    uint64_t drawn_ns;
};

static const char *const kind_names[FSCK_KIND_COUNT] = {
    [FSCK_GONE] = "gone",       [FSCK_UNLISTED] = "unlisted",
    [FSCK_DAMAGED] = "damaged", [FSCK_BLOCKS] = "blocks",
    [FSCK_UNNOTED] = "unnoted", [FSCK_UNANNOUNCED] = "unannounced",
    [FSCK_UNNAMED] = "unnamed", [FSCK_NONSENSE] = "nonsense",
    [FSCK_UNREAD] = "unread",
};

static const char *const kind_texts[FSCK_KIND_COUNT] = {
    [FSCK_GONE] = "listed, but there is nothing",
    [FSCK_UNLISTED] = "there, but not listed in its directory",
    [FSCK_DAMAGED] = "no copy can be read",
    [FSCK_BLOCKS] = "of its blocks no copy is right",
    [FSCK_UNNOTED] = "not noted in its block set",
    [FSCK_UNANNOUNCED] = "its block set is not announced",
    [FSCK_UNNAMED] = "named by no version, and not deleted",
    [FSCK_NONSENSE] = "makes no sense",
    [FSCK_UNREAD] = "could not be looked at",
};

static void clear_line(const struct check *check)
{
    if (check->is_terminal && check->drawn_ns > 0) {
        fputs("\r\033[K", stderr);
    }
}

static void print_finding_json(struct json *json, const struct fsck_finding *finding)
{
    json_object_begin(json, NULL);
    json_string(json, "kind", kind_names[finding->kind]);
    if (finding->key.size > 0) {
        json_bytes(json, "key", finding->key);
    }
    if (finding->set) {
        json_hex(json, "set", slice_of(finding->set, sizeof *finding->set));
    }
    if (finding->kind == FSCK_BLOCKS || finding->kind == FSCK_UNNAMED) {
        json_unsigned(json, "blocks", finding->blocks);
    }
    if (finding->kind == FSCK_BLOCKS) {
        json_unsigned(json, "offset", finding->offset);
    }
    if (finding->kind == FSCK_UNREAD) {
        json_string(json, "error", status_text(finding->status));
    }
    json_bool(json, "repaired", finding->is_repaired);
    json_object_end(json);
}

static void print_finding(const struct fsck_finding *finding)
{
    if (finding->key.size > 0) {
        ctl_print_name(stdout, finding->key);
    } else {
        fputs("block set ", stdout);
        for (size_t i = 0; finding->set && i < sizeof *finding->set; i++) {
            printf("%02x", finding->set->byte[i]);
        }
    }
    fputs(": ", stdout);
    if (finding->kind == FSCK_BLOCKS || finding->kind == FSCK_UNNAMED) {
        printf("%" PRIu64 " blocks: ", finding->blocks);
    }
    fputs(kind_texts[finding->kind], stdout);
    if (finding->kind == FSCK_BLOCKS) {
        printf(", the first at byte %" PRIu64, finding->offset);
    }
    if (finding->kind == FSCK_UNREAD) {
        printf(": %s", status_text(finding->status));
    }
    puts(finding->is_repaired ? ": repaired" : "");
}

static void on_finding(void *context, const struct fsck_finding *finding)
{
    struct check *check = context;

    clear_line(check);
    if (check->ctl->json) {
        print_finding_json(&check->json, finding);
    } else {
        print_finding(finding);
    }
    fflush(stdout);
}

/* First files, of which nobody knows how many there are; then block sets, in 256 parts. */
static void on_progress(void *context, const struct fsck_stats *stats)
{
    struct check *check = context;
    uint64_t now_ns = client_now_ns();
    char size[CTL_SIZE_TEXT];
    char bar[CTL_BAR_TEXT] = "";

    if (!check->is_terminal || now_ns - check->drawn_ns < DRAW_EVERY_MS * NS_PER_MS) {
        return;
    }
    check->drawn_ns = now_ns;
    ctl_format_size(stats->bytes, size);
    if (stats->sets > 0 || stats->shards_done > 0) {
        ctl_format_bar(100 * stats->shards_done / BLOCK_SHARDS, bar);
    }
    fprintf(stderr, "\r%s %" PRIu64 " files, %s, %" PRIu64 " block sets\033[K", bar,
            stats->files, size, stats->sets);
}

static void print_end_json(struct json *json, const struct fsck_stats *stats,
                           enum status status)
{
    json_array_end(json);
    json_unsigned(json, "directories", stats->directories);
    json_unsigned(json, "files", stats->files);
    json_unsigned(json, "versions", stats->versions);
    json_unsigned(json, "blocks", stats->blocks);
    json_unsigned(json, "bytes", stats->bytes);
    json_unsigned(json, "sets", stats->sets);
    json_unsigned(json, "sets_busy", stats->sets_busy);
    json_unsigned(json, "blocks_waiting", stats->blocks_waiting);
    json_object_begin(json, "found");
    for (int i = 0; i < FSCK_KIND_COUNT; i++) {
        json_unsigned(json, kind_names[i], stats->found[i]);
    }
    json_object_end(json);
    json_unsigned(json, "repaired", stats->repaired);
    json_bool(json, "clean", fsck_is_clean(stats));
    json_bool(json, "complete", status == STATUS_OK && stats->found[FSCK_UNREAD] == 0);
    json_object_end(json);
}

static void print_end(const struct fsck_stats *stats)
{
    char size[CTL_SIZE_TEXT];
    uint64_t wrong = 0;

    for (int i = 0; i < FSCK_KIND_COUNT; i++) {
        wrong += i == FSCK_UNREAD ? 0 : stats->found[i];
    }
    ctl_format_size(stats->bytes, size);
    printf("%" PRIu64 " directories, %" PRIu64 " files of %s, %" PRIu64 " blocks, %" PRIu64
           " block sets: %" PRIu64 " wrong, %" PRIu64 " repaired",
           stats->directories, stats->files, size, stats->blocks, stats->sets, wrong,
           stats->repaired);
    if (stats->blocks_waiting > 0) {
        printf(", %" PRIu64 " blocks wait to be deleted", stats->blocks_waiting);
    }
    putchar('\n');
}

/* What could not be looked at comes first: of that nothing is known. */
static int conclude(const struct ctl *ctl, const struct fsck_stats *stats, enum status status)
{
    if (status != STATUS_OK) {
        int code = ctl_fail(ctl, ctl->arguments[0], status);
        return status == STATUS_NOT_FOUND ? code : CTL_INDETERMINATE;
    }
    if (stats->found[FSCK_UNREAD] > 0) {
        ctl_complain(ctl, NULL, "not everything could be looked at");
        return CTL_INDETERMINATE;
    }
    if (!fsck_is_clean(stats)) {
        ctl_complain(ctl, NULL, "not all is as it should be");
        return CTL_FAILURE;
    }
    return CTL_OK;
}

static int run(const struct ctl *ctl, struct kv *kv, struct slice path)
{
    struct check check = {
        .ctl = ctl, .json = {.out = stdout}, .is_terminal = isatty(STDERR_FILENO) == 1};
    struct fsck_options options = {
        .kv = kv,
        .deadline_ms = ctl->timeout_ms,
        .path = path,
        .repair = ctl->repair,
        .grace_us = ctl->grace_s > 0 ? ctl->grace_s * UINT64_C(1000000) : BLOCK_GRACE_US,
        .wall_us = now_wall_us,
        .on_finding = on_finding,
        .on_progress = on_progress,
        .context = &check,
    };
    struct fsck_stats stats;

    if (ctl->json) {
        json_object_begin(&check.json, NULL);
        json_bytes(&check.json, "path", path);
        json_array_begin(&check.json, "findings");
    }
    enum status status = fsck_run(&options, &stats);
    clear_line(&check);
    if (ctl->json) {
        print_end_json(&check.json, &stats, status);
        status = check.json.failed ? STATUS_NO_MEMORY : status;
    } else if (status != STATUS_NOT_FOUND) {
        print_end(&stats);
    }
    return conclude(ctl, &stats, status);
}

int ctl_fsck(struct ctl *ctl)
{
    const char *subject = ctl->argument_count > 0 ? ctl->arguments[0] : "/";
    struct slice path = slice_of_string(subject + strspn(subject, "/"));
    struct kv *kv = NULL;

    if (path.size == 0) {
        path = slice_of_string("/");
    }
    if (!key_is_valid(path)) {
        return ctl_fail(ctl, subject, STATUS_BAD_KEY);
    }
    if (!ctl_open(ctl, &kv)) {
        return CTL_INDETERMINATE;
    }
    int code = run(ctl, kv, path);
    kv_close(kv);
    return code;
}
