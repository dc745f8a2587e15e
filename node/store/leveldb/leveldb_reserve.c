/*
 * leveldb_reserve.c - room on the disk that is kept for what must still be possible on a full
 * one.
 */
#include "node/store/leveldb/leveldb_reserve.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_files.h"

enum {
    BUFFER_SIZE_MIN = 2 << 20,
    /* A write buffer takes at most this part of the file system. */
    BUFFER_PART = 128,
    /* A group of requests is one batch of at most 4 MiB, or a single large one. */
    BATCH_SIZE_MAX = 5 << 20,
    /* Beside the logs: a manifest, indexes of tables, the small files of the node. */
    SPARE_SIZE = 2 << 20,
};

/* Like leveldb_files_free_bytes, of the whole file system. */
static uint64_t total_bytes(const char *path)
{
    struct statvfs information;

    if (statvfs(path, &information) != 0) {
        return 0;
    }
    return (uint64_t)information.f_blocks * (uint64_t)information.f_frsize;
}

uint64_t leveldb_reserve_buffer_size(const char *path, uint64_t size_max)
{
    uint64_t size = total_bytes(path) / BUFFER_PART;

    size = size < BUFFER_SIZE_MIN ? BUFFER_SIZE_MIN : size;
    return size < size_max ? size : size_max;
}

static bool make_path(const struct leveldb_reserve *reserve, char ret_path[PATH_MAX])
{
    int size = snprintf(ret_path, PATH_MAX, "%s.reserve", reserve->path);

    return size > 0 && size < PATH_MAX;
}

void leveldb_reserve_init(struct leveldb_reserve *reserve, const char *path,
                          uint64_t buffer_size, bool has_file)
{
    assert(reserve && path);

    char name[PATH_MAX];

    reserve->path = path;
    /* Two logs, and the table that the older one becomes; a log may be longer than a buffer by
       a batch. (On a small file system a batch may be longer than this: the file is there for
       that.) */
    uint64_t batch_size = buffer_size < BATCH_SIZE_MAX ? buffer_size : BATCH_SIZE_MAX;
    reserve->log_room = 3 * buffer_size + 2 * batch_size;
    reserve->size = has_file ? reserve->log_room + SPARE_SIZE : 0;
    atomic_store(&reserve->is_held, make_path(reserve, name) && access(name, F_OK) == 0);
    atomic_store(&reserve->compaction_room, 0);
}

void leveldb_reserve_hold(struct leveldb_reserve *reserve)
{
    assert(reserve->path);

    char path[PATH_MAX];
    uint64_t wanted = 2 * reserve->size + atomic_load(&reserve->compaction_room);

    if (reserve->size == 0 || atomic_load(&reserve->is_held) ||
        leveldb_files_free_bytes(reserve->path) < wanted || !make_path(reserve, path)) {
        return;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        return;
    }
    /* Where it cannot be had without writing it all, it is done without. */
    bool is_held = fallocate(file, 0, 0, (off_t)reserve->size) == 0;
    close(file);
    if (!is_held) {
        (void)unlink(path);
    }
    atomic_store(&reserve->is_held, is_held);
}

bool leveldb_reserve_release(struct leveldb_reserve *reserve)
{
    char path[PATH_MAX];

    if (!atomic_load(&reserve->is_held) || !make_path(reserve, path)) {
        return false;
    }
    atomic_store(&reserve->is_held, false);
    return unlink(path) == 0;
}

bool leveldb_reserve_has_room(const struct leveldb_reserve *reserve, uint64_t size,
                              bool is_vital)
{
    assert(reserve->path);

    struct statvfs information;

    if (statvfs(reserve->path, &information) != 0) {
        return true; /* the write will tell what is wrong */
    }
    uint64_t room = (uint64_t)information.f_bavail * (uint64_t)information.f_frsize;
    uint64_t wanted = size + reserve->log_room + SPARE_SIZE;

    if (is_vital) {
        room += atomic_load(&reserve->is_held) ? reserve->size : 0;
    } else {
        wanted += atomic_load(&reserve->compaction_room);
    }
    return room >= wanted;
}
