/*
 * status.c - names and texts of outcomes; one table, so that none can be forgotten silently.
 */
#include "ring/status.h"

static const struct {
    const char *name;
    const char *text;
} statuses[STATUS_COUNT] = {
    [STATUS_OK] = {"ok", "success"},
    [STATUS_NOT_FOUND] = {"not_found", "no such key"},
    [STATUS_NO_QUORUM] = {"no_quorum", "too few replicas answered"},
    [STATUS_TIMEOUT] = {"timeout", "the deadline passed"},
    [STATUS_BUSY] = {"busy", "the node is overloaded"},
    [STATUS_CORRUPT] = {"corrupt", "stored data fails its checksum"},
    [STATUS_TOO_LARGE] = {"too_large", "the value is over the limit"},
    [STATUS_BAD_MESSAGE] = {"bad_message", "malformed message"},
    [STATUS_BAD_KEY] = {"bad_key", "the key breaks the rules for names"},
    [STATUS_STALE_RING] = {"stale_ring", "the ring has changed"},
    [STATUS_NO_MEMORY] = {"no_memory", "out of memory"},
    [STATUS_IO] = {"io", "the disk failed"},
    [STATUS_NO_SPACE] = {"no_space", "the disk is full"},
    [STATUS_CLOSED] = {"closed", "the node is shutting down"},
    [STATUS_UNREACHABLE] = {"unreachable", "no node could be reached"},
    [STATUS_REFUSED] = {"refused", "refused"},
    [STATUS_TOO_MANY_VERSIONS] = {"too_many_versions", "too many siblings: resolve them first"},
    [STATUS_BAD_VERSION] = {"bad_version", "another protocol or format version"},
    [STATUS_UNKNOWN_VERSION] = {"unknown_version",
                                "a version that is named is not known: list it again"},
    [STATUS_NOT_READY] = {"not_ready", "the node is not a member of a ring yet"},
    [STATUS_DENIED] = {"denied", "not of this cluster: name its secret with --secret-file"},
    [STATUS_INTERRUPTED] = {"interrupted", "interrupted while waiting for the cluster"},
};

const char *status_name(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT) {
        return "unknown";
    }
    return statuses[status].name;
}

const char *status_text(enum status status)
{
    if ((unsigned)status >= STATUS_COUNT) {
        return "unknown status";
    }
    return statuses[status].text;
}
