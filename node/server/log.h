/*
 * log.h - what an operator reads: one line an event, key=value, on a stream.
 *
 *   time=2025-01-31T12:00:00.123Z level=warning node=127.0.0.1:7450 event=peer_failed peer=...
 *
 * Values that hold anything but plain characters are quoted, with escapes, so that no text from
 * elsewhere can forge a line or a field. An event that repeats more than LOG_BURST times within
 * LOG_WINDOW_MS is held back until the window is over; then one line says how many were.
 *
 * Threads:  one.
 */
#ifndef NODE_SERVER_LOG_H
#define NODE_SERVER_LOG_H

#include <stdio.h>

#include "ring/ring.h"

enum { LOG_EVENTS_MAX = 32, LOG_BURST = 5, LOG_WINDOW_MS = 10000 };
enum { LOG_LINE_SIZE = 1024, LOG_VALUE_SIZE = 256 }; /* longer values are cut */

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* How often one event came lately. */
struct log_rate {
    const char *event; /* static; NULL: a free entry */
    uint64_t window_ms;
    uint32_t written;
    uint64_t suppressed;
};

struct log {
    FILE *stream; /* borrowed */
    char node[ADDRESS_SIZE];
    struct log_rate rates[LOG_EVENTS_MAX];
};

/* `node` is copied. */
void log_init(struct log *log, FILE *stream, const char *node);
/* `event` is static; then pairs of strings, name and value, and NULL. */
__attribute__((sentinel)) void log_write(struct log *log, enum log_level level,
                                         const char *event, ...);
/* Tells what is still held back; does not close the stream. */
void log_release(struct log *log);

#endif
