/*
 * fixture.c - two mounts of one store in memory, used as the kernel uses them.
 */
#include "tests/fs/model/fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/create.h"
#include "fs/model/directory.h"
#include "fs/model/extended.h"
#include "fs/model/flush.h"
#include "fs/model/io.h"
#include "fs/model/lookup.h"
#include "fs/model/open.h"
#include "fs/model/query.h"
#include "fs/model/remove.h"
#include "fs/model/rename.h"

static const struct creation creation = {.user = 1000, .group = 1000, .mode = 0644};
static const struct creation directory_creation = {.user = 1000, .group = 1000, .mode = 0755};

static void on_note(void *note_context, const char *text)
{
    struct mounts *mounts = note_context;

    mounts->notes++;
    snprintf(mounts->last_note, sizeof mounts->last_note, "%s", text);
}

/* The mount's own threads make calls as well. */
static pthread_mutex_t faulty_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_bad_call(struct faulty_kv *faulty, enum status *ret_status)
{
    pthread_mutex_lock(&faulty_lock);
    bool is_bad = faulty->bad_calls > 0 && faulty->good_calls == 0;
    if (is_bad) {
        faulty->bad_calls--;
    } else if (faulty->bad_calls > 0) {
        faulty->good_calls--;
    }
    *ret_status = faulty->status;
    pthread_mutex_unlock(&faulty_lock);
    return is_bad;
}

/* `kv` is the first member. */
static struct faulty_kv *faulty_of(struct kv *kv)
{
    return (struct faulty_kv *)kv;
}

static enum status faulty_get(struct kv *kv, struct slice key, const struct kv_options *options,
                              struct object **ret_object, uint64_t *ret_names_us)
{
    struct faulty_kv *faulty = faulty_of(kv);
    enum status status;

    if (is_bad_call(faulty, &status)) {
        return status;
    }
    return faulty->inner->operations->get(faulty->inner, key, options, ret_object,
                                          ret_names_us);
}

static enum status faulty_put(struct kv *kv, const struct kv_put *put,
                              const struct kv_options *options, struct object **ret_row)
{
    struct faulty_kv *faulty = faulty_of(kv);
    enum status status;

    if (is_bad_call(faulty, &status)) {
        return status;
    }
    if (faulty->before_put) {
        void (*before_put)(void *context) = faulty->before_put;
        faulty->before_put = NULL;
        before_put(faulty->context);
    }
    return faulty->inner->operations->put(faulty->inner, put, options, ret_row);
}

static enum status faulty_list(struct kv *kv, const struct kv_list *list,
                               const struct kv_options *options, struct kv_rows *ret_rows)
{
    struct faulty_kv *faulty = faulty_of(kv);
    enum status status;

    if (is_bad_call(faulty, &status)) {
        return status;
    }
    return faulty->inner->operations->list(faulty->inner, list, options, ret_rows);
}

static enum status faulty_space(struct kv *kv, const struct kv_options *options,
                                struct kv_space *ret_space)
{
    struct faulty_kv *faulty = faulty_of(kv);

    return faulty->inner->operations->space(faulty->inner, options, ret_space);
}

static enum status faulty_replicas(struct kv *kv, struct slice key, struct buffer *ret_text)
{
    struct faulty_kv *faulty = faulty_of(kv);

    return faulty->inner->operations->replicas(faulty->inner, key, ret_text);
}

static const struct kv_operations faulty_operations = {
    .get = faulty_get,
    .put = faulty_put,
    .list = faulty_list,
    .space = faulty_space,
    .replicas = faulty_replicas,
};

void fail_after(struct mounts *mounts, unsigned good_calls, unsigned bad_calls,
                enum status status)
{
    pthread_mutex_lock(&faulty_lock);
    mounts->faulty.good_calls = good_calls;
    mounts->faulty.bad_calls = bad_calls;
    mounts->faulty.status = status;
    pthread_mutex_unlock(&faulty_lock);
}

int mounts_open(void **state)
{
    struct mounts *mounts = calloc(1, sizeof *mounts);

    assert_non_null(mounts);
    assert_int_equal(kv_open_memory(&mounts->kv), STATUS_OK);
    struct fs_config config = {
        .kv = mounts->kv, .user = 1000, .group = 1000, .deadline_ms = 1000};
    mounts->there = fs_new(&config);
    mounts->faulty.kv.operations = &faulty_operations;
    mounts->faulty.inner = mounts->kv;
    config.kv = &mounts->faulty.kv;
    config.on_note = on_note;
    config.note_context = mounts;
    mounts->here = fs_new(&config);
    assert_non_null(mounts->here);
    assert_non_null(mounts->there);
    *state = mounts;
    return 0;
}

int mounts_close(void **state)
{
    struct mounts *mounts = *state;

    fs_free(mounts->here);
    fs_free(mounts->there);
    kv_close(mounts->kv);
    free(mounts);
    return 0;
}

uint64_t look(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;
    int failed = lookup_name(fs, parent, name, &entry);

    if (failed != 0) {
        fail_msg("lookup of %s: %s", name, strerror(failed));
    }
    return entry.id;
}

int look_error(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;
    int failed = lookup_name(fs, parent, name, &entry);

    if (failed == 0) {
        lookup_forget(fs, entry.id, 1);
    }
    return failed;
}

struct stat stat_of(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;

    assert_int_equal(lookup_name(fs, parent, name, &entry), 0);
    return entry.attributes;
}

struct file *open_file(struct fs *fs, uint64_t parent, const char *name, bool truncate)
{
    struct opened opened;

    assert_int_equal(open_inode(fs, look(fs, parent, name), truncate, &opened), 0);
    return opened.file;
}

struct file *create_file(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;
    struct file *file;

    assert_int_equal(create_pending(fs, parent, name, &creation, &entry, &file), 0);
    return file;
}

void write_open(struct file *file, uint64_t offset, const char *text)
{
    size_t written = 0;

    assert_int_equal(io_write(file, slice_of_string(text), offset, false, &written), 0);
    assert_int_equal(written, strlen(text));
}

int close_file(struct fs *fs, struct file *file)
{
    int failed = flush_file(fs, file, false);

    flush_release(fs, file, 0);
    return failed;
}

int write_error(struct fs *fs, uint64_t parent, const char *name, const char *text)
{
    struct fs_entry entry;
    struct opened opened;
    int failed = lookup_name(fs, parent, name, &entry);

    if (failed == ENOENT) {
        failed = create_pending(fs, parent, name, &creation, &entry, &opened.file);
    } else if (failed == 0) {
        failed = open_inode(fs, entry.id, true, &opened);
    }
    if (failed != 0) {
        return failed;
    }
    if (text[0] != 0) {
        write_open(opened.file, 0, text);
    }
    return close_file(fs, opened.file);
}

void write_file(struct fs *fs, uint64_t parent, const char *name, const char *text)
{
    int failed = write_error(fs, parent, name, text);

    if (failed != 0) {
        fail_msg("writing %s: %s", name, strerror(failed));
    }
}

void assert_file_holds(struct file *file, const char *text)
{
    struct slice bytes;
    struct blob *blob;
    char got[TEXT_MAX];

    assert_int_equal(io_read(file, 0, sizeof got - 1, &bytes, &blob), 0);
    if (bytes.size > 0) {
        memcpy(got, bytes.data, bytes.size);
    }
    got[bytes.size] = 0;
    blob_unref(blob);
    assert_string_equal(got, text);
}

void assert_reads(struct fs *fs, uint64_t parent, const char *name, const char *text)
{
    struct file *file = open_file(fs, parent, name, false);

    assert_file_holds(file, text);
    flush_release(fs, file, 0);
}

uint64_t make_directory(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;

    assert_int_equal(create_directory(fs, parent, name, &directory_creation, &entry), 0);
    return entry.id;
}

int rename_error(struct fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
                 const char *new_name)
{
    struct rename_names names = {
        .parent = parent, .name = name, .new_parent = new_parent, .new_name = new_name};
    struct fs_entry entry;

    (void)lookup_name(fs, parent, name, &entry);
    (void)lookup_name(fs, new_parent, new_name, &entry);
    return rename_name(fs, &names);
}

int unlink_error(struct fs *fs, uint64_t parent, const char *name)
{
    struct fs_entry entry;
    int failed = lookup_name(fs, parent, name, &entry);

    return failed != 0 ? failed : remove_file(fs, parent, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of the directory, by directory_at; the errno of the first failure. */
static int collect(struct fs *fs, uint64_t inode, char **names, size_t capacity, size_t *count)
{
    struct directory *directory;
    struct directory_entry entry;
    bool is_end = false;
    int failed = directory_open(fs, inode, &directory);

    *count = 0;
    if (failed != 0) {
        return failed;
    }
    directory_lock(directory);
    for (uint64_t offset = 0; failed == 0; offset++) {
        failed = directory_at(directory, offset, &entry, &is_end);
        if (failed != 0 || is_end) {
            break;
        }
        if (offset >= 2) {
            assert_true(*count < capacity);
            names[(*count)++] = strdup(entry.name);
        }
    }
    directory_unlock(directory);
    directory_close(fs, directory);
    return failed;
}

void assert_lists(struct fs *fs, uint64_t directory, const char *expected)
{
    char *names[256];
    char text[TEXT_MAX] = "";
    size_t count;

    assert_int_equal(collect(fs, directory, names, 256, &count), 0);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i == 0 ? "" : " ", names[i]);
        free(names[i]);
    }
    assert_string_equal(text, expected);
}

int list_error(struct fs *fs, uint64_t directory)
{
    char *names[256];
    size_t count;
    int failed = collect(fs, directory, names, 256, &count);

    while (count > 0) {
        free(names[--count]);
    }
    return failed;
}

void put_beside(struct kv *kv, const char *key, const char *text)
{
    struct version version = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                              .content = blob_new(slice_of_string(text))};
    struct kv_put put = {.key = slice_of_string(key), .mode = UPDATE_ALL, .value = &version};

    assert_int_equal(kv_put(kv, &put, &(struct kv_options){0}, NULL), STATUS_OK);
    blob_unref(version.content);
}

unsigned versions_of(struct kv *kv, const char *key)
{
    struct object *object = NULL;
    enum status status = kv_get(kv, slice_of_string(key), &(struct kv_options){0}, &object);
    unsigned count = status == STATUS_OK ? object->version_count : 0;

    object_unref(object);
    return count;
}

void make_conflict(struct mounts *mounts, const char *name, const char *old_text,
                   const char *new_text)
{
    put_beside(mounts->kv, name, old_text);
    put_beside(mounts->kv, name, new_text);
}

struct opened open_flagged(struct fs *fs, const char *name, unsigned flags)
{
    struct opened opened;

    assert_int_equal(open_inode(fs, look(fs, ROOT, name), flags, &opened), 0);
    return opened;
}

struct file *hold_open(struct fs *fs, const char *name)
{
    return open_flagged(fs, name, OPEN_READ_ONLY).file;
}

struct stat stat_of_inode(struct fs *fs, uint64_t inode)
{
    struct stat attributes;
    double valid_s;

    assert_int_equal(query_attributes(fs, inode, &attributes, &valid_s), 0);
    return attributes;
}

struct stat change_by_id(struct fs *fs, uint64_t inode, struct change change)
{
    struct stat attributes;

    assert_int_equal(change_attributes(fs, inode, &change, &attributes), 0);
    return attributes;
}

int set_user_attribute(struct fs *fs, uint64_t inode, const char *name, const char *value)
{
    struct xattr_change xattr = {.name = name, .value = slice_of_string(value)};

    return extended_set(fs, inode, &xattr);
}

void assert_user_attribute(struct fs *fs, uint64_t inode, const char *name, const char *value)
{
    struct buffer got = {0};

    assert_int_equal(extended_get(fs, inode, name, &got), 0);
    assert_true(slice_equal(buffer_slice(&got), slice_of_string(value)));
    buffer_release(&got);
}
