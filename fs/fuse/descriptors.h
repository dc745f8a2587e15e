/*
 * descriptors.h - whether a process that closes a file has it open once more.
 *
 * The kernel sends FLUSH for each close(2) and does not say if others follow. `echo x > name`
 * in a shell is open, dup2, close, write, close: a put at the first close would store an empty
 * file for a moment, and cost as much as the real one.
 */
#ifndef FS_FUSE_DESCRIPTORS_H
#define FS_FUSE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* True if the process has another descriptor of a file with this inode number. False if that
 * cannot be found out. */
bool descriptors_has_other(pid_t process, uint64_t inode_number);

#endif
