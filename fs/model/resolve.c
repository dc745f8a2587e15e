/*
 * resolve.c - what a name in a directory stands for.
 */
#include "fs/model/resolve.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/model.h"
#include "fs/model/names.h"

enum { TAKEN_PAGE = 256, TAKEN_MAX = SIBLING_NUMBER_MAX };

void found_release(struct found *found)
{
    shown_release(&found->shown);
    blob_unref(found->base);
    *found = (struct found){0};
}

struct slice found_base(const struct found *found, struct slice name)
{
    return found->base ? blob_slice(found->base) : name;
}

enum version_type found_type(const struct found *found)
{
    assert(found->kind != FOUND_NOTHING && found->version);

    if (found->kind == FOUND_DIRECTORY) {
        return VERSION_DIRECTORY;
    }
    return attributes_file_type(&found->version->attributes);
}

static bool is_directory_key(struct slice key)
{
    return key.size > 0 && key.data[key.size - 1] == '/';
}

int resolve_rows(struct fs *fs, struct slice directory_key, struct slice name,
                 struct object **ret_directory, struct object **ret_file)
{
    assert(is_directory_key(directory_key));
    assert(ret_directory && ret_file);

    struct kv_list list = {.directory = directory_key, .start = name, .end = name, .limit = 2};
    struct object *found[2] = {NULL, NULL};
    struct kv_rows rows = {0};
    struct blob *resume = NULL;

    do {
        enum status status = kv_list(fs->config.kv, &list, &fs->options, &rows);
        if (status != STATUS_OK) {
            blob_unref(resume);
            object_unref(found[0]);
            object_unref(found[1]);
            return errno_of_status(status);
        }
        for (size_t i = 0; i < rows.count; i++) {
            struct object **place = &found[rows.rows[i].kind == ROW_FILE];
            if (!*place && object_is_live(rows.rows[i].object)) {
                *place = object_ref(rows.rows[i].object);
            }
        }
        blob_unref(resume);
        resume = blob_ref(rows.resume);
        list.start = blob_slice(resume);
        list.after_start = true;
        bool more = rows.more && slice_compare(list.start, name) < 0;
        kv_rows_release(&rows);
        if (!more) {
            break;
        }
    } while (true);
    blob_unref(resume);
    *ret_directory = found[0];
    *ret_file = found[1];
    return 0;
}

bool resolve_is_conflict(const struct view *view, bool has_directory)
{
    return view->count >= 2 || (has_directory && view->count == 1);
}

struct taken_list {
    uint32_t *numbers;
    size_t count;
    size_t capacity;
};

static enum status taken_append(struct taken_list *taken, struct slice name, struct slice base)
{
    struct slice name_base;
    uint32_t number;

    if (!names_parse_sibling(name, &name_base, &number) || !slice_equal(name_base, base)) {
        return STATUS_OK;
    }
    if (taken->count == taken->capacity) {
        size_t capacity = taken->capacity == 0 ? 16 : taken->capacity * 2;
        uint32_t *numbers = realloc(taken->numbers, capacity * sizeof *numbers);
        if (!numbers) {
            return STATUS_NO_MEMORY;
        }
        taken->numbers = numbers;
        taken->capacity = capacity;
    }
    taken->numbers[taken->count++] = number;
    return STATUS_OK;
}

/* The numbers N of real names `base~vN` on the cluster. At most TAKEN_MAX, as N has no more
 * values (a directory and a file of one name count once more, harmlessly). */
static enum status taken_from_cluster(struct fs *fs, struct slice directory_key,
                                      struct slice base, struct taken_list *taken)
{
    assert(base.size <= SIBLING_BASE_MAX);

    uint8_t prefix[SIBLING_BASE_MAX + 2];
    memcpy(prefix, base.data, base.size);
    memcpy(prefix + base.size, "~v", 2);
    struct slice end = slice_of(prefix, base.size + 2);
    struct kv_list list = {.directory = directory_key,
                           .start = end,
                           .end = end,
                           .end_is_prefix = true,
                           .limit = TAKEN_PAGE};
    struct kv_rows rows = {0};
    struct blob *resume = NULL;
    enum status status;

    bool more;
    do {
        status = kv_list(fs->config.kv, &list, &fs->options, &rows);
        if (status != STATUS_OK) {
            break;
        }
        for (size_t i = 0; i < rows.count && status == STATUS_OK; i++) {
            status = taken_append(taken, blob_slice(rows.rows[i].name), base);
        }
        blob_unref(resume);
        resume = blob_ref(rows.resume);
        list.start = blob_slice(resume);
        list.after_start = true;
        more = rows.more;
        kv_rows_release(&rows);
    } while (status == STATUS_OK && more);
    blob_unref(resume);
    return status;
}

int resolve_numbers(struct fs *fs, const struct siblings *siblings, bool is_listing,
                    uint32_t *ret_numbers)
{
    assert(is_directory_key(siblings->directory_key));
    assert(siblings->view->count > 0);

    const struct object *row = siblings->row;
    const struct view *view = siblings->view;
    uint8_t room[SIBLING_BASE_MAX];
    struct buffer key = {0};
    struct taken_list taken = {0};
    enum status status = STATUS_NO_MEMORY;

    key_append_child(&key, siblings->directory_key, siblings->base, ROW_FILE);
    if (key.failed) {
        goto out;
    }
    if (!is_listing &&
        conflicts_peek(fs->conflicts, buffer_slice(&key), row, view, ret_numbers)) {
        status = STATUS_OK;
        goto out;
    }
    status = taken_from_cluster(fs, siblings->directory_key,
                                names_sibling_base(siblings->base, room), &taken);
    if (status != STATUS_OK) {
        goto out;
    }
    struct taken_numbers numbers = {.numbers = taken.numbers, .count = taken.count};
    status =
        conflicts_number(fs->conflicts, buffer_slice(&key), row, view, &numbers, ret_numbers);
out:
    free(taken.numbers);
    buffer_release(&key);
    return errno_of_status(status);
}

void resolve_no_conflict(struct fs *fs, struct slice directory_key, struct slice base)
{
    struct buffer key = {0};

    if (conflicts_are_none(fs->conflicts)) {
        return;
    }
    key_append_child(&key, directory_key, base, ROW_FILE);
    if (!key.failed) {
        conflicts_forget(fs->conflicts, buffer_slice(&key));
    }
    buffer_release(&key);
}

/* The sibling `number` of `base`, whose file row is `file`; FOUND_NOTHING if there is none. */
static int find_numbered(struct fs *fs, struct slice directory_key, struct slice base,
                         uint32_t number, struct object *file, struct found *ret_found)
{
    assert(number > 0 && number <= SIBLING_NUMBER_MAX);
    assert(file);

    struct view view;
    int failed = errno_of_status(view_build(file, &view));
    if (failed != 0) {
        return failed;
    }
    struct siblings siblings = {
        .directory_key = directory_key, .base = base, .row = file, .view = &view};
    uint32_t *numbers = malloc(view.count * sizeof *numbers);
    failed = !numbers ? ENOMEM : resolve_numbers(fs, &siblings, false, numbers);
    for (uint32_t group = 0; failed == 0 && group < view.count; group++) {
        if (numbers[group] != number) {
            continue;
        }
        failed = errno_of_status(shown_set_group(&ret_found->shown, file, &view, group));
        if (failed == 0) {
            ret_found->base = blob_new(base);
            failed = !ret_found->base ? ENOMEM : 0;
        }
        if (failed == 0) {
            ret_found->kind = FOUND_SIBLING;
            ret_found->version = view.groups[group].newest;
            ret_found->number = number;
        }
        break;
    }
    free(numbers);
    view_release(&view);
    return failed;
}

/* The sibling `number` of the file `base`, if there is one. */
static int resolve_sibling_of(struct fs *fs, struct slice directory_key, struct slice base,
                              uint32_t number, struct found *ret_found)
{
    struct object *directory = NULL;
    struct object *file = NULL;
    int failed = resolve_rows(fs, directory_key, base, &directory, &file);
    if (failed != 0) {
        return failed;
    }
    struct view view = {0};
    failed = errno_of_status(view_build(file, &view));
    if (failed == 0 && !resolve_is_conflict(&view, directory)) {
        resolve_no_conflict(fs, directory_key, base);
    } else if (failed == 0) {
        failed = find_numbered(fs, directory_key, base, number, file, ret_found);
    }
    view_release(&view);
    object_unref(directory);
    object_unref(file);
    return failed;
}

/* The name among the rows whose siblings are shown as those of `base`, one reference for the
 * caller; NULL if there is none. */
static struct blob *find_shortened(const struct kv_rows *rows, struct slice base)
{
    uint8_t room[SIBLING_BASE_MAX];

    for (size_t i = 0; i < rows->count; i++) {
        struct slice name = blob_slice(rows->rows[i].name);
        if (name.size > SIBLING_BASE_MAX && slice_equal(names_sibling_base(name, room), base)) {
            return blob_ref(rows->rows[i].name);
        }
    }
    return NULL;
}

/* The name that is too long for a suffix, and is shortened to `base`; NULL if there is none. */
static int find_long_name(struct fs *fs, struct slice directory_key, struct slice base,
                          struct slice beginning, struct blob **ret_name)
{
    struct kv_list list = {.directory = directory_key,
                           .start = beginning,
                           .end = beginning,
                           .end_is_prefix = true,
                           .limit = TAKEN_PAGE};
    struct kv_rows rows = {0};
    struct blob *resume = NULL;
    enum status status = STATUS_OK;
    bool more = true;

    while (status == STATUS_OK && more && !*ret_name) {
        status = kv_list(fs->config.kv, &list, &fs->options, &rows);
        if (status == STATUS_OK) {
            *ret_name = find_shortened(&rows, base);
            blob_unref(resume);
            resume = blob_ref(rows.resume);
            list.start = blob_slice(resume);
            list.after_start = true;
            more = rows.more;
            kv_rows_release(&rows);
        }
    }
    blob_unref(resume);
    return errno_of_status(status);
}

static int resolve_sibling(struct fs *fs, struct slice directory_key, struct slice name,
                           struct found *ret_found)
{
    struct slice base;
    struct slice beginning;
    uint32_t number;
    struct blob *long_name = NULL;

    if (!names_parse_sibling(name, &base, &number)) {
        return 0;
    }
    int failed = resolve_sibling_of(fs, directory_key, base, number, ret_found);
    if (failed == 0 && ret_found->kind == FOUND_NOTHING &&
        names_is_shortened(base, &beginning)) {
        failed = find_long_name(fs, directory_key, base, beginning, &long_name);
    }
    if (failed == 0 && long_name) {
        failed =
            resolve_sibling_of(fs, directory_key, blob_slice(long_name), number, ret_found);
    }
    blob_unref(long_name);
    return failed;
}

int resolve_name(struct fs *fs, struct slice directory_key, struct slice name,
                 struct found *ret_found)
{
    assert(is_directory_key(directory_key));
    assert(ret_found);

    struct object *directory = NULL;
    struct object *file = NULL;
    struct found found = {0};
    int failed = resolve_rows(fs, directory_key, name, &directory, &file);
    if (failed == 0 && directory) {
        found.kind = FOUND_DIRECTORY;
        shown_set_all(&found.shown, directory);
    } else if (failed == 0 && file) {
        found.kind = FOUND_FILE;
        shown_set_all(&found.shown, file);
        if (file->version_count == 1) {
            resolve_no_conflict(fs, directory_key, name);
        }
    } else if (failed == 0) {
        failed = resolve_sibling(fs, directory_key, name, &found);
    }
    if (found.kind == FOUND_DIRECTORY || found.kind == FOUND_FILE) {
        found.version = object_newest(found.shown.row);
    }
    object_unref(directory);
    object_unref(file);
    if (failed != 0) {
        found_release(&found);
        return failed;
    }
    *ret_found = found;
    return 0;
}

const struct version *resolve_version(const struct object *row, struct dot dot)
{
    uint32_t i = 0;

    while (!dot_equal(row->versions[i].dot, dot)) {
        i++;
        assert(i < row->version_count);
    }
    return &row->versions[i];
}

int resolve_group_of_dot(struct object *row, struct dot dot, struct shown *ret_shown)
{
    struct view view;
    enum status status = view_build(row, &view);
    if (status != STATUS_OK) {
        return errno_of_status(status);
    }
    uint32_t group = 0;
    while (!shown_group_has_dot(row, &view, group, &dot, 1)) {
        group++;
        assert(group < view.count);
    }
    status = shown_set_group(ret_shown, row, &view, group);
    view_release(&view);
    return errno_of_status(status);
}
