/*
 * collect.h - the threads of a mount that delete the blocks that no version names any more, and
 *             hold those of open files.
 *
 * Shape:    a pass over all block sets (node/client/collector.h) every quarter of the grace
 *           time. It pauses after each step for longer than the step took, so that it is never
 *           in the way of what people do. The other thread says as often which sets are in use.
 * Source:   docs/design.md, Large files.
 */
#ifndef FS_MODEL_COLLECT_H
#define FS_MODEL_COLLECT_H

#include "fs/model/fs.h"

struct collect;

/* Starts them, after the last fork. NULL when memory or threads are short. */
struct collect *collect_start(struct fs *fs);
/* Returns when they are over, which is within a moment, whatever they wait for. Before fs_free.
 * NULL is allowed. */
void collect_stop(struct collect *collect);

#endif
