/*
 * hide.c - in which directories listings leave out the versions of a name that is in conflict.
 */
#include "fs/model/hide.h"

#include <assert.h>

#include "fs/model/model.h"
#include "fs/model/xattrs.h"

bool hide_value_is_valid(struct slice value)
{
    return value.size == 1 && (value.data[0] == '0' || value.data[0] == '1');
}

/* What the directory itself says: *ret_is_said is false if that is nothing. Errno. */
static int ask_directory(struct fs *fs, struct slice key, bool *ret_is_said,
                         bool *ret_are_hidden)
{
    struct object *object = NULL;
    struct slice value;
    enum status status = kv_get(fs->config.kv, key, &fs->options, &object);
    int failed = ENODATA;

    if (status == STATUS_OK) {
        const struct version *newest = object_newest(object);
        failed =
            xattrs_get(blob_slice(newest->xattrs), slice_of_string(HIDE_ATTRIBUTE), &value);
    } else if (status != STATUS_NOT_FOUND) { /* a root that nobody wrote, or it is just gone */
        failed = errno_of_status(status);
    }
    *ret_is_said = failed == 0 && hide_value_is_valid(value);
    *ret_are_hidden = *ret_is_said && value.data[0] == '0';
    object_unref(object);
    return failed == ENODATA ? 0 : failed;
}

int hide_siblings_in(struct fs *fs, struct slice directory_key, bool *ret_are_hidden)
{
    assert(key_is_directory(directory_key));
    assert(ret_are_hidden);

    struct slice key = directory_key;
    bool are_hidden = false;
    bool is_said = false;
    int failed = ask_directory(fs, key, &is_said, &are_hidden);

    while (failed == 0 && !is_said && !key_is_root(key)) {
        key = key_directory(key);
        failed = ask_directory(fs, key, &is_said, &are_hidden);
    }
    if (failed == 0) {
        *ret_are_hidden = is_said ? are_hidden : fs->config.hide_siblings;
    }
    return failed;
}
