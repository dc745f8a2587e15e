/*
 * model.c - what the files of the model share.
 */
#include "fs/model/model.h"

#include <time.h>

int64_t model_monotonic_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double model_seconds_until(int64_t monotonic_ns)
{
    int64_t left_ns = monotonic_ns - model_monotonic_ns();

    return left_ns > 0 ? (double)left_ns / 1e9 : 0;
}

void model_note(struct fs *fs, const char *text)
{
    if (fs->config.on_note) {
        fs->config.on_note(fs->config.note_context, text);
    }
}
