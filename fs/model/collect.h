/*
 * collect.h - the thread of a mount that deletes the blocks that no version names any more.
 *
 * Shape:    a pass over all block sets (node/client/collector.h) every quarter of the grace
 *           time. It pauses after each step for longer than the step took, so that it is never
 *           in the way of what people do.
 * Source:   docs/design.md, Large files.
 */
#ifndef FS_MODEL_COLLECT_H
#define FS_MODEL_COLLECT_H

#include "fs/model/fs.h"

struct collect;

/* Starts it, after the last fork. NULL when memory or threads are short. */
struct collect *collect_start(struct fs *fs);
/* Returns when it is over, which it is within a moment, whatever it waits for. Before fs_free.
 * NULL is allowed. */
void collect_stop(struct collect *collect);

#endif
