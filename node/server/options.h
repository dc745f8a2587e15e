/*
 * options.h - what a user may say about a node, checked.
 *
 * Every error is one line for people: what, where, why.
 */
#ifndef NODE_SERVER_OPTIONS_H
#define NODE_SERVER_OPTIONS_H

#include "node/net/socket_address.h"

/* Nodes, sorted, each once. */
struct address_list {
    uint16_t count;
    char addresses[MEMBERS_MAX][ADDRESS_SIZE];
};

/*
 * Reads the HOST:PORT[,...] of --join, `self` (may be NULL) left out; NULL is an empty list. At
 * most MEMBERS_MAX - 1. STATUS_REFUSED.
 */
MUST_CHECK enum status options_parse_addresses(const char *text, const char *self,
                                               struct address_list *ret_list,
                                               struct error *error);

/*
 * Reads and resolves HOST:PORT to listen on. STATUS_REFUSED if it is reachable from other
 * machines and `insecure` is not set, or if it is an address that no other node could connect
 * to.
 */
MUST_CHECK enum status options_parse_listen(const char *text, bool insecure,
                                            struct address *ret_address,
                                            struct sockaddr_storage *ret_socket,
                                            struct error *error);

/* Reads a decimal number from `minimum` to `maximum`. */
MUST_CHECK enum status options_parse_count(const char *text, uint16_t minimum, uint16_t maximum,
                                           uint16_t *ret_count, struct error *error);

/* Reads a node's id: 16 hex digits, not all 0. */
MUST_CHECK enum status options_parse_identity(const char *text, node_id *ret_id,
                                              struct error *error);

/* Q is a power of two up to PARTITIONS_MAX, N from 1 to REPLICAS_MAX; 0 is the default. */
MUST_CHECK enum status options_check_counts(uint16_t partition_count, uint16_t replica_count,
                                            struct error *error);

/* Makes the directory if it is missing (mode 0700) and sees that it can be written to. */
MUST_CHECK enum status options_make_directory(const char *path, struct error *error);

#endif
