/*
 * background.h - leaving the shell: fork, tell the parent how it went, log to syslog.
 *
 * Threads:  background_start before any thread is started; the rest on any one thread.
 */
#ifndef FS_DYNAMOFS_BACKGROUND_H
#define FS_DYNAMOFS_BACKGROUND_H

#include <stdbool.h>

#include "ring/status.h"

enum {
    /* The mount must answer within this time, or it is taken down again. */
    BACKGROUND_START_MS = 30 * 1000,
    /* A mount that was told to end and has not after this time is killed. */
    BACKGROUND_END_MS = 5 * 1000,
};

struct background {
    int report; /* the parent listens at its other end; -1: nobody waits */
};

/*
 * Forks. Returns in the child, true, whose standard output and standard error go to syslog;
 * false with `error` if there is no child. The parent never returns: it waits until the child
 * is ready, or prints the child's error and exits with 1. A child that says nothing in time is
 * ended, and its mount removed.
 */
MUST_CHECK bool background_start(struct background *background, const char *mountpoint,
                                 struct error *error);

/* The parent exits with 0. */
void background_ready(struct background *background);

/* The parent prints `error` and exits with 1. False if nobody waits: then it must be logged. */
MUST_CHECK bool background_fail(struct background *background, const struct error *error);

#endif
