/*
 * base64.c - see base64.h.
 */
#include "node/client/base64.h"

#include <string.h>

static const char standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_names[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Every 3 bytes are 4 letters; 1 and 2 at the end are 2 and 3. */
static void encode(struct slice bytes, const char *alphabet, bool padded, struct buffer *text)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
        for (size_t letter = 0; letter <= left; letter++) {
            buffer_append_byte(text, (uint8_t)alphabet[bits >> (18 - 6 * letter) & 63]);
        }
        for (size_t letter = left; padded && letter < 3; letter++) {
            buffer_append_byte(text, '=');
        }
    }
}

void base64_encode(struct slice bytes, struct buffer *ret_text)
{
    encode(bytes, standard, true, ret_text);
}

void base64_name_encode(struct slice bytes, struct buffer *ret_text)
{
    encode(bytes, for_names, false, ret_text);
}

/* Reads 2 to 4 letters as one to three bytes into the top of `ret_bits`. */
static bool read_letters(struct slice letters, uint32_t *ret_bits)
{
    uint32_t bits = 0;
    if (letters.size < 2) {
        return false;
    }
    for (size_t i = 0; i < letters.size; i++) {
        const char *at = memchr(for_names, letters.data[i], sizeof for_names - 1);
        if (!at) {
            return false;
        }
        bits |= (uint32_t)(at - for_names) << (18 - 6 * i);
    }
    uint32_t unused = (UINT32_C(1) << (8 * (4 - letters.size))) - 1;
    *ret_bits = bits;
    return (bits & unused) == 0;
}

bool base64_name_decode(struct slice text, struct buffer *ret_bytes)
{
    size_t before = ret_bytes->size;
    for (size_t i = 0; i < text.size; i += 4) {
        size_t left = text.size - i < 4 ? text.size - i : 4;
        uint32_t bits;
        if (!read_letters(slice_of(text.data + i, left), &bits)) {
            ret_bytes->size = before;
            return false;
        }
        for (size_t byte = 0; byte + 1 < left; byte++) {
            buffer_append_byte(ret_bytes, (uint8_t)(bits >> (16 - 8 * byte)));
        }
    }
    return !ret_bytes->failed;
}
