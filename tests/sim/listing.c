/*
 * listing.c - compares a listing with the history.
 */
#include "tests/sim/listing.h"

#include <stdio.h>
#include <string.h>

#include "node/wire/message.h"
#include "tests/sim/load.h"

bool listing_take(struct listing *listing, struct row *rows, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (listing->count == LISTING_ROWS_MAX) {
            listing->is_overfull = true;
            row_release(&rows[i]);
            continue;
        }
        good = message_open_row(&rows[i]) == STATUS_OK && good;
        listing->rows[listing->count++] = rows[i];
        rows[i] = (struct row){0};
    }
    return good;
}

void listing_release(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        row_release(&listing->rows[i]);
    }
    listing->count = 0;
}

bool listing_is_in_order(const struct listing *listing)
{
    for (size_t i = 1; i < listing->count; i++) {
        if (row_compare(&listing->rows[i - 1], &listing->rows[i]) >= 0) {
            return false;
        }
    }
    return !listing->is_overfull;
}

/* The row of a key of the load, or NULL. */
static const struct object *find_row(const struct listing *listing, struct slice key)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct row *row = &listing->rows[i];
        if (row->kind == key_row_kind(key) &&
            slice_equal(blob_slice(row->name), key_name(key))) {
            return row->object;
        }
    }
    return NULL;
}

static bool is_shown_right(const struct listing *listing, const struct history *history,
                           int key, uint32_t before, const char **ret_what)
{
    const struct object *row = find_row(listing, slice_of_string(load_key(key)));
    *ret_what = "a listing shows a version that was superseded";
    if (!history_check_superseded(history, key, row, before)) {
        return false;
    }
    *ret_what = "a listing misses a version";
    if (!history_check_read(history, key, row, before)) {
        return false;
    }
    *ret_what = "a listing misses a name";
    return object_is_live(row) || !history_is_name_due(history, key, before);
}

bool listing_check(const struct listing *listing, const struct history *history,
                   uint32_t before, bool is_current, char *why, size_t size)
{
    if (!listing_is_in_order(listing)) {
        (void)snprintf(why, size, "a listing repeats a name, or has lost its order");
        return false;
    }
    for (int key = 0; key < load_keys(); key++) {
        struct slice text = slice_of_string(load_key(key));
        const char *what = "";
        if (!slice_equal(key_directory(text), listing->directory)) {
            continue;
        }
        if (!history_is_written(history, key, find_row(listing, text))) {
            (void)snprintf(why, size, "key %d: a listing shows what nobody wrote", key);
            return false;
        }
        if (is_current && !is_shown_right(listing, history, key, before, &what)) {
            (void)snprintf(why, size, "key %d: %s", key, what);
            return false;
        }
    }
    return true;
}
