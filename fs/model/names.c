/*
 * names.c - the names of siblings: `BASE~vN`.
 */
#include "fs/model/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(SHOWN_NAME_MAX == 255, "a sibling's name must fit into the kernel's NAME_MAX");

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
    if (memcmp(name.data + base.size, "~v", 2) != 0 || !key_name_is_valid(base)) {
        return false;
    }
    *ret_base = base;
    *ret_number = number;
    return true;
}

size_t names_format_sibling(struct slice base, uint32_t number,
                            char ret_name[SHOWN_NAME_MAX + 1])
{
    assert(base.size > 0 && base.size <= NAME_SIZE_MAX);
    assert(number >= 1 && number <= SIBLING_NUMBER_MAX);

    memcpy(ret_name, base.data, base.size);
    int size = snprintf(ret_name + base.size, SIBLING_SUFFIX_MAX + 1, "~v%u", number);
    assert(size > 0 && size <= SIBLING_SUFFIX_MAX);
    return base.size + (size_t)size;
}
