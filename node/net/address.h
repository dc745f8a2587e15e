/*
 * address.h - HOST:PORT as text and as a socket address.
 *
 * HOST is an IPv4 address, an IPv6 address in brackets, or a name.
 * Threads:  pure, but for address_resolve, which may block for a name.
 */
#ifndef NODE_NET_ADDRESS_H
#define NODE_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ring/ring.h"

struct address {
    char host[ADDRESS_SIZE]; /* without brackets */
    uint16_t port;
};

/* Takes HOST:PORT apart. STATUS_REFUSED with `error` for text that is none, or too long. */
MUST_CHECK enum status address_parse(const char *text, struct address *ret_address,
                                     struct error *error);
/* Writes HOST:PORT, with brackets where needed; false if it does not fit. */
MUST_CHECK bool address_format(const struct address *address, char ret_text[ADDRESS_SIZE]);

/* True (and the socket address) if the host is a number, so that no name service is needed. */
bool address_is_numeric(const struct address *address, struct sockaddr_storage *ret_socket);
/* The first socket address of the host, asking the name service for a name: blocks. */
MUST_CHECK enum status address_resolve(const struct address *address,
                                       struct sockaddr_storage *ret_socket,
                                       struct error *error);

bool address_is_loopback(const struct sockaddr_storage *socket_address);
/* True for 0.0.0.0 and [::], which no other machine can reach. */
bool address_is_any(const struct sockaddr_storage *socket_address);
uint16_t address_port(const struct sockaddr_storage *socket_address);

#endif
