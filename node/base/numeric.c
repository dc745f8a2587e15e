/*
 * numeric.c - see numeric.h.
 */
#include "node/base/numeric.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "node/base/address.h"

bool numeric_of_socket(const struct sockaddr_storage *socket_address,
                       char ret_text[ADDRESS_SIZE])
{
    char host[ADDRESS_SIZE];
    char port[8];
    char text[ADDRESS_SIZE + 16];
    bool is_ip6 = socket_address->ss_family == AF_INET6;
    socklen_t size = is_ip6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    if (!is_ip6 && socket_address->ss_family != AF_INET) {
        return false;
    }
    if (getnameinfo((const struct sockaddr *)socket_address, size, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    int length = snprintf(text, sizeof text, is_ip6 ? "[%s]:%s" : "%s:%s", host, port);
    if (length < 0 || length >= ADDRESS_SIZE) {
        return false;
    }
    memcpy(ret_text, text, (size_t)length + 1);
    return true;
}

bool numeric_of_text(const char *address, char ret_text[ADDRESS_SIZE])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    struct sockaddr_storage first = {.ss_family = AF_UNSPEC};
    struct address parts;
    struct error error;
    char port[8];

    if (address_parse(address, &parts, &error) != STATUS_OK) {
        return false;
    }
    (void)snprintf(port, sizeof port, "%u", (unsigned)parts.port);
    if (getaddrinfo(parts.host, port, &hints, &list) != 0) {
        return false;
    }
    memcpy(&first, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return numeric_of_socket(&first, ret_text);
}

bool numeric_differ(const char *a, const char *b)
{
    char a_text[ADDRESS_SIZE];
    char b_text[ADDRESS_SIZE];

    return numeric_of_text(a, a_text) && numeric_of_text(b, b_text) &&
           strcmp(a_text, b_text) != 0;
}
