/*
 * test_threads.c - many requests at once, as libfuse's workers make them:
 *
 *   whatever the order, each call ends with an errno that it may have, and the model stays
 * whole what one thread closed well is what it reads afterwards counts of lookups and
 * references come out even: nothing stays in memory
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/change.h"
#include "fs/model/create.h"
#include "fs/model/directory.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/lookup.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "fs/model/rename.h"
#include "tests/fs/model/fixture.h"

enum { THREADS = 4, ROUNDS = 300, NAMES = 6 };

struct worker {
    struct fs *fs;
    uint64_t directory;
    unsigned number;
    uint64_t random;
    unsigned failures; /* cmocka's asserts belong to the main thread */
};

/* xorshift64: every run makes the same choices, though not in the same order. */
static unsigned choose(struct worker *worker, unsigned count)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random >> 33) % count;
}

static void expect(struct worker *worker, int failed)
{
    switch (failed) {
    case 0:
    case ENOENT:
    case EEXIST:
    case ESTALE:
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
        return;
    default:
        worker->failures++;
    }
}

static void shared_write(struct worker *worker, const char *name)
{
    static const struct creation creation = {.mode = 0644};
    struct fs_entry entry;
    struct opened opened = {0};
    size_t written;
    int failed = lookup_name(worker->fs, worker->directory, name, &entry);

    if (failed == ENOENT) {
        failed = create_pending(worker->fs, worker->directory, name, &creation, &entry,
                                &opened.file);
    } else if (failed == 0) {
        failed = open_inode(worker->fs, entry.id, choose(worker, 2) == 0, &opened);
        if (failed != 0) {
            lookup_forget(worker->fs, entry.id, 1);
        }
    }
    expect(worker, failed);
    if (failed == 0) {
        expect(worker, io_write(opened.file, slice_of_string(name), choose(worker, 50), false,
                                &written));
        expect(worker, flush_file(worker->fs, opened.file, false));
        flush_release(worker->fs, opened.file, 0);
        lookup_forget(worker->fs, entry.id, 1);
    }
}

static void shared_change(struct worker *worker, const char *name)
{
    struct change change = {.flags = CHANGE_MODE | CHANGE_SIZE, .mode = 0600, .size = 3};
    struct stat attributes;
    struct fs_entry entry;
    double valid_s;
    int failed = lookup_name(worker->fs, worker->directory, name, &entry);

    expect(worker, failed);
    if (failed == 0) {
        expect(worker, change_attributes(worker->fs, entry.id, &change, &attributes));
        expect(worker, query_attributes(worker->fs, entry.id, &attributes, &valid_s));
        lookup_forget(worker->fs, entry.id, 1);
    }
}

static void shared_list(struct worker *worker)
{
    struct directory *directory;
    struct directory_entry listed;
    struct fs_entry entry;
    bool is_end = false;

    expect(worker, directory_open(worker->fs, worker->directory, &directory));
    directory_lock(directory);
    for (uint64_t offset = 0; !is_end; offset++) {
        expect(worker, directory_at(directory, offset, &listed, &is_end));
        if (!is_end && offset >= 2 && directory_enter(directory, offset, &entry) == 0) {
            lookup_forget(worker->fs, entry.id, 1);
        }
    }
    directory_unlock(directory);
    directory_close(worker->fs, directory);
}

/* A file of its own: nobody else may come in between. */
static void own_file(struct worker *worker, unsigned round)
{
    static const struct creation creation = {.mode = 0644};
    char name[32];
    char text[32];
    struct fs_entry entry;
    struct opened opened;
    size_t written;
    struct slice bytes = {0};
    struct blob *blob = NULL;

    snprintf(name, sizeof name, "own%u.%u", worker->number, round);
    snprintf(text, sizeof text, "text %u", round);
    int failed =
        create_pending(worker->fs, worker->directory, name, &creation, &entry, &opened.file);
    if (failed == 0) {
        failed = io_write(opened.file, slice_of_string(text), 0, false, &written);
        failed = failed != 0 ? failed : flush_file(worker->fs, opened.file, false);
        flush_release(worker->fs, opened.file, 0);
        failed = failed != 0 ? failed : open_inode(worker->fs, entry.id, false, &opened);
    }
    if (failed == 0) {
        failed = io_read(opened.file, 0, 100, &bytes, &blob);
        flush_release(worker->fs, opened.file, 0);
    }
    if (failed != 0 || !slice_equal(bytes, slice_of_string(text))) {
        worker->failures++;
    }
    blob_unref(blob);
    if (remove_file(worker->fs, worker->directory, name) != 0) {
        worker->failures++;
    }
    lookup_forget(worker->fs, entry.id, 1);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    char name[8];
    char other[8];

    for (unsigned round = 0; round < ROUNDS; round++) {
        bool is_back = choose(worker, 2) == 0;
        snprintf(name, sizeof name, "%c%u", is_back ? 'm' : 'n', choose(worker, NAMES));
        snprintf(other, sizeof other, "%c%u", is_back ? 'n' : 'm', choose(worker, NAMES));
        struct rename_names names = {.parent = worker->directory,
                                     .name = name,
                                     .new_parent = worker->directory,
                                     .new_name = other};
        switch (choose(worker, 6)) {
        case 0:
            expect(worker, remove_file(worker->fs, worker->directory, name));
            break;
        case 1:
            expect(worker, rename_name(worker->fs, &names));
            break;
        case 2:
            shared_change(worker, name);
            break;
        case 3:
            shared_list(worker);
            break;
        case 4:
            own_file(worker, round);
            break;
        default:
            shared_write(worker, name);
            break;
        }
    }
    return NULL;
}

static void test_model__many_threads__stays_whole(void **state)
{
    struct mounts *mounts = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    uint64_t directory = make_directory(mounts->there, ROOT, "d");
    make_directory(mounts->there, directory, "sub");
    uint64_t here = look(mounts->here, ROOT, "d");

    for (unsigned i = 0; i < THREADS; i++) {
        /* Two mounts, two threads each. */
        bool is_here = i % 2 == 0;
        workers[i] = (struct worker){.fs = is_here ? mounts->here : mounts->there,
                                     .directory = is_here ? here : directory,
                                     .number = i,
                                     .random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1)};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    assert_int_equal(list_error(mounts->here, here), 0);
    assert_int_equal(mounts->notes, 0);
    /* The root and d: all else was forgotten. `there` still knows d/sub. */
    assert_int_equal(mounts->here->inodes.count, 2);
    assert_int_equal(mounts->there->inodes.count, 3);
    write_file(mounts->there, ROOT, "after", "x");
    assert_reads(mounts->here, ROOT, "after", "x");
}

enum { OWN_FILES = 3, REWRITES = 60 };

/* Rewrites its files in a directory that is being renamed. */
static void *rewrite(void *argument)
{
    struct worker *worker = argument;
    static const struct creation creation = {.mode = 0644};
    struct fs_entry entries[OWN_FILES];
    struct opened opened;
    size_t written;
    char text[32];

    for (unsigned i = 0; i < OWN_FILES; i++) {
        snprintf(text, sizeof text, "own%u.%u", worker->number, i);
        if (create_pending(worker->fs, worker->directory, text, &creation, &entries[i],
                           &opened.file) != 0) {
            worker->failures++;
            return NULL;
        }
        worker->failures += flush_file(worker->fs, opened.file, false) != 0;
        flush_release(worker->fs, opened.file, 0);
    }
    for (unsigned round = 0; round < REWRITES; round++) {
        snprintf(text, sizeof text, "round %02u", round);
        for (unsigned i = 0; i < OWN_FILES; i++) {
            int failed;
            do { /* while it is on its way it may be neither here nor there */
                failed = open_inode(worker->fs, entries[i].id, true, &opened);
            } while (failed == ESTALE);
            if (failed == 0) {
                failed = io_write(opened.file, slice_of_string(text), 0, false, &written);
                failed = failed != 0 ? failed : flush_file(worker->fs, opened.file, false);
                flush_release(worker->fs, opened.file, 0);
            }
            worker->failures += failed != 0;
        }
    }
    return NULL;
}

static void test_rename_of_directory__while_files_are_written__nothing_is_lost(void **state)
{
    struct mounts *mounts = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    char name[32];
    uint64_t directory = make_directory(mounts->here, ROOT, "d");

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.fs = mounts->here, .directory = directory, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, rewrite, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        int failed = rename_error(mounts->here, ROOT, i % 2 == 0 ? "d" : "e", ROOT,
                                  i % 2 == 0 ? "e" : "d");
        /* Busy, or its old place revived by a put that was under way: what is below goes on. */
        assert_true(failed == 0 || failed == EBUSY || failed == ENOTEMPTY);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    for (unsigned i = 0; i < THREADS * OWN_FILES; i++) {
        snprintf(name, sizeof name, "own%u.%u", i / OWN_FILES, i % OWN_FILES);
        assert_reads(mounts->here, directory, name, "round 59");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rename_of_directory__while_files_are_written__nothing_is_lost),
        TEST(test_model__many_threads__stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
