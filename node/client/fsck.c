/*
 * fsck.c - see fsck.h.
 */
#include "node/client/fsck.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/fsck_internal.h"

/* A directory on the way down: the page at hand, and which of its subdirectories is next. */
struct level {
    struct level *above;
    struct blob *key;
    struct kv_rows page; /* its directories */
    size_t next;
    bool is_read; /* there was a page */
};

static void look_at_row(struct fsck *fsck, struct slice directory, const struct row *row)
{
    struct buffer key = {0};

    key_append_child(&key, directory, blob_slice(row->name), row->kind);
    if (key.failed) {
        fsck->end = STATUS_NO_MEMORY;
    } else if (!key_is_valid(buffer_slice(&key))) {
        fsck_unread(fsck, directory, NULL, STATUS_BAD_KEY);
    } else if (row->kind == ROW_DIRECTORY) {
        fsck_look_at_directory(fsck, buffer_slice(&key));
    } else {
        fsck_look_at_file(fsck, buffer_slice(&key));
    }
    buffer_release(&key);
}

/* The next page of the level: looks at what it names, and keeps the directories. False at the
 * end. */
static bool turn_page(struct fsck *fsck, struct level *level)
{
    struct slice directory = blob_slice(level->key);
    struct kv_list list = {.directory = directory,
                           .start = blob_slice(level->page.resume),
                           .after_start = level->page.resume,
                           .limit = FSCK_PAGE_ROWS};
    struct kv_rows page = {.count = 0};
    size_t kept = 0;

    if (level->is_read && !level->page.more) {
        return false;
    }
    enum status status = kv_list(fsck->options->kv, &list, &fsck->quorum, &page);
    if (status != STATUS_OK) {
        fsck_unread(fsck, directory, NULL, status);
        return false;
    }
    for (size_t i = 0; i < page.count; i++) {
        if (!fsck_is_over(fsck)) {
            look_at_row(fsck, directory, &page.rows[i]);
        }
        if (page.rows[i].kind == ROW_DIRECTORY) {
            struct row row = page.rows[i];
            page.rows[i] = page.rows[kept];
            page.rows[kept++] = row;
        }
    }
    rows_free(level->page.rows, level->page.count);
    blob_unref(level->page.resume);
    level->page = page;
    level->next = 0;
    level->is_read = true;
    for (size_t i = kept; i < page.count; i++) {
        row_release(&page.rows[i]);
    }
    level->page.count = kept;
    return true;
}

static struct level *level_new(struct level *above, struct slice key)
{
    struct level *level = calloc(1, sizeof *level);

    if (level) {
        *level = (struct level){.above = above, .key = blob_new(key)};
    }
    if (level && !level->key) {
        free(level);
        return NULL;
    }
    return level;
}

/* Frees it; returns the one above. */
static struct level *level_leave(struct level *level)
{
    struct level *above = level->above;

    kv_rows_release(&level->page);
    blob_unref(level->key);
    free(level);
    return above;
}

/* The next directory below `level`; that itself when memory is short. */
static struct level *level_enter(struct fsck *fsck, struct level *level)
{
    const struct row *row = &level->page.rows[level->next++];
    struct buffer key = {0};

    key_append_child(&key, blob_slice(level->key), blob_slice(row->name), ROW_DIRECTORY);
    struct level *below = NULL;
    if (!key.failed && key_is_valid(buffer_slice(&key))) {
        below = level_new(level, buffer_slice(&key));
        fsck->end = below ? fsck->end : STATUS_NO_MEMORY;
    }
    buffer_release(&key);
    return below ? below : level;
}

/* All that is below a directory. */
static void walk(struct fsck *fsck, struct slice directory)
{
    struct level *level = level_new(NULL, directory);

    fsck->end = level ? fsck->end : STATUS_NO_MEMORY;
    while (level) {
        if (!fsck_is_over(fsck) && level->next < level->page.count) {
            level = level_enter(fsck, level);
        } else if (fsck_is_over(fsck) || !turn_page(fsck, level)) {
            level = level_leave(level);
        }
        fsck_progress(fsck);
    }
}

/* Is there anything at the key? */
static bool has(struct fsck *fsck, struct slice key)
{
    struct object *object = NULL;
    enum status status = kv_get(fsck->options->kv, key, &fsck->quorum, &object);

    object_unref(object);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_CORRUPT) {
        fsck_unread(fsck, key, NULL, status);
        fsck->end = status;
    }
    return status == STATUS_OK || status == STATUS_CORRUPT;
}

/* A path as it is typed may be that of a file, of a directory, or of both. */
static bool look_at_path(struct fsck *fsck)
{
    struct slice path = fsck->options->path;
    struct buffer directory = {0};
    bool is_any = false;

    if (!key_is_directory(path) && has(fsck, path)) {
        fsck_look_at_file(fsck, path);
        is_any = true;
    }
    buffer_append_slice(&directory, path);
    if (!key_is_directory(path)) {
        buffer_append_byte(&directory, '/');
    }
    if (directory.failed) {
        fsck->end = STATUS_NO_MEMORY;
    } else if (!fsck_is_over(fsck) && key_is_valid(buffer_slice(&directory)) &&
               (key_is_root(path) || has(fsck, buffer_slice(&directory)))) {
        walk(fsck, buffer_slice(&directory));
        is_any = true;
    }
    buffer_release(&directory);
    return is_any;
}

enum status fsck_run(const struct fsck_options *options, struct fsck_stats *ret_stats)
{
    assert(options && ret_stats && options->kv && options->wall_us && options->on_finding);
    assert(key_is_valid(options->path) && !key_is_internal(options->path));

    struct fsck fsck = {
        .options = options,
        .quorum = {.deadline_ms = options->deadline_ms},
        .all = {.deadline_ms = options->deadline_ms, .r = REPLICAS_MAX},
    };
    bool is_any = look_at_path(&fsck);
    if (key_is_root(options->path) && !fsck_is_over(&fsck)) {
        fsck_look_at_sets(&fsck);
    }
    *ret_stats = fsck.stats;
    return fsck_is_over(&fsck) || is_any ? fsck.end : STATUS_NOT_FOUND;
}
