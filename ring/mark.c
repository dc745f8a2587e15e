/*
 * mark.c - the table of marks; part of test builds only.
 */
#include "ring/mark.h"

#include <stddef.h>

uint64_t mark_counts[MARK_COUNT];

#define MARK_NAME(name, text) #name,
#define MARK_TEXT(name, text) text,

const char *mark_name(unsigned which)
{
    static const char *const names[MARK_COUNT] = {MARKS(MARK_NAME)};
    return which < MARK_COUNT ? names[which] : NULL;
}

const char *mark_text(unsigned which)
{
    static const char *const texts[MARK_COUNT] = {MARKS(MARK_TEXT)};
    return which < MARK_COUNT ? texts[which] : NULL;
}
