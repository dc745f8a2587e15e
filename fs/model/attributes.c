/*
 * attributes.c - attributes of versions as stat(2) shows them; times and ids for new ones.
 */
#include "fs/model/attributes.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include "node/base/now.h"
#include "ring/fnv.h"

#define NANOSECONDS 1000000000

int64_t attributes_now_ns(void)
{
    return (int64_t)now_wall_ns();
}

void attributes_touch(struct attributes *attributes)
{
    attributes->modified_ns = attributes_now_ns();
    attributes->modified_set_ns = attributes->modified_ns;
    attributes->changed_ns = attributes->modified_ns;
}

uint64_t attributes_new_file_id(void)
{
    uint64_t id = 0;

    while (id <= INODE_NUMBER_ROOT) {
        ssize_t got = getrandom(&id, sizeof id, 0);
        if (got != (ssize_t)sizeof id) {
            id = 0; /* interrupted by a signal */
        }
    }
    return id;
}

uint64_t attributes_inode_number(const struct attributes *attributes, struct slice key,
                                 uint32_t number)
{
    uint64_t inode_number = attributes->file_id;

    if (inode_number == 0) {
        inode_number = fnv64(key);
    }
    if (number > 0) {
        inode_number = fnv64_add(inode_number, slice_of(&number, sizeof number));
    }
    return inode_number > INODE_NUMBER_ROOT ? inode_number : INODE_NUMBER_ROOT + 1;
}

enum version_type attributes_file_type(const struct attributes *attributes)
{
    return attributes->type == VERSION_LARGE_FILE ? VERSION_FILE : attributes->type;
}

static bool is_device(enum version_type type)
{
    return type == VERSION_CHARACTER_DEVICE || type == VERSION_BLOCK_DEVICE;
}

bool attributes_is_special(enum version_type type)
{
    return type == VERSION_FIFO || type == VERSION_SOCKET || is_device(type);
}

static mode_t type_bits(enum version_type type)
{
    switch (type) {
    case VERSION_FILE:
    case VERSION_LARGE_FILE:
        return S_IFREG;
    case VERSION_SYMLINK:
        return S_IFLNK;
    case VERSION_DIRECTORY:
        return S_IFDIR;
    case VERSION_FIFO:
        return S_IFIFO;
    case VERSION_SOCKET:
        return S_IFSOCK;
    case VERSION_CHARACTER_DEVICE:
        return S_IFCHR;
    case VERSION_BLOCK_DEVICE:
        return S_IFBLK;
    }
    return S_IFREG;
}

static struct timespec time_of(int64_t nanoseconds)
{
    struct timespec result = {
        .tv_sec = (time_t)(nanoseconds / NANOSECONDS),
        .tv_nsec = (long)(nanoseconds % NANOSECONDS),
    };
    if (result.tv_nsec < 0) {
        result.tv_sec--;
        result.tv_nsec += NANOSECONDS;
    }
    return result;
}

void attributes_present(const struct fs_ownership *ownership, struct stat *stat)
{
    if (ownership->has_user) {
        stat->st_uid = ownership->user;
    }
    if (ownership->has_group) {
        stat->st_gid = ownership->group;
    }
    if (ownership->has_umask && !S_ISLNK(stat->st_mode)) {
        stat->st_mode = (stat->st_mode & S_IFMT) | (0777 & ~ownership->umask);
    }
}

void attributes_to_stat(const struct attributes *attributes, uint64_t inode_number,
                        uint32_t link_count, struct stat *ret_stat)
{
    bool is_symlink = attributes->type == VERSION_SYMLINK;

    memset(ret_stat, 0, sizeof *ret_stat);
    ret_stat->st_ino = inode_number;
    ret_stat->st_mode =
        type_bits(attributes->type) | (is_symlink ? 0777 : attributes->mode & 07777);
    ret_stat->st_nlink = link_count;
    ret_stat->st_uid = attributes->user;
    ret_stat->st_gid = attributes->group;
    if (is_device(attributes->type)) {
        ret_stat->st_rdev = (dev_t)attributes->size;
    } else {
        ret_stat->st_size = (off_t)attributes->size;
        ret_stat->st_blocks = (blkcnt_t)((attributes->size + 511) / 512);
    }
    ret_stat->st_blksize = STAT_BLOCK_SIZE;
    ret_stat->st_atim = time_of(attributes->accessed_ns);
    ret_stat->st_mtim = time_of(attributes->modified_ns);
    ret_stat->st_ctim = time_of(attributes->changed_ns);
}
