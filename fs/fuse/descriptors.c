/*
 * descriptors.c - whether a process that closes a file has it open once more.
 */
#include "fs/fuse/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Shells have a handful; whoever has more pays for one more put. */
enum { DESCRIPTORS_MAX = 64, TEXT_MAX = 512 };

/* The number behind `ino:` in an entry of /proc/PID/fdinfo; 0 if there is none. */
static uint64_t inode_number_of(int directory, const char *name)
{
    char text[TEXT_MAX];
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    const char *found = strstr(text, "ino:");
    return !found ? 0 : strtoull(found + 4, NULL, 10);
}

bool descriptors_has_other(pid_t process, uint64_t inode_number)
{
    char path[64];
    bool is_found = false;

    if (process <= 0) {
        return false; /* of a process namespace that we do not see */
    }
    snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)process);
    DIR *directory = opendir(path);
    if (!directory) {
        return false;
    }
    for (int count = 0; count < DESCRIPTORS_MAX && !is_found; count++) {
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            break;
        }
        is_found = entry->d_name[0] != '.' &&
                   inode_number_of(dirfd(directory), entry->d_name) == inode_number;
    }
    closedir(directory);
    return is_found;
}
