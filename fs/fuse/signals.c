/*
 * signals.c - whether a signal that a process has got means that it stops waiting.
 *
 * Source:   the kernel tells that there is a signal, not which one. While its thread waits for
 *           us it stays pending, as /proc/PID/status shows.
 */
#include "fs/fuse/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_TEXT_MAX = 4096 };

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* The mask behind `name` in a process status; 0 if there is none. */
static uint64_t mask_in(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return !found ? 0 : strtoull(found + strlen(name), NULL, 16);
}

bool signals_end_a_wait(pid_t thread)
{
    static const int routine_signals[] = {SIGCHLD, SIGURG,  SIGWINCH, SIGPROF, SIGVTALRM, SIGIO,
                                          SIGCONT, SIGTSTP, SIGTTIN,  SIGTTOU, SIGSTOP};
    uint64_t routine = 0;
    char path[64];
    char text[STATUS_TEXT_MAX];

    if (thread <= 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof routine_signals / sizeof *routine_signals; i++) {
        routine |= bit_of(routine_signals[i]);
    }
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return true;
    }
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    uint64_t pending = mask_in(text, "\nSigPnd:") | mask_in(text, "\nShdPnd:");
    uint64_t blocked = mask_in(text, "\nSigBlk:");
    /* None is pending any more where another thread of the process took it. */
    return size <= 0 || (pending & ~blocked & ~routine) != 0;
}
