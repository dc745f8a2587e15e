/* clang-format off */
/*
 * layout.h - the keys of the store.
 *
 *   m NAME                            one setting of this node (identity, ring, lease, ...)
 *   o PARTITION KEY                   an object; the partition of MD5(KEY)
 *   r PARTITION DIRECTORY 00 NAME 00 KIND
 *                                     a row; the partition of MD5(DIRECTORY)
 *   i KEY                             a row intent (value: stamp)
 *   v KEY                             a revival intent (value: stamp)
 *
 * PARTITION is two bytes, big-endian, so that a partition is one range of objects and one of
 * rows. Names hold no NUL, so the bytewise order of rows is the order of names. Values of o and
 * r are records (node/wire/record.h), stamps and numbers are eight bytes, big-endian; the
 * comparator is LevelDB's own.
 */
/* clang-format on */
#ifndef NODE_STORE_LAYOUT_H
#define NODE_STORE_LAYOUT_H

#include "ring/key.h"
#include "ring/ring.h"

void layout_object(struct buffer *buffer, uint16_t partition_count, struct slice key);
/* The row of the object `key` (not the root): in its directory's partition. */
void layout_row_of(struct buffer *buffer, uint16_t partition_count, struct slice key);
/* Up to and including the 00 after DIRECTORY: the prefix of all rows of a directory. */
void layout_rows(struct buffer *buffer, uint16_t partition_count, struct slice directory);
/* Takes name and kind out of a row's key, given the length of its directory's prefix; false if
 * malformed. */
bool layout_parse_row(struct slice row_key, size_t prefix_size, struct slice *ret_name,
                      enum row_kind *ret_kind);
void layout_intent(struct buffer *buffer, char kind, struct slice key);
void layout_setting(struct buffer *buffer, const char *name);

#endif
