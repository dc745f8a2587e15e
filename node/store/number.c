/*
 * number.c - see number.h.
 */
#include "node/store/number.h"

#include <assert.h>

void number_encode(uint64_t number, uint8_t ret_bytes[NUMBER_SIZE])
{
    for (int i = NUMBER_SIZE - 1; i >= 0; i--) {
        ret_bytes[i] = (uint8_t)(number & 0xff);
        number >>= 8;
    }
}

bool number_decode(struct slice bytes, uint64_t *ret_number)
{
    assert(ret_number);

    uint64_t number = 0;

    if (bytes.size != NUMBER_SIZE) {
        return false;
    }
    for (size_t i = 0; i < NUMBER_SIZE; i++) {
        number = number << 8 | bytes.data[i];
    }
    *ret_number = number;
    return true;
}
