/*
 * content.h - the content of one open file, and where it is kept.
 *
 * Shape:    in blocks (fs/model/large.h), or, up to INLINE_SIZE_MAX, as it was fetched, as an
 *           edited copy in memory, or spilled: contents that are only held open are kept in
 *           memory up to HELD_SIZE_MAX in all, and beyond it in unlinked temporary files, since a
 *           descriptor must go on working when the name has another content by then and nobody
 *           has this one any more.
 * Threads:  under the lock of the file that it belongs to; the keeper is shared by all.
 */
#ifndef FS_MODEL_CONTENT_H
#define FS_MODEL_CONTENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "fs/model/large.h"
#include "ring/object.h"

#define HELD_SIZE_MAX (UINT64_C(32) << 20)
/* Larger contents are kept in blocks
 * (docs/decisions/0037-large-files-are-manifests-of-blocks.md). */
enum { INLINE_SIZE_MAX = BLOCK_SIZE };

/* What all contents of one mount share. */
struct content_keeper {
    atomic_uint_fast64_t held; /* bytes of fetched contents in memory */
    struct blocks *blocks;     /* borrowed */
    int directory; /* of the temporary files, opened before anything is mounted over it; -1 */
};

void content_keeper_init(struct content_keeper *keeper, struct blocks *blocks);
void content_keeper_release(struct content_keeper *keeper);

struct content {
    struct content_keeper *keeper; /* borrowed */
    struct large *large;           /* owned; not NULL: all of it is there */
    struct large *replaced; /* owned: an empty one that was large before it was cleared */
    struct blob *fetched;   /* NULL: empty, edited or spilled */
    struct buffer edited;
    bool is_edited;
    bool is_spilled;
    int spill;
    uint64_t spilled_size;
};

void content_init(struct content *content, struct content_keeper *keeper);
void content_release(struct content *content);

uint64_t content_size(const struct content *content);
/* Replaces it by that of the version (NULL: nothing), of which it takes a reference; spills it
 * if too much is held already. That this fails is no error: it stays in memory then. ENOMEM,
 * EIO: it is as it was. */
int content_set(struct content *content, const struct version *version);
/* Replaces it by a large one, whose reference it takes. */
void content_set_large(struct content *content, struct large *large);
/* Makes it `size` bytes long, at most INLINE_SIZE_MAX or what it has, with zeroes beyond the
 * old end; `edited` holds it from then on. It is not large. ENOMEM, EIO. */
int content_resize(struct content *content, uint64_t size);
/* Drops it all and starts to edit an empty one. What was large, and becomes so again, takes up
 * `replaced`. */
void content_clear(struct content *content);
/* Of one that is not large: `size` bytes from `offset`, which are there. The caller drops
 * *ret_blob, which holds them. ENOMEM, EIO. */
int content_read(const struct content *content, uint64_t offset, size_t size,
                 struct slice *ret_bytes, struct blob **ret_blob);
/* All of one that is not large, a new reference; never NULL on success. ENOMEM, EIO. */
int content_whole(const struct content *content, struct blob **ret_blob);

#endif
