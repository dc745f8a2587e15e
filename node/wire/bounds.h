/*
 * bounds.h - what is believed of msgpack bytes before anything is allocated for them.
 *
 * Shape:    one pass over the raw bytes, without recursion and without memory.
 * Never:    an element that is claimed but not there; two encodings of one value.
 */
#ifndef NODE_WIRE_BOUNDS_H
#define NODE_WIRE_BOUNDS_H

#include "ring/bytes.h"

enum {
    BOUNDS_DEPTH_MAX = 8,
    /* Above the largest honest value, a record with every pair and every version there may be
     * (2,048 * 4 + 1,024 * 16 elements); an element costs msgpack-c 24 bytes. */
    BOUNDS_ELEMENTS_MAX = 1 << 15,
};

/*
 * True if `bytes` are exactly one value out of nil, booleans, integers, strings, byte strings
 * and arrays of these, at most BOUNDS_DEPTH_MAX arrays deep and BOUNDS_ELEMENTS_MAX elements in
 * all, each number and length in its shortest form. Maps, floats and extensions are refused.
 *
 * ret_count  elements, the arrays themselves counted
 */
MUST_CHECK bool bounds_check(struct slice bytes, uint32_t *ret_count);

/* Steps over the value at the head of `bytes`; or, for an array, just over its head. False if
 * the head is no such value; then nothing is changed. */
MUST_CHECK bool bounds_skip(struct slice *bytes);
MUST_CHECK bool bounds_enter_array(struct slice *bytes, uint32_t *ret_count);

#endif
