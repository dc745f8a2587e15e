/*
 * move.c - versions from one key to another.
 */
#include "fs/model/move.h"

#include <assert.h>

#include "fs/model/times.h"

int move_version(struct fs *fs, struct slice key, const struct version *version,
                 struct shown *shown, bool only_own, int64_t named_ns)
{
    assert(key.size > 0);
    assert(version && shown);

    struct version named = *version;
    struct kv_put put = {.key = key, .value = &named};
    struct object *row = NULL;
    struct dot dot;

    named.attributes.named_ns = named_ns != 0 ? named_ns : named.attributes.named_ns;
    shown_apply(shown, &put);
    enum status status = times_put(fs, &put, &row);
    if (status == STATUS_OK) {
        status = shown_after_put(shown, row, version->content_hash, only_own, &dot);
    }
    object_unref(row);
    return errno_of_status(status);
}

/*
 * Puts all that a view shows at `key`, oldest first. The first supersedes `shown`, the others
 * stand beside it. What is shown then is all of them, if nothing else came between.
 */
static int put_versions(struct fs *fs, struct slice key, const struct view *view,
                        struct shown *shown, bool only_own, int64_t named_ns)
{
    int failed = move_version(fs, key, view->groups[0].newest, shown, only_own, named_ns);

    for (uint32_t group = 1; failed == 0 && group < view->count; group++) {
        struct shown nothing = {0};
        struct kv_put put = {
            .key = key, .mode = UPDATE_ALL, .value = view->groups[group].newest};
        struct object *row = NULL;
        struct dot dot;
        failed = errno_of_status(times_put(fs, &put, &row));
        if (failed == 0) {
            /* Only with the row before shown whole do the others count as seen. */
            bool is_whole = !shown->dots && !only_own;
            failed = errno_of_status(shown_after_put(is_whole ? shown : &nothing, row,
                                                     put.value->content_hash, !is_whole, &dot));
        }
        shown_release(&nothing);
        object_unref(row);
    }
    return failed;
}

int move_versions(struct fs *fs, struct slice from, struct slice to, struct shown *to_shown,
                  bool only_own, int64_t named_ns)
{
    assert(!slice_equal(from, to));
    assert(to_shown);

    struct object *object = NULL;
    struct view view = {0};
    enum status status = kv_get(fs->config.kv, from, &fs->options, &object);
    int failed = errno_of_status(status);

    if (failed == 0) {
        failed = errno_of_status(view_build(object, &view));
    }
    if (failed == 0) {
        failed = put_versions(fs, to, &view, to_shown, only_own, named_ns);
    }
    if (failed == 0) {
        struct kv_put put = {.key = from, .mode = UPDATE_ALL, .context = object->clock};
        failed = errno_of_status(times_put(fs, &put, NULL));
    }
    if (failed == 0) {
        conflicts_forget(fs->conflicts, from); /* all that had a number is gone */
    }
    view_release(&view);
    object_unref(object);
    return failed;
}
