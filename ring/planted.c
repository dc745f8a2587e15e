/*
 * planted.c - the switches of planted bugs; part of test builds only.
 */
#include "ring/planted.h"

#include "ring/clock.h"

enum planted_bug planted_bug = PLANTED_NONE;
unsigned planted_pairs_kept = CLOCK_PAIRS_KEPT;
