/*
 * address.c - HOST:PORT as text and as a socket address.
 */
#include "node/net/address.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static enum status refuse(struct error *error, const char *text, const char *why)
{
    error->code = STATUS_REFUSED;
    snprintf(error->text, sizeof(error->text), "%.64s: %s", text, why);
    return STATUS_REFUSED;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
    size_t length = strlen(text);

    if (length == 0 || length > 5 || strspn(text, "0123456789") != length) {
        return false;
    }
    unsigned long port = strtoul(text, NULL, 10);
    if (port > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

/* Names and numbers of hosts hold no others; whatever else is shown to people or sent to other
 * nodes as part of an address. */
static bool host_is_plain(const char *host, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c <= ' ' || c >= 0x7f || strchr("[]/,@\"'\\", c) != NULL) {
            return false;
        }
    }
    return true;
}

enum status address_parse(const char *text, struct address *ret_address, struct error *error)
{
    assert(text != NULL);
    assert(ret_address != NULL);
    struct address address = {.port = 0};
    const char *colon = strrchr(text, ':');
    const char *host = text;

    if (strlen(text) >= ADDRESS_SIZE) {
        return refuse(error, text, "longer than an address may be");
    }
    if (colon == NULL || !parse_port(colon + 1, &address.port)) {
        return refuse(error, text, "not of the form HOST:PORT");
    }
    size_t size = (size_t)(colon - text);
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    if (bracketed) {
        host++;
        size -= 2;
    }
    if (size == 0 || !host_is_plain(host, size)) {
        return refuse(error, text, "not of the form HOST:PORT");
    }
    if (!bracketed && memchr(host, ':', size) != NULL) {
        return refuse(error, text, "an IPv6 address needs brackets, as in [::1]:7450");
    }
    memcpy(address.host, host, size);
    struct sockaddr_in6 ignored;
    if (bracketed && uv_ip6_addr(address.host, 0, &ignored) != 0) {
        return refuse(error, text, "no IPv6 address between the brackets");
    }
    *ret_address = address;
    return STATUS_OK;
}

bool address_format(const struct address *address, char ret_text[ADDRESS_SIZE])
{
    bool is_ip6 = strchr(address->host, ':') != NULL;
    char text[2 * ADDRESS_SIZE];
    int length = snprintf(text, sizeof(text), is_ip6 ? "[%s]:%u" : "%s:%u", address->host,
                          (unsigned)address->port);

    if (length < 0 || length >= ADDRESS_SIZE) {
        return false;
    }
    memcpy(ret_text, text, (size_t)length + 1);
    return true;
}

bool address_is_numeric(const struct address *address, struct sockaddr_storage *ret_socket)
{
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;

    if (uv_ip4_addr(address->host, address->port, &ip4) == 0) {
        memset(ret_socket, 0, sizeof(*ret_socket));
        memcpy(ret_socket, &ip4, sizeof(ip4));
        return true;
    }
    if (uv_ip6_addr(address->host, address->port, &ip6) == 0) {
        memset(ret_socket, 0, sizeof(*ret_socket));
        memcpy(ret_socket, &ip6, sizeof(ip6));
        return true;
    }
    return false;
}

enum status address_resolve(const struct address *address, struct sockaddr_storage *ret_socket,
                            struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];

    if (address_is_numeric(address, ret_socket)) {
        return STATUS_OK;
    }
    snprintf(service, sizeof(service), "%u", (unsigned)address->port);
    int failure = getaddrinfo(address->host, service, &hints, &list);
    if (failure != 0) {
        return refuse(error, address->host, gai_strerror(failure));
    }
    memset(ret_socket, 0, sizeof(*ret_socket));
    memcpy(ret_socket, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return STATUS_OK;
}

bool address_is_loopback(const struct sockaddr_storage *socket_address)
{
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof(ip4));
        return ntohl(ip4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof(ip6));
    if (IN6_IS_ADDR_V4MAPPED(&ip6.sin6_addr)) {
        return ip6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
    }
    return IN6_IS_ADDR_LOOPBACK(&ip6.sin6_addr);
}

bool address_is_any(const struct sockaddr_storage *socket_address)
{
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof(ip4));
        return ip4.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof(ip6));
    return IN6_IS_ADDR_UNSPECIFIED(&ip6.sin6_addr);
}

uint16_t address_port(const struct sockaddr_storage *socket_address)
{
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof(ip4));
        return ntohs(ip4.sin_port);
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof(ip6));
    return ntohs(ip6.sin6_port);
}
