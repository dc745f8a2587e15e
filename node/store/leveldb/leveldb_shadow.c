/*
 * leveldb_shadow.c - a database on a full disk, read from another file system.
 *
 * The lock of LevelDB is a lock of the file LOCK, which is a link as well: so the database is
 * locked while its shadow is open.
 */
#include "node/store/leveldb/leveldb_shadow.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_files.h"

enum {
    /* Beside the tables that are made of the logs: a manifest. */
    SPARE_SIZE = 4 << 20,
};

/* A directory of our own alone: others may write where it is. */
static bool is_ours(const char *path)
{
    struct stat information;

    return lstat(path, &information) == 0 && S_ISDIR(information.st_mode) &&
           information.st_uid == geteuid() && (information.st_mode & 077) == 0;
}

static void remove_all(const char *path)
{
    DIR *directory = is_ours(path) ? opendir(path) : NULL;

    if (!directory) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    closedir(directory);
    (void)rmdir(path);
}

static enum status link_all(const char *path, const char *shadow)
{
    char target[PATH_MAX];
    DIR *directory = opendir(path);
    int there = open(shadow, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = !directory || there < 0 ? STATUS_IO : STATUS_OK;

    for (struct dirent *entry; status == STATUS_OK && (entry = readdir(directory));) {
        struct stat information;
        int size = snprintf(target, sizeof target, "%s/%s", path, entry->d_name);
        if (size < 0 || (size_t)size >= sizeof target) {
            errno = ENAMETOOLONG;
            status = STATUS_IO;
        } else if (stat(target, &information) == 0 && S_ISREG(information.st_mode) &&
                   symlinkat(target, there, entry->d_name) != 0) {
            status = STATUS_IO;
        }
    }
    int reason = errno;
    if (directory) {
        closedir(directory);
    }
    if (there >= 0) {
        close(there);
    }
    errno = reason;
    return status;
}

/* Makes a shadow below `place`; NULL if there is no room, or nothing can be made. */
static char *make_in(const char *place, const char *path, uint64_t wanted, bool elsewhere)
{
    struct stat database;
    struct stat other;
    char *shadow = NULL;

    if (!place || stat(path, &database) != 0 || stat(place, &other) != 0 ||
        (elsewhere && database.st_dev == other.st_dev) ||
        leveldb_files_free_bytes(place) < wanted ||
        asprintf(&shadow, "%s/dynamofs-%llx-%llx", place, (unsigned long long)database.st_dev,
                 (unsigned long long)database.st_ino) < 0) {
        return NULL;
    }
    remove_all(shadow);
    if (mkdir(shadow, 0700) != 0 || !is_ours(shadow)) {
        free(shadow);
        return NULL;
    }
    if (link_all(path, shadow) != STATUS_OK) {
        remove_all(shadow);
        free(shadow);
        return NULL;
    }
    return shadow;
}

enum status leveldb_shadow_make(const char *path, uint64_t room, bool elsewhere,
                                char **ret_shadow)
{
    assert(path && ret_shadow);

    const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp", "/var/tmp"};
    struct leveldb_logs logs;
    char *whole = realpath(path, NULL);
    char *shadow = NULL;

    if (!whole || leveldb_files_logs(whole, &logs) != STATUS_OK) {
        free(whole);
        return STATUS_IO;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places && !shadow; i++) {
        shadow = make_in(places[i], whole, logs.size_bytes + room + SPARE_SIZE, elsewhere);
    }
    free(whole);
    if (!shadow) {
        return STATUS_NO_SPACE;
    }
    *ret_shadow = shadow;
    return STATUS_OK;
}

void leveldb_shadow_remove_take(char *shadow)
{
    if (shadow) {
        remove_all(shadow);
        free(shadow);
    }
}
