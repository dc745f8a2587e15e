/*
 * leveldb_inspect.c - reads the files of a closed LevelDB database and says what is wrong.
 *
 * The manifest is a log of edits. What is needed of an edit: the number of the oldest log that
 * is not in tables yet, the tables that it adds, with their sizes, and those that it drops.
 *
 * The last edit may be torn: LevelDB syncs it before it deletes what the edit makes
 * superfluous. So if all that the edits before it need is there, it had not been synced; if
 * something is missing, it had.
 */
#include "node/store/leveldb/leveldb_inspect.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/store/leveldb/leveldb_files.h"
#include "node/store/leveldb/leveldb_log.h"
#include "node/store/leveldb/leveldb_tables.h"
#include "node/store/leveldb/leveldb_watch.h"

enum edit_tag {
    TAG_COMPARATOR = 1,
    TAG_LOG = 2,
    TAG_NEXT_FILE = 3,
    TAG_LAST_SEQUENCE = 4,
    TAG_COMPACT_POINTER = 5,
    TAG_DELETED_FILE = 6,
    TAG_NEW_FILE = 7,
    TAG_PREVIOUS_LOG = 9,
};

enum { LOGS_MAX = 64, MANIFEST_NAME_SIZE = 32 };

struct table {
    uint64_t number;
    uint64_t size;
};

/* What the manifest says. */
struct needed {
    uint64_t log; /* this one and newer ones */
    struct table *tables;
    size_t count;
    size_t capacity;
    bool is_short; /* of memory */
    bool is_bad;   /* an edit does not make sense */
};

struct inspection {
    int directory;
    char manifest[MANIFEST_NAME_SIZE];
    struct leveldb_log_end manifest_end;
    struct needed needed;
    uint64_t logs[LOGS_MAX]; /* that are there, ascending */
    size_t log_count;
    bool has_note;
    struct leveldb_synced synced;
    struct leveldb_inspection *found;
};

static bool skip_string(struct slice *bytes)
{
    uint64_t size = 0;

    if (!leveldb_take_varint(bytes, &size) || size > bytes->size) {
        return false;
    }
    bytes->data += size;
    bytes->size -= (size_t)size;
    return true;
}

static void add_table(struct needed *needed, struct table table)
{
    if (needed->count == needed->capacity) {
        size_t capacity = needed->capacity > 0 ? 2 * needed->capacity : 64;
        struct table *tables = realloc(needed->tables, capacity * sizeof *tables);
        if (!tables) {
            needed->is_short = true;
            return;
        }
        needed->tables = tables;
        needed->capacity = capacity;
    }
    needed->tables[needed->count++] = table;
}

static void drop_table(struct needed *needed, uint64_t number)
{
    for (size_t i = needed->count; i > 0; i--) {
        if (needed->tables[i - 1].number == number) {
            needed->tables[i - 1] = needed->tables[--needed->count];
            return;
        }
    }
}

/* One field of an edit; false if it makes no sense. */
static bool take_field(struct needed *needed, uint64_t tag, struct slice *edit)
{
    struct table table = {0};
    uint64_t number = 0;

    switch (tag) {
    case TAG_COMPARATOR:
        return skip_string(edit);
    case TAG_LOG:
        return leveldb_take_varint(edit, &needed->log);
    case TAG_NEXT_FILE:
    case TAG_LAST_SEQUENCE:
    case TAG_PREVIOUS_LOG:
        return leveldb_take_varint(edit, &number);
    case TAG_COMPACT_POINTER:
        return leveldb_take_varint(edit, &number) && skip_string(edit);
    case TAG_DELETED_FILE:
        if (!leveldb_take_varint(edit, &number) || !leveldb_take_varint(edit, &number)) {
            return false;
        }
        drop_table(needed, number);
        return true;
    case TAG_NEW_FILE:
        if (!leveldb_take_varint(edit, &number) || !leveldb_take_varint(edit, &table.number) ||
            !leveldb_take_varint(edit, &table.size) || !skip_string(edit) ||
            !skip_string(edit)) {
            return false;
        }
        add_table(needed, table);
        return true;
    default:
        return false;
    }
}

static bool on_edit(void *context, struct slice edit)
{
    struct needed *needed = context;
    uint64_t tag = 0;

    while (edit.size > 0 && !needed->is_bad) {
        needed->is_bad = !leveldb_take_varint(&edit, &tag) || !take_field(needed, tag, &edit);
    }
    return !needed->is_bad && !needed->is_short;
}

__attribute__((format(printf, 2, 3))) static void note_damage(struct inspection *inspection,
                                                              const char *format, ...)
{
    struct leveldb_inspection *found = inspection->found;
    va_list arguments;

    if (found->verdict == LEVELDB_DAMAGED) {
        return;
    }
    found->verdict = LEVELDB_DAMAGED;
    va_start(arguments, format);
    (void)vsnprintf(found->text, sizeof found->text, format, arguments);
    va_end(arguments);
}

static void note_torn(struct inspection *inspection, const char *name,
                      const struct leveldb_log_end *end)
{
    struct leveldb_inspection *found = inspection->found;

    if (found->verdict == LEVELDB_DAMAGED) {
        return;
    }
    if (found->torn_count == LEVELDB_TORN_MAX) {
        note_damage(inspection, "%s: torn at %llu, as many others are", name,
                    (unsigned long long)end->good_size);
        return;
    }
    struct leveldb_torn *torn = &found->torn[found->torn_count++];
    (void)snprintf(torn->name, sizeof torn->name, "%s", name);
    torn->size = end->good_size;
    found->verdict = LEVELDB_TORN;
    (void)snprintf(found->text, sizeof found->text,
                   "%s: torn at %llu: %llu bytes that were never acknowledged as synced", name,
                   (unsigned long long)end->good_size,
                   (unsigned long long)(end->file_size - end->good_size));
}

/* CURRENT holds the name of the manifest and a newline. */
static bool read_current(struct inspection *inspection)
{
    char text[MANIFEST_NAME_SIZE + 1] = "";
    int file = openat(inspection->directory, "CURRENT", O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        note_damage(inspection, "CURRENT: %s", strerror(errno));
        return false;
    }
    ssize_t size = read(file, text, MANIFEST_NAME_SIZE);
    close(file);
    bool is_good = size > 10 && text[size - 1] == '\n' && strncmp(text, "MANIFEST-", 9) == 0 &&
                   !memchr(text, '/', (size_t)size);
    if (!is_good) {
        note_damage(inspection, "CURRENT: does not name a manifest");
        return false;
    }
    text[size - 1] = '\0';
    memcpy(inspection->manifest, text, (size_t)size);
    return true;
}

static enum status read_manifest(struct inspection *inspection)
{
    enum status status = leveldb_log_read(inspection->directory, inspection->manifest, on_edit,
                                          &inspection->needed, &inspection->manifest_end);

    if (status == STATUS_NOT_FOUND) {
        note_damage(inspection, "%s: is missing", inspection->manifest);
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (inspection->needed.is_short) {
        return STATUS_NO_MEMORY;
    }
    if (inspection->needed.is_bad || inspection->manifest_end.has_more) {
        note_damage(inspection, "%s: damaged at %llu", inspection->manifest,
                    (unsigned long long)inspection->manifest_end.good_size);
    }
    return STATUS_OK;
}

static void check_tables(struct inspection *inspection)
{
    const struct needed *needed = &inspection->needed;

    for (size_t i = 0; i < needed->count; i++) {
        unsigned long long number = needed->tables[i].number;
        struct stat information;
        char name[32];

        (void)snprintf(name, sizeof name, "%06llu.ldb", number);
        int result = fstatat(inspection->directory, name, &information, 0);
        if (result != 0 && errno == ENOENT) {
            (void)snprintf(name, sizeof name, "%06llu.sst", number);
            result = fstatat(inspection->directory, name, &information, 0);
        }
        if (result != 0) {
            note_damage(inspection, "%06llu.ldb: %s", number, strerror(errno));
        } else if ((uint64_t)information.st_size != needed->tables[i].size) {
            note_damage(inspection, "%s: is %llu bytes long instead of %llu", name,
                        (unsigned long long)information.st_size,
                        (unsigned long long)needed->tables[i].size);
        }
    }
}

/* The logs from the oldest one that is needed. */
static enum status list_logs(struct inspection *inspection)
{
    enum status status = leveldb_files_list_logs(inspection->directory, inspection->logs,
                                                 LOGS_MAX, &inspection->log_count);

    for (size_t i = 0; i < inspection->log_count;) {
        if (inspection->logs[i] >= inspection->needed.log) {
            i++;
            continue;
        }
        inspection->log_count--;
        memmove(&inspection->logs[i], &inspection->logs[i + 1],
                (inspection->log_count - i) * sizeof inspection->logs[0]);
    }
    return status;
}

static bool has_log(const struct inspection *inspection, uint64_t log)
{
    for (size_t i = 0; i < inspection->log_count; i++) {
        if (inspection->logs[i] == log) {
            return true;
        }
    }
    return false;
}

static void check_missing_logs(struct inspection *inspection)
{
    uint64_t first = inspection->needed.log;
    uint64_t synced = inspection->synced.log;

    if (first > 0 && !has_log(inspection, first)) {
        note_damage(inspection, "%06llu.log: is missing", (unsigned long long)first);
    }
    if (inspection->has_note && synced >= first && !has_log(inspection, synced)) {
        note_damage(inspection, "%06llu.log: is missing", (unsigned long long)synced);
    }
}

/* How much of a log was acknowledged as synced, as far as that is known. */
static uint64_t synced_size(const struct inspection *inspection, uint64_t log,
                            const struct leveldb_log_end *end)
{
    if (!inspection->has_note) {
        /* Damage with whole records behind it is no torn end. */
        return end->has_more ? end->file_size : 0;
    }
    if (log < inspection->synced.log) {
        return end->file_size;
    }
    return log == inspection->synced.log ? inspection->synced.size : 0;
}

static enum status check_log(struct inspection *inspection, uint64_t log)
{
    struct leveldb_log_end end = {0};
    char name[32];

    (void)snprintf(name, sizeof name, "%06llu.log", (unsigned long long)log);
    enum status status = leveldb_log_read(inspection->directory, name, NULL, NULL, &end);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    uint64_t synced = synced_size(inspection, log, &end);
    if (end.file_size < synced) {
        note_damage(inspection, "%s: ends at %llu, and was synced up to %llu", name,
                    (unsigned long long)end.file_size, (unsigned long long)synced);
    } else if (end.good_size < synced) {
        note_damage(inspection, "%s: damaged at %llu, and was synced up to %llu", name,
                    (unsigned long long)end.good_size, (unsigned long long)synced);
    } else if (end.is_bad) {
        note_torn(inspection, name, &end);
    }
    return STATUS_OK;
}

static enum status inspect_all(struct inspection *inspection)
{
    if (!read_current(inspection)) {
        return STATUS_OK;
    }
    enum status status = read_manifest(inspection);
    if (status == STATUS_OK) {
        status = list_logs(inspection);
    }
    if (status != STATUS_OK || inspection->found->verdict == LEVELDB_DAMAGED) {
        return status;
    }
    check_tables(inspection);
    check_missing_logs(inspection);
    if (inspection->manifest_end.is_bad) {
        note_torn(inspection, inspection->manifest, &inspection->manifest_end);
    }
    for (size_t i = 0; i < inspection->log_count && status == STATUS_OK; i++) {
        status = check_log(inspection, inspection->logs[i]);
    }
    return status;
}

enum status leveldb_inspect(const char *path, struct leveldb_inspection *ret_found)
{
    assert(path && ret_found);

    struct inspection inspection = {.found = ret_found};
    uint64_t any = 0;
    size_t count = 0;

    *ret_found = (struct leveldb_inspection){.verdict = LEVELDB_WELL};
    inspection.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (inspection.directory < 0) {
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    }
    enum status status = leveldb_files_list_logs(inspection.directory, &any, 1, &count);
    inspection.has_note = leveldb_watch_read_note(path, &inspection.synced);
    bool is_new = faccessat(inspection.directory, "CURRENT", F_OK, 0) != 0 && count == 0 &&
                  !inspection.has_note && leveldb_files_check(path) == STATUS_OK;
    if (status == STATUS_OK && !is_new) {
        status = inspect_all(&inspection);
    }
    int reason = errno;
    close(inspection.directory);
    free(inspection.needed.tables);
    errno = reason;
    return status;
}

enum status leveldb_inspect_cut(const char *path, const struct leveldb_inspection *found)
{
    assert(path && found);

    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = directory < 0 ? STATUS_IO : STATUS_OK;

    for (size_t i = 0; i < found->torn_count && status == STATUS_OK; i++) {
        int file = openat(directory, found->torn[i].name, O_WRONLY | O_CLOEXEC);
        bool is_cut =
            file >= 0 && ftruncate(file, (off_t)found->torn[i].size) == 0 && fsync(file) == 0;
        int reason = errno;
        if (file >= 0) {
            close(file);
        }
        errno = reason;
        status = is_cut ? STATUS_OK : STATUS_IO;
    }
    int reason = errno;
    if (directory >= 0) {
        close(directory);
    }
    errno = reason;
    return status;
}
