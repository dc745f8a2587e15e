/*
 * lone_rows.h - listings of a core as text.
 *
 * Rows are written as "a=L b/=D": a name, of a directory with a slash, and its state:
 *
 *   L  live       D  the same, deleted
 *   M  live, a version that L and D know nothing of
 *   B  L and M    N  D and M
 *   X  bytes that are no row
 *
 * "#b:1" is a mark at "b" with the digest 1, "#:1" one at the end of all; ">b" says that there
 * are more behind "b". Marks behind "|" lie there, but are none of the page.
 */
#ifndef TESTS_CORE_LONE_ROWS_H
#define TESTS_CORE_LONE_ROWS_H

#include "tests/core/lone.h"

enum { ROWS_TEXT_SIZE = 512 };

/* What the text says, as a disk or a peer would tell it. */
struct message_list_reply rows_of(const char *text);
/* One more row to a page that has room for it. */
void rows_add(struct message_list_reply *reply, const char *name, enum row_kind kind,
              char state);
/* The rows, and what is behind them, as text. */
void rows_print(const struct message_list_reply *reply, char ret_text[ROWS_TEXT_SIZE]);

/* A client's listing of "d/". */
struct message rows_listing(uint16_t limit, uint8_t r, bool live_only);
/* The own disk, or the peer that was asked first, answers it. */
void rows_own(struct lone *lone, const char *text);
void rows_peer(struct lone *lone, const char *text);
/* Fails the test unless the client was told these rows, or that it failed so. */
void assert_rows(struct lone *lone, const char *expected);
void assert_rows_failed(struct lone *lone, enum status status);

#endif
