/*
 * content.c - the content of one open file, and where it is kept.
 */
#include "fs/model/content.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SPILL_SIZE_MIN = 64 << 10 }; /* less is not worth a descriptor */

void content_keeper_init(struct content_keeper *keeper, struct blocks *blocks)
{
    keeper->blocks = blocks;
    atomic_init(&keeper->held, 0);
    keeper->directory = open("/var/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (keeper->directory < 0) {
        keeper->directory = open("/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    }
}

void content_keeper_release(struct content_keeper *keeper)
{
    if (keeper->directory >= 0) {
        (void)close(keeper->directory);
    }
}

void content_init(struct content *content, struct content_keeper *keeper)
{
    *content = (struct content){.keeper = keeper, .spill = -1};
}

static void drop_fetched(struct content *content)
{
    if (content->fetched) {
        atomic_fetch_sub(&content->keeper->held, content->fetched->size);
        blob_unref(content->fetched);
        content->fetched = NULL;
    }
}

static void drop_spilled(struct content *content)
{
    if (content->is_spilled) {
        (void)close(content->spill);
        content->is_spilled = false;
        content->spilled_size = 0;
    }
}

static void drop_edited(struct content *content)
{
    buffer_release(&content->edited);
    content->is_edited = false;
}

static void drop_large(struct content *content)
{
    large_unref(content->large);
    large_unref(content->replaced);
    content->large = NULL;
    content->replaced = NULL;
}

void content_release(struct content *content)
{
    drop_large(content);
    drop_fetched(content);
    drop_spilled(content);
    drop_edited(content);
}

uint64_t content_size(const struct content *content)
{
    if (content->large) {
        return large_size(content->large);
    }
    if (content->is_edited) {
        return content->edited.size;
    }
    return content->is_spilled ? content->spilled_size : blob_slice(content->fetched).size;
}

static bool write_all(int file, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes = slice_of(bytes.data + written, bytes.size - (size_t)written);
    }
    return true;
}

static bool try_to_spill(struct content *content, struct slice bytes)
{
    int directory = content->keeper->directory;
    int file = -1;

    if (directory >= 0) {
        file = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    if (file < 0) {
        return false;
    }
    if (!write_all(file, bytes)) {
        (void)close(file);
        return false;
    }
    content->spill = file;
    content->spilled_size = bytes.size;
    content->is_spilled = true;
    return true;
}

void content_set_large(struct content *content, struct large *large)
{
    content_release(content);
    content->large = large;
}

int content_set(struct content *content, const struct version *version)
{
    struct blob *bytes = !version ? NULL : version->content;
    struct slice slice = blob_slice(bytes);

    if (version && version->attributes.type == VERSION_LARGE_FILE) {
        struct large *large = NULL;
        int failed = large_open(content->keeper->blocks, bytes, &large);
        if (failed == 0) {
            content_set_large(content, large);
        }
        return failed;
    }
    blob_ref(bytes);
    content_release(content);
    if (!bytes) {
        return 0;
    }
    bool is_over = atomic_load(&content->keeper->held) + slice.size > HELD_SIZE_MAX;
    if (is_over && slice.size >= SPILL_SIZE_MIN && try_to_spill(content, slice)) {
        blob_unref(bytes);
        return 0;
    }
    atomic_fetch_add(&content->keeper->held, slice.size);
    content->fetched = bytes;
    return 0;
}

/* Reads from the temporary file, all that is asked for. */
static int read_spilled(const struct content *content, uint64_t offset, uint8_t *place,
                        size_t size)
{
    while (size > 0) {
        ssize_t got = pread(content->spill, place, size, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return EIO;
        }
        place += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

static int copy_spilled(const struct content *content, uint64_t offset, size_t size,
                        struct blob **ret_blob)
{
    struct blob *blob = blob_new_uninitialised(size);
    int failed = !blob ? ENOMEM : read_spilled(content, offset, blob->data, size);

    if (failed != 0) {
        blob_unref(blob);
        return failed;
    }
    *ret_blob = blob;
    return 0;
}

/* Makes it changeable: `edited` holds it from then on. */
static int content_edit(struct content *content)
{
    struct blob *whole = NULL;

    if (content->is_edited) {
        return 0;
    }
    int failed = content_whole(content, &whole);
    if (failed != 0) {
        return failed;
    }
    buffer_reset(&content->edited);
    buffer_append_slice(&content->edited, blob_slice(whole));
    blob_unref(whole);
    if (content->edited.failed) {
        buffer_release(&content->edited);
        return ENOMEM;
    }
    drop_fetched(content);
    drop_spilled(content);
    content->is_edited = true;
    return 0;
}

int content_resize(struct content *content, uint64_t size)
{
    assert(!content->large);
    assert(size <= INLINE_SIZE_MAX || size <= content_size(content));

    int failed = content_edit(content);
    if (failed != 0) {
        return failed;
    }
    struct buffer *edited = &content->edited;
    if (size > edited->size) {
        size_t growth = (size_t)size - edited->size;
        uint8_t *place = buffer_reserve(edited, growth);
        if (!place) {
            edited->failed = false; /* the bytes are as they were */
            return ENOMEM;
        }
        memset(place, 0, growth);
    }
    edited->size = (size_t)size;
    return 0;
}

void content_clear(struct content *content)
{
    if (content->large) {
        struct large *replaced = NULL;
        int failed = large_again(content->large, &replaced);
        drop_large(content);
        content->replaced = failed == 0 ? replaced : NULL; /* else all is stored anew */
    }
    drop_fetched(content);
    drop_spilled(content);
    buffer_reset(&content->edited);
    content->is_edited = true;
}

int content_read(const struct content *content, uint64_t offset, size_t size,
                 struct slice *ret_bytes, struct blob **ret_blob)
{
    struct blob *blob = NULL;

    assert(!content->large && offset + size <= content_size(content));
    if (size == 0) {
        *ret_bytes = slice_of(NULL, 0);
        *ret_blob = NULL;
        return 0;
    }
    if (content->is_spilled) {
        int failed = copy_spilled(content, offset, size, &blob);
        if (failed != 0) {
            return failed;
        }
        *ret_bytes = blob_slice(blob);
    } else if (content->is_edited) {
        blob = blob_new(slice_of(content->edited.data + offset, size));
        if (!blob) {
            return ENOMEM;
        }
        *ret_bytes = blob_slice(blob);
    } else {
        blob = blob_ref(content->fetched);
        *ret_bytes = slice_of(blob->data + offset, size);
    }
    *ret_blob = blob;
    return 0;
}

int content_whole(const struct content *content, struct blob **ret_blob)
{
    struct blob *blob;

    assert(!content->large);
    if (content->is_spilled) {
        return copy_spilled(content, 0, (size_t)content->spilled_size, ret_blob);
    }
    if (!content->is_edited && content->fetched) {
        blob = blob_ref(content->fetched);
    } else {
        blob =
            blob_new(content->is_edited ? buffer_slice(&content->edited) : slice_of(NULL, 0));
    }
    if (!blob) {
        return ENOMEM;
    }
    *ret_blob = blob;
    return 0;
}
