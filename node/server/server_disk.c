/*
 * server_disk.c - the state of a node's disk: looked at, logged, told in status.
 */
#include "node/server/server_disk.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/store/reclaim.h"

enum {
    LOOK_PAUSE_MS = 100, /* however many requests fail */
    RECLAIM_PAUSE_MS = 10000,
    DELETED_PAUSE_MS = 1000,
};

static void format_now(char *text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;

    if (!gmtime_r(&now, &parts) || strftime(text, size, "%FT%TZ", &parts) == 0) {
        (void)snprintf(text, size, "?");
    }
}

/* The worse of the two databases. */
static struct engine_health look_at_both(struct server_data *data)
{
    struct engine_health objects = engine_health(data->engine);
    struct engine_health hints = engine_health(data->hints);

    return hints.state > objects.state ? hints : objects;
}

static void on_reclaim(uv_work_t *work)
{
    struct server_disk *disk = work->data;

    if (disk->is_of_deleted) {
        store_reclaim_deleted(&disk->data->state);
    } else {
        store_reclaim(&disk->data->state, disk->step);
    }
}

static void on_reclaimed(uv_work_t *work, int status)
{
    struct server_disk *disk = work->data;

    (void)status;
    disk->is_reclaiming = false;
    disk->step += disk->is_of_deleted ? 0 : 1;
    if (disk->is_of_deleted) {
        disk->reclaim_ms = uv_now(disk->loop) + DELETED_PAUSE_MS;
    } else if (disk->step == RECLAIM_STEPS) {
        disk->step = 0;
        disk->reclaim_ms = uv_now(disk->loop) + RECLAIM_PAUSE_MS;
    }
    server_disk_look(disk, true);
}

/* On a full disk what was deleted is dropped for good, step by step, beside the requests; else
 * where it is much. */
static void reclaim(struct server_disk *disk)
{
    bool may_begin = uv_now(disk->loop) >= disk->reclaim_ms;
    bool is_all = disk->step > 0 || (disk->state == DISK_FULL && may_begin);
    bool is_of_deleted =
        disk->state == DISK_WELL && may_begin && store_reclaim_is_due(&disk->data->state);

    if (disk->is_reclaiming || !(is_all || is_of_deleted)) {
        return;
    }
    disk->is_of_deleted = !is_all;
    disk->work.data = disk;
    disk->is_reclaiming = uv_queue_work(disk->loop, &disk->work, on_reclaim, on_reclaimed) == 0;
}

static void log_change(struct server_disk *disk, const struct engine_health *health)
{
    if (health->state == DISK_WELL) {
        log_write(disk->log, LOG_LEVEL_INFO, "disk_well", "was", disk_state_name(disk->state),
                  "since", disk->since, NULL);
        return;
    }
    format_now(disk->since, sizeof disk->since);
    log_write(disk->log, LOG_LEVEL_ERROR, "disk", "state", disk_state_name(health->state),
              "where", health->text, "since", disk->since, NULL);
}

void server_disk_look(struct server_disk *disk, bool now)
{
    uint64_t now_ms = uv_now(disk->loop);

    if (now && now_ms - disk->looked_ms < LOOK_PAUSE_MS) {
        return;
    }
    disk->looked_ms = now_ms;
    struct engine_health health = look_at_both(disk->data);
    if (health.state != disk->state) {
        log_change(disk, &health);
        disk->state = health.state;
        core_set_disk_state(disk->core, health.state);
    }
    reclaim(disk);
}

static void log_start(struct server_disk *disk, const char *database,
                      const struct engine_start *start)
{
    switch (start->kind) {
    case ENGINE_WELL:
        break;
    case ENGINE_CUT:
        log_write(disk->log, LOG_LEVEL_WARNING, "torn_tail_cut", "database", database, "where",
                  start->text, NULL);
        break;
    case ENGINE_SALVAGED:
        log_write(disk->log, LOG_LEVEL_ERROR, "salvaged_at_start", "database", database,
                  "where", start->text, NULL);
        break;
    }
}

void server_disk_start(struct server_disk *disk)
{
    log_start(disk, "db", &disk->data->start);
    log_start(disk, "hints/db", &disk->data->hints_start);
    server_disk_look(disk, false);
}
