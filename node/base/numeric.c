/*
 * numeric.c - see numeric.h.
 */
#include "node/base/numeric.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_DIGITS_MAX = 5 };

static bool is_port(const char *text, size_t size, bool to_listen)
{
    char digits[PORT_DIGITS_MAX + 1];

    if (size == 0 || size > PORT_DIGITS_MAX || strspn(text, "0123456789") < size) {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    unsigned long port = strtoul(digits, NULL, 10);
    return port <= UINT16_MAX && (port > 0 || to_listen);
}

static bool is_address(const char *text, size_t size, bool to_listen)
{
    size_t host = size;

    while (host > 0 && text[host - 1] != ':') {
        host--;
    }
    if (size >= ADDRESS_SIZE || host == 0 || !is_port(text + host, size - host, to_listen)) {
        return false;
    }
    host--; /* the colon */
    bool is_bracketed = host > 2 && text[0] == '[' && text[host - 1] == ']';
    size_t begin = is_bracketed;
    size_t end = is_bracketed ? host - 1 : host;
    for (size_t i = begin; i < end; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("[]/,@\"'\\", text[i]) != NULL ||
            (text[i] == ':' && !is_bracketed)) {
            return false;
        }
    }
    return end > begin;
}

bool address_text_is_valid(const char *address, bool to_listen)
{
    return is_address(address, strlen(address), to_listen);
}

bool address_list_is_valid(const char *addresses)
{
    for (;;) {
        size_t size = strcspn(addresses, ",");
        if (!is_address(addresses, size, false)) {
            return false;
        }
        if (addresses[size] == '\0') {
            return true;
        }
        addresses += size + 1;
    }
}

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
    if (getnameinfo((const struct sockaddr *)socket_address, size, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    int length = snprintf(text, sizeof(text), is_ip6 ? "[%s]:%s" : "%s:%s", host, port);
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
    char host[ADDRESS_SIZE];
    const char *colon = strrchr(address, ':');
    const char *begin = address;

    if (colon == NULL || colon - address >= ADDRESS_SIZE) {
        return false;
    }
    size_t size = (size_t)(colon - address);
    if (size >= 2 && begin[0] == '[' && begin[size - 1] == ']') {
        begin++;
        size -= 2;
    }
    memcpy(host, begin, size);
    host[size] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0) {
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
