/*
 * options.c - what a user may say about a node, checked.
 */
#include "node/server/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/base/error.h"

static enum status add_address(struct address_list *list, const char *text, const char *self,
                               struct error *error)
{
    struct address address;
    char formatted[ADDRESS_SIZE];

    enum status status = address_parse_remote(text, &address, error);
    if (status != STATUS_OK) {
        return error_prefix(error, "join");
    }
    if (!address_format(&address, formatted)) {
        return error_set(error, STATUS_REFUSED, "join: %s: longer than an address may be",
                         text);
    }
    if (self && address_equal(formatted, self)) {
        return STATUS_OK;
    }
    for (uint16_t i = 0; i < list->count; i++) {
        if (address_equal(list->addresses[i], formatted)) {
            return STATUS_OK;
        }
    }
    if (list->count == MEMBERS_MAX - 1) {
        return error_set(error, STATUS_REFUSED, "join: %s: more than %d addresses", text,
                         MEMBERS_MAX - 1);
    }
    memcpy(list->addresses[list->count++], formatted, sizeof formatted);
    return STATUS_OK;
}

enum status options_parse_addresses(const char *text, const char *self,
                                    struct address_list *ret_list, struct error *error)
{
    enum status status = STATUS_OK;
    const char *rest = text;

    memset(ret_list, 0, sizeof *ret_list);
    while (rest && status == STATUS_OK) {
        char one[2 * ADDRESS_SIZE];
        const char *comma = strchrnul(rest, ',');

        /* What is too long even for this is too long for an address. */
        snprintf(one, sizeof one, "%.*s",
                 (int)(comma - rest < ADDRESS_SIZE ? comma - rest : ADDRESS_SIZE), rest);
        status = add_address(ret_list, one, self, error);
        rest = *comma == ',' ? comma + 1 : NULL;
    }
    qsort(ret_list->addresses, ret_list->count, ADDRESS_SIZE, address_compare);
    return status;
}

enum status options_parse_listen(const char *text, bool insecure, struct address *ret_address,
                                 struct sockaddr_storage *ret_socket, struct error *error)
{
    if (address_parse(text, ret_address, error) != STATUS_OK ||
        socket_address_resolve(ret_address, ret_socket, error) != STATUS_OK) {
        return error_prefix(error, "listen on");
    }
    if (socket_address_is_any(ret_socket)) {
        return error_set(
            error, STATUS_REFUSED,
            "listen on %s: name one address of this machine that the others can reach", text);
    }
    if (!insecure && !socket_address_is_loopback(ret_socket)) {
        return error_set(error, STATUS_REFUSED,
                         "listen on %s: other machines could reach it without encryption or "
                         "authentication; allow that with --insecure",
                         text);
    }
    return STATUS_OK;
}

enum status options_parse_count(const char *text, uint16_t minimum, uint16_t maximum,
                                uint16_t *ret_count, struct error *error)
{
    size_t length = strlen(text);
    unsigned long value = 0;

    if (length > 0 && length <= 5 && strspn(text, "0123456789") == length) {
        value = strtoul(text, NULL, 10);
    }
    if (value < minimum || value > maximum) {
        return error_set(error, STATUS_REFUSED, "%.32s: not a number from %u to %u", text,
                         (unsigned)minimum, (unsigned)maximum);
    }
    *ret_count = (uint16_t)value;
    return STATUS_OK;
}

enum status options_parse_identity(const char *text, node_id *ret_id, struct error *error)
{
    bool is_hex = strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
    node_id id = is_hex ? strtoull(text, NULL, 16) : 0;

    if (id == 0) {
        return error_set(error, STATUS_REFUSED,
                         "%.32s: not a node's id, as `dynamoctl status` shows it", text);
    }
    *ret_id = id;
    return STATUS_OK;
}

enum status options_check_counts(uint16_t partition_count, uint16_t replica_count,
                                 struct error *error)
{
    bool is_power_of_two = (partition_count & (partition_count - 1)) == 0;

    if (partition_count > PARTITIONS_MAX || !is_power_of_two) {
        return error_set(error, STATUS_REFUSED, "partitions: %u: not a power of two up to %u",
                         (unsigned)partition_count, (unsigned)PARTITIONS_MAX);
    }
    if (replica_count > REPLICAS_MAX) {
        return error_set(error, STATUS_REFUSED, "replicas: %u: more than %u",
                         (unsigned)replica_count, (unsigned)REPLICAS_MAX);
    }
    return STATUS_OK;
}

enum status options_make_directory(const char *path, struct error *error)
{
    struct stat attributes;

    if (!path || path[0] == '\0') {
        return error_set(error, STATUS_REFUSED, "data directory: none was named");
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return error_set(error, STATUS_IO, "data directory: %.150s: %s", path, strerror(errno));
    }
    if (stat(path, &attributes) != 0) {
        return error_set(error, STATUS_IO, "data directory: %.150s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(attributes.st_mode)) {
        return error_set(error, STATUS_IO, "data directory: %.150s: not a directory", path);
    }
    if (access(path, R_OK | W_OK | X_OK) != 0) {
        return error_set(error, STATUS_IO, "data directory: %.150s: %s", path, strerror(errno));
    }
    return STATUS_OK;
}
