/*
 * socket_address.h - socket addresses, and those of a HOST:PORT.
 *
 * Threads:  pure, but for socket_address_resolve, which may block for a name.
 */
#ifndef NODE_NET_SOCKET_ADDRESS_H
#define NODE_NET_SOCKET_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "node/base/address.h"

/* True (and the socket address) if the host is a number, so that no name service is needed. */
bool socket_address_is_numeric(const struct address *address,
                               struct sockaddr_storage *ret_socket);
/* The first socket address of the host, asking the name service for a name: blocks. */
MUST_CHECK enum status socket_address_resolve(const struct address *address,
                                              struct sockaddr_storage *ret_socket,
                                              struct error *error);

bool socket_address_is_loopback(const struct sockaddr_storage *socket_address);
/* True for 0.0.0.0 and [::], which no other machine can reach. */
bool socket_address_is_any(const struct sockaddr_storage *socket_address);
uint16_t socket_address_port(const struct sockaddr_storage *socket_address);

#endif
