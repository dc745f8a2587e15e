/*
 * error.c - see error.h.
 */
#include "node/base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *error, enum status code, const char *format, ...)
{
    assert(error);
    assert(code != STATUS_OK);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

enum status error_prefix(struct error *error, const char *context)
{
    assert(error);
    char text[ERROR_TEXT_SIZE];

    memcpy(text, error->text, sizeof text);
    text[sizeof text - 1] = '\0';
    return error_set(error, error->code, "%.16s: %.220s", context, text);
}
