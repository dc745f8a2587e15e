/*
 * directory.c - listing a directory: rows in batches, siblings shown, positions kept.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/attributes.h"
#include "fs/file.h"
#include "fs/names.h"

enum { BATCH_ROWS = 512, DOTS = 2 };

struct entry {
    size_t name; /* offset in `names`, NUL at its end */
    size_t name_size;
    size_t base_size;
    uint32_t number;    /* of a sibling */
    struct node *node;  /* of a pending file, referenced; otherwise NULL */
    struct object *row; /* counted; NULL for dots and pending files */
    enum row_kind kind;
    struct dot dot; /* of the version shown */
};

/* Where a batch began, so that a seek back can ask for it again. */
struct batch_start {
    uint64_t first; /* index of its first entry */
    struct blob *after;
};

struct directory {
    struct fs *fs;
    struct node *node; /* referenced */
    pthread_mutex_t lock;
    struct buffer names;
    struct entry *entries;
    size_t count;
    size_t capacity;
    uint64_t first;    /* index of entries[0] */
    bool is_loaded;    /* there is a batch */
    uint64_t removals; /* as counted when the batch was asked for */
    bool more;
    struct blob *after; /* of the next batch */
    struct batch_start *starts;
    size_t start_count;
    size_t start_capacity;
    struct blob **pending; /* names of the pending files that the first batch shows */
    size_t pending_count;
};

int fs_opendir(struct fs *fs, uint64_t id, struct directory **ret_directory)
{
    struct node *node;
    int failed = fs_get_node(fs, id, &node);
    if (failed != 0) {
        return failed;
    }
    if (node->type != VERSION_DIRECTORY) {
        fs_put_node(fs, node);
        return ENOTDIR;
    }
    struct directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        fs_put_node(fs, node);
        return ENOMEM;
    }
    directory->fs = fs;
    directory->node = node;
    pthread_mutex_init(&directory->lock, NULL);
    *ret_directory = directory;
    return 0;
}

static void clear_batch(struct directory *directory)
{
    struct fs *fs = directory->fs;

    for (size_t i = 0; i < directory->count; i++) {
        object_unref(directory->entries[i].row);
        if (directory->entries[i].node != NULL) {
            fs_put_node(fs, directory->entries[i].node);
        }
    }
    directory->count = 0;
    directory->is_loaded = false;
    buffer_reset(&directory->names);
}

/* Forgets everything: the next read starts from the beginning. */
static void rewind_all(struct directory *directory)
{
    clear_batch(directory);
    for (size_t i = 0; i < directory->start_count; i++) {
        blob_unref(directory->starts[i].after);
    }
    for (size_t i = 0; i < directory->pending_count; i++) {
        blob_unref(directory->pending[i]);
    }
    free(directory->pending);
    directory->pending = NULL;
    directory->pending_count = 0;
    directory->start_count = 0;
    blob_unref(directory->after);
    directory->after = NULL;
    directory->first = 0;
    directory->more = true;
}

void fs_releasedir(struct fs *fs, struct directory *directory)
{
    rewind_all(directory);
    free(directory->entries);
    free(directory->starts);
    buffer_release(&directory->names);
    pthread_mutex_destroy(&directory->lock);
    fs_put_node(fs, directory->node);
    free(directory);
}

void directory_lock(struct directory *directory)
{
    pthread_mutex_lock(&directory->lock);
}

void directory_unlock(struct directory *directory)
{
    pthread_mutex_unlock(&directory->lock);
}

/* Appends an entry called `name`; its other fields are for the caller. NULL when memory is
 * short. */
static struct entry *add_entry(struct directory *directory, struct slice name)
{
    if (directory->count == directory->capacity) {
        size_t capacity = directory->capacity == 0 ? BATCH_ROWS : directory->capacity * 2;
        struct entry *entries = realloc(directory->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            return NULL;
        }
        directory->entries = entries;
        directory->capacity = capacity;
    }
    size_t start = directory->names.size;
    buffer_append_slice(&directory->names, name);
    buffer_append_byte(&directory->names, 0);
    if (directory->names.failed) {
        return NULL;
    }
    struct entry *entry = &directory->entries[directory->count++];
    *entry = (struct entry){.name = start, .name_size = name.size, .base_size = name.size};
    return entry;
}

static int add_row(struct directory *directory, const struct row *row)
{
    struct entry *entry = add_entry(directory, blob_slice(row->name));
    if (entry == NULL) {
        return ENOMEM;
    }
    entry->row = object_ref(row->object);
    entry->kind = row->kind;
    entry->dot = object_newest(row->object)->dot;
    return 0;
}

static bool is_pending(const struct directory *directory, struct slice name)
{
    for (size_t i = 0; i < directory->pending_count; i++) {
        if (slice_equal(blob_slice(directory->pending[i]), name)) {
            return true;
        }
    }
    return false;
}

/* Adds `name~v1` and so on. */
static int add_siblings(struct directory *directory, struct slice key, const struct row *row,
                        const struct view *view)
{
    struct slice base = blob_slice(row->name);
    char name[SHOWN_NAME_MAX + 1];
    struct siblings siblings = {
        .directory_key = key, .base = base, .row = row->object, .view = view};
    uint32_t *numbers = malloc(view->count * sizeof *numbers);
    if (numbers == NULL) {
        return ENOMEM;
    }
    int failed = resolve_numbers(directory->fs, &siblings, true, numbers);
    for (uint32_t group = 0; failed == 0 && group < view->count; group++) {
        size_t size = names_format_sibling(base, numbers[group], name);
        struct entry *entry = add_entry(directory, slice_of(name, size));
        if (entry == NULL) {
            failed = ENOMEM;
            break;
        }
        entry->base_size = base.size;
        entry->number = numbers[group];
        entry->row = object_ref(row->object);
        entry->kind = ROW_FILE;
        entry->dot = view->groups[group].newest->dot;
    }
    free(numbers);
    return failed;
}

/* Adds what one file row shows. */
static int add_file(struct directory *directory, struct slice key, const struct row *row,
                    bool has_directory)
{
    struct view view = {0};
    bool is_single = row->object->version_count == 1 && !has_directory;
    int failed = 0;

    if (!has_directory && !is_pending(directory, blob_slice(row->name))) {
        failed = add_row(directory, row);
    }
    if (failed == 0 && !is_single) {
        failed = errno_of_status(view_build(row->object, &view));
    }
    if (failed == 0 && resolve_is_conflict(&view, has_directory)) {
        failed = add_siblings(directory, key, row, &view);
    } else if (failed == 0) {
        resolve_no_conflict(directory->fs, key, blob_slice(row->name));
    }
    view_release(&view);
    return failed;
}

static int add_rows(struct directory *directory, struct slice key, const struct kv_rows *rows)
{
    int failed = 0;

    for (size_t i = 0; i < rows->count && failed == 0; i++) {
        const struct row *row = &rows->rows[i];
        if (row->kind == ROW_DIRECTORY) {
            failed = add_row(directory, row);
            continue;
        }
        const struct row *before = i > 0 ? &rows->rows[i - 1] : NULL;
        bool has_directory = before != NULL && before->kind == ROW_DIRECTORY &&
                             slice_equal(blob_slice(before->name), blob_slice(row->name));
        failed = add_file(directory, key, row, has_directory);
    }
    return failed;
}

/* The dots, and the files that only this mount shows. These come first, so that one which is
 * put while the listing goes on is neither left out nor shown twice. */
static int add_local(struct directory *directory)
{
    struct fs *fs = directory->fs;
    size_t count = 0;
    int failed = 0;

    if (add_entry(directory, slice_of_string(".")) == NULL ||
        add_entry(directory, slice_of_string("..")) == NULL) {
        return ENOMEM;
    }
    inodes_lock(&fs->inodes);
    for (struct node *node = fs->inodes.pending; node != NULL; node = node->next_pending) {
        count += node->parent == directory->node;
    }
    directory->pending = count > 0 ? calloc(count, sizeof(struct blob *)) : NULL;
    failed = count > 0 && directory->pending == NULL ? ENOMEM : 0;
    for (struct node *node = fs->inodes.pending; failed == 0 && node != NULL;
         node = node->next_pending) {
        if (node->parent != directory->node) {
            continue;
        }
        struct blob *name = blob_new(node_name(node));
        struct entry *entry = name == NULL ? NULL : add_entry(directory, blob_slice(name));
        if (entry == NULL) {
            blob_unref(name);
            failed = ENOMEM;
            break;
        }
        entry->node = node_ref(node);
        directory->pending[directory->pending_count++] = name;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

static int remember_start(struct directory *directory)
{
    struct batch_start *last =
        directory->start_count > 0 ? &directory->starts[directory->start_count - 1] : NULL;

    if (last != NULL && last->first >= directory->first) {
        return 0; /* read again after a seek back, or after an empty batch */
    }
    if (directory->start_count == directory->start_capacity) {
        size_t capacity = directory->start_capacity == 0 ? 16 : directory->start_capacity * 2;
        struct batch_start *starts = realloc(directory->starts, capacity * sizeof *starts);
        if (starts == NULL) {
            return ENOMEM;
        }
        directory->starts = starts;
        directory->start_capacity = capacity;
    }
    directory->starts[directory->start_count++] =
        (struct batch_start){.first = directory->first, .after = blob_ref(directory->after)};
    return 0;
}

/* Reads the batch that begins at index directory->first, after directory->after. On failure
 * there is no batch, and the next call tries again. */
static int load_batch(struct directory *directory)
{
    struct fs *fs = directory->fs;
    struct buffer key = {0};
    struct kv_rows rows = {0};
    int failed = fs_node_key(fs, directory->node, &key);

    clear_batch(directory);
    inodes_lock(&fs->inodes);
    directory->removals = fs->inodes.removals;
    inodes_unlock(&fs->inodes);
    struct kv_list list = {.directory = buffer_slice(&key),
                           .start = blob_slice(directory->after),
                           .after_start = directory->after != NULL,
                           .limit = BATCH_ROWS};
    if (failed == 0) {
        failed = remember_start(directory);
    }
    if (failed == 0 && directory->first == 0) {
        failed = add_local(directory);
    }
    if (failed == 0) {
        failed = errno_of_status(kv_list(fs->config.kv, &list, &fs->options, &rows));
    }
    if (failed == 0) {
        failed = add_rows(directory, buffer_slice(&key), &rows);
    }
    if (failed == 0) {
        directory->more = rows.more;
        blob_unref(directory->after);
        directory->after = blob_ref(rows.resume);
        directory->is_loaded = true;
    } else if (directory->first == 0) {
        rewind_all(directory);
    } else {
        clear_batch(directory);
    }
    kv_rows_release(&rows);
    buffer_release(&key);
    return failed;
}

/* Goes back to the last batch that begins at or before `offset`. */
static void go_back(struct directory *directory, uint64_t offset)
{
    size_t i = directory->start_count;

    do {
        assert(i > 0);
        i--;
    } while (directory->starts[i].first > offset);
    if (directory->starts[i].first == 0) {
        rewind_all(directory);
        return;
    }
    clear_batch(directory);
    directory->first = directory->starts[i].first;
    blob_unref(directory->after);
    directory->after = blob_ref(directory->starts[i].after);
    directory->more = true;
}

/* Makes the entry `offset` one of the batch in memory; *ret_entry is NULL past the end. */
static int seek(struct directory *directory, uint64_t offset, struct entry **ret_entry)
{
    if (offset == 0 && directory->is_loaded) {
        rewind_all(directory); /* a rewind reads the directory anew */
    } else if (offset < directory->first) {
        go_back(directory, offset);
    }
    for (;;) {
        if (!directory->is_loaded) {
            int failed = load_batch(directory);
            if (failed != 0) {
                return failed;
            }
        }
        uint64_t end = directory->first + directory->count;
        if (offset < end) {
            *ret_entry = &directory->entries[offset - directory->first];
            return 0;
        }
        if (!directory->more) {
            *ret_entry = NULL;
            return 0;
        }
        clear_batch(directory);
        directory->first = end;
    }
}

static void fill_entry(struct directory *directory, const struct entry *entry, uint64_t offset,
                       struct fs_directory_entry *ret_entry)
{
    struct fs *fs = directory->fs;
    struct fs_entry shown;

    ret_entry->name = (const char *)directory->names.data + entry->name;
    if (entry->node != NULL) {
        fs_entry_of_node(fs, entry->node, &shown);
        ret_entry->attributes = shown.attributes;
        return;
    }
    if (entry->row == NULL) {
        inodes_lock(&fs->inodes);
        struct node *above = directory->node->parent;
        struct node *node = offset == 0 || above == NULL ? directory->node : above;
        node_ref(node);
        inodes_unlock(&fs->inodes);
        fs_entry_of_node(fs, node, &shown);
        fs_put_node(fs, node);
        ret_entry->attributes = shown.attributes;
        return;
    }
    const struct version *version = resolve_version(entry->row, entry->dot);
    struct attributes attributes = version->attributes;
    struct buffer key = {0};
    if (entry->kind == ROW_DIRECTORY) {
        attributes.type = VERSION_DIRECTORY;
    }
    if (attributes.file_id == 0 && fs_node_key(fs, directory->node, &key) == 0) {
        struct slice base = slice_of(ret_entry->name, entry->base_size);
        struct buffer child = {0};
        key_append_child(&child, buffer_slice(&key), base, entry->kind);
        buffer_release(&key);
        key = child;
    }
    uint64_t inode = attributes_inode(&attributes, buffer_slice(&key), entry->number);
    attributes_to_stat(&attributes, inode, 1, &ret_entry->attributes);
    buffer_release(&key);
}

int directory_at(struct directory *directory, uint64_t offset,
                 struct fs_directory_entry *ret_entry, bool *ret_is_end)
{
    struct entry *entry = NULL;
    int failed = seek(directory, offset, &entry);

    if (failed != 0) {
        return failed;
    }
    *ret_is_end = entry == NULL;
    if (entry != NULL) {
        fill_entry(directory, entry, offset, ret_entry);
    }
    return 0;
}

/* The found that a lookup of the entry would have given. */
static int found_of_entry(const struct entry *entry, struct found *ret_found)
{
    struct found found = {.base_size = entry->base_size, .number = entry->number};
    int failed = 0;

    if (entry->number == 0) {
        found.kind = entry->kind == ROW_DIRECTORY ? FOUND_DIRECTORY : FOUND_FILE;
        shown_set_all(&found.shown, entry->row);
    } else {
        found.kind = FOUND_SIBLING;
        failed = resolve_group_of_dot(entry->row, entry->dot, &found.shown);
    }
    if (failed == 0) {
        found.version = resolve_version(entry->row, entry->dot);
        *ret_found = found;
    }
    return failed;
}

int directory_enter(struct directory *directory, uint64_t offset, struct fs_entry *ret_entry)
{
    struct fs *fs = directory->fs;
    struct found found = {0};

    assert(directory->is_loaded && offset >= directory->first &&
           offset - directory->first < directory->count && offset >= DOTS);
    struct entry *entry = &directory->entries[offset - directory->first];
    struct place place = {.directory = directory->node,
                          .name =
                              slice_of(directory->names.data + entry->name, entry->name_size)};
    struct node *node = entry->node;
    int failed = node != NULL ? 0 : found_of_entry(entry, &found);

    inodes_lock(&fs->inodes);
    if (inodes_was_removed(&fs->inodes, place.directory, place.name, directory->removals)) {
        failed = ENOENT;
    } else if (failed == 0 && node == NULL) {
        node = place_node_of_found(fs, &place, &found);
        failed = node == NULL ? ENOMEM : 0;
    } else if (failed == 0) {
        node_ref(node);
    }
    if (failed == 0) {
        node->lookups++;
    }
    inodes_unlock(&fs->inodes);
    if (failed == 0) {
        fs_entry_of_node(fs, node, ret_entry);
        fs_put_node(fs, node);
    }
    found_release(&found);
    return failed;
}

int fs_fsyncdir(struct fs *fs, uint64_t id)
{
    struct node *node;
    struct buffer key = {0};
    int failed = fs_get_node(fs, id, &node);
    if (failed != 0) {
        return failed;
    }
    failed = fs_node_key(fs, node, &key);
    if (failed == 0) {
        struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_NONE, .sync = true};
        failed = errno_of_status(kv_put(fs->config.kv, &put, &fs->options, NULL));
    }
    buffer_release(&key);
    fs_put_node(fs, node);
    return failed;
}
