/*
 * leveldb_watch.c - is the database still where it was opened, and how far is it synced?
 *
 * The note:  "dynsync1", log, size, FNV-1a of these; numbers are eight bytes, little-endian.
 */
#include "node/store/leveldb/leveldb_watch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_files.h"
#include "ring/fnv.h"

enum { NOTE_SIZE = 32 };
#define NOTE_MAGIC "dynsync1"

static void put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
}

static uint64_t get_number(const uint8_t *bytes)
{
    uint64_t number = 0;

    for (int i = 7; i >= 0; i--) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static bool note_path(const char *path, char ret_path[PATH_MAX])
{
    int size = snprintf(ret_path, PATH_MAX, "%s.synced", path);

    return size > 0 && size < PATH_MAX;
}

void leveldb_watch_init(struct leveldb_watch *watch, const char *path)
{
    *watch = (struct leveldb_watch){.path = path, .directory = -1, .note = -1};
}

enum status leveldb_watch_open(struct leveldb_watch *watch)
{
    char note[PATH_MAX];
    struct stat information;

    leveldb_watch_close(watch);
    watch->directory = open(watch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (watch->directory < 0 || fstat(watch->directory, &information) != 0) {
        return STATUS_IO;
    }
    watch->device = information.st_dev;
    watch->inode = information.st_ino;
    watch->newest_log = 0;
    watch->noted_log = 0;
    if (note_path(watch->path, note)) {
        watch->note = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    return STATUS_OK;
}

void leveldb_watch_close(struct leveldb_watch *watch)
{
    if (watch->directory >= 0) {
        close(watch->directory);
    }
    if (watch->note >= 0) {
        close(watch->note);
    }
    watch->directory = -1;
    watch->note = -1;
}

/* The size of a log by its number; false, with errno, if it cannot be told. */
static bool log_size(const struct leveldb_watch *watch, uint64_t log, uint64_t *ret_size)
{
    char name[32];
    struct stat information;

    (void)snprintf(name, sizeof name, "%06llu.log", (unsigned long long)log);
    if (fstatat(watch->directory, name, &information, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    *ret_size = (uint64_t)information.st_size;
    return true;
}

/* The log that was written to last may have become a table meanwhile: then there is a newer
 * one. */
static bool find_newest_log(struct leveldb_watch *watch, uint64_t *ret_size)
{
    struct leveldb_logs logs;

    if (leveldb_files_logs(watch->path, &logs) != STATUS_OK || logs.newest == 0) {
        return false;
    }
    watch->newest_log = logs.newest;
    return log_size(watch, logs.newest, ret_size);
}

bool leveldb_watch_is_there(struct leveldb_watch *watch, struct leveldb_synced *ret_now,
                            char *ret_why, size_t size)
{
    struct stat information;
    uint64_t log_bytes = 0;

    assert(watch->directory >= 0);
    if (stat(watch->path, &information) != 0) {
        (void)snprintf(ret_why, size, "%s: %s", watch->path, strerror(errno));
        return false;
    }
    if (information.st_dev != watch->device || information.st_ino != watch->inode) {
        (void)snprintf(ret_why, size, "%s: is another directory than the one that was opened",
                       watch->path);
        return false;
    }
    bool is_known = watch->newest_log > 0 && log_size(watch, watch->newest_log, &log_bytes);
    if (!is_known && !find_newest_log(watch, &log_bytes)) {
        (void)snprintf(ret_why, size, "%s: the log that is written to was deleted",
                       watch->path);
        return false;
    }
    *ret_now = (struct leveldb_synced){.log = watch->newest_log, .size = log_bytes};
    return true;
}

void leveldb_watch_note(struct leveldb_watch *watch, struct leveldb_synced synced, bool durably)
{
    uint8_t note[NOTE_SIZE];

    if (watch->note < 0) {
        return;
    }
    memcpy(note, NOTE_MAGIC, 8);
    put_number(note + 8, synced.log);
    put_number(note + 16, synced.size);
    put_number(note + 24, fnv64(slice_of(note, 24)));
    /* A note that could not be written says too little, which is allowed. */
    (void)!pwrite(watch->note, note, sizeof note, 0);
    if (durably) {
        (void)!fdatasync(watch->note);
    }
    watch->noted_log = synced.log;
}

bool leveldb_watch_read_note(const char *path, struct leveldb_synced *ret_synced)
{
    char name[PATH_MAX];
    uint8_t note[NOTE_SIZE];

    if (!note_path(path, name)) {
        return false;
    }
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t size = pread(file, note, sizeof note, 0);
    close(file);
    if (size != NOTE_SIZE || memcmp(note, NOTE_MAGIC, 8) != 0 ||
        get_number(note + 24) != fnv64(slice_of(note, 24))) {
        return false;
    }
    *ret_synced =
        (struct leveldb_synced){.log = get_number(note + 8), .size = get_number(note + 16)};
    return true;
}
