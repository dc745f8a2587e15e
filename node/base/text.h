/*
 * text.h - names and texts from elsewhere, written so that they can play no tricks on a
 * terminal or on whoever reads a log.
 *
 * What is no UTF-8, a control character, one that turns the direction of writing (bidi), breaks
 * a line or cannot be seen at all is written as \xNN, byte for byte.
 *
 * Threads:  pure, but for the stream.
 */
#ifndef NODE_BASE_TEXT_H
#define NODE_BASE_TEXT_H

#include <stdio.h>

#include "ring/bytes.h"

/* Length of the UTF-8 character that `bytes` begin with; 0 if they begin with none. */
size_t utf8_length(struct slice bytes);
/* The code point of a character of that length. */
uint32_t utf8_code(struct slice character);
/* False for what is written as \xNN although it is UTF-8. */
bool text_is_plain(uint32_t code);

enum { TEXT_PIECE_SIZE = 20 }; /* one character or what stands for it */

/* Takes one character from the head of `text`, which is not empty, and writes it, or what
 * stands for it, with a terminating zero. */
void text_take(struct slice *text, char ret_piece[TEXT_PIECE_SIZE]);

/* Writes all of `text`. */
void text_print(FILE *out, struct slice text);

#endif
