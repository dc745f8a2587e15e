/*
 * spy_engine.c - an engine around another that counts, fails and delays on command.
 */
#include "tests/store/spy_engine.h"

#include <unistd.h>

static struct spy_engine *spy_of(struct engine *engine)
{
    return (struct spy_engine *)engine;
}

static void pass_gate(struct spy_engine *spy, int delay_us)
{
    atomic_store(&spy->last_thread, pthread_self());
    pthread_mutex_lock(&spy->gate);
    pthread_mutex_unlock(&spy->gate);
    if (delay_us > 0) {
        usleep((unsigned)delay_us);
    }
}

static enum status spy_get(struct engine *engine, struct slice key, struct buffer *ret_value)
{
    struct spy_engine *spy = spy_of(engine);

    pass_gate(spy, atomic_load(&spy->read_delay_us));
    atomic_fetch_add(&spy->reads, 1);
    return spy->inner->operations->get(spy->inner, key, ret_value);
}

static int delay_of(const struct spy_engine *spy, const struct engine_write *writes,
                    size_t count)
{
    struct slice suffix = slice_of_string(!spy->slow_suffix ? "" : spy->slow_suffix);

    for (size_t i = 0; i < count && spy->slow_suffix; i++) {
        struct slice key = writes[i].key;
        if (key.size >= suffix.size &&
            slice_equal(slice_of(key.data + key.size - suffix.size, suffix.size), suffix)) {
            return spy->slow_us;
        }
    }
    return 0;
}

static enum status spy_write(struct engine *engine, const struct engine_write *writes,
                             size_t count, bool sync)
{
    struct spy_engine *spy = spy_of(engine);
    enum status failure = (enum status)atomic_load(&spy->write_failure);

    pass_gate(spy, delay_of(spy, writes, count));
    if (failure != STATUS_OK) {
        return failure;
    }
    atomic_fetch_add(&spy->batches, 1);
    atomic_fetch_add(&spy->synced_batches, sync ? 1 : 0);
    return spy->inner->operations->write(spy->inner, writes, count, sync);
}

static enum status spy_scan(struct engine *engine, struct slice start, struct slice end,
                            bool cold, engine_visit *visit, void *context)
{
    struct spy_engine *spy = spy_of(engine);

    pass_gate(spy, atomic_load(&spy->read_delay_us));
    atomic_fetch_add(&spy->scans, 1);
    return spy->inner->operations->scan(spy->inner, start, end, cold, visit, context);
}

static bool spy_is_quick(struct engine *engine, size_t size)
{
    struct spy_engine *spy = spy_of(engine);

    return !atomic_load(&spy->never_quick) &&
           spy->inner->operations->is_quick(spy->inner, size);
}

static enum status spy_salvage(struct engine *engine, struct error *error)
{
    struct spy_engine *spy = spy_of(engine);
    int damaged = STATUS_CORRUPT;

    (void)atomic_compare_exchange_strong(&spy->write_failure, &damaged, STATUS_OK);
    return spy->inner->operations->salvage(spy->inner, error);
}

static void spy_last_corruption(struct engine *engine, char *ret_text, size_t size)
{
    struct spy_engine *spy = spy_of(engine);

    spy->inner->operations->last_corruption(spy->inner, ret_text, size);
}

static void spy_health(struct engine *engine, struct engine_health *ret_health)
{
    *ret_health = engine_health(spy_of(engine)->inner);
}

static bool spy_has_room(struct engine *engine, size_t size, bool is_vital)
{
    return engine_has_room(spy_of(engine)->inner, size, is_vital);
}

static void spy_compact(struct engine *engine, struct slice start, struct slice end)
{
    struct engine *inner = spy_of(engine)->inner;

    if (inner->operations->compact) {
        inner->operations->compact(inner, start, end);
    }
}

static uint64_t spy_size(struct engine *engine, struct slice start, struct slice end)
{
    struct engine *inner = spy_of(engine)->inner;

    return inner->operations->size ? inner->operations->size(inner, start, end) : 0;
}

static enum status spy_keep(struct engine *engine, struct slice bytes)
{
    struct engine *inner = spy_of(engine)->inner;

    return !inner->operations->keep ? STATUS_OK : inner->operations->keep(inner, bytes);
}

static enum status spy_kept(struct engine *engine, struct buffer *ret_bytes)
{
    struct engine *inner = spy_of(engine)->inner;

    return !inner->operations->kept ? STATUS_NOT_FOUND
                                    : inner->operations->kept(inner, ret_bytes);
}

static void spy_close(struct engine *engine)
{
    (void)engine;
}

static const struct engine_operations spy_operations = {
    .get = spy_get,
    .write = spy_write,
    .scan = spy_scan,
    .is_quick = spy_is_quick,
    .salvage = spy_salvage,
    .last_corruption = spy_last_corruption,
    .health = spy_health,
    .has_room = spy_has_room,
    .compact = spy_compact,
    .size = spy_size,
    .keep = spy_keep,
    .kept = spy_kept,
    .close = spy_close,
};

void spy_engine_init(struct spy_engine *spy, struct engine *inner)
{
    *spy = (struct spy_engine){.base = {.operations = &spy_operations}, .inner = inner};
    pthread_mutex_init(&spy->gate, NULL);
}

void spy_engine_reset(struct spy_engine *spy)
{
    atomic_store(&spy->reads, 0);
    atomic_store(&spy->batches, 0);
    atomic_store(&spy->synced_batches, 0);
    atomic_store(&spy->scans, 0);
}
