/*
 * model.c - what the files of the model share.
 */
#include "fs/model/model.h"

#include "node/base/now.h"

uint64_t model_fresh_until_ns(const struct fs *fs)
{
    return now_monotonic_ns() + (uint64_t)(fs->config.attribute_timeout * 1e9);
}

double model_seconds_until(uint64_t monotonic_ns)
{
    uint64_t now_ns = now_monotonic_ns();

    return monotonic_ns > now_ns ? (double)(monotonic_ns - now_ns) / 1e9 : 0;
}

void model_note(struct fs *fs, const char *text)
{
    if (fs->config.on_note) {
        fs->config.on_note(fs->config.note_context, text);
    }
}
