/*
 * signals.h - whether a signal that a process has got means that it stops waiting.
 */
#ifndef FS_FUSE_SIGNALS_H
#define FS_FUSE_SIGNALS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * True if a signal is pending for the thread that makes it leave a system call for good. Not
 * those that programs get all the time and which change nothing for the call under way: a child
 * ended, a window changed, a timer of a profiler or of a runtime's scheduler, a stop until
 * later. Also true if that cannot be found out, as for a process of another namespace (0).
 */
bool signals_end_a_wait(pid_t thread);

#endif
