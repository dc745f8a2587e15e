/*
 * embed.h - the storage node inside the mount's own process.
 *
 * Threads:  embed_start and embed_stop on one thread; the node runs on a thread of its own, on
 *           which no signal is ever delivered.
 */
#ifndef FS_DYNAMOFS_EMBED_H
#define FS_DYNAMOFS_EMBED_H

#include <stdbool.h>

#include "ring/status.h"

struct embed;

struct embed_options {
    const char *data;
    const char *listen;      /* NULL: 127.0.0.1:7450 */
    const char *join;        /* NULL: found or rejoin a cluster of its own */
    const char *expect;      /* id of the node that the data must be of; NULL: any */
    const char *secret_file; /* the cluster's secret; NULL: see node/server/server.h */
    bool insecure;
    /* Called on the node's thread if the node stops without having been told to, once
     * embed_has_failed tells it too. */
    void (*on_failed)(const struct error *error);
};

/*
 * Starts a node on the data directory, or, if another process runs one there, only finds out
 * where it listens. The strings are borrowed for the call. On failure `error` says what, where
 * and why.
 */
MUST_CHECK enum status embed_start(const struct embed_options *options,
                                   struct embed **ret_embed, struct error *error);

/* HOST:PORT of the node to mount. Inside. */
const char *embed_address(const struct embed *embed);

/* True if the node is run by another process. */
bool embed_is_foreign(const struct embed *embed);

/* True, with the reason, if the node stopped without having been told to. On any thread. */
bool embed_has_failed(struct embed *embed, struct error *ret_error);

/* Stops the node, waits for it, closes its data and frees. NULL is allowed. */
void embed_stop(struct embed *embed);

#endif
