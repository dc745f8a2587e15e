/*
 * xattrs.c - user attributes as the bytes kept in version.xattrs.
 */
#include "fs/model/xattrs.h"

#include <assert.h>
#include <errno.h>

/* One attribute, or its removal. The slices are inside the encoded bytes. */
struct entry {
    struct slice name;
    struct slice value;
    int64_t set_ns;
    bool is_removed;
};

static uint64_t load_little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = size; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static void append_little_endian(struct buffer *buffer, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buffer_append_byte(buffer, (uint8_t)(value >> (8 * i) & 0xff));
    }
}

/* The entry at *offset, which moves behind it. ENODATA at the end, EIO. */
static int entry_read(struct slice encoded, size_t *offset, struct entry *ret_entry)
{
    size_t left = encoded.size - *offset;

    if (left == 0) {
        return ENODATA;
    }
    if (left < XATTR_HEADER_SIZE) {
        return EIO;
    }
    const uint8_t *header = encoded.data + *offset;
    size_t name_size = (size_t)load_little_endian(header, 2);
    size_t value_size = (size_t)load_little_endian(header + 2, 4);
    left -= XATTR_HEADER_SIZE;
    if (name_size == 0 || name_size > XATTR_NAME_MAX_SIZE || name_size > left ||
        value_size > left - name_size || header[14] > 1) {
        return EIO;
    }
    *ret_entry = (struct entry){
        .name = slice_of(header + XATTR_HEADER_SIZE, name_size),
        .value = slice_of(header + XATTR_HEADER_SIZE + name_size, value_size),
        .set_ns = (int64_t)load_little_endian(header + 6, 8),
        .is_removed = header[14] == 1,
    };
    *offset += XATTR_HEADER_SIZE + name_size + value_size;
    return 0;
}

static void entry_append(struct buffer *buffer, const struct entry *entry)
{
    append_little_endian(buffer, entry->name.size, 2);
    append_little_endian(buffer, entry->value.size, 4);
    append_little_endian(buffer, (uint64_t)entry->set_ns, 8);
    buffer_append_byte(buffer, entry->is_removed ? 1 : 0);
    buffer_append_slice(buffer, entry->name);
    buffer_append_slice(buffer, entry->value);
}

/* Which of two entries of one name holds: the later one, and of one moment the removal last,
 * the greater value first, so that it does not matter who asks. */
static bool entry_holds(const struct entry *entry, const struct entry *other)
{
    if (entry->set_ns != other->set_ns) {
        return entry->set_ns > other->set_ns;
    }
    if (entry->is_removed != other->is_removed) {
        return !entry->is_removed;
    }
    return slice_compare(entry->value, other->value) >= 0;
}

int xattrs_next(struct slice encoded, size_t *offset, struct slice *ret_name,
                struct slice *ret_value)
{
    struct entry entry;
    int failed;

    do {
        failed = entry_read(encoded, offset, &entry);
    } while (failed == 0 && entry.is_removed);
    if (failed == 0) {
        *ret_name = entry.name;
        *ret_value = entry.value;
    }
    return failed;
}

int xattrs_get(struct slice encoded, struct slice name, struct slice *ret_value)
{
    struct slice found;
    struct slice value;
    size_t offset = 0;
    int failed;

    while ((failed = xattrs_next(encoded, &offset, &found, &value)) == 0) {
        if (slice_equal(found, name)) {
            *ret_value = value;
            return 0;
        }
    }
    return failed;
}

/* Reading one side of a merge. */
struct side {
    struct slice encoded;
    size_t offset;
    struct entry head;
    int state; /* 0: there is a head; ENODATA: none is left; EIO */
};

static void side_step(struct side *side)
{
    struct slice before = side->head.name;

    side->state = entry_read(side->encoded, &side->offset, &side->head);
    if (side->state == 0 && before.size > 0 && slice_compare(before, side->head.name) >= 0) {
        side->state = EIO;
    }
}

static struct side side_of(struct slice encoded)
{
    struct side side = {.encoded = encoded};

    side_step(&side);
    return side;
}

/* Appends all entries of both sides, in order, one of each name. */
static int merge_sides(struct side *a, struct side *b, struct buffer *merged)
{
    while (a->state == 0 || b->state == 0) {
        int order = a->state != 0 ? 1 : -1;
        if (a->state == 0 && b->state == 0) {
            order = slice_compare(a->head.name, b->head.name);
        }
        bool is_a = order < 0 || (order == 0 && entry_holds(&a->head, &b->head));
        entry_append(merged, is_a ? &a->head : &b->head);
        if (order <= 0) {
            side_step(a);
        }
        if (order >= 0) {
            side_step(b);
        }
    }
    return a->state == EIO || b->state == EIO ? EIO : 0;
}

/* How many removals there are, and when the oldest of them was made. */
static int count_removals(struct slice encoded, int64_t *ret_oldest_ns, unsigned *ret_count)
{
    struct entry entry;
    size_t offset = 0;
    unsigned count = 0;
    int failed;

    while ((failed = entry_read(encoded, &offset, &entry)) == 0) {
        if (entry.is_removed && (count == 0 || entry.set_ns < *ret_oldest_ns)) {
            *ret_oldest_ns = entry.set_ns;
        }
        count += entry.is_removed ? 1 : 0;
    }
    *ret_count = count;
    return failed == ENODATA ? 0 : failed;
}

/* Forgets removals, oldest first, that are too many or have no room. ENOSPC, ENOMEM, EIO. */
static int forget_removals(struct buffer *buffer)
{
    int64_t oldest_ns = 0;
    unsigned count = 0;
    int failed = count_removals(buffer_slice(buffer), &oldest_ns, &count);

    while (failed == 0 && count > 0 &&
           (count > XATTR_REMOVALS_MAX || buffer->size > XATTRS_SIZE_MAX)) {
        struct buffer kept = {0};
        struct entry entry;
        size_t offset = 0;
        while (entry_read(buffer_slice(buffer), &offset, &entry) == 0) {
            if (!entry.is_removed || entry.set_ns > oldest_ns) {
                entry_append(&kept, &entry);
            }
        }
        failed = kept.failed ? ENOMEM : 0;
        buffer_release(buffer);
        *buffer = kept;
        if (failed == 0) {
            failed = count_removals(buffer_slice(buffer), &oldest_ns, &count);
        }
    }
    return failed == 0 && buffer->size > XATTRS_SIZE_MAX ? ENOSPC : failed;
}

/* The merge of both as a new blob; NULL for nothing. */
static int merge_encoded(struct slice a, struct slice b, struct blob **ret_merged)
{
    struct side side_a = side_of(a);
    struct side side_b = side_of(b);
    struct buffer merged = {0};
    struct blob *blob = NULL;
    int failed = merge_sides(&side_a, &side_b, &merged);

    if (failed == 0) {
        failed = merged.failed ? ENOMEM : forget_removals(&merged);
    }
    if (failed == 0 && merged.size > 0) {
        blob = blob_new(buffer_slice(&merged));
        failed = !blob ? ENOMEM : 0;
    }
    buffer_release(&merged);
    if (failed == 0) {
        *ret_merged = blob;
    }
    return failed;
}

int xattrs_merge(struct blob *a, struct blob *b, struct blob **ret_merged)
{
    if (slice_equal(blob_slice(a), blob_slice(b))) {
        *ret_merged = blob_ref(a);
        return 0;
    }
    return merge_encoded(blob_slice(a), blob_slice(b), ret_merged);
}

/* When the attribute was set or removed last; INT64_MIN: never, as far as is known. */
static int64_t last_set_ns(struct slice encoded, struct slice name)
{
    struct entry entry;
    size_t offset = 0;

    while (entry_read(encoded, &offset, &entry) == 0) {
        if (slice_equal(entry.name, name)) {
            return entry.set_ns;
        }
    }
    return INT64_MIN;
}

int xattrs_change(const struct blob *old, const struct xattr_change *change, int64_t now_ns,
                  struct blob **ret_new)
{
    struct slice encoded = blob_slice(old);
    struct entry entry = {.name = slice_of_string(change->name),
                          .value = change->remove ? slice_of(NULL, 0) : change->value,
                          .set_ns = now_ns,
                          .is_removed = change->remove};
    struct slice ignored;
    struct buffer buffer = {0};

    assert(entry.name.size > 0 && entry.name.size <= XATTR_NAME_MAX_SIZE);
    int failed = xattrs_get(encoded, entry.name, &ignored);
    bool exists = failed == 0;
    failed = failed == ENODATA ? 0 : failed;
    if (failed == 0 && !exists && (change->remove || change->must_exist)) {
        failed = ENODATA;
    } else if (failed == 0 && exists && change->must_create) {
        failed = EEXIST;
    }
    if (failed != 0) {
        return failed;
    }
    /* The clock may stand behind the one that it was set by: the change still is the last. */
    int64_t last_ns = last_set_ns(encoded, entry.name);
    entry.set_ns = last_ns >= now_ns && last_ns < INT64_MAX ? last_ns + 1 : now_ns;
    entry_append(&buffer, &entry);
    failed = buffer.failed ? ENOMEM : merge_encoded(encoded, buffer_slice(&buffer), ret_new);
    buffer_release(&buffer);
    return failed;
}
