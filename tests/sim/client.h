/*
 * client.h - one client's gets, puts and listings: by the shipping client, which knows the
 * ring, or by asking any node, as clients may that know none.
 *
 * Blocking: to be called by the fiber of its port.
 */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "node/client/kv.h"
#include "tests/sim/listing.h"
#include "tests/sim/port.h"

enum { CLIENT_ANY_NODE = -1 };

struct client_options {
    int nodes;
    uint8_t r, w;
    bool knows_ring; /* runs node/client/ */
};

struct client {
    struct port port;
    struct client_options options;
    struct kv *kv; /* once the ring was learnt */
    int wanted;    /* the node that the next call goes to, or CLIENT_ANY_NODE */
    int asked;     /* the node that the last call went to, if it knows no ring */
};

struct client_put {
    const char *key;
    enum update_mode mode;
    const struct object *context; /* NULL: blind */
    struct dot dot;               /* UPDATE_SOME */
    bool has_value;
    uint32_t number; /* what the content is made of */
    bool sync;
    uint8_t write_id[WRITE_ID_SIZE]; /* the shipping client makes its own */
};

/* STATUS_OK and STATUS_NOT_FOUND: the caller unrefs *ret_object, which may be NULL. */
enum status client_get(struct client *client, const char *key, struct object **ret_object);
enum status client_put(struct client *client, const struct client_put *put);
/* All rows of a directory, `limit` at a time. The caller releases it, also after a failure. */
enum status client_list(struct client *client, struct slice directory, uint16_t limit,
                        struct listing *ret_listing);
void client_close(struct client *client);

#endif
