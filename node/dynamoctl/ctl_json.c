/*
 * ctl_json.c - see ctl_json.h.
 */
#include "node/dynamoctl/ctl_json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "node/base/text.h"
#include "node/client/base64.h"

static struct slice rest_of(struct slice bytes, size_t taken)
{
    return slice_of(bytes.data + taken, bytes.size - taken);
}

bool utf8_is_valid(struct slice bytes)
{
    while (bytes.size > 0) {
        size_t length = utf8_length(bytes);
        if (length == 0) {
            return false;
        }
        bytes = rest_of(bytes, length);
    }
    return true;
}

static void write_character(FILE *out, struct slice character)
{
    uint8_t byte = character.data[0];
    if (byte >= 0x80 && !text_is_plain(utf8_code(character))) {
        fprintf(out, "\\u%04x", (unsigned)utf8_code(character)); /* all of them fit */
        return;
    }
    switch (byte) {
    case '"':
    case '\\':
        fprintf(out, "\\%c", byte);
        return;
    case '\n':
        fputs("\\n", out);
        return;
    case '\r':
        fputs("\\r", out);
        return;
    case '\t':
        fputs("\\t", out);
        return;
    default:
        break;
    }
    if (byte < ' ' || byte == 0x7f) {
        fprintf(out, "\\u%04x", byte);
    } else {
        fwrite(character.data, 1, character.size, out);
    }
}

static void write_string(FILE *out, struct slice bytes)
{
    fputc('"', out);
    while (bytes.size > 0) {
        size_t length = utf8_length(bytes);
        if (length == 0) {
            fputs("\\ufffd", out);
            length = 1;
        } else {
            write_character(out, slice_of(bytes.data, length));
        }
        bytes = rest_of(bytes, length);
    }
    fputc('"', out);
}

/* What comes before a value: comma, line, name. */
static void write_start(struct json *json, const char *name)
{
    if (json->depth > 0) {
        bool *has_values = &json->has_values[json->depth - 1];
        fprintf(json->out, "%s\n%*s", *has_values ? "," : "", (int)(2 * json->depth), "");
        *has_values = true;
    }
    if (name) {
        write_string(json->out, slice_of_string(name));
        fputs(": ", json->out);
    }
}

static void begin(struct json *json, const char *name, char bracket)
{
    assert(json->depth < JSON_DEPTH_MAX);
    write_start(json, name);
    fputc(bracket, json->out);
    json->has_values[json->depth++] = false;
}

static void end(struct json *json, char bracket)
{
    assert(json->depth > 0);
    json->depth--;
    if (json->has_values[json->depth]) {
        fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
    }
    fputc(bracket, json->out);
    if (json->depth == 0) {
        fputc('\n', json->out);
    }
}

void json_object_begin(struct json *json, const char *name)
{
    begin(json, name, '{');
}

void json_object_end(struct json *json)
{
    end(json, '}');
}

void json_array_begin(struct json *json, const char *name)
{
    begin(json, name, '[');
}

void json_array_end(struct json *json)
{
    end(json, ']');
}

void json_string(struct json *json, const char *name, const char *value)
{
    write_start(json, name);
    write_string(json->out, slice_of_string(value));
}

void json_unsigned(struct json *json, const char *name, uint64_t value)
{
    write_start(json, name);
    fprintf(json->out, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
    write_start(json, name);
    fprintf(json->out, "%" PRId64, value);
}

void json_fraction(struct json *json, const char *name, double value)
{
    write_start(json, name);
    fprintf(json->out, "%.4f", value);
}

void json_bool(struct json *json, const char *name, bool value)
{
    write_start(json, name);
    fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *name)
{
    write_start(json, name);
    fputs("null", json->out);
}

void json_identity(struct json *json, const char *name, uint64_t value)
{
    write_start(json, name);
    fprintf(json->out, "\"%016" PRIx64 "\"", value);
}

void json_hex(struct json *json, const char *name, struct slice bytes)
{
    write_start(json, name);
    fputc('"', json->out);
    for (size_t i = 0; i < bytes.size; i++) {
        fprintf(json->out, "%02x", bytes.data[i]);
    }
    fputc('"', json->out);
}

static void write_base64(struct json *json, const char *name, struct slice bytes)
{
    struct buffer text = {0};
    base64_encode(bytes, &text);
    json->failed |= text.failed;
    write_start(json, name);
    write_string(json->out, buffer_slice(&text));
    buffer_release(&text);
}

void json_bytes(struct json *json, const char *name, struct slice bytes)
{
    char base64_name[64];
    write_start(json, name);
    write_string(json->out, bytes);
    if (!utf8_is_valid(bytes)) {
        int size = snprintf(base64_name, sizeof base64_name, "%s_base64", name);
        assert(size > 0 && (size_t)size < sizeof base64_name);
        write_base64(json, base64_name, bytes);
    }
}

void json_content(struct json *json, struct slice bytes)
{
    write_base64(json, "base64", bytes);
    if (utf8_is_valid(bytes)) {
        write_start(json, "utf8");
        write_string(json->out, bytes);
    }
}
