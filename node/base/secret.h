/*
 * secret.h - the secret of a cluster: what its nodes and clients prove to one another.
 *
 * Shape:    32 random bytes, made with the cluster. In a file they are 64 hexadecimal digits
 *           and a newline. They are never sent: what is sent is a code that only a holder can
 *           compute (HMAC-SHA256), over what both sides just said (node/wire/greeting.h).
 * Threads:  pure, but for the files.
 * Never:    a file that others than its owner could have written is believed.
 */
#ifndef NODE_BASE_SECRET_H
#define NODE_BASE_SECRET_H

#include "ring/bytes.h"

enum { SECRET_SIZE = 32, SECRET_CODE_SIZE = 32 };

struct secret {
    uint8_t bytes[SECRET_SIZE];
};

/* From the kernel's random numbers; also for nonces. STATUS_IO. */
MUST_CHECK enum status secret_random(uint8_t *ret_bytes, size_t size, struct error *error);
MUST_CHECK enum status secret_make(struct secret *ret_secret, struct error *error);
bool secret_equal(const struct secret *a, const struct secret *b);

/* The code of `bytes` under the secret: HMAC-SHA256. */
void secret_code(const struct secret *secret, struct slice bytes,
                 uint8_t ret_code[SECRET_CODE_SIZE]);
/* Compares codes in a time that does not depend on where they differ. */
bool secret_code_equal(const uint8_t a[SECRET_CODE_SIZE], const uint8_t b[SECRET_CODE_SIZE]);

/* The text of a secret file, without a terminating zero. */
enum { SECRET_TEXT_SIZE = 2 * SECRET_SIZE + 1 };
void secret_format(const struct secret *secret, char ret_text[SECRET_TEXT_SIZE]);
/* Reads just that; the newline may be missing. STATUS_REFUSED. */
MUST_CHECK enum status secret_parse(struct slice text, struct secret *ret_secret);

/*
 * Reads a secret from an open file (taken: it is closed). STATUS_REFUSED if it is no regular
 * file, holds no secret, belongs to somebody else than this user or root, or could be read by
 * all or written by others; `error` says which, without the path.
 */
MUST_CHECK enum status secret_read_take(int descriptor, struct secret *ret_secret,
                                        struct error *error);
/* The same by path. STATUS_NOT_FOUND if there is none. */
MUST_CHECK enum status secret_read_file(const char *path, struct secret *ret_secret,
                                        struct error *error);
/* Writes the file anew (mode 0600) and has it on the disk when it returns. */
MUST_CHECK enum status secret_write_file(const char *path, const struct secret *secret,
                                         struct error *error);

/* The file that the user named: `option`, or if that is NULL what the environment says in
 * DYNAMOFS_SECRET_FILE; NULL for none. */
const char *secret_file_named(const char *option);

#endif
