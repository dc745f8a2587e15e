/*
 * server_secret.c - see server_secret.h.
 */
#include "node/server/server_secret.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "node/base/numeric.h"
#include "node/server/server_internal.h"

enum {
    LOCK_PATIENCE_MS = 10000,
    /* On the loop nothing may wait for long; the next greeting tries again. */
    LOCK_PATIENCE_LOOP_MS = 200,
};

static struct server_secret *of(struct server *server)
{
    return &server->secret;
}

void server_secret_note_socket(struct server *server,
                               const struct sockaddr_storage *socket_address)
{
    char text[ADDRESS_SIZE];
    char *colon = NULL;

    if (numeric_of_socket(socket_address, text)) {
        colon = strrchr(text, ':');
    }
    if (colon) {
        *colon = '\0';
        /* What does not fit is not entered. */
        int size = snprintf(of(server)->numeric, ADDRESS_SIZE, "%.50s:%u", text,
                            (unsigned)listener_port(server->listener));
        assert(size > 0 && size < ADDRESS_SIZE);
    }
}

static enum status enter(struct server *server, struct error *error)
{
    struct server_secret *own = of(server);

    enum status status = registry_enter(&own->registry, server->address, &own->secret, error);
    if (status == STATUS_OK && own->numeric[0] != '\0' &&
        !address_equal(own->numeric, server->address)) {
        status = registry_enter(&own->registry, own->numeric, &own->secret, error);
    }
    return status;
}

static enum status read_own(const struct server *server, struct secret *ret_secret,
                            struct error *error)
{
    char path[SERVER_PATH_SIZE];

    if (!server_data_secret_path(&server->data, path)) {
        error->code = STATUS_IO;
        snprintf(error->text, sizeof error->text, "data directory: path too long");
        return STATUS_IO;
    }
    return secret_read_file(path, ret_secret, error);
}

/* In the data directory before anything rests upon it. */
static enum status keep(const struct server *server, const struct secret *secret,
                        struct error *error)
{
    char path[SERVER_PATH_SIZE];
    struct secret kept;
    struct error ignored;

    if (read_own(server, &kept, &ignored) == STATUS_OK && secret_equal(&kept, secret)) {
        return STATUS_OK;
    }
    if (!server_data_secret_path(&server->data, path)) {
        return STATUS_IO;
    }
    return secret_write_file(path, secret, error);
}

static bool find_among_seeds(const struct server *server, struct secret *ret_secret)
{
    for (uint16_t i = 0; i < server->seeds.count; i++) {
        const char *address = server->seeds.addresses[i];
        if (!address_equal(address, server->address) &&
            registry_find(address, true, ret_secret) == STATUS_OK) {
            return true;
        }
    }
    return false;
}

static bool find_among_members(const struct server *server, struct secret *ret_secret)
{
    const struct ring *ring = &server->data.identity.ring;

    for (uint16_t i = 0; i < ring->member_count; i++) {
        if (ring->members[i].id != server->data.identity.node &&
            registry_find(ring->members[i].address, true, ret_secret) == STATUS_OK) {
            return true;
        }
    }
    return false;
}

static enum status choose_for_member(struct server *server, struct error *error)
{
    struct secret *secret = &of(server)->secret;

    enum status status = read_own(server, secret, error);
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    if (server->data.identity.ring.member_count == 1) {
        return secret_make(secret, error);
    }
    if (find_among_members(server, secret)) {
        return STATUS_OK;
    }
    error->code = STATUS_REFUSED;
    snprintf(error->text, sizeof error->text,
             "data directory: %.130s: the secret of its cluster is missing: name that of "
             "another member with --secret-file",
             server->data.directory);
    return STATUS_REFUSED;
}

static enum status choose_for_newcomer(struct server *server, struct error *error)
{
    struct secret *secret = &of(server)->secret;

    if (find_among_seeds(server, secret)) {
        return STATUS_OK;
    }
    enum status status = read_own(server, secret, error);
    return status == STATUS_NOT_FOUND ? secret_make(secret, error) : status;
}

static enum status choose(struct server *server, const char *named, struct error *error)
{
    if (named) {
        of(server)->is_named = true;
        return secret_read_file(named, &of(server)->secret, error);
    }
    return server->data.identity.has_ring ? choose_for_member(server, error)
                                          : choose_for_newcomer(server, error);
}

enum status server_secret_open(struct server *server, const struct server_options *options,
                               struct error *error)
{
    struct server_secret *own = of(server);
    struct error trouble = {.code = STATUS_OK};
    bool is_locked = registry_lock(&own->registry, LOCK_PATIENCE_MS, &trouble) == STATUS_OK;

    enum status status = choose(server, secret_file_named(options->secret_file), error);
    if (status == STATUS_OK) {
        status = keep(server, &own->secret, error);
    }
    if (status == STATUS_OK && is_locked) {
        (void)!enter(server, &trouble);
    }
    registry_unlock(&own->registry);
    /* The node serves all the same those who were handed the secret in a file. */
    if (trouble.code != STATUS_OK) {
        snprintf(own->trouble, sizeof own->trouble, "%.180s", trouble.text);
    }
    return status;
}

void server_secret_close(struct server *server)
{
    registry_leave(&of(server)->registry);
}

void server_secret_report(struct server *server)
{
    if (of(server)->trouble[0] != '\0') {
        log_write(&server->log, LOG_LEVEL_WARNING, "secret_not_registered", "reason",
                  of(server)->trouble, "text",
                  "clients and nodes of this machine need --secret-file", NULL);
    }
}

const struct secret *server_secret_current(void *context)
{
    struct server *server = context;

    return &of(server)->secret;
}

static bool is_proved_by(const struct peer_greeting *greeting, const struct secret *secret)
{
    return greeting_is_proved(greeting->said, secret, GREETING_OTHER_END,
                              greeting->reply->hello.proof);
}

/* Takes up the secret that the peer left here, if it has proved just that. The registry's lock
 * is held. */
static bool adopt(struct server *server, const char *address,
                  const struct peer_greeting *greeting)
{
    struct server_secret *own = of(server);
    struct secret found;
    struct error error = {.code = STATUS_OK};

    if (registry_find_connected(address, greeting->descriptor, true, &found) != STATUS_OK ||
        !is_proved_by(greeting, &found)) {
        return false;
    }
    enum status status = keep(server, &found, &error);
    if (status == STATUS_OK) {
        own->secret = found;
        status = enter(server, &error);
        /* Whoever was let in under the other secret must find out. */
        listener_disconnect(server->listener, "this node took up its cluster's secret");
    }
    if (status != STATUS_OK) {
        log_write(&server->log, LOG_LEVEL_ERROR, "secret_not_kept", "reason", error.text, NULL);
    }
    return status == STATUS_OK;
}

bool server_secret_prove(void *context, uint16_t number, const struct peer_greeting *greeting,
                         uint8_t ret_proof[PROOF_SIZE])
{
    struct server *server = context;
    struct server_secret *own = of(server);
    struct error ignored;
    bool is_proved = is_proved_by(greeting, &own->secret);

    if (!is_proved && !own->is_named && !core_ring(server->core) &&
        registry_lock(&own->registry, LOCK_PATIENCE_LOOP_MS, &ignored) == STATUS_OK) {
        is_proved = adopt(server, peer_address(server->peers[number]), greeting);
        registry_unlock(&own->registry);
    }
    if (is_proved) {
        greeting_prove(greeting->said, &own->secret, GREETING_OPENER, ret_proof);
    }
    return is_proved;
}
