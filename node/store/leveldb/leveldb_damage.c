/*
 * leveldb_damage.c - what was found damaged last, for people.
 */
#include "node/store/leveldb/leveldb_damage.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "node/base/now.h"
#include "node/store/leveldb/leveldb_tables.h"

enum {
    /* Indexes of some GiB of tables; a tenth of a second, once in a second. */
    SEARCHED_BYTES_MAX = 32 << 20,
    SEARCH_PAUSE_MS = 1000,
};

void leveldb_damage_init(struct leveldb_damage *damage)
{
    *damage = (struct leveldb_damage){.placed_ms = -SEARCH_PAUSE_MS};
    pthread_mutex_init(&damage->lock, NULL);
}

void leveldb_damage_release(struct leveldb_damage *damage)
{
    buffer_release(&damage->start);
    buffer_release(&damage->end);
    pthread_mutex_destroy(&damage->lock);
}

void leveldb_damage_note(struct leveldb_damage *damage, const char *text, struct slice start,
                         struct slice end)
{
    pthread_mutex_lock(&damage->lock);
    if (damage->text[0] == '\0' ||
        (int64_t)now_monotonic_ms() - damage->placed_ms >= SEARCH_PAUSE_MS) {
        (void)snprintf(damage->text, sizeof damage->text, "%s", text);
        buffer_release(&damage->start);
        buffer_release(&damage->end);
        buffer_append_slice(&damage->start, start);
        buffer_append_slice(&damage->end, end);
        damage->is_placed = false;
    }
    pthread_mutex_unlock(&damage->lock);
}

void leveldb_damage_forget(struct leveldb_damage *damage)
{
    pthread_mutex_lock(&damage->lock);
    damage->text[0] = '\0';
    pthread_mutex_unlock(&damage->lock);
}

static bool find_within(const struct leveldb_damage *damage, const char *path, bool everywhere,
                        char *found, size_t size)
{
    struct slice all = slice_of(NULL, 0);

    return leveldb_tables_find_damage(path, everywhere ? all : buffer_slice(&damage->start),
                                      everywhere ? all : buffer_slice(&damage->end),
                                      SEARCHED_BYTES_MAX, found, size);
}

/* Finds the file, first where it was met, then anywhere: what was met may have been read for a
 * compaction, or ahead. What LevelDB said stays where none is found. */
static void place(struct leveldb_damage *damage, const char *path)
{
    char found[sizeof damage->text];

    if (find_within(damage, path, false, found, sizeof found) ||
        find_within(damage, path, true, found, sizeof found)) {
        memcpy(damage->text, found, sizeof found);
    }
    damage->is_placed = true;
    damage->placed_ms = (int64_t)now_monotonic_ms();
}

void leveldb_damage_tell(struct leveldb_damage *damage, const char *path, char *ret_text,
                         size_t size)
{
    assert(size > 0);

    pthread_mutex_lock(&damage->lock);
    if (damage->text[0] != '\0' && !damage->is_placed) {
        place(damage, path);
    }
    (void)snprintf(ret_text, size, "%s", damage->text);
    pthread_mutex_unlock(&damage->lock);
}
