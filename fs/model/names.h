/*
 * names.h - the names of siblings: `BASE~vN`.
 *
 * Rule:     N is 1 to SIBLING_NUMBER_MAX without a leading zero, so that each sibling has one
 *           name, and the suffix fits behind the longest legal name.
 */
#ifndef FS_MODEL_NAMES_H
#define FS_MODEL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/bytes.h"
#include "ring/key.h"

enum {
    SIBLING_SUFFIX_MAX = 7, /* `~v` and five digits */
    SIBLING_NUMBER_MAX = 99999,
    SHOWN_NAME_MAX = NAME_SIZE_MAX + SIBLING_SUFFIX_MAX, /* the kernel's 255 */
};

/* Splits `BASE~vN`. False if `name` has no such form or BASE is no legal name. *ret_base is
 * borrowed from `name`. */
bool names_parse_sibling(struct slice name, struct slice *ret_base, uint32_t *ret_number);

/* Writes `BASE~vN` and a final NUL. Returns its size without the NUL. `base` is legal, `number`
 * in range. */
size_t names_format_sibling(struct slice base, uint32_t number,
                            char ret_name[SHOWN_NAME_MAX + 1]);

#endif
