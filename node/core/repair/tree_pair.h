/*
 * tree_pair.h - one partition and one other primary: which entries differ?
 */
#ifndef NODE_CORE_REPAIR_TREE_PAIR_H
#define NODE_CORE_REPAIR_TREE_PAIR_H

#include "node/core/request.h"

extern const struct request_kind pair_kind;

/* There may be place now for what waits. */
typedef void pair_progress(struct core *core);

/* False if there is no memory or no place for it. on_progress: called after each event. */
bool pair_start(struct core *core, uint16_t partition, uint16_t peer,
                pair_progress *on_progress);
bool pair_is_active(const struct request *request);
/* Goes on; a pair that ends counts itself in core->repair and frees the request. */
void pair_advance(struct core *core, struct request *request);
/* Lets a pair that waited for its confirmation go on. */
void pair_confirm(struct core *core, struct request *request);
bool pair_is_ready(const struct request *request);

#endif
