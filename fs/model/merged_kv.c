/*
 * merged_kv.c - a store as a mount shows it: attributes that were changed beside one another
 * are merged.
 */
#include "fs/model/merged_kv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/xattrs.h"
#include "ring/attributes.h"

struct merged_kv {
    struct kv kv;
    struct kv *inner;
};

/* Merges user attributes. Those that cannot be merged, because they break the format or have no
 * room beside one another, are left as the newer version has them. STATUS_NO_MEMORY. */
static enum status merge_xattrs(struct version *into, const struct version *other)
{
    struct blob *merged = NULL;
    int failed = xattrs_merge(into->xattrs, other->xattrs, &merged);

    if (failed == 0) {
        blob_unref(into->xattrs);
        into->xattrs = merged;
    }
    return failed == ENOMEM ? STATUS_NO_MEMORY : STATUS_OK;
}

/* Merges the members of the group into its newest version, the last of them, in `versions`. */
static enum status merge_group(const struct view *view, const struct view_group *group,
                               struct version *versions)
{
    const uint32_t *members = &view->members[group->first];
    struct version *newest = &versions[members[group->count - 1]];
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i + 1 < group->count && status == STATUS_OK; i++) {
        const struct version *other = &versions[members[i]];
        bool has_same_content =
            newest->attributes.type == other->attributes.type &&
            memcmp(newest->content_hash, other->content_hash, CONTENT_HASH_SIZE) == 0;
        if (has_same_content) {
            attributes_merge(&newest->attributes, &other->attributes);
            status = merge_xattrs(newest, other);
        }
    }
    return status;
}

/* The object with merged groups. */
static enum status merge_groups(struct object **object, const struct view *view)
{
    uint32_t count = (*object)->version_count;
    struct version *versions = malloc(count * sizeof *versions);
    struct object *merged = NULL;
    enum status status = STATUS_OK;

    if (!versions) {
        return STATUS_NO_MEMORY;
    }
    memcpy(versions, (*object)->versions, count * sizeof *versions);
    for (uint32_t i = 0; i < count; i++) {
        blob_ref(versions[i].xattrs);
    }
    for (uint32_t i = 0; i < view->count && status == STATUS_OK; i++) {
        status = merge_group(view, &view->groups[i], versions);
    }
    if (status == STATUS_OK) {
        status = object_new(&(*object)->clock, versions, count, (*object)->own, &merged);
    }
    if (status == STATUS_OK) {
        object_set_deleted(merged, (*object)->deleted_us);
        object_unref(*object);
        *object = merged;
    }
    for (uint32_t i = 0; i < count; i++) {
        blob_unref(versions[i].xattrs);
    }
    free(versions);
    return status;
}

enum status merged_object(struct object **object)
{
    struct view view;

    if (!*object || (*object)->version_count < 2) {
        return STATUS_OK;
    }
    enum status status = view_build(*object, &view);
    if (status != STATUS_OK) {
        return status;
    }
    if (view.count < (*object)->version_count) {
        status = merge_groups(object, &view);
    }
    view_release(&view);
    return status;
}

static struct kv *inner_of(struct kv *kv)
{
    return ((struct merged_kv *)kv)->inner;
}

static enum status merged_get(struct kv *kv, struct slice key, const struct kv_options *options,
                              struct object **ret_object, uint64_t *ret_names_us)
{
    struct kv *inner = inner_of(kv);
    struct object *object = NULL;
    enum status status = inner->operations->get(inner, key, options, &object, ret_names_us);

    if (status != STATUS_OK) {
        if (status == STATUS_NOT_FOUND) {
            *ret_object = object;
        }
        return status;
    }
    status = merged_object(&object);
    if (status != STATUS_OK) {
        object_unref(object);
        return status;
    }
    *ret_object = object;
    return STATUS_OK;
}

static enum status merged_put(struct kv *kv, const struct kv_put *put,
                              const struct kv_options *options, struct object **ret_row)
{
    enum status status = kv_put(inner_of(kv), put, options, ret_row);

    /* It is done: a row that could not be merged for want of memory is shown as it is. */
    if (status == STATUS_OK && ret_row) {
        (void)!merged_object(ret_row);
    }
    return status;
}

static enum status merged_list(struct kv *kv, const struct kv_list *list,
                               const struct kv_options *options, struct kv_rows *ret_rows)
{
    struct kv_rows rows = {0};
    enum status status = kv_list(inner_of(kv), list, options, &rows);

    for (size_t i = 0; i < rows.count && status == STATUS_OK; i++) {
        status = merged_object(&rows.rows[i].object);
    }
    if (status != STATUS_OK) {
        kv_rows_release(&rows);
        return status;
    }
    *ret_rows = rows;
    return STATUS_OK;
}

static enum status merged_space(struct kv *kv, const struct kv_options *options,
                                struct kv_space *ret_space)
{
    return kv_space(inner_of(kv), options, ret_space);
}

static enum status merged_replicas(struct kv *kv, struct slice key, struct buffer *ret_text)
{
    return kv_replicas(inner_of(kv), key, ret_text);
}

static void merged_close(struct kv *kv)
{
    free(kv);
}

struct kv *merged_kv_new(struct kv *inner)
{
    static const struct kv_operations operations = {
        .get = merged_get,
        .put = merged_put,
        .list = merged_list,
        .space = merged_space,
        .replicas = merged_replicas,
        .close = merged_close,
    };
    struct merged_kv *merged = calloc(1, sizeof *merged);

    assert(inner);
    if (!merged) {
        return NULL;
    }
    merged->kv.operations = &operations;
    merged->inner = inner;
    return &merged->kv;
}
