/*
 * bounds.c - see bounds.h.
 */
#include "node/wire/bounds.h"

#include <assert.h>

/* The head of one value: its kind, and what follows its head. */
struct head {
    bool is_array;
    uint32_t count;     /* elements of an array */
    uint64_t body_size; /* bytes after the head that belong to this very value */
};

struct walk {
    struct slice left;
    uint32_t count;
    uint32_t depth;
    uint32_t open[BOUNDS_DEPTH_MAX]; /* elements still to come in each open array */
};

/* Takes `width` bytes, big-endian. False if they are not there. */
static bool take_number(struct walk *walk, size_t width, uint64_t *ret_number)
{
    uint64_t number = 0;

    assert(width <= sizeof number);
    if (walk->left.size < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        number = number << 8 | walk->left.data[i];
    }
    walk->left.data += width;
    walk->left.size -= width;
    *ret_number = number;
    return true;
}

/* Takes a length of `width` bytes that a shorter form, up to `shorter_max`, could not tell. */
static bool take_length(struct walk *walk, size_t width, uint64_t shorter_max,
                        uint64_t *ret_length)
{
    uint64_t length;

    if (!take_number(walk, width, &length) || length <= shorter_max) {
        return false;
    }
    *ret_length = length;
    return true;
}

/* An array cannot claim more elements than there are bytes left. */
static bool take_array(struct walk *walk, uint64_t count, struct head *ret_head)
{
    if (count > walk->left.size || count > BOUNDS_ELEMENTS_MAX) {
        return false;
    }
    *ret_head = (struct head){.is_array = true, .count = (uint32_t)count};
    return true;
}

/* A negative number of `width` bytes: below `limit`, which the next shorter form still holds.
 */
static bool take_negative(struct walk *walk, size_t width, int64_t limit)
{
    uint64_t number;
    uint64_t sign_bits;

    if (!take_number(walk, width, &number)) {
        return false;
    }
    sign_bits = width < 8 ? ~UINT64_C(0) << (8 * width - 1) : UINT64_C(1) << 63;
    if ((number & sign_bits) == 0) {
        return false;
    }
    return (int64_t)(number | sign_bits) < limit;
}

/* Values whose first byte is 0xc0 to 0xdf: everything with a length or a width of its own. */
static bool take_wide(struct walk *walk, uint8_t first, struct head *ret_head)
{
    uint64_t number;

    switch (first) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: /* true */
        return true;
    case 0xc4: /* bin 8 */
        return take_number(walk, 1, &ret_head->body_size);
    case 0xc5: /* bin 16 */
        return take_length(walk, 2, UINT8_MAX, &ret_head->body_size);
    case 0xc6: /* bin 32 */
        return take_length(walk, 4, UINT16_MAX, &ret_head->body_size);
    case 0xcc: /* uint 8 to 64 */
        return take_length(walk, 1, INT8_MAX, &number);
    case 0xcd:
        return take_length(walk, 2, UINT8_MAX, &number);
    case 0xce:
        return take_length(walk, 4, UINT16_MAX, &number);
    case 0xcf:
        return take_length(walk, 8, UINT32_MAX, &number);
    case 0xd0: /* int 8 to 64, for what is below 0 */
        return take_negative(walk, 1, -32);
    case 0xd1:
        return take_negative(walk, 2, INT8_MIN);
    case 0xd2:
        return take_negative(walk, 4, INT16_MIN);
    case 0xd3:
        return take_negative(walk, 8, INT32_MIN);
    case 0xd9: /* str 8 to 32 */
        return take_length(walk, 1, 31, &ret_head->body_size);
    case 0xda:
        return take_length(walk, 2, UINT8_MAX, &ret_head->body_size);
    case 0xdb:
        return take_length(walk, 4, UINT16_MAX, &ret_head->body_size);
    case 0xdc: /* array 16 */
        return take_length(walk, 2, 15, &number) && take_array(walk, number, ret_head);
    default: /* array 32 is above BOUNDS_ELEMENTS_MAX; the rest is none of ours */
        return false;
    }
}

static bool take_head(struct walk *walk, struct head *ret_head)
{
    uint8_t first;

    if (walk->left.size == 0) {
        return false;
    }
    first = walk->left.data[0];
    walk->left.data++;
    walk->left.size--;
    *ret_head = (struct head){0};
    if (first < 0x80 || first >= 0xe0) { /* small integers */
        return true;
    }
    if (first < 0x90) { /* small maps */
        return false;
    }
    if (first < 0xa0) {
        return take_array(walk, first & 0x0f, ret_head);
    }
    if (first < 0xc0) {
        ret_head->body_size = first & 0x1f;
        return true;
    }
    return take_wide(walk, first, ret_head);
}

/* One value without what an array holds. */
static bool walk_value(struct walk *walk)
{
    struct head head;

    if (++walk->count > BOUNDS_ELEMENTS_MAX || !take_head(walk, &head) ||
        head.body_size > walk->left.size) {
        return false;
    }
    if (head.body_size > 0) {
        walk->left.data += head.body_size;
        walk->left.size -= head.body_size;
    }
    if (!head.is_array) {
        return true;
    }
    if (walk->depth == BOUNDS_DEPTH_MAX) {
        return false;
    }
    walk->open[walk->depth++] = head.count;
    return true;
}

/* One whole value. */
static bool walk_whole(struct walk *walk)
{
    if (!walk_value(walk)) {
        return false;
    }
    while (walk->depth > 0) {
        if (walk->open[walk->depth - 1] == 0) {
            walk->depth--;
            continue;
        }
        walk->open[walk->depth - 1]--;
        if (!walk_value(walk)) {
            return false;
        }
    }
    return true;
}

bool bounds_check(struct slice bytes, uint32_t *ret_count)
{
    struct walk walk = {.left = bytes};

    assert(bytes.data || bytes.size == 0);
    if (!walk_whole(&walk) || walk.left.size > 0) {
        return false;
    }
    *ret_count = walk.count;
    return true;
}

bool bounds_skip(struct slice *bytes)
{
    struct walk walk = {.left = *bytes};

    if (!walk_whole(&walk)) {
        return false;
    }
    *bytes = walk.left;
    return true;
}

bool bounds_enter_array(struct slice *bytes, uint32_t *ret_count)
{
    struct walk walk = {.left = *bytes};
    struct head head;

    if (!take_head(&walk, &head) || !head.is_array) {
        return false;
    }
    *bytes = walk.left;
    *ret_count = head.count;
    return true;
}
