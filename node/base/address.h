/*
 * address.h - HOST:PORT, as people write it.
 *
 * HOST is an IPv4 address, an IPv6 address in brackets, or a name: plain characters, none of
 * []/,@"'\. PORT is a number up to 65535. All of it is shorter than ADDRESS_SIZE. Every program
 * reads addresses by this grammar, and says the same of what is none.
 *
 * Threads:  pure; no name service is asked.
 */
#ifndef NODE_BASE_ADDRESS_H
#define NODE_BASE_ADDRESS_H

#include "ring/ring.h"

struct address {
    char host[ADDRESS_SIZE]; /* without brackets */
    uint16_t port;
};

/* Takes HOST:PORT apart; port 0 stands for any. STATUS_REFUSED with `error` for text that is
 * none, or too long. */
MUST_CHECK enum status address_parse(const char *text, struct address *ret_address,
                                     struct error *error);
/* The same for one to connect to: port 0 is refused. */
MUST_CHECK enum status address_parse_remote(const char *text, struct address *ret_address,
                                            struct error *error);
/* Are all of these, parted by commas, addresses to connect to? STATUS_REFUSED. */
MUST_CHECK enum status address_check_list(const char *addresses, struct error *error);
/* Writes HOST:PORT, with brackets where needed; false if it does not fit. */
MUST_CHECK bool address_format(const struct address *address, char ret_text[ADDRESS_SIZE]);

/* For those who have words of their own. Port 0 only `to_listen`. */
bool address_text_is_valid(const char *address, bool to_listen);
bool address_list_is_valid(const char *addresses);

#endif
