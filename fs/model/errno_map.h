/*
 * errno_map.h - the one place where a status of the cluster becomes an errno.
 */
#ifndef FS_MODEL_ERRNO_MAP_H
#define FS_MODEL_ERRNO_MAP_H

#include "ring/status.h"

/* 0 for STATUS_OK, otherwise a positive errno that ordinary tools understand. */
int errno_of_status(enum status status);
/* The same of a key. A path that is too long is told so; what else breaks the rules of keys
 * cannot be a path. */
int errno_of_key(enum status status);

#endif
