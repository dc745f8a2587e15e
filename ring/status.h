/*
 * status.h - the one closed set of outcomes, shared by every layer and by the wire.
 *
 * Threads:  constants and pure functions.
 * Never:    a number is never reused or changed: it travels between nodes of different builds.
 */
#ifndef RING_STATUS_H
#define RING_STATUS_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND = 1,    /* a quorum agrees that there is no live version */
    STATUS_NO_QUORUM = 2,    /* fewer than R or W replicas can answer; a put is indeterminate */
    STATUS_TIMEOUT = 3,      /* the deadline passed; a put is indeterminate */
    STATUS_BUSY = 4,         /* a bounded table or queue is full; nothing was done */
    STATUS_CORRUPT = 5,      /* stored bytes fail their checksum; never "not found" */
    STATUS_TOO_LARGE = 6,    /* a value over VALUE_SIZE_MAX */
    STATUS_BAD_MESSAGE = 7,  /* bytes that are not a message of ours, or break a limit */
    STATUS_BAD_KEY = 8,      /* a key that breaks the rules of key.h */
    STATUS_STALE_RING = 9,   /* sender and receiver place keys by different rings */
    STATUS_NO_MEMORY = 10,   /* an allocation failed; nothing was done */
    STATUS_IO = 11,          /* the disk or the store failed */
    STATUS_NO_SPACE = 12,    /* the disk is full */
    STATUS_CLOSED = 13,      /* shutting down, or the connection went away */
    STATUS_UNREACHABLE = 14, /* no node of the cluster could be asked; nothing was done */
    STATUS_REFUSED = 15,     /* a rule forbids it (join, wrong cluster, wrong role) */
    STATUS_TOO_MANY_VERSIONS = 16, /* the key holds too many siblings already: resolve first */
    STATUS_BAD_VERSION = 17,       /* another protocol version, or a newer on-disk format */
    STATUS_NOT_READY = 18,         /* the node is not a member of a ring yet */
    STATUS_UNKNOWN_VERSION = 19,   /* a put names a version that no copy at hand knows */
    STATUS_DENIED = 20,            /* the other side did not prove that it knows the secret */
    STATUS_INTERRUPTED = 21, /* whoever waited was interrupted; a put is indeterminate. Never
                                sent */
    STATUS_COUNT
};

/* A lower-case name for logs and JSON, such as "no_quorum"; "unknown" for a foreign number. */
const char *status_name(enum status status);

/* One short English clause for a person, such as "too few replicas answered". */
const char *status_text(enum status status);

/*
 * An error for people: what, where and why in one line. Filled by functions that set something
 * up (options, files, sockets); each caller may prefix its own context.
 */
enum { ERROR_TEXT_SIZE = 256 };
struct error {
    enum status code;
    char text[ERROR_TEXT_SIZE];
};

#endif
