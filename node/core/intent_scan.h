/*
 * intent_scan.h - what was left undone is taken up again.
 */
#ifndef NODE_CORE_INTENT_SCAN_H
#define NODE_CORE_INTENT_SCAN_H

#include "node/core/request.h"

extern const struct request_kind scan_kind;

void intent_scan_on_tick(struct core *core);

#endif
