/*
 * disk.c - two engines in memory: what is on the platter, and what the process sees.
 */
#include "tests/sim/disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/mark.h"
#include "ring/planted.h"

/* Batches that a log takes: few, so that logs follow each other often. */
enum { LOG_BATCHES_MIN = 8, LOG_BATCHES_SPREAD = 41 };

/* One batch that was written and not synced. */
struct batch {
    uint64_t log;
    bool is_synced; /* though an older log is not: a planted bug */
    struct engine_write *writes;
    size_t count;
};

struct disk {
    struct engine engine; /* first: what the node is given */
    struct engine *seen;
    struct engine *synced;
    struct batch *pending; /* ascending by log */
    size_t count, capacity;
    uint64_t log;    /* the one that is written to */
    size_t log_left; /* batches that it still takes */
    size_t log_scale;
    bool is_full, is_deaf;
    bool shows_platter;
    struct engine *older;   /* values that were overwritten; NULL: they are not kept */
    struct engine *damaged; /* holds the keys whose values cannot be read */
    size_t damaged_count;
    bool was_corrupt;         /* some read failed since the disk was salvaged */
    struct engine *gave_back; /* holds keys whose older value a salvage gave back */
    size_t gave_back_count;
};

static struct disk *disk_of(struct engine *engine)
{
    return (struct disk *)engine;
}

static struct engine *engine_new(void)
{
    struct engine *engine = NULL;
    enum status status = engine_open_memory(&engine);
    assert(status == STATUS_OK);
    (void)status;
    return engine;
}

static struct slice slice_copy(struct slice from)
{
    uint8_t *copy = malloc(from.size + 1);
    assert(copy);
    if (from.size > 0) {
        memcpy(copy, from.data, from.size);
    }
    return slice_of(copy, from.size);
}

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free((void *)(uintptr_t)batch->writes[i].key.data);
        free((void *)(uintptr_t)batch->writes[i].value.data);
    }
    free(batch->writes);
}

static void batch_apply(struct disk *disk, const struct batch *batch)
{
    enum status status =
        disk->synced->operations->write(disk->synced, batch->writes, batch->count, true);
    assert(status == STATUS_OK);
    (void)status;
}

/* The first batches of each log are on the platter, the others are gone. */
static void pending_end(struct disk *disk, size_t kept_older, size_t kept_newer)
{
    for (size_t i = 0; i < disk->count; i++) {
        struct batch *batch = &disk->pending[i];
        size_t *kept = batch->log < disk->log ? &kept_older : &kept_newer;
        if (batch->is_synced) {
            batch_apply(disk, batch);
        } else if (*kept > 0) {
            batch_apply(disk, batch);
            (*kept)--;
        }
        batch_free(batch);
    }
    disk->count = 0;
}

static void pending_sync(struct disk *disk)
{
    pending_end(disk, SIZE_MAX, SIZE_MAX);
}

/* What the logs before `log` hold is on the platter; later ones stay as they are. */
static void pending_compact(struct disk *disk, uint64_t log)
{
    size_t done = 0;
    while (done < disk->count && disk->pending[done].log < log) {
        batch_apply(disk, &disk->pending[done]);
        batch_free(&disk->pending[done]);
        done++;
    }
    disk->count -= done;
    memmove(disk->pending, disk->pending + done, disk->count * sizeof *disk->pending);
}

/* A sync of the newer log alone, which is a planted bug. */
static void pending_sync_newest(struct disk *disk)
{
    for (size_t i = disk_unsynced_older(disk); i < disk->count; i++) {
        disk->pending[i].is_synced = true;
        batch_apply(disk, &disk->pending[i]); /* and once more after the older ones */
    }
}

static void log_count(struct disk *disk)
{
    if (disk->log_left > 0) {
        disk->log_left--;
        return;
    }
    pending_compact(disk, disk->log);
    disk->log++;
    size_t batches = LOG_BATCHES_MIN + (size_t)(disk->log * 17 % LOG_BATCHES_SPREAD);
    disk->log_left = disk->log_scale * batches;
}

static void pending_add(struct disk *disk, const struct engine_write *writes, size_t count)
{
    if (disk->count == disk->capacity) {
        disk->capacity = disk->capacity ? disk->capacity * 2 : 64;
        disk->pending = realloc(disk->pending, disk->capacity * sizeof *disk->pending);
        assert(disk->pending);
    }
    log_count(disk);
    struct batch *batch = &disk->pending[disk->count++];
    *batch = (struct batch){
        .log = disk->log, .count = count, .writes = calloc(count + 1, sizeof *batch->writes)};
    assert(batch->writes);
    for (size_t i = 0; i < count; i++) {
        batch->writes[i] = (struct engine_write){.key = slice_copy(writes[i].key),
                                                 .value = slice_copy(writes[i].value),
                                                 .is_delete = writes[i].is_delete};
    }
}

static bool is_damaged(const struct disk *disk, struct slice key)
{
    struct buffer ignored = {0};
    bool found = disk->damaged_count > 0 &&
                 disk->damaged->operations->get(disk->damaged, key, &ignored) == STATUS_OK;
    buffer_release(&ignored);
    return found;
}

static enum status disk_get(struct engine *engine, struct slice key, struct buffer *ret_value)
{
    struct disk *disk = disk_of(engine);
    if (disk->shows_platter) {
        return disk->synced->operations->get(disk->synced, key, ret_value);
    }
    if (is_damaged(disk, key)) {
        disk->was_corrupt = true;
        return STATUS_CORRUPT;
    }
    return disk->seen->operations->get(disk->seen, key, ret_value);
}

/* What is written anew can be read again. */
static void damage_overwrite(struct disk *disk, const struct engine_write *writes, size_t count)
{
    for (size_t i = 0; i < count && disk->damaged_count > 0; i++) {
        struct engine_write heal = {.key = writes[i].key, .is_delete = true};
        if (is_damaged(disk, heal.key)) {
            enum status status =
                disk->damaged->operations->write(disk->damaged, &heal, 1, false);
            assert(status == STATUS_OK);
            (void)status;
            disk->damaged_count--;
        }
    }
}

/* A value that was given back and is not any more what was given. */
static void note_replaced(struct disk *disk, const struct engine_write *writes, size_t count)
{
    for (size_t i = 0; i < count && disk->gave_back_count > 0; i++) {
        struct engine_write forget = {.key = writes[i].key, .is_delete = true};
        struct buffer ignored = {0};
        struct engine *gave_back = disk->gave_back;
        if (!writes[i].is_delete &&
            gave_back->operations->get(gave_back, forget.key, &ignored) == STATUS_OK) {
            mark(MARK_SALVAGED_OLDER_REPLACED);
            enum status status = gave_back->operations->write(gave_back, &forget, 1, false);
            assert(status == STATUS_OK);
            (void)status;
            disk->gave_back_count--;
        }
        buffer_release(&ignored);
    }
}

static void keep_older(struct disk *disk, const struct engine_write *writes, size_t count)
{
    for (size_t i = 0; disk->older && i < count; i++) {
        struct buffer value = {0};
        enum status status = disk->seen->operations->get(disk->seen, writes[i].key, &value);
        if (status == STATUS_OK) {
            struct engine_write older = {.key = writes[i].key, .value = buffer_slice(&value)};
            status = disk->older->operations->write(disk->older, &older, 1, false);
            assert(status == STATUS_OK);
        }
        buffer_release(&value);
    }
}

static enum status disk_write(struct engine *engine, const struct engine_write *writes,
                              size_t count, bool sync)
{
    struct disk *disk = disk_of(engine);
    if (disk->is_deaf) {
        return STATUS_OK;
    }
    if (disk->is_full) {
        return STATUS_NO_SPACE;
    }
    damage_overwrite(disk, writes, count);
    keep_older(disk, writes, count);
    note_replaced(disk, writes, count);
    enum status status = disk->seen->operations->write(disk->seen, writes, count, sync);
    assert(status == STATUS_OK);
    pending_add(disk, writes, count);
    if (sync && planted(PLANTED_SYNC_NEWEST_LOG)) {
        pending_sync_newest(disk);
    } else if (sync) {
        pending_sync(disk);
    }
    return status;
}

struct damaged_scan {
    struct disk *disk;
    engine_visit *visit;
    void *context;
    bool was_hit;
    bool was_stopped; /* by the visitor */
};

static bool visit_unless_damaged(void *context, struct slice key, struct slice value)
{
    struct damaged_scan *scan = context;
    scan->was_hit = is_damaged(scan->disk, key);
    scan->was_stopped = !scan->was_hit && !scan->visit(scan->context, key, value);
    return !scan->was_hit && !scan->was_stopped;
}

static bool hit_any(void *context, struct slice key, struct slice value)
{
    struct damaged_scan *scan = context;
    (void)key;
    (void)value;
    scan->was_hit = true;
    return false;
}

static enum status disk_scan(struct engine *engine, struct slice start, struct slice end,
                             bool cold, engine_visit *visit, void *context)
{
    struct disk *disk = disk_of(engine);
    struct damaged_scan scan = {.disk = disk, .visit = visit, .context = context};
    if (disk->shows_platter) {
        return disk->synced->operations->scan(disk->synced, start, end, cold, visit, context);
    }
    if (disk->damaged_count == 0) {
        return disk->seen->operations->scan(disk->seen, start, end, cold, visit, context);
    }
    enum status status =
        disk->seen->operations->scan(disk->seen, start, end, cold, visit_unless_damaged, &scan);
    if (!scan.was_hit && !scan.was_stopped) {
        /* It has come by deletions too. */
        (void)disk->damaged->operations->scan(disk->damaged, start, end, true, hit_any, &scan);
    }
    disk->was_corrupt |= scan.was_hit;
    return scan.was_hit ? STATUS_CORRUPT : status;
}

static void damage_forget(struct disk *disk)
{
    disk->damaged->operations->close(disk->damaged);
    disk->damaged = engine_new();
    disk->damaged_count = 0;
}

static void note_given_back(struct disk *disk, struct slice key)
{
    struct engine_write note = {.key = key, .value = slice_of(NULL, 0)};
    bool is_object = key.size > 0 && key.data[0] == 'o';
    if (is_object) {
        enum status status =
            disk->gave_back->operations->write(disk->gave_back, &note, 1, false);
        assert(status == STATUS_OK);
        (void)status;
        disk->gave_back_count++;
    }
}

/* An older value may be left. */
static bool drop_damaged(void *context, struct slice key, struct slice value)
{
    struct disk *disk = context;
    struct engine_write drop = {.key = key, .is_delete = true};
    struct buffer older = {0};
    (void)value;
    if (disk->older && disk->older->operations->get(disk->older, key, &older) == STATUS_OK) {
        drop = (struct engine_write){.key = key, .value = buffer_slice(&older)};
        mark(MARK_SALVAGE_GAVE_OLDER);
        note_given_back(disk, key);
    }
    enum status status = disk->seen->operations->write(disk->seen, &drop, 1, false);
    assert(status == STATUS_OK);
    pending_add(disk, &drop, 1);
    buffer_release(&older);
    return status == STATUS_OK;
}

/* Gives up what cannot be read, for good. */
static enum status disk_salvage(struct engine *engine, struct error *error)
{
    struct disk *disk = disk_of(engine);
    (void)error;
    if (disk->is_full) {
        return STATUS_NO_SPACE; /* LevelDB's engine leaves a mark first, or drops nothing */
    }
    enum status status = disk->damaged->operations->scan(
        disk->damaged, slice_of(NULL, 0), slice_of(NULL, 0), false, drop_damaged, disk);
    assert(status == STATUS_OK);
    damage_forget(disk);
    pending_sync(disk);
    disk->was_corrupt = false;
    return status;
}

static void disk_last_corruption(struct engine *engine, char *ret_text, size_t size)
{
    (void)snprintf(ret_text, size, "%s",
                   disk_of(engine)->was_corrupt ? "000001.ldb: damaged by the simulator" : "");
}

static bool disk_is_quick(struct engine *engine, size_t size)
{
    (void)engine;
    (void)size;
    return true;
}

static void disk_close(struct engine *engine)
{
    (void)engine; /* The disk outlives its node. */
}

static const struct engine_operations disk_operations = {
    .get = disk_get,
    .write = disk_write,
    .scan = disk_scan,
    .is_quick = disk_is_quick,
    .salvage = disk_salvage,
    .last_corruption = disk_last_corruption,
    .close = disk_close,
};

struct disk *disk_new(void)
{
    struct disk *disk = calloc(1, sizeof *disk);
    assert(disk);
    disk->engine.operations = &disk_operations;
    disk->seen = engine_new();
    disk->synced = engine_new();
    disk->damaged = engine_new();
    disk->gave_back = engine_new();
    disk->log_scale = 1;
    return disk;
}

void disk_free(struct disk *disk)
{
    pending_end(disk, 0, 0);
    disk->seen->operations->close(disk->seen);
    disk->synced->operations->close(disk->synced);
    disk->damaged->operations->close(disk->damaged);
    disk->gave_back->operations->close(disk->gave_back);
    if (disk->older) {
        disk->older->operations->close(disk->older);
    }
    free(disk->pending);
    free(disk);
}

struct engine *disk_engine(struct disk *disk)
{
    return &disk->engine;
}

static bool copy_pair(void *context, struct slice key, struct slice value)
{
    struct engine *to = context;
    struct engine_write write = {.key = key, .value = value};
    enum status status = to->operations->write(to, &write, 1, false);
    assert(status == STATUS_OK);
    return status == STATUS_OK;
}

struct disk *disk_copy(const struct disk *disk)
{
    struct disk *copy = disk_new();
    copy->log_scale = disk->log_scale;
    if (disk->older) {
        disk_keep_older(copy); /* none of it was copied */
    }
    struct engine *to[] = {copy->seen, copy->synced};
    for (size_t i = 0; i < 2; i++) {
        enum status status = disk->seen->operations->scan(
            disk->seen, slice_of(NULL, 0), slice_of(NULL, 0), false, copy_pair, to[i]);
        assert(status == STATUS_OK);
        (void)status;
    }
    return copy;
}

void disk_power_cut(struct disk *disk, size_t kept_older, size_t kept_newer)
{
    bool is_reversed = kept_newer > 0 && kept_older < disk_unsynced_older(disk);
    mark_if(is_reversed, MARK_NEWER_LOG_SURVIVED);
    pending_end(disk, kept_older, kept_newer);
    disk->seen->operations->close(disk->seen);
    disk->seen = engine_new();
    enum status status = disk->synced->operations->scan(
        disk->synced, slice_of(NULL, 0), slice_of(NULL, 0), false, copy_pair, disk->seen);
    assert(status == STATUS_OK);
    (void)status;
}

size_t disk_unsynced_older(const struct disk *disk)
{
    size_t older = 0;
    while (older < disk->count && disk->pending[older].log < disk->log) {
        older++;
    }
    return older;
}

size_t disk_unsynced_newer(const struct disk *disk)
{
    return disk->count - disk_unsynced_older(disk);
}

void disk_set_deaf(struct disk *disk, bool deaf)
{
    disk->is_deaf = deaf;
}

void disk_keep_older(struct disk *disk)
{
    disk->older = disk->older ? disk->older : engine_new();
}

void disk_scale_logs(struct disk *disk, size_t scale)
{
    disk->log_scale = scale;
}

void disk_show_platter(struct disk *disk, bool platter)
{
    disk->shows_platter = platter;
}

void disk_set_full(struct disk *disk, bool full)
{
    disk->is_full = full;
}

bool disk_is_full(const struct disk *disk)
{
    return disk->is_full;
}

struct damaging {
    struct disk *disk;
    size_t index, first, end, hit;
    struct slice name;      /* of the object that is looked for; where it is becomes `first` */
    struct buffer from, to; /* the first key that was hit, and the next one that was not */
};

static bool is_setting(struct slice key)
{
    return key.size > 0 && key.data[0] == 'm';
}

static bool is_object_of(struct slice key, struct slice name)
{
    enum { HEAD_SIZE = 3 }; /* o, PARTITION */
    return name.size > 0 && key.size == HEAD_SIZE + name.size && key.data[0] == 'o' &&
           memcmp(key.data + HEAD_SIZE, name.data, name.size) == 0;
}

static void damage_one(struct disk *disk, struct slice key)
{
    struct engine_write note = {.key = key, .value = slice_of(NULL, 0)};
    enum status status = disk->damaged->operations->write(disk->damaged, &note, 1, false);
    assert(status == STATUS_OK);
    (void)status;
    disk->damaged_count++;
}

static void take_key(struct buffer *buffer, struct slice key)
{
    buffer_reset(buffer);
    buffer_append_slice(buffer, key);
    assert(!buffer->failed);
}

static bool damage_key(void *context, struct slice key, struct slice value)
{
    struct damaging *damaging = context;
    struct disk *disk = damaging->disk;
    (void)value;
    if (is_setting(key)) {
        return true;
    }
    size_t index = damaging->index++;
    if (index == damaging->end && damaging->hit > 0) {
        take_key(&damaging->to, key);
    }
    if (is_object_of(key, damaging->name)) {
        damaging->first = index;
    }
    if (index >= damaging->first && index < damaging->end && !is_damaged(disk, key)) {
        damage_one(disk, key);
        if (damaging->hit++ == 0) {
            take_key(&damaging->from, key);
        }
    }
    return true;
}

/* A deletion is in the block as well, and what it deleted in an older one. */
static bool damage_deletion(void *context, struct slice key, struct slice value)
{
    struct disk *disk = context;
    struct buffer ignored = {0};
    bool is_deleted =
        disk->seen->operations->get(disk->seen, key, &ignored) == STATUS_NOT_FOUND;
    (void)value;
    if (is_deleted && !is_setting(key) && !is_damaged(disk, key)) {
        damage_one(disk, key);
    }
    buffer_release(&ignored);
    return true;
}

static void each_key(const struct disk *disk, struct damaging *damaging)
{
    enum status status = disk->seen->operations->scan(
        disk->seen, slice_of(NULL, 0), slice_of(NULL, 0), true, damage_key, damaging);
    assert(status == STATUS_OK);
    (void)status;
}

size_t disk_keys(const struct disk *disk)
{
    struct damaging counting = {0};
    each_key(disk, &counting);
    return counting.index;
}

bool disk_has_older(const struct disk *disk)
{
    bool found = false;
    if (disk->older) {
        struct damaged_scan scan = {0};
        (void)disk->older->operations->scan(disk->older, slice_of(NULL, 0), slice_of(NULL, 0),
                                            true, hit_any, &scan);
        found = scan.was_hit;
    }
    return found;
}

size_t disk_find_object(const struct disk *disk, struct slice name)
{
    struct damaging finding = {.name = name};
    each_key(disk, &finding);
    return finding.first;
}

size_t disk_damage(struct disk *disk, size_t first, size_t count)
{
    struct damaging damaging = {.disk = disk, .first = first, .end = first + count};
    each_key(disk, &damaging);
    if (disk->older && damaging.hit > 0) {
        enum status status = disk->older->operations->scan(
            disk->older, buffer_slice(&damaging.from), buffer_slice(&damaging.to), true,
            damage_deletion, disk);
        assert(status == STATUS_OK);
        (void)status;
    }
    buffer_release(&damaging.from);
    buffer_release(&damaging.to);
    return damaging.hit;
}

void disk_meet_damage(struct disk *disk)
{
    disk->was_corrupt |= disk->damaged_count > 0;
}

size_t disk_damaged(const struct disk *disk)
{
    return disk->damaged_count;
}
