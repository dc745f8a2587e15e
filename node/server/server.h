/*
 * server.h - a whole storage node: core, net and store on one event loop.
 *
 * Threads:  server_new, server_run and server_free one after the other, each on any thread;
 *           server_stop on any, and from signal handlers. server_run blocks SIGPIPE on the
 *           thread that calls it.
 */
#ifndef NODE_SERVER_SERVER_H
#define NODE_SERVER_SERVER_H

#include "ring/ring.h"

struct server;

struct server_options {
    const char *data_directory; /* created if missing */
    const char *listen;         /* HOST:PORT; port 0 lets the kernel choose */
    const char *join;           /* HOST:PORT[,...], or NULL */
    const char *secret_file;    /* the cluster's secret; NULL: see server_secret.h */
    /* The node's id as 16 hex digits: an empty data directory, or another node's, is refused.
     * NULL: any will do, and an empty one begins as a new node. */
    const char *expect;
    bool is_source;           /* its place was given away: only hands over what it holds */
    bool insecure;            /* listening beyond loopback is allowed */
    uint16_t partition_count; /* 0: the default; only for a new cluster */
    uint16_t replica_count;   /* 0: the default; only for a new cluster */
    bool store_always_queue;  /* see executor_options.always_queue */
};

/* Opens the data, binds the port. On failure `error` says what, where and why, e.g. "listen on
 * 127.0.0.1:7450: address already in use". All strings are borrowed for the call. */
MUST_CHECK enum status server_new(const struct server_options *options,
                                  struct server **ret_server, struct error *error);
/* The address it listens on, with the real port. Inside. */
const char *server_address(const struct server *server);
/* Runs until server_stop, then drains for at most 5 s, and closes the store properly.
 * STATUS_REFUSED (with `error`) if the cluster refused this node. */
MUST_CHECK enum status server_run(struct server *server, struct error *error);
void server_stop(struct server *server);
void server_free(struct server *server); /* NULL is allowed */

#endif
