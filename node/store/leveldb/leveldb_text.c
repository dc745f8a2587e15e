/*
 * leveldb_text.c - what LevelDB's texts of errors mean, and say of the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/store/leveldb/leveldb_internal.h"

static bool text_has_errno(const char *text, int error_number)
{
    /* LevelDB appends strerror()'s text, in whichever language that is. */
    return strstr(text, strerror(error_number));
}

/* A missing file of the database is corruption: it is never "not found". */
enum status leveldb_text_status(const char *text)
{
    if (!text) {
        return STATUS_OK;
    }
    if (strncmp(text, "Corruption", strlen("Corruption")) == 0 ||
        strncmp(text, "NotFound", strlen("NotFound")) == 0) {
        return STATUS_CORRUPT;
    }
    bool is_full = text_has_errno(text, ENOSPC) || text_has_errno(text, EDQUOT);
    return is_full ? STATUS_NO_SPACE : STATUS_IO;
}

void leveldb_note_failed_write(struct leveldb_engine *leveldb, enum status status,
                               const char *text)
{
    char note[sizeof leveldb->health.text];

    if (status == STATUS_NO_SPACE) {
        (void)snprintf(note, sizeof note, "%.120s: %.120s", leveldb->path, text);
        leveldb_health_note(leveldb, DISK_FULL, note);
    } else if (status == STATUS_IO || status == STATUS_CORRUPT) {
        (void)snprintf(note, sizeof note, "%.120s: write: %.110s", leveldb->path, text);
        leveldb_health_note(leveldb, DISK_FAILING, note);
    }
}

enum status leveldb_take_text(struct leveldb_engine *leveldb, char *text, struct slice start,
                              struct slice end, bool is_write)
{
    static const char head[] = "Corruption: ";
    const char *detail = text;
    enum status status = leveldb_text_status(text);

    if (!text) {
        return STATUS_OK;
    }
    if (strncmp(text, head, strlen(head)) == 0) {
        detail += strlen(head);
    }
    /* A block that the disk cannot read is lost like one that it reads wrongly. */
    if (!is_write && status == STATUS_IO && text_has_errno(text, EIO)) {
        leveldb_health_note(leveldb, DISK_FAILING, text);
        status = STATUS_CORRUPT;
    }
    if (status == STATUS_CORRUPT) {
        leveldb_damage_note(&leveldb->damage, detail, start, end);
    }
    if (is_write) {
        leveldb_note_failed_write(leveldb, status, text);
    }
    leveldb_free(text);
    return status;
}
