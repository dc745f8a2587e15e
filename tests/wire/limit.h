/*
 * limit.h - what a decoder says of a message that is all right but for one element.
 *
 * Shape:    a message is encoded, one element of it replaced, and the rest left as it was;
 *           paths name elements, as "3.0" the first one in field 3. Fields of a request begin
 *           at 3, those of a reply at 5.
 */
#ifndef TESTS_WIRE_LIMIT_H
#define TESTS_WIRE_LIMIT_H

#include "node/wire/message.h"
#include "node/wire/writer.h"

/* The place where one element at a time is written: made empty, and what was written. The
 * functions that return a slice write there too. */
struct writer limit_writer(void);
struct slice limit_element(void);
/* A teardown for cmocka. */
int limit_release(void **state);

struct slice number(uint64_t value);
struct slice nil(void);
struct slice yes(void); /* true */
struct slice bytes_of(const char *text);
struct slice string_of(const char *text);
/* `size` times the letter x, as bytes or as a string. */
struct slice filler(size_t size, bool is_string);

struct blob *blob_of(const char *text);

/* An object of one version, or a row of it; and its record, as bytes. */
struct object *object_of(enum version_type type, bool has_content, uint64_t size);
struct slice record_of(enum version_type type, bool has_content, uint64_t size, bool with_own);

/* Whether `message`, which it takes, is accepted as it is. */
bool plain(struct message message);
/* ... with `raw` in place of the element at `path`. */
bool with(struct message message, const char *path, struct slice raw);
/* ... with one more element at the head of the array at `path`. */
bool with_more(struct message message, const char *path, struct slice raw);

#endif
