/*
 * server_disk.h - the state of a node's disk: looked at, logged, told in status.
 */
#ifndef NODE_SERVER_SERVER_DISK_H
#define NODE_SERVER_SERVER_DISK_H

#include <uv.h>

#include "node/core/core.h"
#include "node/server/log.h"
#include "node/server/server_data.h"

struct server_disk {
    uv_loop_t *loop; /* all borrowed */
    struct server_data *data;
    struct core *core;
    struct log *log;
    enum disk_state state; /* as last logged */
    char since[32];        /* when that began, for people */
    uint64_t looked_ms;
    uv_work_t work; /* gives room back; at most one at a time */
    bool is_reclaiming;
    bool is_of_deleted;  /* ... just what was deleted of late, of one partition */
    unsigned step;       /* of reclaim.h, the next one */
    uint64_t reclaim_ms; /* not before */
};

/* Logs what was done to the files at the start, and begins to look. */
void server_disk_start(struct server_disk *disk);
/* From time to time; `now`: something failed just now. */
void server_disk_look(struct server_disk *disk, bool now);

#endif
