/*
 * ctl_print.c - sizes, times, modes, names and contexts, for people and for JSON.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "node/base/text.h"
#include "node/dynamoctl/ctl.h"

#define NS_PER_SECOND INT64_C(1000000000)

void ctl_format_size(uint64_t bytes, char ret_text[CTL_SIZE_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)bytes;
    unsigned unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    snprintf(ret_text, CTL_SIZE_TEXT, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

void ctl_format_time(int64_t ns, char ret_text[CTL_TIME_TEXT])
{
    time_t seconds = (time_t)(ns / NS_PER_SECOND - (ns % NS_PER_SECOND < 0));
    struct tm parts;
    if (!localtime_r(&seconds, &parts) ||
        strftime(ret_text, CTL_TIME_TEXT, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        snprintf(ret_text, CTL_TIME_TEXT, "?");
    }
}

void ctl_format_age(uint64_t us, char ret_text[CTL_AGE_TEXT])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{24 * 3600, "d"}, {3600, "h"}, {60, "min"}};
    uint64_t seconds = us / 1000000;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (seconds >= 2 * units[i].seconds) {
            snprintf(ret_text, CTL_AGE_TEXT, "%" PRIu64 " %s", seconds / units[i].seconds,
                     units[i].name);
            return;
        }
    }
    snprintf(ret_text, CTL_AGE_TEXT, "%" PRIu64 " s", seconds);
}

void ctl_format_bar(unsigned percent, char ret_text[CTL_BAR_TEXT])
{
    enum { WIDTH = 40 };
    char bar[WIDTH + 1];
    percent = percent < 100 ? percent : 100;
    unsigned filled = percent * WIDTH / 100;
    memset(bar, ' ', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = '\0';
    snprintf(ret_text, CTL_BAR_TEXT, "[%s] %3u%%", bar, percent);
}

void ctl_format_mode(const struct attributes *attributes, char ret_text[CTL_MODE_TEXT])
{
    static const char bits[] = "rwxrwxrwx";
    memcpy(ret_text, "----------", CTL_MODE_TEXT);
    if (attributes->type == VERSION_DIRECTORY) {
        ret_text[0] = 'd';
    } else if (attributes->type == VERSION_SYMLINK) {
        ret_text[0] = 'l';
    } else if (attributes->type == VERSION_FIFO) {
        ret_text[0] = 'p';
    } else if (attributes->type == VERSION_SOCKET) {
        ret_text[0] = 's';
    } else if (attributes->type == VERSION_CHARACTER_DEVICE) {
        ret_text[0] = 'c';
    } else if (attributes->type == VERSION_BLOCK_DEVICE) {
        ret_text[0] = 'b';
    }
    for (unsigned i = 0; i < 9; i++) {
        if (attributes->mode & (0400U >> i)) {
            ret_text[i + 1] = bits[i];
        }
    }
    if (attributes->mode & 04000) {
        ret_text[3] = ret_text[3] == 'x' ? 's' : 'S';
    }
    if (attributes->mode & 02000) {
        ret_text[6] = ret_text[6] == 'x' ? 's' : 'S';
    }
    if (attributes->mode & 01000) {
        ret_text[9] = ret_text[9] == 'x' ? 't' : 'T';
    }
}

void ctl_print_name(FILE *out, struct slice name)
{
    text_print(out, name);
}

bool ctl_is_device(const struct attributes *attributes)
{
    return attributes->type == VERSION_CHARACTER_DEVICE ||
           attributes->type == VERSION_BLOCK_DEVICE;
}

static const char *type_name(enum version_type type)
{
    switch (type) {
    case VERSION_FILE:
    case VERSION_LARGE_FILE:
        return "file";
    case VERSION_SYMLINK:
        return "symlink";
    case VERSION_DIRECTORY:
        return "directory";
    case VERSION_FIFO:
        return "fifo";
    case VERSION_SOCKET:
        return "socket";
    case VERSION_CHARACTER_DEVICE:
        return "character device";
    case VERSION_BLOCK_DEVICE:
        return "block device";
    }
    return "unknown";
}

void ctl_json_attributes(struct json *json, const struct attributes *attributes)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", attributes->mode & 07777U);
    json_string(json, "type", type_name(attributes->type));
    json_string(json, "mode", mode);
    json_unsigned(json, "user", attributes->user);
    json_unsigned(json, "group", attributes->group);
    if (ctl_is_device(attributes)) {
        json_unsigned(json, "major", major(attributes->size));
        json_unsigned(json, "minor", minor(attributes->size));
    } else {
        json_unsigned(json, "size", attributes->size);
    }
    json_signed(json, "accessed_ns", attributes->accessed_ns);
    json_signed(json, "modified_ns", attributes->modified_ns);
    json_signed(json, "changed_ns", attributes->changed_ns);
    json_identity(json, "file_id", attributes->file_id);
}

void ctl_json_context(struct json *json, const struct clock *context)
{
    struct buffer text = {0};
    if (kv_context_format(context, &text) == STATUS_OK) {
        json_bytes(json, "context", buffer_slice(&text));
    } else {
        json->failed = true;
        json_null(json, "context");
    }
    buffer_release(&text);
}

bool ctl_print_context(FILE *out, const struct clock *context)
{
    struct buffer text = {0};
    bool is_whole = kv_context_format(context, &text) == STATUS_OK;
    if (is_whole) {
        fwrite(text.data, 1, text.size, out);
        fputc('\n', out);
    }
    buffer_release(&text);
    return is_whole;
}
