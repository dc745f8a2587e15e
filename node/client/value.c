/*
 * value.c - see value.h.
 */
#include "node/client/value.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

static enum status write_id_new(uint8_t ret_id[WRITE_ID_SIZE])
{
    /* Up to 256 bytes come whole or not at all; the wait for the pool's first seed alone may be
     * interrupted. */
    static_assert(WRITE_ID_SIZE <= 256, "getrandom may then return less");
    ssize_t size;
    do {
        size = getrandom(ret_id, WRITE_ID_SIZE, 0);
    } while (size < 0 && errno == EINTR);
    return size == WRITE_ID_SIZE ? STATUS_OK : STATUS_IO;
}

enum status value_prepare(const struct version *value, struct version *ret_value)
{
    assert(value && ret_value);
    struct version copy = *value;
    enum status status = write_id_new(copy.write_id);
    if (status != STATUS_OK) {
        return status;
    }
    copy.content = value->content ? blob_ref(value->content) : blob_new((struct slice){0});
    if (!copy.content) {
        return STATUS_NO_MEMORY;
    }
    copy.xattrs = blob_ref(value->xattrs);
    copy.attributes.size = attributes_size_with(&copy.attributes, blob_slice(copy.content));
    *ret_value = copy;
    return STATUS_OK;
}

void value_release(struct version *value)
{
    blob_unref(value->content);
    blob_unref(value->xattrs);
    memset(value, 0, sizeof *value);
}
