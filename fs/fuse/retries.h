/*
 * retries.h - which threads are about to try an open again.
 *
 * The kernel answers ESTALE of an open by looking the whole path up anew and opening once more,
 * just once. Nothing in the second request says so, but it comes from the same thread: so that
 * the mount can settle then what it would rather leave to a lookup the first time.
 *
 * Threads:  both from any thread.
 */
#ifndef FS_FUSE_RETRIES_H
#define FS_FUSE_RETRIES_H

#include <stdbool.h>
#include <sys/types.h>

/* At most so many threads are remembered: who is forgotten may get ESTALE a second time. */
enum { RETRIES_MAX = 1024 };

/* An open of the thread was answered with ESTALE. A thread that is none (0) is not noted. */
void retries_note(pid_t thread);
/* True if the thread was noted; once. */
bool retries_take(pid_t thread);

#endif
