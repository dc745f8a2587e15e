/* clang-format off */
/*
 * layout.h - the keys of the store.
 *
 *   m NAME                            one setting of this node (identity, ring, lease, ...)
 *   o PARTITION KEY                   an object; the partition of MD5(KEY)
 *   r PARTITION DIRECTORY 00 NAME 00 KIND
 *                                     a row; the partition of MD5(DIRECTORY)
 *   n PARTITION DIRECTORY             when a name in the directory appeared or vanished last, by
 *                                     all rows that this copy ever had (value: microseconds)
 *   i KEY                             a row intent (value: stamp)
 *   v KEY                             a revival intent (value: stamp)
 *   l NODE                            the incarnation of a member that was seen last
 *   q o PARTITION KEY, q r ...       what a salvage gave back and no complete replica vouched for
 *   t PARTITION LEAF                  a leaf of the partition's Merkle tree that is not 0
 *
 * PARTITION is two bytes, big-endian, so that a partition is one range of objects and one of
 * rows. Names hold no NUL, so the bytewise order of rows is the order of names. Values of o and
 * r are records (node/wire/record.h), that of l is three numbers (vouch.c), stamps and numbers
 * are eight bytes, big-endian; the comparator is LevelDB's own.
 *
 * A database of its own holds the hints:
 *
 *   OWNER KIND KEY                    a hint; the value: STAMP CREATED RECORD
 *   OWNER t CREATED KIND KEY          for each hint: finds the oldest of an owner (no value)
 *   00 00 00 00 00 00 00 00 NAME      a setting of that database (no member has the id 0)
 *
 * OWNER, STAMP and CREATED are numbers as above. KIND is 'o' or 'm' (enum hint_kind); the
 * RECORD of a marker is empty.
 */
/* clang-format on */
#ifndef NODE_STORE_LAYOUT_H
#define NODE_STORE_LAYOUT_H

#include "ring/key.h"
#include "ring/merkle.h"
#include "ring/ring.h"

enum {
    LEAF_KEY_SIZE = 5,
    DAMAGE_TEXT_SIZE = 256,
    LAYOUT_INCARNATION = 'l',
    LAYOUT_ASIDE = 'q'
};

/* What the key of an object or a row says. */
struct layout_entry {
    enum merkle_part part;
    uint16_t partition;
    struct slice object_key;
};

void layout_object(struct buffer *buffer, uint16_t partition_count, struct slice key);
/* The row of the object `key` (not the root): in its directory's partition. */
void layout_row_of(struct buffer *buffer, uint16_t partition_count, struct slice key);
/* Up to and including the 00 after DIRECTORY: the prefix of all rows of a directory. */
void layout_rows(struct buffer *buffer, uint16_t partition_count, struct slice directory);
/* Takes name and kind out of a row's key, given the length of its directory's prefix; false if
 * malformed. */
bool layout_parse_row(struct slice row_key, size_t prefix_size, struct slice *ret_name,
                      enum row_kind *ret_kind);
void layout_names(struct buffer *buffer, uint16_t partition_count, struct slice directory);
void layout_intent(struct buffer *buffer, char kind, struct slice key);
void layout_setting(struct buffer *buffer, const char *name);
void layout_incarnation(struct buffer *buffer, node_id member);
/* The prefix of all objects (MERKLE_OBJECT) or rows of a partition. */
void layout_partition(struct buffer *buffer, enum merkle_part part, uint16_t partition);
/*
 * Takes the key of an object or a row apart. The object's key is put into `scratch` and stays
 * there until that is changed. STATUS_CORRUPT if it is malformed, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status layout_parse_entry(struct slice key, struct buffer *scratch,
                                          struct layout_entry *ret_entry);
/* For people: "object carts/alice.json: unreadable record", if `what` is wrong with the record
 * under `key`. */
void layout_describe(struct slice key, const char *what, char ret_text[DAMAGE_TEXT_SIZE]);
void layout_leaf(uint16_t partition, uint16_t leaf, uint8_t ret_key[LEAF_KEY_SIZE]);
bool layout_parse_leaf(struct slice key, uint16_t *ret_partition, uint16_t *ret_leaf);

/* The setting that holds the ring; the others are state.c's. */
#define SETTING_RING "ring"

/* In the place of a kind. */
enum { HINT_AGE = 't' };

/* The prefix of all that is kept for `owner`; 0: of the settings. */
void layout_hint_owner(struct buffer *buffer, node_id owner);
void layout_hint(struct buffer *buffer, node_id owner, char kind, struct slice key);
/* The prefix of the owner's hints in the order of age. */
void layout_hint_ages(struct buffer *buffer, node_id owner);
void layout_hint_age(struct buffer *buffer, node_id owner, uint64_t created_us, char kind,
                     struct slice key);
/* Takes a key of the hints' database apart, up to its kind or 't'; false if malformed. The rest
 * is what follows it. */
bool layout_parse_hint(struct slice hint_key, node_id *ret_owner, char *ret_kind,
                       struct slice *ret_rest);

#endif
