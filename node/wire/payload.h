/*
 * payload.h - the fields of each message type, for codec.c.
 *
 * Shape:    three tables, of what clients ask (payload_client.c), of what nodes tell one
 *           another (payload_node.c) and of how they are repaired (payload_repair.c); and the
 *           parts that several messages share.
 * Memory:   a decoder fills a zeroed message and stops at the first failure; what it filled in
 *           until then, message_release drops.
 */
#ifndef NODE_WIRE_PAYLOAD_H
#define NODE_WIRE_PAYLOAD_H

#include "node/wire/message.h"
#include "node/wire/reader.h"
#include "node/wire/writer.h"

struct payload {
    enum message_type type;
    uint32_t field_count; /* exactly; of one protocol version */
    void (*encode)(const struct message *message, struct writer *writer);
    void (*decode)(struct reader *reader, struct message *message);
};

enum { PAYLOAD_CLIENT_COUNT = 10, PAYLOAD_NODE_COUNT = 18, PAYLOAD_REPAIR_COUNT = 16 };
extern const struct payload payload_client[PAYLOAD_CLIENT_COUNT];
extern const struct payload payload_node[PAYLOAD_NODE_COUNT];
extern const struct payload payload_repair[PAYLOAD_REPAIR_COUNT];

/* Where a range of names begins or ends, or NULL for nil. */
struct blob *payload_read_range_end(struct reader *reader);
enum { LIST_FIELDS = 10, LIST_REPLY_FIELDS = 3 };

/* LIST, with which REPLICA_LIST begins, and the replies of both. */
void payload_encode_list(const struct message *message, struct writer *writer);
void payload_decode_list(struct reader *reader, struct message *message);
void payload_encode_list_reply(const struct message *message, struct writer *writer);
void payload_decode_list_reply(struct reader *reader, struct message *message);
/* What carries nothing but a ring, or nil. */
void payload_encode_ring(const struct message *message, struct writer *writer);
void payload_decode_ring(struct reader *reader, struct message *message);

/* A key by the rules of key.h, in a blob that the caller owns. */
struct blob *payload_read_key(struct reader *reader);

/* An object as the bytes of its record, without own; nil for NULL. */
void payload_write_object(struct writer *writer, const struct object *object);
/* The object, which the caller owns, or NULL after a failure. */
struct object *payload_read_object(struct reader *reader);
/* The same, or NULL for nil. */
struct object *payload_read_object_or_nil(struct reader *reader);
/* True if nothing in it has contents: a row. */
bool payload_is_row(const struct object *object);
/* True if nothing in it lacks its content: an object that may be stored as a whole. */
bool payload_is_whole(const struct object *object);
/* True if directories are under directory keys, and nothing else is. */
bool payload_fits_kind(const struct object *object, enum row_kind kind);

/* An array of dots. */
void payload_write_dots(struct writer *writer, const struct dot *dots, uint32_t count);
/* At most `max` dots into a new array that the caller owns; NULL if there are none. */
struct dot *payload_read_dots(struct reader *reader, uint32_t max, uint32_t *ret_count);

/* NUL-terminated text in an array of fixed size. */
void payload_write_text(struct writer *writer, const char *text, size_t size_max);

#endif
