/*
 * leveldb_kept.c - a small file of its owner's beside the database.
 *
 * The file:  "dynkept1", FNV-1a of the bytes (eight bytes, little-endian), the bytes.
 */
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

enum { HEAD_SIZE = 16, KEPT_SIZE_MAX = 2 << 20 };
#define KEPT_MAGIC "dynkept1"

static void make_head(struct slice bytes, uint8_t ret_head[HEAD_SIZE])
{
    uint64_t hash = fnv64(bytes);

    memcpy(ret_head, KEPT_MAGIC, 8);
    for (int i = 0; i < 8; i++) {
        ret_head[8 + i] = (uint8_t)(hash >> 8 * i);
    }
}

static bool make_path(const char *path, const char *suffix, char ret_path[PATH_MAX])
{
    int size = snprintf(ret_path, PATH_MAX, "%s.settings%s", path, suffix);

    errno = ENAMETOOLONG;
    return size > 0 && size < PATH_MAX;
}

static bool write_whole(int file, struct slice bytes)
{
    uint8_t head[HEAD_SIZE];

    make_head(bytes, head);
    return write(file, head, sizeof head) == HEAD_SIZE &&
           write(file, bytes.data, bytes.size) == (ssize_t)bytes.size && fsync(file) == 0;
}

enum status leveldb_files_keep(const char *path, struct slice bytes)
{
    char name[PATH_MAX];
    char new_name[PATH_MAX];

    if (!make_path(path, "", name) || !make_path(path, ".new", new_name)) {
        return STATUS_IO;
    }
    int file = open(new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = file >= 0 && write_whole(file, bytes);
    int reason = errno;
    if (file >= 0) {
        close(file);
    }
    errno = reason;
    if (!is_written || rename(new_name, name) != 0) {
        return errno == ENOSPC || errno == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
    }
    return leveldb_files_sync_directory_of(name);
}

static enum status read_whole(int file, struct buffer *ret_bytes)
{
    struct stat information;
    uint8_t head[HEAD_SIZE];
    uint8_t wanted[HEAD_SIZE];

    if (fstat(file, &information) != 0) {
        return STATUS_IO;
    }
    if (information.st_size < HEAD_SIZE || information.st_size > KEPT_SIZE_MAX ||
        read(file, head, sizeof head) != HEAD_SIZE) {
        return STATUS_CORRUPT;
    }
    size_t size = (size_t)information.st_size - HEAD_SIZE;
    uint8_t *bytes = buffer_reserve(ret_bytes, size);
    if (!bytes) {
        return STATUS_NO_MEMORY;
    }
    if (read(file, bytes, size) != (ssize_t)size) {
        return STATUS_CORRUPT;
    }
    make_head(slice_of(bytes, size), wanted);
    if (memcmp(head, wanted, HEAD_SIZE) != 0) {
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

enum status leveldb_files_kept(const char *path, struct buffer *ret_bytes)
{
    assert(path && ret_bytes);

    char name[PATH_MAX];

    if (!make_path(path, "", name)) {
        return STATUS_IO;
    }
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    enum status status = read_whole(file, ret_bytes);
    int reason = errno;
    close(file);
    errno = reason;
    return status;
}
