/*
 * server_data.h - the data directory of a node: its lock, its identity, its ring, its address.
 *
 *   DIR/db        LevelDB; its lock is the lock of the directory
 *   DIR/hints/db  LevelDB, what is kept for members that were away
 *   DIR/secret    the cluster's secret (server_secret.h)
 *   DIR/address   HOST:PORT and a newline, while a node runs on the directory
 */
#ifndef NODE_SERVER_SERVER_DATA_H
#define NODE_SERVER_SERVER_DATA_H

#include "node/store/apply.h"

struct server_data {
    char *directory;
    struct engine *engine;
    struct engine *hints;
    struct engine_start start; /* what was done to the files when they were opened */
    struct engine_start hints_start;
    struct store_state state;
    struct store_identity identity;
    bool is_identified; /* the store is marked as in use */
    bool is_published;  /* DIR/address is ours */
};

/* Makes and locks the directory. STATUS_BUSY with "in use by another process" if one holds it.
 * Close with server_data_close, also on failure. Damage is salvaged where others have copies,
 * or if it is asked for (`can_salvage`); else it is STATUS_CORRUPT, and the text says what to
 * do. */
MUST_CHECK enum status server_data_open(struct server_data *data, const char *directory,
                                        bool can_salvage, struct error *error);
/* Before server_data_open: sees that there are data at all, where those of `expect` are to be.
 */
MUST_CHECK enum status server_data_expect(const char *directory, node_id expect,
                                          struct error *error);
/* Before server_data_identify: sees that the data are those of `expect`; 0: any will do. */
MUST_CHECK enum status server_data_check(const struct server_data *data, node_id expect,
                                         struct error *error);
/* Reads the identity; marks the store as in use. */
MUST_CHECK enum status server_data_identify(struct server_data *data, struct error *error);
/*
 * Sees that the stored ring, if any, knows this node by `address`. A cluster of one node simply
 * moves to the new address; one of several would look for it at the old one: STATUS_REFUSED.
 */
MUST_CHECK enum status server_data_settle(struct server_data *data, const char *address,
                                          struct error *error);
/* Writes DIR/address. */
MUST_CHECK enum status server_data_publish(struct server_data *data, const char *address,
                                           struct error *error);
/* Marks the store as closed properly and lets go of everything. Zeroed data are allowed. */
MUST_CHECK enum status server_data_close(struct server_data *data, struct error *error);

/* Where the directory keeps the cluster's secret; false if the path is too long. */
enum { SERVER_PATH_SIZE = 4096 };
MUST_CHECK bool server_data_secret_path(const struct server_data *data,
                                        char ret_path[SERVER_PATH_SIZE]);
/* Bytes of the file system under the directory; false if it cannot tell. */
bool server_data_space(const struct server_data *data, uint64_t *ret_total, uint64_t *ret_free);
/* A random number that is not 0, from the kernel. STATUS_IO. */
MUST_CHECK enum status server_data_random(uint64_t *ret_random, struct error *error);

#endif
