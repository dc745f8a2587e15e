/*
 * ctl_json.h - writing JSON.
 *
 * Shape:    values are written one after the other; the writer sets commas and line ends.
 *           Inside an object each value has a name.
 *
 * Source:   RFC 8259. Names and contents are bytes: what is no UTF-8 is told as base64 too.
 */
#ifndef NODE_DYNAMOCTL_CTL_JSON_H
#define NODE_DYNAMOCTL_CTL_JSON_H

#include <stdio.h>

#include "ring/bytes.h"

enum { JSON_DEPTH_MAX = 8 };

struct json {
    FILE *out;
    bool failed; /* memory was short: what was written is not whole */
    unsigned depth;
    bool has_values[JSON_DEPTH_MAX]; /* the object or array at each depth */
};

/* Zeroed with `out` set is ready. `name` is NULL inside arrays and at the top. */
void json_object_begin(struct json *json, const char *name);
void json_object_end(struct json *json);
void json_array_begin(struct json *json, const char *name);
void json_array_end(struct json *json);
void json_string(struct json *json, const char *name, const char *value);
void json_unsigned(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_fraction(struct json *json, const char *name, double value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
/* A 64-bit number that is an identity, as 16 hex digits: readers of JSON round large numbers.
 */
void json_identity(struct json *json, const char *name, uint64_t value);
void json_hex(struct json *json, const char *name, struct slice bytes);
/* Bytes as a string with what is no UTF-8 replaced by U+FFFD; then also, as NAME_base64,
 * exactly. At most a name of 48 characters. */
void json_bytes(struct json *json, const char *name, struct slice bytes);
/* Bytes exactly, as `base64`, and as `utf8` if they are. */
void json_content(struct json *json, struct slice bytes);

bool utf8_is_valid(struct slice bytes);

#endif
