/*
 * program.c - what programs do with files on a mount: write, overwrite parts, wait, rename,
 * remove, resolve, read.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/mounts_internal.h"

enum { ROUNDS_MAX = 3, TRIES_MAX = 3, MOVED_MAX = 2 };

/* A file that a program has open. */
struct opened {
    const char *name;
    struct object *seen; /* what its put supersedes */
    struct large *large;
    struct book_content content;
    struct book_content emptied; /* what it had before it was emptied */
};

static struct mounts *mounts_of(const struct program *program)
{
    return program->mount->mounts;
}

static uint32_t pick(const struct program *program, uint32_t count)
{
    return mounts_pick(mounts_of(program), count);
}

static const char *pick_name(const struct program *program)
{
    struct mounts *mounts = mounts_of(program);
    return mounts->names[pick(program, (uint32_t)mounts->options.names)];
}

static void trace(const struct program *program, const char *did, const char *name,
                  enum status status)
{
    world_trace(mounts_of(program)->world, -1, "program %d.%d has %s %s: %s",
                program->mount->index, program->index, did, name, status_name(status));
}

/* What takes so long is given up: at the real grace time, an hour, no call does. */
static uint64_t patience_us(const struct program *program)
{
    return mounts_of(program)->options.grace_us / 4;
}

/* Between two calls; now and then for longer than the grace time. */
static void linger(const struct program *program)
{
    uint64_t grace_us = mounts_of(program)->options.grace_us;
    uint32_t how = pick(program, 16);
    if (how == 0) {
        thread_sleep(pick(program, (uint32_t)(grace_us * 3 / 2)));
    } else if (how < 6) {
        thread_sleep(pick(program, (uint32_t)(grace_us / 3)));
    } else if (how < 9) {
        thread_sleep(pick(program, 1000000));
    }
}

static enum status look(const struct program *program, const char *name,
                        struct object **ret_object)
{
    *ret_object = NULL;
    enum status status =
        kv_get(program->mount->kv, slice_of_string(name), &program->mount->options, ret_object);
    return thread_is_dead() ? STATUS_TIMEOUT : status;
}

static bool is_answer(enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_FOUND;
}

/* A store for one call. The calls of a mount are bounded together (kv_limits): who stood still in
 * the middle of one puts nothing any more. */
struct bounded_kv {
    struct kv kv;
    struct kv *inner;
    uint64_t end_us;
};

static enum status bounded_get(struct kv *kv, struct slice key,
                               const struct kv_options *options, struct object **ret_object,
                               uint64_t *ret_names_us)
{
    struct bounded_kv *bounded = (struct bounded_kv *)kv;
    struct kv *inner = bounded->inner;
    return thread_now_us() > bounded->end_us
               ? STATUS_TIMEOUT
               : inner->operations->get(inner, key, options, ret_object, ret_names_us);
}

static enum status bounded_put(struct kv *kv, const struct kv_put *arguments,
                               const struct kv_options *options, struct object **ret_row)
{
    struct bounded_kv *bounded = (struct bounded_kv *)kv;
    struct kv *inner = bounded->inner;
    return thread_now_us() > bounded->end_us
               ? STATUS_TIMEOUT
               : inner->operations->put(inner, arguments, options, ret_row);
}

static enum status put(const struct program *program, const char *name,
                       const struct version *value, const struct object *seen,
                       struct object **ret_row)
{
    struct kv_put arguments = {
        .key = slice_of_string(name), .mode = UPDATE_ALL, .value = value};
    if (seen) {
        arguments.context = seen->clock;
    }
    static const struct kv_operations operations = {.get = bounded_get, .put = bounded_put};
    struct bounded_kv bounded = {.kv = {.operations = &operations},
                                 .inner = program->mount->kv,
                                 .end_us = thread_now_us() + patience_us(program)};
    enum status status =
        block_set_put(&bounded.kv, &arguments, &program->mount->options, ret_row);
    return thread_is_dead() ? STATUS_TIMEOUT : status;
}

static const struct version *newest_of(const struct object *object)
{
    return object_is_live(object) ? &object->versions[object->version_count - 1] : NULL;
}

/* Writing ---------------------------------------------------------------------------------- */

static bool open_old(struct program *program, struct opened *opened,
                     const struct version *version)
{
    const struct book_content *content = book_find(&mounts_of(program)->book, version);
    if (!content) {
        mounts_note_breach(mounts_of(program), opened->name, "a version that nobody wrote");
        return false;
    }
    opened->content = *content;
    return large_open(&program->mount->blocks, version->content, &opened->large) == 0;
}

static bool open_new(struct program *program, struct opened *opened)
{
    struct block_set set;
    opened->content = (struct book_content){.is_long = pick(program, 6) == 0};
    if (large_new(&program->mount->blocks, &opened->large) != 0 ||
        large_resize(opened->large, book_size(&opened->content)) != 0) {
        return false;
    }
    large_get_set(opened->large, &set);
    book_note_set(&mounts_of(program)->book, &set);
    return true;
}

/* As with O_TRUNC: what it has now may be written anew. */
static bool empty_file(struct opened *opened)
{
    struct large *old = opened->large;
    opened->large = NULL;
    int failed = large_again(old, &opened->large);
    large_unref(old);
    opened->emptied = opened->content;
    opened->content = (struct book_content){.is_long = opened->emptied.is_long};
    return failed == 0 && large_resize(opened->large, book_size(&opened->content)) == 0;
}

static bool open_file(struct program *program, struct opened *opened)
{
    enum status status = look(program, opened->name, &opened->seen);
    const struct version *newest = newest_of(opened->seen);
    if (!is_answer(status)) {
        return false;
    }
    bool is_good = newest && pick(program, 8) != 0 ? open_old(program, opened, newest)
                                                   : open_new(program, opened);
    if (is_good && newest && pick(program, 4) == 0) {
        is_good = empty_file(opened);
    }
    if (pick(program, 5) == 0) {
        object_unref(opened->seen); /* it does not know of the others: a sibling */
        opened->seen = NULL;
        mounts_of(program)->counts.siblings++;
    }
    return is_good;
}

static void close_file(struct opened *opened)
{
    object_unref(opened->seen);
    large_unref(opened->large);
}

/* One block, or a hole. */
static int write_slot(struct program *program, struct opened *opened, int slot)
{
    uint8_t bytes[BOOK_BLOCK_SIZE];
    uint64_t offset = (uint64_t)book_index(&opened->content, slot) << BLOCK_SIZE_LOG2;
    int failed;
    if (pick(program, 8) == 0) {
        failed = large_clear(opened->large, offset, BLOCK_SIZE);
        opened->content.stamps[slot] = failed == 0 ? 0 : opened->content.stamps[slot];
        return failed;
    }
    bool is_again = opened->emptied.stamps[slot] != 0 && pick(program, 3) != 0;
    uint32_t stamp = is_again ? opened->emptied.stamps[slot] : ++mounts_of(program)->book.stamp;
    book_block(stamp, bytes);
    failed = large_write(opened->large, slice_of(bytes, sizeof bytes), offset, false);
    opened->content.stamps[slot] = failed == 0 ? stamp : opened->content.stamps[slot];
    return failed;
}

/* What it reads of a block is what was written, or it is told that it cannot be had. */
static void read_slot(struct program *program, const struct opened *opened, int slot)
{
    uint8_t bytes[BOOK_BLOCK_SIZE];
    uint8_t wanted[BOOK_BLOCK_SIZE] = {0};
    size_t got = 0;
    uint64_t offset = (uint64_t)book_index(&opened->content, slot) << BLOCK_SIZE_LOG2;
    int failed = large_read(opened->large, offset, bytes, sizeof bytes, &got);
    if (failed != 0) {
        return;
    }
    if (opened->content.stamps[slot] != 0) {
        book_block(opened->content.stamps[slot], wanted);
    }
    if (got != sizeof bytes || memcmp(bytes, wanted, sizeof bytes) != 0) {
        mounts_note_breach(mounts_of(program), opened->name,
                           "an open file reads as something else than was written");
    }
}

static enum status commit_once(struct program *program, struct opened *opened,
                               struct object **ret_row)
{
    struct blob *manifest = NULL;
    if (large_flush(opened->large, &manifest) != 0) {
        return STATUS_IO;
    }
    uint32_t number = book_add(&mounts_of(program)->book, &opened->content);
    struct version value = {
        .attributes = {.type = VERSION_LARGE_FILE, .mode = 0644, .modified_ns = number},
        .content = manifest};
    value.attributes.size = large_size(opened->large);
    world_trace(mounts_of(program)->world, -1, "program %d.%d puts %s content %u",
                program->mount->index, program->index, opened->name, number);
    enum status status = put(program, opened->name, &value, opened->seen, ret_row);
    trace(program, "put", opened->name, status);
    if (status == STATUS_OK) {
        large_was_put(opened->large);
    }
    blob_unref(manifest);
    return status;
}

/* The mount dies in the middle of what comes now. */
static void may_die(const struct program *program)
{
    if (pick(program, 12) == 0) {
        program->mount->dies_us = thread_now_us() + pick(program, 10000);
    }
}

/* True: it was put, and knows what it stands for. */
static bool commit(struct program *program, struct opened *opened)
{
    struct object *row = NULL;
    enum status status = STATUS_TIMEOUT;
    may_die(program);
    for (uint32_t tries = 1 + pick(program, TRIES_MAX);
         status != STATUS_OK && tries > 0 && !thread_is_dead(); tries--) {
        status = commit_once(program, opened, &row);
    }
    if (status == STATUS_OK) {
        mounts_of(program)->counts.commits++;
        object_unref(opened->seen);
        opened->seen = row;
    }
    return status == STATUS_OK && row->version_count == 1;
}

static bool has_room(const struct program *program)
{
    const struct book *book = &mounts_of(program)->book;
    return book->count + 64 < BOOK_CONTENTS_MAX && book->set_count + 16 < BOOK_SETS_MAX;
}

static void run_write(struct program *program)
{
    struct opened opened = {.name = pick_name(program)};
    bool goes_on = has_room(program) && open_file(program, &opened);
    for (uint32_t rounds = 1 + pick(program, ROUNDS_MAX);
         goes_on && rounds > 0 && !thread_is_dead(); rounds--) {
        int failed = 0;
        for (uint32_t i = 1 + pick(program, 2); failed == 0 && i > 0; i--) {
            failed = write_slot(program, &opened, (int)pick(program, BOOK_SLOTS));
            if (pick(program, 4) == 0) {
                linger(program);
            }
        }
        read_slot(program, &opened, (int)pick(program, BOOK_SLOTS));
        bool is_abandoned = pick(program, 10) == 0;
        mounts_of(program)->counts.abandoned += is_abandoned ? 1 : 0;
        goes_on = failed == 0 && !is_abandoned && commit(program, &opened);
        if (goes_on) {
            linger(program);
        }
    }
    close_file(&opened);
}

/* Names ------------------------------------------------------------------------------------ */

/* As move_versions of fs/model/move.c: the first supersedes what was seen, the others stand
 * beside it; then all that was seen of the old name goes. */
static enum status move_all(struct program *program, const char *from, const char *to,
                            const struct object *source, const struct object *target)
{
    uint64_t begin_us = thread_now_us();
    enum status status = STATUS_OK;
    may_die(program);
    for (uint32_t i = 0; status == STATUS_OK && i < source->version_count; i++) {
        struct object *row = NULL;
        status = put(program, to, &source->versions[i], i == 0 ? target : NULL, &row);
        object_unref(row);
        trace(program, "moved a version to", to, status);
        bool is_late = thread_now_us() - begin_us > patience_us(program);
        status = status == STATUS_OK && is_late ? STATUS_TIMEOUT : status;
    }
    if (status == STATUS_OK) {
        status = put(program, from, NULL, source, NULL);
        trace(program, "renamed", from, status);
    }
    return status;
}

static void run_rename(struct program *program)
{
    const char *from = pick_name(program);
    const char *to = pick_name(program);
    struct object *source = NULL;
    struct object *target = NULL;
    if (from != to && look(program, from, &source) == STATUS_OK &&
        source->version_count <= MOVED_MAX && is_answer(look(program, to, &target))) {
        mounts_of(program)->counts.renames +=
            move_all(program, from, to, source, target) == STATUS_OK ? 1 : 0;
    }
    object_unref(source);
    object_unref(target);
}

static void run_remove(struct program *program)
{
    const char *name = pick_name(program);
    struct object *seen = NULL;
    if (look(program, name, &seen) == STATUS_OK) {
        trace(program, "removed", name, put(program, name, NULL, seen, NULL));
    }
    object_unref(seen);
}

/* Drops one sibling of several, or chooses one of them. */
static void run_resolve(struct program *program)
{
    const char *name = pick_name(program);
    struct object *seen = NULL;
    if (look(program, name, &seen) == STATUS_OK && seen->version_count > 1) {
        const struct version *one = &seen->versions[pick(program, seen->version_count)];
        if (pick(program, 2) == 0) {
            struct kv_put drop = {.key = slice_of_string(name),
                                  .mode = UPDATE_SOME,
                                  .dots = &one->dot,
                                  .dot_count = 1};
            trace(program, "dropped a version of", name,
                  kv_put(program->mount->kv, &drop, &program->mount->options, NULL));
        } else {
            struct object *row = NULL;
            trace(program, "resolved", name, put(program, name, one, seen, &row));
            object_unref(row);
        }
    }
    object_unref(seen);
}

/* Reading ---------------------------------------------------------------------------------- */

static enum status fetch(void *context, const struct block_place *place,
                         const struct block_entry *entry, struct blob **ret_content)
{
    const struct program *program = context;
    enum status status =
        block_get(program->mount->kv, place, entry, &program->mount->options, ret_content);
    if (status == STATUS_OK) {
        mounts_of(program)->counts.read_blocks++;
    }
    return thread_is_dead() && status != STATUS_OK ? STATUS_TIMEOUT : status;
}

/* Without the mount's cache. */
static enum status read_file(struct program *program, const char *name)
{
    struct mounts *mounts = mounts_of(program);
    struct book_source source = {.fetch = fetch, .context = program};
    struct object *seen = NULL;
    uint64_t begin_us = thread_now_us();
    enum status status = look(program, name, &seen);
    for (uint32_t i = 0; status == STATUS_OK && i < seen->version_count; i++) {
        status = book_verify(&mounts->book, &seen->versions[i], &source);
        /* What was superseded long ago may be collected under its reader. */
        bool is_late = thread_now_us() - begin_us > patience_us(program);
        if (status == STATUS_BAD_MESSAGE) {
            mounts_note_breach(mounts, name, "a version has something else than was written");
        } else if (status == STATUS_CORRUPT && mounts->options.reads_are_current && !is_late) {
            mounts_note_breach(mounts, name, "a version that is read lacks a block");
        }
    }
    trace(program, "read", name, status);
    mounts->counts.reads += status == STATUS_OK ? 1 : 0;
    object_unref(seen);
    return status;
}

void program_read_all(struct program *program)
{
    struct mounts *mounts = mounts_of(program);
    for (int i = 0; i < mounts->options.names && !thread_is_dead(); i++) {
        enum status status = read_file(program, mounts->names[i]);
        if (!is_answer(status)) {
            mounts_note_breach(mounts, mounts->names[i], status_name(status));
        }
    }
}

void program_main(struct program *program)
{
    struct mounts *mounts = mounts_of(program);
    while (!thread_is_dead() && mounts->operations < mounts->options.operations) {
        uint32_t what = pick(program, 100);
        mounts->operations++;
        if (what < 40) {
            run_write(program);
        } else if (what < 60) {
            run_rename(program);
        } else if (what < 65) {
            run_remove(program);
        } else if (what < 80) {
            run_resolve(program);
        } else {
            (void)read_file(program, pick_name(program));
        }
        thread_sleep(pick(program, (uint32_t)mounts->options.think_us));
    }
}
