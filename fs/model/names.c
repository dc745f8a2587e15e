/*
 * names.c - the names of siblings: `BASE~vN`.
 */
#include "fs/model/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ring/fnv.h"

static_assert(SHOWN_NAME_MAX == 255, "a sibling's name must fit into the kernel's NAME_MAX");

enum { HASH_DIGITS = 8, UTF8_MAX = 4, BEGINNING_MAX = SIBLING_BASE_MAX - 1 - HASH_DIGITS };

struct slice names_sibling_base(struct slice name, uint8_t room[SIBLING_BASE_MAX])
{
    if (name.size <= SIBLING_BASE_MAX) {
        return name;
    }
    size_t kept = BEGINNING_MAX;
    /* Not within a character, if it is UTF-8. */
    while (kept > BEGINNING_MAX - UTF8_MAX + 1 && (name.data[kept] & 0xc0) == 0x80) {
        kept--;
    }
    char hash[HASH_DIGITS + 2];
    snprintf(hash, sizeof hash, "~%08x", fnv32(name));
    memcpy(room, name.data, kept);
    memcpy(room + kept, hash, HASH_DIGITS + 1);
    return slice_of(room, kept + HASH_DIGITS + 1);
}

bool names_is_shortened(struct slice base, struct slice *ret_beginning)
{
    if (base.size > SIBLING_BASE_MAX || base.size <= SIBLING_BASE_MAX - UTF8_MAX) {
        return false;
    }
    size_t kept = base.size - 1 - HASH_DIGITS;
    if (base.data[kept] != '~') {
        return false;
    }
    for (size_t i = kept + 1; i < base.size; i++) {
        if (!memchr("0123456789abcdef", base.data[i], 16)) {
            return false;
        }
    }
    *ret_beginning = slice_of(base.data, kept);
    return true;
}

bool names_parse_sibling(struct slice name, struct slice *ret_base, uint32_t *ret_number)
{
    size_t digits = 0;
    uint32_t number = 0;
    uint32_t scale = 1;

    while (digits < name.size && digits < SIBLING_SUFFIX_MAX - 2) {
        uint8_t byte = name.data[name.size - 1 - digits];
        if (byte < '0' || byte > '9') {
            break;
        }
        number += scale * (uint32_t)(byte - '0');
        scale *= 10;
        digits++;
    }
    if (digits == 0 || name.size < digits + 3 || name.data[name.size - digits] == '0') {
        return false;
    }
    struct slice base = slice_of(name.data, name.size - digits - 2);
    if (memcmp(name.data + base.size, "~v", 2) != 0 || base.size > SIBLING_BASE_MAX ||
        !key_name_is_valid(base)) {
        return false;
    }
    *ret_base = base;
    *ret_number = number;
    return true;
}

size_t names_format_sibling(struct slice name, uint32_t number,
                            char ret_name[SHOWN_NAME_MAX + 1])
{
    assert(name.size > 0 && name.size <= NAME_SIZE_MAX);
    assert(number >= 1 && number <= SIBLING_NUMBER_MAX);

    uint8_t room[SIBLING_BASE_MAX];
    struct slice base = names_sibling_base(name, room);
    memcpy(ret_name, base.data, base.size);
    int size = snprintf(ret_name + base.size, SIBLING_SUFFIX_MAX + 1, "~v%u", number);
    assert(size > 0 && size <= SIBLING_SUFFIX_MAX);
    return base.size + (size_t)size;
}
