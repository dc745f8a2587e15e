/*
 * leveldb_files.c - what the LevelDB engine must know of LevelDB's own files.
 */
#include "node/store/leveldb/leveldb_files.h"

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

    if (!directory) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
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

    if (!directory) {
        return STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
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

/* Inserts a number into an ascending array that holds the greatest ones. */
static void insert_number(uint64_t *numbers, size_t max, size_t *count, uint64_t number)
{
    size_t at = *count;

    if (*count == max) {
        if (number < numbers[0]) {
            return;
        }
        memmove(numbers, numbers + 1, (max - 1) * sizeof numbers[0]);
        at = --*count;
    }
    while (at > 0 && numbers[at - 1] > number) {
        numbers[at] = numbers[at - 1];
        at--;
    }
    numbers[at] = number;
    ++*count;
}

enum status leveldb_files_list_logs(int directory, uint64_t *ret_logs, size_t max,
                                    size_t *ret_count)
{
    assert(ret_logs && max > 0 && ret_count);

    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    uint64_t number = 0;

    if (!listing) {
        return STATUS_IO;
    }
    *ret_count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        if (is_numbered(entry->d_name, ".log", &number)) {
            insert_number(ret_logs, max, ret_count, number);
        }
    }
    closedir(listing);
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

    if (!directory) {
        return STATUS_IO;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
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

static bool mark_path(const char *path, char ret_path[PATH_MAX])
{
    int size = snprintf(ret_path, PATH_MAX, "%s.salvaging", path);

    return size > 0 && size < PATH_MAX;
}

enum status leveldb_files_sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    size_t size = strlen(path);

    memcpy(directory, path, size + 1);
    while (size > 0 && directory[size - 1] != '/') {
        size--;
    }
    directory[size] = '\0';
    int descriptor = open(size == 0 ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return STATUS_IO;
    }
    int result = fsync(descriptor);
    close(descriptor);
    return result == 0 ? STATUS_OK : STATUS_IO;
}

enum status leveldb_files_mark_salvage(const char *path, bool marked)
{
    char mark[PATH_MAX];

    if (!mark_path(path, mark)) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    if (!marked) {
        if (unlink(mark) != 0 && errno != ENOENT) {
            return STATUS_IO;
        }
        return leveldb_files_sync_directory_of(mark);
    }
    int descriptor = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
    }
    close(descriptor);
    return leveldb_files_sync_directory_of(mark);
}

bool leveldb_files_has_salvage_mark(const char *path)
{
    char mark[PATH_MAX];

    return mark_path(path, mark) && access(mark, F_OK) == 0;
}

enum status leveldb_files_remove_lost(const char *path)
{
    char lost[PATH_MAX];
    int size = snprintf(lost, sizeof lost, "%s/lost", path);

    if (size < 0 || (size_t)size >= sizeof lost) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    DIR *directory = opendir(lost);
    if (!directory) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    }
    enum status status = STATUS_OK;
    for (struct dirent *entry; (entry = readdir(directory));) {
        bool is_file = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        if (is_file && unlinkat(dirfd(directory), entry->d_name, 0) != 0) {
            status = STATUS_IO;
        }
    }
    closedir(directory);
    return status;
}

enum status leveldb_files_lock(const char *path, int *ret_lock)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[PATH_MAX];
    int size = snprintf(name, sizeof name, "%s/LOCK", path);

    if (size < 0 || (size_t)size >= sizeof name) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        return errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
    }
    if (fcntl(file, F_SETLK, &lock) != 0) {
        bool is_held = errno == EAGAIN || errno == EACCES;
        int reason = errno;
        close(file);
        errno = reason;
        return is_held ? STATUS_BUSY : STATUS_IO;
    }
    *ret_lock = file;
    return STATUS_OK;
}

uint64_t leveldb_files_free_bytes(const char *path)
{
    struct statvfs information;

    if (statvfs(path, &information) != 0) {
        return 0;
    }
    return (uint64_t)information.f_bavail * (uint64_t)information.f_frsize;
}

uint64_t leveldb_files_size(const char *path)
{
    DIR *directory = opendir(path);
    uint64_t size = 0;

    if (!directory) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat information;
        if (fstatat(dirfd(directory), entry->d_name, &information, 0) == 0 &&
            S_ISREG(information.st_mode)) {
            size += (uint64_t)information.st_size;
        }
    }
    closedir(directory);
    return size;
}
