/*
 * listing.c - names as a listing shows them, in its order, each with what it stands for.
 */
#include "fs/model/listing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "fs/model/hide.h"
#include "fs/model/model.h"
#include "fs/model/names.h"
#include "fs/model/resolve.h"

enum { CAPACITY_FIRST = 64 };

/* Where one more name and its base can begin. */
#define NAMES_SIZE_MAX (UINT32_MAX - SHOWN_NAME_MAX - NAME_SIZE_MAX - 1)

static_assert(SHOWN_NAME_MAX <= UINT8_MAX && NAME_SIZE_MAX <= UINT8_MAX,
              "the sizes of names are kept in a byte each");

void listing_release(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        object_unref(listing->entries[i].row);
    }
    free(listing->entries);
    buffer_release(&listing->names);
    *listing = (struct listing){0};
}

const char *listing_name(const struct listing *listing, const struct entry *entry)
{
    return (const char *)listing->names.data + entry->name;
}

struct slice listing_base(const struct listing *listing, size_t position)
{
    assert(position < listing->count);

    const struct entry *entry = &listing->entries[position];

    const char *name = listing_name(listing, entry);

    return slice_of(entry->is_base_apart ? name + entry->name_size + 1 : name,
                    entry->base_size);
}

struct entry *listing_add(struct listing *listing, struct slice name)
{
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? CAPACITY_FIRST : listing->capacity * 2;
        struct entry *entries = realloc(listing->entries, capacity * sizeof *entries);
        if (!entries) {
            return NULL;
        }
        listing->entries = entries;
        listing->capacity = capacity;
    }
    size_t start = listing->names.size;
    if (name.size > SHOWN_NAME_MAX || start > NAMES_SIZE_MAX) {
        return NULL;
    }
    buffer_append_slice(&listing->names, name);
    buffer_append_byte(&listing->names, 0);
    if (listing->names.failed) {
        return NULL;
    }
    struct entry *entry = &listing->entries[listing->count++];
    *entry = (struct entry){.name = (uint32_t)start,
                            .name_size = (uint8_t)name.size,
                            .base_size = (uint8_t)name.size};
    return entry;
}

/* Appends the name of a sibling of `base`. NULL when memory is short. */
static struct entry *add_sibling(struct listing *listing, struct slice name, struct slice base)
{
    struct entry *entry = listing_add(listing, name);
    if (!entry) {
        return NULL;
    }
    if (!slice_has_prefix(name, base)) {
        buffer_append_slice(&listing->names, base);
        if (listing->names.failed) {
            return NULL;
        }
        entry->is_base_apart = true;
    }
    entry->base_size = (uint8_t)base.size;
    return entry;
}

struct entry *listing_copy(struct listing *listing, const struct listing *from, size_t position)
{
    const struct entry *copied = &from->entries[position];
    struct slice name = slice_of(listing_name(from, copied), copied->name_size);
    struct entry *entry = add_sibling(listing, name, listing_base(from, position));

    if (entry) {
        entry->number = copied->number;
        entry->kind = copied->kind;
        entry->row = object_ref(copied->row);
        entry->dot = copied->dot;
    }
    return entry;
}

static int add_row(struct listing *listing, const struct row *row)
{
    struct entry *entry = listing_add(listing, blob_slice(row->name));
    if (!entry) {
        return ENOMEM;
    }
    entry->row = object_ref(row->object);
    entry->kind = row->kind;
    entry->dot = object_newest(row->object)->dot;
    return 0;
}

static bool is_local(const struct listing *local, struct slice name)
{
    for (size_t i = 0; i < local->count; i++) {
        if (slice_equal(listing_base(local, i), name)) {
            return true;
        }
    }
    return false;
}

/* The group with the smallest number that is greater than `above`; the count if there is none. */
static uint32_t next_by_number(const struct view *view, const uint32_t *numbers, uint32_t above)
{
    uint32_t next = view->count;

    for (uint32_t group = 0; group < view->count; group++) {
        if (numbers[group] > above && (next == view->count || numbers[group] < numbers[next])) {
            next = group;
        }
    }
    return next;
}

/* Adds `name~v1` and so on, by number: a version that is written anew keeps its place. */
static int add_siblings(struct listing *listing, struct fs *fs, struct object *row,
                        const struct siblings *siblings)
{
    const struct view *view = siblings->view;
    char name[SHOWN_NAME_MAX + 1];
    uint32_t *numbers = malloc(view->count * sizeof *numbers);
    if (!numbers) {
        return ENOMEM;
    }
    int failed = resolve_numbers(fs, siblings, true, numbers);
    uint32_t above = 0;
    for (uint32_t i = 0; failed == 0 && i < view->count; i++) {
        uint32_t group = next_by_number(view, numbers, above);
        above = numbers[group];
        size_t size = names_format_sibling(siblings->base, numbers[group], name);
        struct entry *entry = add_sibling(listing, slice_of(name, size), siblings->base);
        if (!entry) {
            failed = ENOMEM;
            break;
        }
        entry->number = numbers[group];
        entry->row = object_ref(row);
        entry->kind = ROW_FILE;
        entry->dot = view->groups[group].newest->dot;
    }
    free(numbers);
    return failed;
}

/* What rows of one directory show. */
struct shower {
    struct fs *fs;
    struct slice key; /* of the directory */
    const struct listing *local;
    bool is_asked; /* whether versions are hidden: only a conflict makes that worth a call */
    bool are_hidden;
};

/* A file behind a directory of its name would not be seen at all, and is never hidden. */
static int must_hide(struct shower *shower, bool has_directory, bool *ret_must_hide)
{
    int failed = 0;

    if (!has_directory && !shower->is_asked) {
        failed = hide_siblings_in(shower->fs, shower->key, &shower->are_hidden);
        shower->is_asked = failed == 0;
    }
    *ret_must_hide = !has_directory && shower->are_hidden;
    return failed;
}

/* Adds what one file row shows. */
static int add_file(struct listing *listing, struct shower *shower, const struct row *row,
                    bool has_directory)
{
    struct fs *fs = shower->fs;
    struct slice key = shower->key;
    bool is_hidden = false;
    struct view view = {0};
    bool is_single = row->object->version_count == 1 && !has_directory;
    int failed = 0;

    if (!has_directory && !is_local(shower->local, blob_slice(row->name))) {
        failed = add_row(listing, row);
    }
    if (failed == 0 && !is_single) {
        failed = errno_of_status(view_build(row->object, &view));
    }
    bool is_conflict = failed == 0 && resolve_is_conflict(&view, has_directory);
    if (is_conflict) {
        failed = must_hide(shower, has_directory, &is_hidden);
    }
    if (failed == 0 && is_conflict && !is_hidden) {
        struct siblings siblings = {.directory_key = key,
                                    .base = blob_slice(row->name),
                                    .row = row->object,
                                    .view = &view};
        failed = add_siblings(listing, fs, row->object, &siblings);
    } else if (failed == 0 && !is_conflict) {
        resolve_no_conflict(fs, key, blob_slice(row->name));
    }
    view_release(&view);
    return failed;
}

int listing_add_rows(struct listing *listing, struct fs *fs, struct slice key,
                     const struct kv_rows *rows, const struct listing *local)
{
    struct shower shower = {.fs = fs, .key = key, .local = local};
    int failed = 0;

    for (size_t i = 0; i < rows->count && failed == 0; i++) {
        const struct row *row = &rows->rows[i];
        if (row->kind == ROW_DIRECTORY) {
            failed = add_row(listing, row);
            continue;
        }
        const struct row *before = i > 0 ? &rows->rows[i - 1] : NULL;
        bool has_directory = before && before->kind == ROW_DIRECTORY &&
                             slice_equal(blob_slice(before->name), blob_slice(row->name));
        failed = add_file(listing, &shower, row, has_directory);
    }
    return failed;
}
