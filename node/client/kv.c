/*
 * kv.c - what every kind of store checks before it is asked, and small common parts.
 */
#include "node/client/kv.h"

#include <assert.h>
#include <string.h>

static const struct kv_options options_default;

static const struct kv_options *options_or_default(const struct kv_options *options)
{
    assert(!options || (options->r <= REPLICAS_MAX && options->w <= REPLICAS_MAX));
    return options ? options : &options_default;
}

enum status kv_get(struct kv *kv, struct slice key, const struct kv_options *options,
                   struct object **ret_object)
{
    uint64_t ignored;
    assert(kv && ret_object);
    if (!key_is_valid(key)) {
        return STATUS_BAD_KEY;
    }
    return kv->operations->get(kv, key, options_or_default(options), ret_object, &ignored);
}

enum status kv_get_directory(struct kv *kv, struct slice key, const struct kv_options *options,
                             struct object **ret_object, uint64_t *ret_names_us)
{
    assert(kv && ret_object && ret_names_us);
    if (!key_is_valid(key) || !key_is_directory(key)) {
        return STATUS_BAD_KEY;
    }
    return kv->operations->get(kv, key, options_or_default(options), ret_object, ret_names_us);
}

/* The rules of the protocol for a value: a node would refuse it too, but a mount must not send
 * what it can know to be wrong. */
static enum status value_check(struct slice key, const struct version *value)
{
    assert(version_type_is_valid(value->attributes.type));
    assert((value->attributes.mode & ~UINT32_C(07777)) == 0);
    if ((value->attributes.type == VERSION_DIRECTORY) != key_is_directory(key) ||
        (key_is_directory(key) && key_is_internal(key))) {
        return STATUS_BAD_KEY;
    }
    if (blob_slice(value->content).size > VALUE_SIZE_MAX ||
        blob_slice(value->xattrs).size > XATTRS_SIZE_MAX) {
        return STATUS_TOO_LARGE;
    }
    return STATUS_OK;
}

enum status kv_put(struct kv *kv, const struct kv_put *put, const struct kv_options *options,
                   struct object **ret_row)
{
    assert(kv && put);
    assert(put->mode >= UPDATE_ALL && put->mode <= UPDATE_NONE);
    assert(put->dots || put->dot_count == 0);
    if (!key_is_valid(put->key)) {
        return STATUS_BAD_KEY;
    }
    if (!put->value && put->mode != UPDATE_NONE && key_is_root(put->key)) {
        return STATUS_BAD_KEY;
    }
    enum status status = put->value ? value_check(put->key, put->value) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    if (put->context.count > CLOCK_PAIRS_MAX || put->dot_count > VERSIONS_MAX) {
        return STATUS_TOO_LARGE;
    }
    if (!clock_is_valid(&put->context)) {
        return STATUS_BAD_MESSAGE;
    }
    return kv->operations->put(kv, put, options_or_default(options), ret_row);
}

/* A name, or the beginning of one, at which a range of names may start or end. */
static bool is_range_end(struct slice name)
{
    return name.size == 0 ||
           (name.size <= NAME_SIZE_MAX && !memchr(name.data, '/', name.size) &&
            !memchr(name.data, '\0', name.size));
}

enum status kv_list(struct kv *kv, const struct kv_list *list, const struct kv_options *options,
                    struct kv_rows *ret_rows)
{
    assert(kv && list && ret_rows);
    assert(list->limit >= 1 && list->limit <= KV_ROWS_MAX);
    if (!key_is_valid(list->directory) || !key_is_directory(list->directory)) {
        return STATUS_BAD_KEY;
    }
    if (!is_range_end(list->start) || !is_range_end(list->end)) {
        return STATUS_BAD_KEY;
    }
    return kv->operations->list(kv, list, options_or_default(options), ret_rows);
}

enum status kv_space(struct kv *kv, const struct kv_options *options,
                     struct kv_space *ret_space)
{
    assert(kv && ret_space);
    return kv->operations->space(kv, options_or_default(options), ret_space);
}

enum status kv_replicas(struct kv *kv, struct slice key, struct buffer *ret_text)
{
    assert(kv && ret_text);
    if (!key_is_valid(key)) {
        return STATUS_BAD_KEY;
    }
    return kv->operations->replicas(kv, key, ret_text);
}

void kv_census(struct kv *kv, struct slice key, const struct kv_options *options,
               struct kv_census *ret_census)
{
    assert(kv && ret_census && key_is_valid(key));
    kv->operations->census(kv, key, options_or_default(options), ret_census);
}

enum status kv_settled(struct kv *kv, const struct kv_options *options, struct error *ret_why)
{
    assert(kv && ret_why);
    return kv->operations->settled(kv, options_or_default(options), ret_why);
}

void kv_rows_release(struct kv_rows *rows)
{
    if (!rows) {
        return;
    }
    rows_free(rows->rows, rows->count);
    blob_unref(rows->resume);
    memset(rows, 0, sizeof *rows);
}

void kv_close(struct kv *kv)
{
    if (kv) {
        kv->operations->close(kv);
    }
}

bool kv_status_is_indeterminate(enum status status)
{
    return status == STATUS_TIMEOUT || status == STATUS_NO_QUORUM ||
           status == STATUS_INTERRUPTED || status == STATUS_IO || status == STATUS_NO_SPACE;
}
