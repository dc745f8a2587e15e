/*
 * error.h - text for people, put into a struct error.
 *
 * Threads:  pure.
 */
#ifndef NODE_BASE_ERROR_H
#define NODE_BASE_ERROR_H

#include "ring/status.h"

/* Fills in the error; what does not fit is cut. Returns `code`, so that a caller can return it
 * on. */
__attribute__((format(printf, 3, 4))) enum status
error_set(struct error *error, enum status code, const char *format, ...);
/* Puts `context` and a colon before the text that a callee filled in. Returns its code. */
enum status error_prefix(struct error *error, const char *context);

#endif
