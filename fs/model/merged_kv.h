/*
 * merged_kv.h - a store as a mount shows it: attributes that were changed beside one another
 * are merged.
 *
 * Versions with one content are shown as one; their attributes are merged field by field
 * (ring/attributes.h, fs/model/xattrs.h), the same on every mount. What a get, a listing or a
 * put returns has them in the newest version of each group, so that whatever is written later
 * writes them down. Clocks and dots are as they were.
 */
#ifndef FS_MODEL_MERGED_KV_H
#define FS_MODEL_MERGED_KV_H

#include "node/client/kv.h"

/* A view of `inner`, which is borrowed and outlives it: kv_close frees the view alone. NULL
 * when memory is short. */
struct kv *merged_kv_new(struct kv *inner);

/* Replaces *object by what is shown of it, if that differs. NULL is allowed. STATUS_NO_MEMORY:
 * *object is as it was. */
MUST_CHECK enum status merged_object(struct object **object);

#endif
