/*
 * record.h - an object as bytes: on disk, and inside messages.
 *
 * Canonical: equal objects have equal bytes. msgpack, one array:
 *   [format, [[node, birth, counter]...], [version...], deleted, own node, own
 *    birth]
 * A version names its actor by its index in the clock. See docs/protocol.md.
 */
#ifndef NODE_WIRE_RECORD_H
#define NODE_WIRE_RECORD_H

#include "ring/object.h"
#include "ring/row.h"

enum {
    RECORD_FORMAT = 2,
    /* Above a row with every pair and every version there may be. */
    RECORD_ROW_SIZE_MAX = 512 << 10,
};

/* Appends the object's bytes. `with_own` on disk; never between nodes (own is local to a copy).
 */
void record_encode(const struct object *object, bool with_own, struct buffer *buffer);

/*
 * Reads exactly `bytes`. Every length, count and rule of object.h is checked before it is
 * believed; contents are not re-hashed here (record_verify does). STATUS_BAD_MESSAGE if they
 * break one, STATUS_BAD_VERSION for a newer format, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status record_decode(struct slice bytes, struct object **ret_object);

/*
 * True if the record, as far as its head shows, holds a live version. Cheap: nothing is
 * decoded. Bytes that are no record are not live.
 */
bool record_is_live(struct slice bytes);

/* Compares each version's content with its content_hash: STATUS_OK or STATUS_CORRUPT. Rows
 * pass. */
MUST_CHECK enum status record_verify(const struct object *object);

#endif
