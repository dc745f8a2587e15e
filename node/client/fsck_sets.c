/*
 * fsck_sets.c - the block sets: are the paths that they note listed, and has every block a
 *               reason?
 */
#include <assert.h>
#include <string.h>

#include "node/client/block_set.h"
#include "node/client/fsck_internal.h"
#include "node/client/survey.h"

enum {
    TRIES = 3, /* at a set that changes meanwhile */
    UNNAMED_MAX = 1 << 16,
    /* A collector looks every quarter of a grace time, twice, a grace time apart; its passes and
     * those who hold a set take their time too. */
    GRACES = 4,
};

/* A path that a set notes, and what is there: it has to be in its directory. */
static void look_at_path(void *context, struct slice path, const struct object *object)
{
    struct fsck *fsck = context;
    bool is_listed = true;

    if (!object_is_live(object) || fsck_is_over(fsck)) {
        return;
    }
    enum status status = fsck_is_listed(fsck, path, &is_listed);
    if (status == STATUS_OK && !is_listed) {
        /* Was it removed meanwhile? A row that comes late is not late in both listings. */
        struct object *now = NULL;
        status = kv_get(fsck->options->kv, path, &fsck->all, &now);
        is_listed = status != STATUS_OK;
        object_unref(now);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status == STATUS_OK && !is_listed) {
        status = fsck_is_listed(fsck, path, &is_listed);
    }
    if (status != STATUS_OK) {
        fsck_unread(fsck, path, NULL, status);
    } else if (!is_listed) {
        struct fsck_finding finding = {.kind = FSCK_UNLISTED, .key = path};
        finding.is_repaired = fsck->options->repair && fsck_push(fsck, path) == STATUS_OK &&
                              fsck_is_listed(fsck, path, &is_listed) == STATUS_OK && is_listed;
        fsck_found(fsck, &finding);
    }
}

/* What is unnamed in the set: waiting, or left over. */
static void judge(struct fsck *fsck, const struct block_set *set, const struct survey *survey)
{
    uint64_t changed_us = survey->changed_us;
    uint64_t blocks = 0;
    bool is_held = false;

    for (size_t i = 0; i < survey->count; i++) {
        const struct unnamed *unnamed = &survey->unnamed[i];
        uint64_t us = clock_greatest_counter(&unnamed->row->clock, UINT64_MAX);
        changed_us = us > changed_us ? us : changed_us;
        blocks += unnamed->kind == UNNAMED_BLOCK ? 1 : 0;
        is_held |= unnamed->kind == UNNAMED_HOLD;
    }
    fsck->stats.sets_busy += is_held ? 1 : 0;
    uint64_t now_us = fsck->options->wall_us();
    bool is_old = now_us > changed_us && now_us - changed_us > GRACES * fsck->options->grace_us;
    if (blocks > 0 && is_old) {
        struct fsck_finding finding = {.kind = FSCK_UNNAMED, .set = set, .blocks = blocks};
        fsck_found(fsck, &finding);
    } else {
        fsck->stats.blocks_waiting += blocks;
    }
}

static void look_at_set(struct fsck *fsck, const struct block_set *set, struct object *head)
{
    struct survey survey = {.unnamed = NULL};
    struct survey_question question = {.kv = fsck->options->kv,
                                       .options = &fsck->all,
                                       .set = set,
                                       .head = head,
                                       .limit = UNNAMED_MAX,
                                       .on_path = look_at_path,
                                       .context = fsck};
    enum status status = STATUS_BUSY;

    for (int i = 0; i < TRIES && status == STATUS_BUSY; i++) {
        status = survey_set(&question, &survey);
    }
    fsck->stats.sets++;
    if (status == STATUS_OK) {
        judge(fsck, set, &survey);
    } else if (status == STATUS_CORRUPT) {
        struct fsck_finding finding = {.kind = FSCK_NONSENSE, .set = set};
        fsck_found(fsck, &finding);
    } else if (status == STATUS_BUSY) {
        fsck->stats.sets_busy++;
    } else {
        fsck_unread(fsck, (struct slice){0}, set, status);
    }
    survey_release(&survey);
}

/* A page of heads. */
static void look_at_heads(struct fsck *fsck, struct slice shard, const struct kv_rows *page)
{
    for (size_t i = 0; i < page->count && !fsck_is_over(fsck); i++) {
        const struct row *row = &page->rows[i];
        struct block_set set;
        if (row->kind == ROW_FILE && block_key_parse_set(blob_slice(row->name), &set)) {
            look_at_set(fsck, &set, row->object);
        } else {
            struct fsck_finding finding = {.kind = FSCK_NONSENSE, .key = shard};
            fsck_found(fsck, &finding);
        }
        fsck_progress(fsck);
    }
}

static void look_at_shard(struct fsck *fsck, uint8_t shard)
{
    struct buffer directory = {0};
    struct blob *start = NULL;
    bool more = true;

    block_key_shard(&directory, shard);
    fsck->end = directory.failed ? STATUS_NO_MEMORY : fsck->end;
    while (more && !fsck_is_over(fsck)) {
        struct kv_list list = {.directory = buffer_slice(&directory),
                               .start = blob_slice(start),
                               .after_start = start,
                               .limit = FSCK_PAGE_ROWS};
        struct kv_rows page = {.count = 0};
        enum status status = kv_list(fsck->options->kv, &list, &fsck->all, &page);
        if (status != STATUS_OK) {
            fsck_unread(fsck, list.directory, NULL, status);
        }
        look_at_heads(fsck, list.directory, &page);
        blob_unref(start);
        start = blob_ref(page.resume);
        more = status == STATUS_OK && page.more;
        kv_rows_release(&page);
    }
    blob_unref(start);
    buffer_release(&directory);
}

void fsck_look_at_sets(struct fsck *fsck)
{
    for (unsigned shard = 0; shard < BLOCK_SHARDS && !fsck_is_over(fsck); shard++) {
        look_at_shard(fsck, (uint8_t)shard);
        fsck->stats.shards_done = shard + 1;
        fsck_progress(fsck);
    }
}
