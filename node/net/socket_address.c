/*
 * socket_address.c - socket addresses, and those of a HOST:PORT.
 */
#include "node/net/socket_address.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "node/base/error.h"

static bool is_of_internet(const struct sockaddr_storage *socket_address)
{
    return socket_address->ss_family == AF_INET || socket_address->ss_family == AF_INET6;
}

bool socket_address_is_numeric(const struct address *address,
                               struct sockaddr_storage *ret_socket)
{
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;

    assert(address && ret_socket);
    if (uv_ip4_addr(address->host, address->port, &ip4) == 0) {
        memset(ret_socket, 0, sizeof *ret_socket);
        memcpy(ret_socket, &ip4, sizeof ip4);
        return true;
    }
    if (uv_ip6_addr(address->host, address->port, &ip6) == 0) {
        memset(ret_socket, 0, sizeof *ret_socket);
        memcpy(ret_socket, &ip6, sizeof ip6);
        return true;
    }
    return false;
}

enum status socket_address_resolve(const struct address *address,
                                   struct sockaddr_storage *ret_socket, struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];

    assert(address && ret_socket && error);
    if (socket_address_is_numeric(address, ret_socket)) {
        return STATUS_OK;
    }
    snprintf(service, sizeof service, "%u", (unsigned)address->port);
    int failure = getaddrinfo(address->host, service, &hints, &list);
    if (failure != 0) {
        return error_set(error, STATUS_REFUSED, "%.64s: %s", address->host,
                         gai_strerror(failure));
    }
    memset(ret_socket, 0, sizeof *ret_socket);
    memcpy(ret_socket, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return STATUS_OK;
}

bool socket_address_is_loopback(const struct sockaddr_storage *socket_address)
{
    assert(is_of_internet(socket_address));
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof ip4);
        return ntohl(ip4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof ip6);
    if (IN6_IS_ADDR_V4MAPPED(&ip6.sin6_addr)) {
        return ip6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
    }
    return IN6_IS_ADDR_LOOPBACK(&ip6.sin6_addr);
}

bool socket_address_is_any(const struct sockaddr_storage *socket_address)
{
    assert(is_of_internet(socket_address));
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof ip4);
        return ip4.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof ip6);
    return IN6_IS_ADDR_UNSPECIFIED(&ip6.sin6_addr);
}

uint16_t socket_address_port(const struct sockaddr_storage *socket_address)
{
    assert(is_of_internet(socket_address));
    if (socket_address->ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, socket_address, sizeof ip4);
        return ntohs(ip4.sin_port);
    }
    struct sockaddr_in6 ip6;
    memcpy(&ip6, socket_address, sizeof ip6);
    return ntohs(ip6.sin6_port);
}
