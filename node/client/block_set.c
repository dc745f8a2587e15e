/*
 * block_set.c - see block_set.h.
 */
#include "node/client/block_set.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ring/planted.h"

static enum status random_bytes(uint8_t *ret_bytes, size_t size)
{
    ssize_t got;
    do {
        got = getrandom(ret_bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)size ? STATUS_OK : STATUS_IO;
}

enum status block_set_new(struct block_set *ret_set)
{
    return random_bytes(ret_set->byte, BLOCK_SET_SIZE);
}

/* Puts an internal key; `content` may be NULL. */
static enum status put_key(struct kv *kv, const struct buffer *key, struct blob *content,
                           const struct kv_options *options)
{
    struct version value = {.attributes = {.type = VERSION_FILE}, .content = content};
    struct kv_put put = {
        .key = buffer_slice(key), .mode = UPDATE_ALL, .value = &value, .sync = true};

    put.sync = !planted(PLANTED_BLOCK_UNSYNCED);
    return key->failed ? STATUS_NO_MEMORY : kv_put(kv, &put, options, NULL);
}

/* The key exists already: then a put of it would only add a version like those it has. */
static enum status put_note(struct kv *kv, const struct buffer *key, struct blob *content,
                            const struct kv_options *options)
{
    struct object *object = NULL;
    struct version value = {.attributes = {.type = VERSION_FILE}, .content = content};
    struct kv_put put = {
        .key = buffer_slice(key), .mode = UPDATE_ALL, .value = &value, .sync = true};

    if (key->failed) {
        return STATUS_NO_MEMORY;
    }
    enum status status = kv_get(kv, put.key, options, &object);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        if (object) {
            put.context = object->clock;
        }
        status = kv_put(kv, &put, options, NULL);
    }
    object_unref(object);
    return status;
}

enum status block_set_announce(struct kv *kv, const struct block_set *set, uint32_t stripe,
                               const struct kv_options *options)
{
    assert(kv && set);

    struct buffer key = {0};
    if (stripe == 0) {
        block_key_head(&key, set);
    } else {
        block_key_mark(&key, set, stripe);
    }
    enum status status = put_note(kv, &key, NULL, options);
    buffer_release(&key);
    return status;
}

enum status block_set_name(struct kv *kv, const struct block_set *set, struct slice path,
                           const struct kv_options *options)
{
    assert(kv && set && path.size > 0);

    struct buffer key = {0};
    struct blob *content = blob_new(path);
    block_key_path(&key, set, path);
    enum status status = !content ? STATUS_NO_MEMORY : put_note(kv, &key, content, options);
    blob_unref(content);
    buffer_release(&key);
    return status;
}

enum status block_set_put(struct kv *kv, const struct kv_put *put,
                          const struct kv_options *options, struct object **ret_row)
{
    assert(kv && put && options);

    struct manifest manifest;
    bool is_large = put->value && put->value->attributes.type == VERSION_LARGE_FILE;
    enum status status = STATUS_OK;
    if (is_large) {
        status = manifest_parse(blob_slice(put->value->content), &manifest);
    }
    if (is_large && status == STATUS_OK && planted(PLANTED_NAMED_LATE)) {
        status = kv_put(kv, put, options, ret_row);
        return status == STATUS_OK ? block_set_name(kv, &manifest.set, put->key, options)
                                   : status;
    }
    if (is_large && status == STATUS_OK) {
        status = block_set_name(kv, &manifest.set, put->key, options);
    }
    return status == STATUS_OK ? kv_put(kv, put, options, ret_row) : status;
}

enum status block_holder_new(uint8_t ret_holder[BLOCK_ID_SIZE])
{
    return random_bytes(ret_holder, BLOCK_ID_SIZE);
}

enum status block_set_hold(struct kv *kv, const struct block_set *set,
                           const uint8_t holder[BLOCK_ID_SIZE],
                           const struct kv_options *options)
{
    assert(kv && set && holder);

    struct buffer key = {0};
    block_key_hold(&key, set, holder);
    /* Of a set without a head nobody would ever find the holder. */
    enum status status = block_set_announce(kv, set, 0, options);
    status = status == STATUS_OK ? put_note(kv, &key, NULL, options) : status;
    buffer_release(&key);
    return status;
}

enum status block_put(struct kv *kv, const struct block_place *place, struct blob *content,
                      const struct kv_options *options, struct block_entry *ret_entry)
{
    assert(kv && place && content && content->size <= BLOCK_SIZE);

    struct buffer key = {0};
    struct block_entry entry;
    enum status status;
    do {
        status = random_bytes(entry.id, BLOCK_ID_SIZE);
    } while (status == STATUS_OK && block_entry_is_hole(&entry));
    if (status != STATUS_OK) {
        return status;
    }
    block_hash(blob_slice(content), entry.hash);
    block_key_block(&key, &place->set, place->index, &entry);
    if (planted(PLANTED_BLOCK_EARLY)) {
        struct kv_options hasty = {.deadline_ms = 1};
        (void)!put_key(kv, &key, content, &hasty);
    } else {
        status = put_key(kv, &key, content, options);
    }
    buffer_release(&key);
    if (status == STATUS_OK) {
        *ret_entry = entry;
    }
    return status;
}

/* The version with the entry's content; NULL if there is none. */
static struct blob *find_content(const struct object *object, const struct block_entry *entry)
{
    uint8_t hash[BLOCK_HASH_SIZE];

    for (uint32_t i = 0; object && i < object->version_count; i++) {
        struct blob *content = object->versions[i].content;
        if (content && content->size <= BLOCK_SIZE) {
            block_hash(blob_slice(content), hash);
            if (memcmp(hash, entry->hash, BLOCK_HASH_SIZE) == 0) {
                return content;
            }
        }
    }
    return NULL;
}

/* A block as it was found, and where. */
struct got_block {
    struct buffer key;
    struct object *object;
    struct blob *content; /* of the object */
};

static void got_block_release(struct got_block *got)
{
    object_unref(got->object);
    buffer_release(&got->key);
}

/* One copy will do, for whether it is the right one can be seen from it. Only who does not find
 * it asks more nodes. Whatever comes of it, *ret_got is to be released. */
static enum status get_block(struct kv *kv, const struct block_place *place,
                             const struct block_entry *entry, const struct kv_options *options,
                             struct got_block *ret_got)
{
    struct kv_options one = *options;

    one.r = 1;
    *ret_got = (struct got_block){0};
    block_key_block(&ret_got->key, &place->set, place->index, entry);
    if (ret_got->key.failed) {
        return STATUS_NO_MEMORY;
    }
    struct slice key = buffer_slice(&ret_got->key);
    enum status status = kv_get(kv, key, &one, &ret_got->object);
    ret_got->content = status == STATUS_OK ? find_content(ret_got->object, entry) : NULL;
    bool is_over = status == STATUS_TIMEOUT || status == STATUS_INTERRUPTED;
    if (!ret_got->content && !is_over) {
        object_unref(ret_got->object);
        ret_got->object = NULL;
        status = kv_get(kv, key, options, &ret_got->object);
        ret_got->content = status == STATUS_OK ? find_content(ret_got->object, entry) : NULL;
    }
    if (ret_got->content) {
        return STATUS_OK;
    }
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

enum status block_get(struct kv *kv, const struct block_place *place,
                      const struct block_entry *entry, const struct kv_options *options,
                      struct blob **ret_content)
{
    assert(kv && place && entry && options && ret_content);

    struct got_block got;
    enum status status = get_block(kv, place, entry, options, &got);
    if (status == STATUS_OK) {
        *ret_content = blob_ref(got.content);
    }
    got_block_release(&got);
    return status;
}

enum status block_touch(struct kv *kv, const struct block_place *place,
                        const struct block_entry *entry, const struct kv_options *options)
{
    assert(kv && place && entry && options);

    struct got_block got;
    enum status status = get_block(kv, place, entry, options, &got);
    status = status == STATUS_CORRUPT ? STATUS_NOT_FOUND : status;
    if (status == STATUS_OK) {
        struct version value = {.attributes = {.type = VERSION_FILE}, .content = got.content};
        struct kv_put put = {.key = buffer_slice(&got.key),
                             .mode = UPDATE_ALL,
                             .context = got.object->clock,
                             .value = &value,
                             .sync = true};
        status = kv_put(kv, &put, options, NULL);
    }
    got_block_release(&got);
    return status;
}
