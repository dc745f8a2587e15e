/*
 * address.c - see address.h.
 */
#include "node/base/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/error.h"

static enum status refuse(struct error *error, const char *text, const char *why)
{
    return error_set(error, STATUS_REFUSED, "%.64s: %s", text, why);
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
        if (c <= ' ' || c >= 0x7f || strchr("[]/,@\"'\\", c)) {
            return false;
        }
    }
    return true;
}

/* Perhaps with a zone, as in fe80::1%eth0. */
static bool is_ip6(const char *host)
{
    struct in6_addr ignored;
    char text[ADDRESS_SIZE];
    size_t size = strcspn(host, "%");

    memcpy(text, host, size);
    text[size] = '\0';
    return inet_pton(AF_INET6, text, &ignored) == 1;
}

enum status address_parse(const char *text, struct address *ret_address, struct error *error)
{
    assert(text);
    assert(ret_address);
    struct address address = {.port = 0};
    const char *colon = strrchr(text, ':');
    const char *host = text;

    if (strlen(text) >= ADDRESS_SIZE) {
        return refuse(error, text, "longer than an address may be");
    }
    if (!colon || !parse_port(colon + 1, &address.port)) {
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
    if (!bracketed && memchr(host, ':', size)) {
        return refuse(error, text, "an IPv6 address needs brackets, as in [::1]:7450");
    }
    memcpy(address.host, host, size);
    if (bracketed && !is_ip6(address.host)) {
        return refuse(error, text, "no IPv6 address between the brackets");
    }
    *ret_address = address;
    return STATUS_OK;
}

enum status address_parse_remote(const char *text, struct address *ret_address,
                                 struct error *error)
{
    struct address address;
    enum status status = address_parse(text, &address, error);

    if (status == STATUS_OK && address.port == 0) {
        return refuse(error, text, "no port to connect to");
    }
    if (status == STATUS_OK) {
        *ret_address = address;
    }
    return status;
}

enum status address_check_list(const char *addresses, struct error *error)
{
    assert(addresses);
    enum status status = STATUS_OK;
    const char *rest = addresses;

    while (rest && status == STATUS_OK) {
        struct address ignored;
        char one[ADDRESS_SIZE + 1]; /* cut, it is still too long */
        size_t size = strcspn(rest, ",");

        (void)snprintf(one, sizeof one, "%.*s",
                       (int)(size < ADDRESS_SIZE ? size : ADDRESS_SIZE), rest);
        status = address_parse_remote(one, &ignored, error);
        rest = rest[size] == ',' ? rest + size + 1 : NULL;
    }
    return status;
}

bool address_format(const struct address *address, char ret_text[ADDRESS_SIZE])
{
    bool is_ip6 = strchr(address->host, ':');
    char text[2 * ADDRESS_SIZE];
    int length = snprintf(text, sizeof text, is_ip6 ? "[%s]:%u" : "%s:%u", address->host,
                          (unsigned)address->port);

    if (length < 0 || length >= ADDRESS_SIZE) {
        return false;
    }
    memcpy(ret_text, text, (size_t)length + 1);
    return true;
}

bool address_text_is_valid(const char *address, bool to_listen)
{
    struct address ignored;
    struct error error;

    enum status status = to_listen ? address_parse(address, &ignored, &error)
                                   : address_parse_remote(address, &ignored, &error);
    return status == STATUS_OK;
}

bool address_list_is_valid(const char *addresses)
{
    struct error error;

    return address_check_list(addresses, &error) == STATUS_OK;
}
