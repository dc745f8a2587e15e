/*
 * collector.c - see collector.h.
 */
#include "node/client/collector.h"

#include <assert.h>
#include <stdlib.h>

#include "node/client/marks.h"
#include "ring/planted.h"

enum {
    HEADS_ROWS = 256,
    /* So much of the grace time nobody is asked again, after a member could not be. */
    ASK_AGAIN_SHARE = 64,
};

struct collector {
    struct collector_options options;
    struct kv_options read;
    struct kv_options write;
    struct marks marks;
    struct collector_stats stats;
    struct error unsettled;
    uint64_t ask_again_us;
    uint64_t pass;
    unsigned shard;
    bool is_listed;       /* `heads` is of this shard, up to its resume */
    struct kv_rows heads; /* a page of them */
    size_t next_head;
};

struct collector *collector_new(const struct collector_options *options)
{
    assert(options->kv && options->now_us);

    struct collector *collector = calloc(1, sizeof *collector);
    if (!collector) {
        return NULL;
    }
    collector->options = *options;
    if (options->marks_max == 0) {
        collector->options.marks_max = MARKS_MAX;
    }
    /* All who hold a copy are asked, whatever the quorum is: one that is missing may be the one
     * who knows of a version. */
    collector->read =
        (struct kv_options){.deadline_ms = options->deadline_ms, .r = REPLICAS_MAX};
    collector->write =
        (struct kv_options){.deadline_ms = options->deadline_ms, .w = options->w};
    return collector;
}

void collector_free(struct collector *collector)
{
    if (!collector) {
        return;
    }
    marks_release(&collector->marks);
    kv_rows_release(&collector->heads);
    free(collector);
}

const struct collector_stats *collector_stats(const struct collector *collector)
{
    return &collector->stats;
}

const struct error *collector_unsettled(const struct collector *collector)
{
    return &collector->unsettled;
}

static bool is_due(const struct collector *collector, const struct mark *mark,
                   uint64_t begin_us)
{
    return begin_us - mark->since_us >= collector->options.grace_us;
}

static bool has_due(const struct collector *collector, const struct marked_set *marked,
                    uint64_t begin_us)
{
    for (size_t i = 0; marked && i < marked->count; i++) {
        if (is_due(collector, &marked->marks[i], begin_us)) {
            return true;
        }
    }
    return false;
}

static enum status delete_marked(struct collector *collector, const struct mark *mark)
{
    struct kv_put put = {.key = blob_slice(mark->what.key),
                         .mode = UPDATE_ALL,
                         .context = mark->what.row->clock};

    kv_limits_renew();
    enum status status = kv_put(collector->options.kv, &put, &collector->write, NULL);
    if (status == STATUS_OK && mark->what.kind == UNNAMED_BLOCK) {
        collector->stats.blocks_deleted++;
    } else if (status == STATUS_OK) {
        collector->stats.notes_deleted++;
    }
    return status;
}

/* What is unnamed is not given up yet: it is kept in mind from now on. */
static void keep(struct marked_set *marked, const struct unnamed *unnamed, uint64_t since_us)
{
    struct mark *mark = &marked->marks[marked->count++];

    *mark = (struct mark){.what = *unnamed, .since_us = since_us};
    blob_ref(mark->what.key);
    object_ref(mark->what.row);
}

/* For planted bugs: it counts as marked since ...; UINT64_MAX: it does not. */
static uint64_t marked_at_once_us(const struct unnamed *unnamed, uint64_t begin_us)
{
    if (planted(PLANTED_AGE_OF_BLOCK) && unnamed->kind == UNNAMED_BLOCK) {
        uint64_t stored_us = unnamed->row->versions[0].dot.counter;
        return stored_us < begin_us ? stored_us : begin_us;
    }
    return planted(PLANTED_DELETE_AT_ONCE) ? 0 : UINT64_MAX;
}

/* Deletes what is due, and marks the rest. `old` are the set's marks, of which there is to be
 * none for what was named. */
static enum status judge(struct collector *collector, const struct survey *survey,
                         const struct marked_set *old, uint64_t begin_us,
                         struct marked_set *marked)
{
    uint64_t now_us = collector->options.now_us();
    enum status status = survey->is_settled ? STATUS_OK : collector->unsettled.code;
    bool is_any_kept = false;

    for (size_t i = 0; i < survey->count; i++) {
        const struct unnamed *unnamed = &survey->unnamed[i];
        const struct mark *mark = marked_find(old, unnamed->key);
        bool is_new = !mark || !clock_equal(&mark->what.row->clock, &unnamed->row->clock);
        struct mark early = {.what = *unnamed,
                             .since_us = marked_at_once_us(unnamed, begin_us)};
        if (is_new && early.since_us != UINT64_MAX) {
            mark = &early;
        } else if (is_new) {
            if (collector->marks.count + marked->count < collector->options.marks_max) {
                keep(marked, unnamed, now_us);
                collector->stats.marked++;
            } else {
                collector->stats.unmarked++;
            }
            continue;
        }
        bool may_go = is_due(collector, mark, begin_us);
        if (may_go && status == STATUS_OK) {
            status = delete_marked(collector, mark);
        }
        if (!may_go || status != STATUS_OK) {
            keep(marked, &mark->what, mark->since_us);
            is_any_kept |= may_go;
        }
    }
    collector->stats.unmarked += survey->is_cut ? 1 : 0;
    return is_any_kept ? status : STATUS_OK;
}

/* A member that could not be asked, or keeps hints, is not asked anew for each set. */
static void note_unsettled(struct collector *collector, const struct survey *survey)
{
    if (!survey->is_settled && survey->unsettled.code != STATUS_OK) {
        collector->unsettled = survey->unsettled;
        collector->ask_again_us =
            collector->options.now_us() + collector->options.grace_us / ASK_AGAIN_SHARE;
    }
}

/* Without marks, with room for `count`. NULL when memory is short. */
static struct marked_set *marked_new(const struct collector *collector,
                                     const struct block_set *set, size_t count)
{
    struct marked_set *marked = calloc(1, sizeof *marked);
    struct mark *room = malloc((count + 1) * sizeof *room);

    if (!marked || !room) {
        free(marked);
        free(room);
        return NULL;
    }
    *marked = (struct marked_set){.set = *set, .pass = collector->pass, .marks = room};
    return marked;
}

static void count_set(struct collector_stats *stats, enum status status, bool is_unsettled)
{
    stats->sets++;
    if (status != STATUS_OK && is_unsettled) {
        stats->sets_unsettled++;
    } else if (status == STATUS_BUSY) {
        stats->sets_busy++;
    } else if (status != STATUS_OK) {
        stats->sets_left_alone++;
    }
}

static enum status look_at_set(struct collector *collector, const struct block_set *set,
                               struct object *head)
{
    struct survey survey = {.unnamed = NULL};
    uint64_t begin_us = collector->options.now_us();
    struct marked_set *old = marks_take(&collector->marks, set);
    struct survey_question question = {
        .kv = collector->options.kv,
        .options = &collector->read,
        .set = set,
        .head = head,
        .limit = collector->options.marks_max,
        .for_delete = has_due(collector, old, begin_us) && begin_us >= collector->ask_again_us,
    };
    enum status status = survey_set(&question, &survey);
    struct marked_set *marked = NULL;

    if (status == STATUS_OK) {
        marked = marked_new(collector, set, survey.count);
        status = marked ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (marked) {
        note_unsettled(collector, &survey);
        status = judge(collector, &survey, old, begin_us, marked);
        marks_put(&collector->marks, marked);
        marked_free(old);
    } else if (old) {
        /* Nothing was learnt, so what was known stays. */
        old->pass = collector->pass;
        marks_put(&collector->marks, old);
    }
    count_set(&collector->stats, status, marked && !survey.is_settled);
    survey_release(&survey);
    return status;
}

/* The next page of the shard's heads. */
static enum status list_heads(struct collector *collector)
{
    struct buffer directory = {0};
    struct kv_rows page = {.count = 0};

    block_key_shard(&directory, (uint8_t)collector->shard);
    struct kv_list list = {.directory = buffer_slice(&directory),
                           .start = blob_slice(collector->heads.resume),
                           .after_start = collector->heads.resume,
                           .limit = HEADS_ROWS};
    kv_limits_renew();
    enum status status = directory.failed
                             ? STATUS_NO_MEMORY
                             : kv_list(collector->options.kv, &list, &collector->read, &page);
    buffer_release(&directory);
    if (status == STATUS_OK) {
        kv_rows_release(&collector->heads);
        collector->heads = page;
        collector->next_head = 0;
        collector->is_listed = true;
    }
    return status;
}

static void leave_shard(struct collector *collector, bool *ret_over)
{
    kv_rows_release(&collector->heads);
    collector->next_head = 0;
    collector->is_listed = false;
    collector->shard++;
    if (collector->shard == BLOCK_SHARDS) {
        collector->shard = 0;
        collector->pass++;
        collector->stats.passes++;
        *ret_over = true;
    }
}

static enum status look_at_head(struct collector *collector, const struct row *row)
{
    struct block_set set;

    if (!row->object || row->kind != ROW_FILE ||
        !block_key_parse_set(blob_slice(row->name), &set) || set.byte[0] != collector->shard) {
        collector->stats.sets_left_alone++;
        return STATUS_CORRUPT;
    }
    return look_at_set(collector, &set, row->object);
}

enum status collector_step(struct collector *collector, bool *ret_over)
{
    assert(collector && ret_over);

    *ret_over = false;
    if (collector->next_head < collector->heads.count) {
        return look_at_head(collector, &collector->heads.rows[collector->next_head++]);
    }
    if (!collector->is_listed || collector->heads.more) {
        enum status status = list_heads(collector);
        if (status != STATUS_OK) {
            collector->stats.shards_left_alone++;
            leave_shard(collector, ret_over);
        }
        return status;
    }
    marks_drop_old(&collector->marks, (uint8_t)collector->shard, collector->pass);
    leave_shard(collector, ret_over);
    return STATUS_OK;
}
