/*
 * leveldb_files.c - what the LevelDB engine must know of LevelDB's own files.
 */
#include "node/store/leveldb_files.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum status make_one(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return STATUS_OK;
    }
    return errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
}

enum status leveldb_files_make_directory(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);

    if (size >= sizeof part) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    memcpy(part, path, size + 1);
    for (size_t i = 1; i < size; i++) {
        if (part[i] != '/') {
            continue;
        }
        part[i] = '\0';
        enum status status = make_one(part);
        part[i] = '/';
        /* A part that exists above may be one that we cannot make; only the last one counts. */
        if (status == STATUS_NO_SPACE) {
            return status;
        }
    }
    return make_one(part);
}

/* True for NNNNNN.`extension`; the number goes to ret_number. */
static bool is_numbered(const char *name, const char *extension, uint64_t *ret_number)
{
    char *end = NULL;

    if (!isdigit((unsigned char)name[0])) {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(name, &end, 10);
    if (errno != 0 || strcmp(end, extension) != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

enum status leveldb_files_check(const char *path)
{
    DIR *directory = opendir(path);
    bool has_current = false;
    bool has_data = false;
    uint64_t number = 0;

    if (directory == NULL) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *name = entry->d_name;

        has_current = has_current || strcmp(name, "CURRENT") == 0;
        has_data = has_data || is_numbered(name, ".log", &number) ||
                   is_numbered(name, ".ldb", &number) || is_numbered(name, ".sst", &number);
    }
    closedir(directory);
    return has_data && !has_current ? STATUS_CORRUPT : STATUS_OK;
}

enum status leveldb_files_logs(const char *path, struct leveldb_logs *ret_logs)
{
    DIR *directory = opendir(path);
    struct leveldb_logs logs = {0};

    if (directory == NULL) {
        return STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat information;
        uint64_t number = 0;

        if (!is_numbered(entry->d_name, ".log", &number)) {
            continue;
        }
        logs.count++;
        logs.newest = number > logs.newest ? number : logs.newest;
        if (fstatat(dirfd(directory), entry->d_name, &information, 0) == 0) {
            logs.size_bytes += (uint64_t)information.st_size;
        }
    }
    closedir(directory);
    *ret_logs = logs;
    return STATUS_OK;
}

static enum status sync_one(int directory, const char *name)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    }
    int result = fdatasync(file);
    close(file);
    return result == 0 ? STATUS_OK : STATUS_IO;
}

enum status leveldb_files_sync_logs(const char *path, uint64_t first, uint64_t end)
{
    assert(first <= end);

    DIR *directory = opendir(path);
    enum status status = STATUS_OK;

    if (directory == NULL) {
        return STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        uint64_t number = 0;

        if (!is_numbered(entry->d_name, ".log", &number) || number < first || number >= end) {
            continue;
        }
        enum status result = sync_one(dirfd(directory), entry->d_name);
        status = status == STATUS_OK ? result : status;
    }
    closedir(directory);
    return status;
}

uint64_t leveldb_files_free_bytes(const char *path)
{
    struct statvfs information;

    if (statvfs(path, &information) != 0) {
        return 0;
    }
    return (uint64_t)information.f_bavail * (uint64_t)information.f_frsize;
}
