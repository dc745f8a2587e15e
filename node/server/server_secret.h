/*
 * server_secret.h - where a node has its cluster's secret from, and what it does with it.
 *
 * It is, the first that there is:
 *   - what the user named: --secret-file, or DYNAMOFS_SECRET_FILE
 *   - for a member of a ring: DIR/secret; if that is missing, a lone member makes a new one,
 * and one of several takes what another member that runs here left in the registry
 *   - for a node without a ring: what one of the nodes to start with, which runs here, left in
 *     the registry; DIR/secret, of an earlier attempt; else a new one
 * The last is done under the registry's lock, so that of nodes that start together on one
 * machine one makes the secret and the others find it. As long as a node has no ring it also
 * takes up the secret of a peer that it finds in the registry and that the peer proves, for
 * that one may have found its own later. Whatever it has is in DIR/secret before it is used.
 *
 * Threads:  those of the server.
 */
#ifndef NODE_SERVER_SERVER_SECRET_H
#define NODE_SERVER_SERVER_SECRET_H

#include <sys/socket.h>

#include "node/base/registry.h"
#include "node/base/secret.h"
#include "node/net/peer.h"
#include "node/server/server.h"

enum {
    /* Greetings in a row that fail for the secret before a node without a ring gives up. Not
     * one: the other may be about to take up another secret itself. */
    SERVER_DENIALS_MAX = 6,
};

struct server_secret {
    struct secret secret;
    bool is_named; /* by the user: it stays what it is */
    struct registry registry;
    char numeric[ADDRESS_SIZE]; /* the own address in numbers, or "" */
    char trouble[192];          /* why the registry cannot be used, or "" */
    unsigned denials;
};

/* The socket that the node listens on, with whatever port. */
void server_secret_note_socket(struct server *server,
                               const struct sockaddr_storage *socket_address);
/* Finds or makes the secret, writes DIR/secret, enters it in the registry. */
MUST_CHECK enum status server_secret_open(struct server *server,
                                          const struct server_options *options,
                                          struct error *error);
void server_secret_close(struct server *server); /* zeroed is allowed */
/* Logs what kept the registry from being used, if anything did. */
void server_secret_report(struct server *server);

/* The callbacks of listener and peers. */
const struct secret *server_secret_current(void *context);
bool server_secret_prove(void *context, uint16_t number, const struct peer_greeting *greeting,
                         uint8_t ret_proof[PROOF_SIZE]);

#endif
