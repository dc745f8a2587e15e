/*
 * fsck_tell.c - what the parts of the check tell, and what they all ask.
 */
#include "node/client/fsck_internal.h"

void fsck_progress(struct fsck *fsck)
{
    if (fsck->options->on_progress) {
        fsck->options->on_progress(fsck->options->context, &fsck->stats);
    }
}

void fsck_found(struct fsck *fsck, const struct fsck_finding *finding)
{
    if (finding->is_repaired) {
        fsck->stats.repaired++;
    } else {
        fsck->stats.found[finding->kind]++;
    }
    fsck->options->on_finding(fsck->options->context, finding);
}

void fsck_unread(struct fsck *fsck, struct slice key, const struct block_set *set,
                 enum status status)
{
    struct fsck_finding finding = {
        .kind = FSCK_UNREAD, .key = key, .set = set, .status = status};

    if (status == STATUS_NO_MEMORY || status == STATUS_INTERRUPTED) {
        fsck->end = status;
        return;
    }
    fsck_found(fsck, &finding);
    if (fsck->stats.found[FSCK_UNREAD] >= FSCK_UNREAD_MAX) {
        fsck->end = status;
    }
}

bool fsck_is_over(const struct fsck *fsck)
{
    return fsck->end != STATUS_OK;
}

bool fsck_is_clean(const struct fsck_stats *stats)
{
    uint64_t count = 0;

    for (int i = 0; i < FSCK_KIND_COUNT; i++) {
        count += i == FSCK_UNREAD ? 0 : stats->found[i];
    }
    return count == 0;
}

enum status fsck_push(struct fsck *fsck, struct slice key)
{
    struct kv_put put = {.key = key, .mode = UPDATE_NONE};

    return kv_put(fsck->options->kv, &put, &fsck->quorum, NULL);
}

enum status fsck_is_listed(struct fsck *fsck, struct slice key, bool *ret_is)
{
    struct slice name = key_name(key);
    struct kv_list list = {
        .directory = key_directory(key), .start = name, .end = name, .limit = 2};
    struct kv_rows rows = {.count = 0};
    enum status status = kv_list(fsck->options->kv, &list, &fsck->all, &rows);

    *ret_is = false;
    for (size_t i = 0; status == STATUS_OK && i < rows.count; i++) {
        *ret_is |= rows.rows[i].kind == key_row_kind(key) &&
                   slice_equal(blob_slice(rows.rows[i].name), name);
    }
    kv_rows_release(&rows);
    return status;
}
