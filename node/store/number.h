/*
 * number.h - how numbers are stored: eight bytes, big-endian.
 */
#ifndef NODE_STORE_NUMBER_H
#define NODE_STORE_NUMBER_H

#include "ring/bytes.h"

enum { NUMBER_SIZE = 8 };

void number_encode(uint64_t number, uint8_t ret_bytes[NUMBER_SIZE]);
/* False for bytes that are not as many. */
bool number_decode(struct slice bytes, uint64_t *ret_number);

#endif
