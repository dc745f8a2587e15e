/*
 * edit.h - encoded messages with one element put in place of another, for what no honest
 * encoder would write.
 */
#ifndef TESTS_WIRE_EDIT_H
#define TESTS_WIRE_EDIT_H

#include "ring/bytes.h"

/*
 * Copies `message`, an encoded msgpack value, with its nth element (0 is the whole, then depth
 * first) replaced by the bytes `raw`. False if it has no such element.
 */
bool edit_nth(struct slice message, uint32_t nth, struct slice raw, struct buffer *ret_bytes);

/* The number, for edit_nth, of the element that `path` leads to: indexes parted by dots, as
 * "4.0". It must be there. */
uint32_t edit_find(struct slice message, const char *path);

/* Puts one more element at the front of the array that is the nth element. */
void edit_prepend(struct slice message, uint32_t nth, struct slice raw,
                  struct buffer *ret_bytes);
/* The bytes of the nth element. */
struct buffer edit_extract(struct slice message, uint32_t nth);

#endif
