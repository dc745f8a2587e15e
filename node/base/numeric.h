/*
 * numeric.h - addresses in numbers, by which two spellings of one address are told to be the
 * same.
 *
 * Threads:  pure; no name service is asked.
 */
#ifndef NODE_BASE_NUMERIC_H
#define NODE_BASE_NUMERIC_H

#include <sys/socket.h>

#include "ring/ring.h"

/* HOST:PORT of a socket address, an IPv6 host in brackets; false if it is none of the internet.
 */
bool numeric_of_socket(const struct sockaddr_storage *socket_address,
                       char ret_text[ADDRESS_SIZE]);
/* The one spelling of a HOST:PORT whose host is a number; false if it is a name. */
bool numeric_of_text(const char *address, char ret_text[ADDRESS_SIZE]);
/* True if both hosts are numbers, and the two are different addresses. A name may stand for
 * any. */
bool numeric_differ(const char *a, const char *b);

#endif
