/*
 * operation.h - one table of what the store can do: for each operation how it is carried out,
 * and what a group of requests must know of it.
 *
 * A new operation is a name in store.h and a line in operation.c.
 */
#ifndef NODE_STORE_OPERATION_H
#define NODE_STORE_OPERATION_H

#include "node/store/apply.h"
#include "node/store/batch.h"

/* What a write asks of a disk that is nearly full. */
enum room {
    ROOM_NONE,  /* it adds nothing, or is needed to make room */
    ROOM_VITAL, /* it adds little, and may use the room that is kept for it */
    ROOM_ORDINARY,
};

/* Whose database is damaged when the operation met damage. */
enum damaged { DAMAGED_OWN, DAMAGED_HINTS, DAMAGED_EITHER };

struct operation {
    bool is_read;
    bool needs_ring;   /* STATUS_NOT_READY before there is one */
    bool needs_hints;  /* ... and while the hints are not open */
    bool is_on_hints;  /* it is the hints' disk that must have room */
    bool reads_engine; /* what the group wrote before it is committed first */
    bool resets_batch; /* what the group has read may not be so any more after it */
    bool once_in_row;  /* of several in a row the first does it for all */
    enum damaged damaged;
    size_t (*content_size)(const struct store_request *request); /* NULL: it brings none */
    /* It is small, and sure not to wait; `size` is that of the request. NULL: never. */
    bool (*is_quick)(const struct store_state *state, const struct store_request *request,
                     size_t size);
    /* No other group may write meanwhile: see store_state.directories. NULL: never. */
    bool (*is_alone)(const struct store_request *request);
    /* Hints and settings are written at once, and so are trees that a scrub has built. NULL:
     * never. */
    bool (*writes_batch)(const struct store_request *request);
    enum room (*room)(const struct store_request *request); /* NULL: ROOM_NONE */
    /* Fills the result, but for status, operation and token. */
    enum status (*apply)(struct store_state *state, struct batch *batch,
                         const struct store_request *request, struct store_result *ret_result);
};

/* NULL: there is no such operation. */
const struct operation *operation_of(const struct store_request *request);

#endif
