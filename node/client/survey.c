/*
 * survey.c - see survey.h.
 */
#include "node/client/survey.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/block_set.h"
#include "node/client/id_table.h"
#include "ring/planted.h"

enum { PAGE_ROWS = 256 };

/* What the set's directory holds. */
struct notes {
    struct row *rows; /* owned array: paths, holders, stripes */
    size_t count;
    size_t room;
    size_t path_count;
    size_t hold_count;
};

/* A path, and what was there. */
struct path {
    struct blob *key;
    struct object *object; /* NULL: nothing */
};

struct looking {
    const struct survey_question *question;
    struct kv *kv; /* the question's */
    const struct kv_options *options;
    const struct block_set *set;
    struct notes notes;
    struct path *paths; /* one for each path's note, in their order */
    struct id_table named;
    uint32_t stripe; /* which is being listed */
    uint64_t block_count;
    struct survey survey;
};

typedef enum status (*take_row)(struct looking *looking, struct row *row, void *into);

static void note_event(struct looking *looking, const struct object *object)
{
    uint64_t *changed_us = &looking->survey.changed_us;

    if (object) {
        uint64_t put_us = clock_greatest_counter(&object->clock, UINT64_MAX);
        *changed_us = put_us > *changed_us ? put_us : *changed_us;
        *changed_us = object->deleted_us > *changed_us ? object->deleted_us : *changed_us;
    }
}

/* Gives each row of a directory to `take`, which may empty it. */
static enum status list_all(struct looking *looking, struct slice directory, take_row take,
                            void *into)
{
    struct kv_rows page = {.count = 0};
    struct blob *start = NULL;
    enum status status;

    do {
        struct kv_list list = {.directory = directory,
                               .start = blob_slice(start),
                               .after_start = start,
                               .limit = PAGE_ROWS};
        kv_limits_renew();
        status = kv_list(looking->kv, &list, looking->options, &page);
        blob_unref(start);
        start = NULL;
        if (status != STATUS_OK) {
            return status;
        }
        for (size_t i = 0; status == STATUS_OK && i < page.count; i++) {
            bool is_clear = page.rows[i].object && page.rows[i].kind == ROW_FILE;
            status = is_clear ? take(looking, &page.rows[i], into) : STATUS_CORRUPT;
        }
        if (status == STATUS_OK && page.more) {
            start = blob_ref(page.resume);
            status = start ? STATUS_OK : STATUS_CORRUPT;
        }
        kv_rows_release(&page);
    } while (status == STATUS_OK && start);
    return status;
}

static bool is_path_note(const struct row *row)
{
    return row->name->size > 0 && row->name->data[0] == 'h';
}

static enum status take_note(struct looking *looking, struct row *row, void *into)
{
    struct notes *notes = into;
    uint8_t holder[BLOCK_ID_SIZE];
    uint32_t stripe;
    bool is_path = is_path_note(row);
    bool is_hold = block_key_parse_hold(blob_slice(row->name), holder);

    (void)looking;
    if (!is_path && !is_hold && !block_key_parse_mark(blob_slice(row->name), &stripe)) {
        return STATUS_CORRUPT;
    }
    /* Names ascend. */
    size_t before = is_path ? notes->path_count : notes->path_count + notes->hold_count;
    if ((is_path || is_hold) && before != notes->count) {
        return STATUS_CORRUPT;
    }
    if (notes->count == notes->room) {
        size_t room = notes->room > 0 ? 2 * notes->room : 16;
        struct row *rows = realloc(notes->rows, room * sizeof *rows);
        if (!rows) {
            return STATUS_NO_MEMORY;
        }
        notes->rows = rows;
        notes->room = room;
    }
    notes->path_count += is_path ? 1 : 0;
    notes->hold_count += is_hold ? 1 : 0;
    notes->rows[notes->count++] = *row;
    *row = (struct row){.name = NULL};
    return STATUS_OK;
}

static void notes_release(struct notes *notes)
{
    rows_free(notes->rows, notes->count);
    *notes = (struct notes){.rows = NULL};
}

static enum status list_notes(struct looking *looking, struct notes *notes)
{
    struct buffer directory = {0};

    block_key_set(&directory, looking->set);
    enum status status = directory.failed
                             ? STATUS_NO_MEMORY
                             : list_all(looking, buffer_slice(&directory), take_note, notes);
    buffer_release(&directory);
    return status;
}

/* Notes that `key`, whose row is `row`, is named by nobody. */
static enum status add_unnamed(struct looking *looking, enum unnamed_kind kind,
                               const struct buffer *key, struct object *row)
{
    struct survey *survey = &looking->survey;

    if (survey->count == looking->question->limit) {
        survey->is_cut = true;
        return STATUS_OK;
    }
    if (survey->count == survey->room) {
        size_t room = survey->room > 0 ? 2 * survey->room : 16;
        struct unnamed *unnamed = realloc(survey->unnamed, room * sizeof *unnamed);
        if (!unnamed) {
            return STATUS_NO_MEMORY;
        }
        survey->unnamed = unnamed;
        survey->room = room;
    }
    struct blob *copy = key->failed ? NULL : blob_new(buffer_slice(key));
    if (!copy) {
        return STATUS_NO_MEMORY;
    }
    survey->unnamed[survey->count++] =
        (struct unnamed){.kind = kind, .key = copy, .row = object_ref(row)};
    return STATUS_OK;
}

/* The same for a note. */
static enum status add_unnamed_note(struct looking *looking, enum unnamed_kind kind,
                                    const struct row *row)
{
    struct buffer key = {0};

    block_key_set(&key, looking->set);
    buffer_append_slice(&key, blob_slice(row->name));
    enum status status = add_unnamed(looking, kind, &key, row->object);
    buffer_release(&key);
    return status;
}

/* True if a note of that path has that name. */
static bool is_note_of(const struct looking *looking, struct slice path, struct slice name)
{
    struct buffer key = {0};

    block_key_path(&key, looking->set, path);
    bool is_right = !key.failed && slice_equal(key_name(buffer_slice(&key)), name);
    buffer_release(&key);
    return is_right;
}

/* Reads a note. Notes that were made at once by several writers are one: they say the same. */
static enum status read_note(struct looking *looking, const struct row *row,
                             struct blob **ret_path)
{
    struct buffer key = {0};
    struct object *object = NULL;

    block_key_set(&key, looking->set);
    buffer_append_slice(&key, blob_slice(row->name));
    kv_limits_renew();
    enum status status =
        key.failed ? STATUS_NO_MEMORY
                   : kv_get(looking->kv, buffer_slice(&key), looking->options, &object);
    if (status == STATUS_NOT_FOUND) {
        status = STATUS_BUSY; /* it was just there */
    }
    for (uint32_t i = 0; status == STATUS_OK && i < object->version_count; i++) {
        struct slice path = blob_slice(object->versions[i].content);
        status = key_is_valid(path) && is_note_of(looking, path, blob_slice(row->name))
                     ? STATUS_OK
                     : STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        *ret_path = blob_ref(object->versions[0].content);
    }
    object_unref(object);
    buffer_release(&key);
    return status;
}

static enum status name_entries(struct looking *looking, struct slice entries)
{
    enum status status = STATUS_OK;
    bool is_new;

    for (uint32_t i = 0; status == STATUS_OK && i < entries.size / BLOCK_ENTRY_SIZE; i++) {
        struct block_entry entry = manifest_entry(entries, i);
        if (!block_entry_is_hole(&entry)) {
            status = id_table_add(&looking->named, &entry, &is_new);
        }
    }
    return status;
}

/* The map of the blocks from `index` on: it, and what it names. */
static enum status name_map(struct looking *looking, const struct block_entry *entry,
                            uint32_t index)
{
    struct block_place place = {.set = *looking->set, .index = index};
    struct blob *content = NULL;
    bool is_new = false;
    enum status status = id_table_add(&looking->named, entry, &is_new);

    if (status != STATUS_OK || !is_new) {
        return status;
    }
    kv_limits_renew();
    status = block_get(looking->kv, &place, entry, looking->options, &content);
    if (status != STATUS_OK) {
        return status;
    }
    if (content->size % BLOCK_ENTRY_SIZE != 0 ||
        content->size > (size_t)MAP_BLOCKS * BLOCK_ENTRY_SIZE) {
        status = STATUS_CORRUPT;
    } else {
        status = name_entries(looking, blob_slice(content));
    }
    blob_unref(content);
    return status;
}

/* What a version names. */
static enum status name_version(struct looking *looking, const struct version *version,
                                bool *ret_names)
{
    struct manifest manifest;

    if (version->attributes.type != VERSION_LARGE_FILE) {
        return STATUS_OK;
    }
    if (manifest_parse(blob_slice(version->content), &manifest) != STATUS_OK) {
        return STATUS_CORRUPT;
    }
    if (memcmp(&manifest.set, looking->set, sizeof manifest.set) != 0) {
        return STATUS_OK;
    }
    *ret_names = true;
    if (!manifest.has_maps) {
        return name_entries(looking, manifest.entries);
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < manifest.count; i++) {
        struct block_entry entry = manifest_entry(manifest.entries, i);
        if (!block_entry_is_hole(&entry)) {
            status = name_map(looking, &entry, i * MAP_BLOCKS);
        }
    }
    return status;
}

/* All that is at a path, NULL for nothing. */
static enum status get_path(struct looking *looking, const struct blob *path,
                            struct object **ret_object)
{
    kv_limits_renew();
    enum status status = kv_get(looking->kv, blob_slice(path), looking->options, ret_object);
    return status == STATUS_NOT_FOUND || planted(PLANTED_PARTIAL_LOOK) ? STATUS_OK : status;
}

static enum status read_path(struct looking *looking, size_t index)
{
    struct path *path = &looking->paths[index];
    bool names = false;
    enum status status = read_note(looking, &looking->notes.rows[index], &path->key);

    if (status == STATUS_OK) {
        status = get_path(looking, path->key, &path->object);
    }
    note_event(looking, looking->notes.rows[index].object);
    note_event(looking, path->object);
    if (status == STATUS_OK && looking->question->on_path) {
        looking->question->on_path(looking->question->context, blob_slice(path->key),
                                   path->object);
    }
    uint32_t count = path->object ? path->object->version_count : 0;
    uint32_t first = planted(PLANTED_FORGET_SIBLING) && count > 0 ? count - 1 : 0;
    for (uint32_t i = first; status == STATUS_OK && i < count; i++) {
        status = name_version(looking, &path->object->versions[i], &names);
    }
    if (status == STATUS_OK && !names) {
        status = add_unnamed_note(looking, UNNAMED_PATH, &looking->notes.rows[index]);
    }
    return status;
}

static enum status read_paths(struct looking *looking)
{
    enum status status = STATUS_OK;

    looking->paths = calloc(looking->notes.path_count + 1, sizeof *looking->paths);
    if (!looking->paths) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; status == STATUS_OK && i < looking->notes.path_count; i++) {
        status = read_path(looking, i);
    }
    return status;
}

static enum status take_block(struct looking *looking, struct row *row, void *into)
{
    struct block_entry entry = {{0}, {0}};
    struct buffer key = {0};

    (void)into;
    if (!block_key_parse_id(blob_slice(row->name), entry.id) || block_entry_is_hole(&entry)) {
        return STATUS_CORRUPT;
    }
    looking->block_count++;
    if (id_table_has(&looking->named, entry.id)) {
        return STATUS_OK;
    }
    block_key_block(&key, looking->set, looking->stripe * STRIPE_BLOCKS, &entry);
    enum status status = add_unnamed(looking, UNNAMED_BLOCK, &key, row->object);
    buffer_release(&key);
    return status;
}

static enum status list_stripe(struct looking *looking, uint32_t stripe)
{
    struct buffer directory = {0};

    if (stripe > UINT32_MAX / STRIPE_BLOCKS) {
        return STATUS_CORRUPT;
    }
    looking->stripe = stripe;
    block_key_stripe(&directory, looking->set, stripe);
    enum status status = directory.failed
                             ? STATUS_NO_MEMORY
                             : list_all(looking, buffer_slice(&directory), take_block, NULL);
    buffer_release(&directory);
    return status;
}

static enum status list_stripes(struct looking *looking)
{
    const struct notes *notes = &looking->notes;
    enum status status = list_stripe(looking, 0);

    for (size_t i = notes->path_count + notes->hold_count;
         status == STATUS_OK && i < notes->count; i++) {
        uint32_t stripe = 0;
        bool is_mark = block_key_parse_mark(blob_slice(notes->rows[i].name), &stripe);
        assert(is_mark);
        if (stripe != 0) {
            status = list_stripe(looking, stripe);
        }
    }
    return status;
}

/* A set that has nothing: its marks go, and, when they are gone, its head. */
static enum status take_empty(struct looking *looking, struct object *head)
{
    const struct notes *notes = &looking->notes;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < notes->count; i++) {
        status = add_unnamed_note(looking, UNNAMED_STRIPE, &notes->rows[i]);
    }
    if (notes->count == 0) {
        struct buffer key = {0};
        block_key_head(&key, looking->set);
        status = add_unnamed(looking, UNNAMED_HEAD, &key, head);
        buffer_release(&key);
    }
    return status;
}

/* STATUS_BUSY unless every path holds what it held. */
static enum status check_paths(struct looking *looking)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < looking->notes.path_count; i++) {
        struct object *object = NULL;
        status = get_path(looking, looking->paths[i].key, &object);
        if (status == STATUS_OK && !object_equal(object, looking->paths[i].object)) {
            status = STATUS_BUSY;
        }
        object_unref(object);
    }
    return status;
}

/* STATUS_BUSY unless the same paths are noted, by the same puts, and there is no holder. */
static enum status check_notes(struct looking *looking)
{
    struct notes now = {.rows = NULL};
    enum status status = list_notes(looking, &now);

    if (status == STATUS_OK && ((now.hold_count > 0 && !planted(PLANTED_HOLD_IGNORED)) ||
                                now.path_count != looking->notes.path_count)) {
        status = STATUS_BUSY;
    }
    for (size_t i = 0; status == STATUS_OK && i < now.path_count; i++) {
        const struct row *old = &looking->notes.rows[i];
        bool is_same = slice_equal(blob_slice(now.rows[i].name), blob_slice(old->name)) &&
                       clock_equal(&now.rows[i].object->clock, &old->object->clock);
        status = is_same ? STATUS_OK : STATUS_BUSY;
    }
    notes_release(&now);
    return status;
}

/* Of a set that is held only the holders, should they be gone, are to be marked. */
static enum status take_holds(struct looking *looking)
{
    const struct notes *notes = &looking->notes;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < notes->hold_count; i++) {
        status = add_unnamed_note(looking, UNNAMED_HOLD, &notes->rows[notes->path_count + i]);
    }
    return status;
}

/* What is there so far rests upon what all holders said. Does anybody else know more? */
static void ask_everybody(struct looking *looking)
{
    struct survey *survey = &looking->survey;

    if (looking->question->for_delete) {
        kv_limits_renew();
        survey->is_settled =
            kv_settled(looking->kv, looking->options, &survey->unsettled) == STATUS_OK ||
            planted(PLANTED_PARTIAL_LOOK);
    }
}

static enum status look(struct looking *looking)
{
    enum status status = list_notes(looking, &looking->notes);

    bool is_held = looking->notes.hold_count > 0;
    if (status == STATUS_OK && is_held) {
        status = take_holds(looking);
        ask_everybody(looking);
    }
    if (is_held && !planted(PLANTED_HOLD_IGNORED)) {
        return status;
    }
    if (status == STATUS_OK) {
        status = read_paths(looking);
    }
    if (status == STATUS_OK) {
        status = list_stripes(looking);
    }
    if (status == STATUS_OK && looking->notes.path_count == 0 && looking->block_count == 0) {
        status = take_empty(looking, looking->question->head);
    }
    if (status == STATUS_OK && looking->survey.count > 0) {
        ask_everybody(looking);
        status = check_paths(looking);
        if (status == STATUS_OK) {
            status = check_notes(looking);
        }
    }
    return status;
}

enum status survey_set(const struct survey_question *question, struct survey *ret_survey)
{
    assert(question && ret_survey);
    assert(question->kv && question->options && question->set && question->head);

    struct looking looking = {.question = question,
                              .kv = question->kv,
                              .options = question->options,
                              .set = question->set};
    note_event(&looking, question->head);
    enum status status = look(&looking);

    for (size_t i = 0; looking.paths && i < looking.notes.path_count; i++) {
        blob_unref(looking.paths[i].key);
        object_unref(looking.paths[i].object);
    }
    free(looking.paths);
    notes_release(&looking.notes);
    id_table_release(&looking.named);
    if (status == STATUS_OK) {
        *ret_survey = looking.survey;
    } else {
        survey_release(&looking.survey);
    }
    return status;
}

void survey_release(struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        blob_unref(survey->unnamed[i].key);
        object_unref(survey->unnamed[i].row);
    }
    free(survey->unnamed);
    *survey = (struct survey){.unnamed = NULL};
}
