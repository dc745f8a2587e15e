/*
 * log.c - what an operator reads: one line an event, key=value, on a stream.
 */
#include "node/server/log.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "node/base/now.h"
#include "node/base/text.h"

/* One line being put together; what does not fit is left out. */
struct line {
    size_t size;
    char text[LOG_LINE_SIZE];
};

static void line_add(struct line *line, const char *text, size_t size)
{
    /* One byte stays for the newline. */
    if (size < sizeof line->text - line->size) {
        memcpy(line->text + line->size, text, size);
        line->size += size;
    }
}

static bool is_plain(const char *value)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_.:/,[]~+@";

    return value[0] != '\0' && value[strspn(value, PLAIN)] == '\0';
}

/* One character of the value. */
static void line_add_escaped(struct line *line, struct slice *value)
{
    char piece[TEXT_PIECE_SIZE];

    if (value->data[0] == '"' || value->data[0] == '\\') {
        line_add(line, "\\", 1);
    }
    text_take(value, piece);
    line_add(line, piece, strlen(piece));
}

static void line_add_field(struct line *line, const char *name, const char *value)
{
    line_add(line, " ", 1);
    line_add(line, name, strlen(name));
    line_add(line, "=", 1);
    size_t end = line->size + LOG_VALUE_SIZE;
    bool needs_quotes = !is_plain(value);
    if (needs_quotes) {
        line_add(line, "\"", 1);
    }
    struct slice rest = slice_of_string(value);
    while (rest.size > 0 && line->size < end) {
        line_add_escaped(line, &rest);
    }
    if (needs_quotes) {
        line_add(line, "\"", 1);
    }
}

static void line_begin(struct line *line, const struct log *log, enum log_level level,
                       const char *event)
{
    static const char *const LEVELS[] = {"info", "warning", "error"};
    struct tm parts;
    char text[64];

    uint64_t now_ms = now_wall_us() / 1000;
    time_t now_s = (time_t)(now_ms / 1000);
    gmtime_r(&now_s, &parts);
    size_t size = strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S", &parts);
    line->size = 0;
    line_add(line, text, size);
    int rest = snprintf(text, sizeof text, ".%03uZ", (unsigned)(now_ms % 1000));
    line_add(line, text, (size_t)rest);
    line_add_field(line, "level", LEVELS[level]);
    line_add_field(line, "node", log->node);
    line_add_field(line, "event", event);
}

/* One write a line, so that lines of several processes on one stream stay whole. */
static void line_end(struct line *line, FILE *stream)
{
    line->text[line->size++] = '\n';
    (void)fwrite(line->text, 1, line->size, stream);
    (void)fflush(stream);
}

static void tell_suppressed(struct log *log, struct log_rate *rate)
{
    struct line line;
    char count[24];

    if (rate->suppressed == 0) {
        return;
    }
    snprintf(count, sizeof count, "%llu", (unsigned long long)rate->suppressed);
    rate->suppressed = 0;
    line_begin(&line, log, LOG_LEVEL_INFO, "suppressed");
    line_add_field(&line, "of", rate->event);
    line_add_field(&line, "count", count);
    line_end(&line, log->stream);
}

static struct log_rate *rate_of(struct log *log, const char *event)
{
    size_t i = 0;

    while (i < LOG_EVENTS_MAX && log->rates[i].event &&
           strcmp(log->rates[i].event, event) != 0) {
        i++;
    }
    assert(i < LOG_EVENTS_MAX);
    log->rates[i].event = event;
    return &log->rates[i];
}

static bool may_write(struct log *log, const char *event)
{
    struct log_rate *rate = rate_of(log, event);
    uint64_t now = now_monotonic_ms();

    if (rate->written == 0 || now - rate->window_ms >= LOG_WINDOW_MS) {
        tell_suppressed(log, rate);
        rate->window_ms = now;
        rate->written = 0;
    }
    if (rate->written >= LOG_BURST) {
        rate->suppressed++;
        return false;
    }
    rate->written++;
    return true;
}

void log_init(struct log *log, FILE *stream, const char *node)
{
    assert(stream);
    memset(log, 0, sizeof *log);
    log->stream = stream;
    snprintf(log->node, sizeof log->node, "%s", node);
}

void log_write(struct log *log, enum log_level level, const char *event, ...)
{
    struct line line;
    va_list fields;

    if (!may_write(log, event)) {
        return;
    }
    line_begin(&line, log, level, event);
    va_start(fields, event);
    for (const char *name = va_arg(fields, const char *); name;
         name = va_arg(fields, const char *)) {
        line_add_field(&line, name, va_arg(fields, const char *));
    }
    va_end(fields);
    line_end(&line, log->stream);
}

void log_release(struct log *log)
{
    for (size_t i = 0; i < LOG_EVENTS_MAX && log->rates[i].event; i++) {
        tell_suppressed(log, &log->rates[i]);
    }
}
