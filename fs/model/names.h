/*
 * names.h - the names of siblings: `BASE~vN`.
 *
 * Rule:     N is 1 to SIBLING_NUMBER_MAX without a leading zero, so that each sibling has one
 *           name. Where the suffix might not fit behind the name, for one of more than
 *           SIBLING_BASE_MAX bytes, BASE is the name's beginning, `~`, and a hash of the name
 *           in eight hex digits.
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
    SHOWN_NAME_MAX = NAME_SIZE_MAX,
    SIBLING_BASE_MAX = SHOWN_NAME_MAX - SIBLING_SUFFIX_MAX,
};

/* What stands before `~vN` for the siblings of `name`: itself, or the shortened form in `room`.
 */
struct slice names_sibling_base(struct slice name, uint8_t room[SIBLING_BASE_MAX]);
/* True if `base` may be the shortened form of a longer name, which then has *ret_beginning. */
bool names_is_shortened(struct slice base, struct slice *ret_beginning);

/* Splits `BASE~vN`. False if `name` has no such form or BASE is no legal name. *ret_base is
 * borrowed from `name`. */
bool names_parse_sibling(struct slice name, struct slice *ret_base, uint32_t *ret_number);

/* Writes `BASE~vN` of a sibling of `name` and a final NUL. Returns its size without the NUL.
 * `name` is legal, `number` in range. */
size_t names_format_sibling(struct slice name, uint32_t number,
                            char ret_name[SHOWN_NAME_MAX + 1]);

#endif
