/*
 * shard_kv.c - see shard_kv.h.
 */
#include "tests/sim/shard_kv.h"

#include "ring/block_key.h"

static struct kv *inner_of(struct kv *kv)
{
    return ((struct shard_kv *)kv)->inner;
}

static enum status get(struct kv *kv, struct slice key, const struct kv_options *options,
                       struct object **ret_object, uint64_t *ret_names_us)
{
    struct kv *inner = inner_of(kv);
    return inner->operations->get(inner, key, options, ret_object, ret_names_us);
}

static enum status put(struct kv *kv, const struct kv_put *put_,
                       const struct kv_options *options, struct object **ret_row)
{
    struct kv *inner = inner_of(kv);
    return inner->operations->put(inner, put_, options, ret_row);
}

/* A shard's directory has the shortest key of all. */
static bool is_unused_shard(const struct shard_kv *shard_kv, struct slice directory)
{
    for (unsigned shard = 0; shard < BLOCK_SHARDS; shard++) {
        struct buffer key = {0};
        block_key_shard(&key, (uint8_t)shard);
        bool is_this = slice_equal(buffer_slice(&key), directory);
        buffer_release(&key);
        if (is_this) {
            return !book_has_shard(shard_kv->book, (uint8_t)shard);
        }
    }
    return false;
}

static enum status list(struct kv *kv, const struct kv_list *wanted,
                        const struct kv_options *options, struct kv_rows *ret_rows)
{
    struct kv *inner = inner_of(kv);
    if (is_unused_shard((struct shard_kv *)kv, wanted->directory)) {
        *ret_rows = (struct kv_rows){.count = 0};
        return STATUS_OK;
    }
    return inner->operations->list(inner, wanted, options, ret_rows);
}

static enum status settled(struct kv *kv, const struct kv_options *options,
                           struct error *ret_why)
{
    struct kv *inner = inner_of(kv);
    return inner->operations->settled(inner, options, ret_why);
}

static const struct kv_operations operations = {
    .get = get, .put = put, .list = list, .settled = settled};

void shard_kv_init(struct shard_kv *shard_kv, struct kv *inner, const struct book *book)
{
    *shard_kv =
        (struct shard_kv){.kv = {.operations = &operations}, .inner = inner, .book = book};
}
