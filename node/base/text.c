/*
 * text.c - see text.h.
 */
#include "node/base/text.h"

#include <assert.h>
#include <string.h>

/* The shortest form of a code point from `least` on, that is neither a surrogate nor beyond
 * Unicode. */
static bool is_character(uint32_t code, uint32_t least)
{
    return code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static size_t length_of(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

static uint32_t code_of(struct slice bytes, size_t length)
{
    uint32_t code = length == 1 ? bytes.data[0] : bytes.data[0] & (0x7fU >> length);

    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (bytes.data[i] & 0x3fU);
    }
    return code;
}

size_t utf8_length(struct slice bytes)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};

    if (bytes.size == 0) {
        return 0;
    }
    uint8_t first = bytes.data[0];
    size_t length = length_of(first);
    if (length == 1) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4 || bytes.size < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return is_character(code_of(bytes, length), LEAST[length]) ? length : 0;
}

uint32_t utf8_code(struct slice character)
{
    assert(utf8_length(character) > 0);
    return code_of(character, length_of(character.data[0]));
}

bool text_is_plain(uint32_t code)
{
    /* First and last of each run: C0, DEL and C1 controls (as good as an escape to some
     * terminals); marks that set or turn the direction; separators of lines; what is invisible,
     * but for the joiners, without which some names cannot be written. */
    static const uint32_t TRICKS[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x180e, 0x180e},
        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
    };

    for (size_t i = 0; i < sizeof TRICKS / sizeof TRICKS[0]; i++) {
        if (code >= TRICKS[i][0] && code <= TRICKS[i][1]) {
            return false;
        }
    }
    return true;
}

void text_take(struct slice *text, char ret_piece[TEXT_PIECE_SIZE])
{
    assert(text->size > 0);
    size_t length = utf8_length(*text);
    bool is_plain = length > 0 && text_is_plain(utf8_code(*text));

    if (length == 0) {
        length = 1;
    }
    if (is_plain) {
        memcpy(ret_piece, text->data, length);
        ret_piece[length] = '\0';
    } else {
        for (size_t i = 0; i < length; i++) {
            snprintf(ret_piece + 4 * i, 5, "\\x%02x", text->data[i]);
        }
    }
    *text = slice_of(text->data + length, text->size - length);
}

void text_print(FILE *out, struct slice text)
{
    while (text.size > 0) {
        char piece[TEXT_PIECE_SIZE];
        text_take(&text, piece);
        (void)fputs(piece, out);
    }
}
