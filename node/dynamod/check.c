/*
 * check.c - looks at the data directory of a node that does not run, and mends it.
 *
 * What is lost is told by name as far as one of two records is left: each name has a row beside
 * its object. A live row without a readable object is a lost file; an object without a row is
 * not listed, and its content is there. Where other nodes have copies no name is lost for good:
 * the node refills at its next start.
 *
 * Memory:   a page of keys, however large the database is.
 */
#include "node/dynamod/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/base/text.h"
#include "node/server/server_data.h"
#include "node/store/layout.h"
#include "node/wire/record.h"

enum { PAGE_KEYS = 512 };

struct check {
    struct engine *engine;
    struct store_state *state; /* NULL: it is only looked */
    struct ring ring;
    bool is_damaged; /* something could not be read */
    uint64_t lost;
    uint64_t unlisted;
};

/* Live objects or rows, as one page of a scan finds them. */
struct page {
    struct buffer cursor; /* where the scan goes on */
    struct buffer scratch;
    struct buffer keys; /* of objects, one behind the other */
    size_t ends[PAGE_KEYS];
    size_t count;
    bool is_full;
    bool has_bad; /* a record could not be read */
    bool is_short;
};

static void page_release(struct page *page)
{
    buffer_release(&page->cursor);
    buffer_release(&page->scratch);
    buffer_release(&page->keys);
}

/* Takes a live entry into the page. An unreadable object is found by its row. */
static bool on_entry(void *context, struct slice key, struct slice value)
{
    struct page *page = context;
    struct layout_entry entry;
    struct object *object = NULL;

    if (page->count == PAGE_KEYS) {
        page->is_full = true;
        return false;
    }
    buffer_reset(&page->cursor);
    buffer_append_slice(&page->cursor, key);
    buffer_append_byte(&page->cursor, 0);
    bool is_good = layout_parse_entry(key, &page->scratch, &entry) == STATUS_OK &&
                   record_decode(value, &object) == STATUS_OK &&
                   record_verify(object) == STATUS_OK;
    page->has_bad |= !is_good;
    if (is_good && object_is_live(object) && !key_is_root(entry.object_key)) {
        buffer_append_slice(&page->keys, entry.object_key);
        page->ends[page->count++] = page->keys.size;
    }
    object_unref(object);
    page->is_short = page->keys.failed || page->cursor.failed;
    return !page->is_short;
}

/* Is there a readable record under the key? STATUS_OK also if not. */
static enum status is_readable(struct check *check, struct slice key, bool *ret_is_readable)
{
    struct buffer value = {0};
    struct object *object = NULL;
    enum status status = check->engine->operations->get(check->engine, key, &value);

    *ret_is_readable = status == STATUS_OK &&
                       record_decode(buffer_slice(&value), &object) == STATUS_OK &&
                       record_verify(object) == STATUS_OK;
    check->is_damaged |= status == STATUS_CORRUPT || (status == STATUS_OK && !*ret_is_readable);
    object_unref(object);
    buffer_release(&value);
    return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ? STATUS_OK : status;
}

/* A name for people; bytes that would change a terminal are written as \xNN. */
static void print_name(const char *what, struct slice key)
{
    fputs(what, stdout);
    text_print(stdout, key);
    putchar('\n');
}

/* A row whose object is lost is dropped; the tree is set right by the next scrub. */
static enum status drop_row(struct check *check, struct slice row)
{
    struct engine_write write = {.key = row, .is_delete = true};

    return !check->state ? STATUS_OK
                         : check->engine->operations->write(check->engine, &write, 1, false);
}

/* The row is made anew from the object. */
static enum status project(struct check *check, struct slice key)
{
    struct store_request request = {.operation = STORE_PROJECT};
    struct store_result result = {0};

    if (!check->state) {
        return STATUS_OK;
    }
    request.key = blob_new(key);
    if (!request.key) {
        return STATUS_NO_MEMORY;
    }
    store_apply(check->state, &request, 1, &result);
    enum status status = result.status;
    store_request_release(&request);
    store_result_release(&result);
    return status;
}

/* One live object or row: is the other one there? */
static enum status judge(struct check *check, enum merkle_part part, struct slice key)
{
    struct buffer object = {0};
    struct buffer row = {0};
    bool has_other = false;

    layout_object(&object, check->ring.partition_count, key);
    layout_row_of(&row, check->ring.partition_count, key);
    bool is_row = part == MERKLE_ROW;
    enum status status = object.failed || row.failed ? STATUS_NO_MEMORY : STATUS_OK;
    if (status == STATUS_OK) {
        status = is_readable(check, buffer_slice(is_row ? &object : &row), &has_other);
    }
    if (status == STATUS_OK && !has_other && is_row) {
        check->lost++;
        print_name("lost: ", key);
        status = drop_row(check, buffer_slice(&row));
    } else if (status == STATUS_OK && !has_other) {
        check->unlisted++;
        print_name("not listed, its content is there: ", key);
        status = project(check, key);
    }
    buffer_release(&object);
    buffer_release(&row);
    return status;
}

/* One page of the objects or rows; *ret_more says if there are others. */
static enum status look_at_page(struct check *check, enum merkle_part part, struct page *page,
                                bool *ret_more)
{
    uint8_t end = part == MERKLE_OBJECT ? 'o' + 1 : 'r' + 1;
    struct buffer start = page->cursor;
    size_t begin = 0;

    page->cursor = (struct buffer){0};
    page->count = 0;
    page->is_full = false;
    buffer_reset(&page->keys);
    enum status status = check->engine->operations->scan(
        check->engine, buffer_slice(&start), slice_of(&end, sizeof end), true, on_entry, page);
    buffer_release(&start);
    check->is_damaged |= status == STATUS_CORRUPT || page->has_bad;
    status = status == STATUS_CORRUPT ? STATUS_OK : status;
    status = page->is_short ? STATUS_NO_MEMORY : status;
    for (size_t i = 0; i < page->count && status == STATUS_OK; i++) {
        status = judge(check, part, slice_of(page->keys.data + begin, page->ends[i] - begin));
        begin = page->ends[i];
    }
    *ret_more = page->is_full;
    return status;
}

static enum status look_at(struct check *check, enum merkle_part part)
{
    struct page *page = calloc(1, sizeof *page);
    enum status status = !page ? STATUS_NO_MEMORY : STATUS_OK;
    bool more = status == STATUS_OK;

    if (more) {
        buffer_append_byte(&page->cursor, part == MERKLE_OBJECT ? 'o' : 'r');
    }
    while (status == STATUS_OK && more) {
        status = look_at_page(check, part, page, &more);
    }
    if (page) {
        page_release(page);
    }
    free(page);
    return status;
}

/* Objects first: an object whose row is made anew is no lost row afterwards. */
static enum status look_at_names(struct check *check)
{
    enum status status = look_at(check, MERKLE_OBJECT);

    return status == STATUS_OK ? look_at(check, MERKLE_ROW) : status;
}

static bool has_others(const struct check *check)
{
    return ring_replicas(&check->ring) > 1;
}

static void report(const struct check *check)
{
    if (has_others(check)) {
        puts("Other nodes have copies: the node refills by itself when it is started.");
        return;
    }
    printf("%" PRIu64 " file%s lost, %" PRIu64 " not listed\n", check->lost,
           check->lost == 1 ? "" : "s", check->unlisted);
}

static void print_start(const char *database, const struct engine_start *start)
{
    switch (start->kind) {
    case ENGINE_WELL:
        break;
    case ENGINE_CUT:
        printf("%s: %s (a power cut does that)\n", database, start->text);
        break;
    case ENGINE_SALVAGED:
        printf("%s: damaged: %s\n", database, start->text);
        break;
    }
}

static void print_corruption(const struct check *check)
{
    char text[DAMAGE_TEXT_SIZE] = "";

    check->engine->operations->last_corruption(check->engine, text, sizeof text);
    if (check->is_damaged) {
        printf("db: damaged: %s\n", text[0] != '\0' ? text : "a record cannot be read");
    }
}

/* Opens a shadow of a database; nothing of it is changed. */
static enum status open_to_look(const char *directory, struct engine **ret_engine,
                                struct engine_start *ret_start, struct error *error)
{
    struct engine_leveldb_options options = {
        .path = directory, .looks_only = true, .can_salvage = true};

    *ret_start = (struct engine_start){.kind = ENGINE_WELL};
    return engine_open_leveldb_with(&options, ret_engine, ret_start, error);
}

static enum status look_at_hints(const char *directory, bool *is_well, struct error *error)
{
    struct engine *engine = NULL;
    struct engine_start start;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/hints", directory);
    if (access(path, F_OK) != 0) {
        return STATUS_OK;
    }
    enum status status = open_to_look(path, &engine, &start, error);
    if (status == STATUS_OK) {
        print_start("hints/db", &start);
        *is_well = *is_well && start.kind != ENGINE_SALVAGED;
        engine->operations->close(engine);
    }
    return status;
}

static enum status look(const char *directory, bool *ret_is_well, struct error *error)
{
    struct check check = {0};
    struct engine_start start;
    enum status status = open_to_look(directory, &check.engine, &start, error);

    if (status != STATUS_OK) {
        return status;
    }
    print_start("db", &start);
    bool is_well = start.kind != ENGINE_SALVAGED;
    if (store_state_peek(check.engine, &check.ring)) {
        status = has_others(&check) && !is_well ? STATUS_OK : look_at_names(&check);
        print_corruption(&check);
        is_well = is_well && !check.is_damaged && check.lost + check.unlisted == 0;
        if (!is_well) {
            report(&check);
        }
    }
    check.engine->operations->close(check.engine);
    error->code = status;
    (void)snprintf(error->text, sizeof error->text, "%.200s: %s", directory,
                   status_text(status));
    *ret_is_well = is_well;
    return status == STATUS_OK ? look_at_hints(directory, ret_is_well, error) : status;
}

/* Keeps what can be read of a database in which a block is damaged. */
static enum status salvage(struct check *check)
{
    struct store_request request = {.operation = STORE_SALVAGE};
    struct store_result result = {0};

    store_apply(check->state, &request, 1, &result);
    enum status status = result.status;
    struct slice text = blob_slice(result.text);
    printf("db: %.*s\n", (int)text.size, text.size > 0 ? (const char *)text.data : "");
    store_result_release(&result);
    if (status == STATUS_OK && !has_others(check)) {
        status = store_state_set_complete(check->state, true);
    }
    return status;
}

static bool on_any(void *context, struct slice key, struct slice value)
{
    struct check *check = context;
    struct object *object = NULL;

    if (key.size > 0 && (key.data[0] == 'o' || key.data[0] == 'r')) {
        check->is_damaged |=
            record_decode(value, &object) != STATUS_OK || record_verify(object) != STATUS_OK;
        object_unref(object);
    }
    return true;
}

/* Reads every block of the database. */
static enum status verify_blocks(struct check *check)
{
    struct slice all = {0};
    enum status status =
        check->engine->operations->scan(check->engine, all, all, true, on_any, check);

    check->is_damaged |= status == STATUS_CORRUPT;
    return status == STATUS_CORRUPT ? STATUS_OK : status;
}

/* What is damaged is salvaged before names are judged. */
static enum status mend(struct server_data *data)
{
    struct check first = {.engine = data->engine, .ring = data->identity.ring};
    struct check check = {
        .engine = data->engine, .state = &data->state, .ring = data->identity.ring};

    if (!data->identity.has_ring) {
        return STATUS_OK;
    }
    enum status status = verify_blocks(&first);
    if (status == STATUS_OK && first.is_damaged) {
        status = salvage(&check);
    }
    if (status == STATUS_OK && !has_others(&check)) {
        status = look_at_names(&check);
    }
    report(&check);
    return status;
}

static enum status repair(const char *directory, bool *ret_is_well, struct error *error)
{
    struct server_data data;
    enum status status = server_data_open(&data, directory, true, error);

    if (status == STATUS_OK) {
        print_start("db", &data.start);
        print_start("hints/db", &data.hints_start);
        status = server_data_identify(&data, error);
    }
    if (status == STATUS_OK) {
        status = mend(&data);
        error->code = status;
        (void)snprintf(error->text, sizeof error->text, "%.200s: %s", directory,
                       status_text(status));
    }
    struct error ignored;
    enum status closed = server_data_close(&data, status == STATUS_OK ? error : &ignored);
    *ret_is_well = status == STATUS_OK && closed == STATUS_OK;
    return status == STATUS_OK ? closed : status;
}

enum status check_run(const char *directory, bool repairs, bool *ret_is_well,
                      struct error *error)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/db", directory);
    if (access(path, F_OK) != 0 && !repairs) {
        error->code = STATUS_NOT_FOUND;
        (void)snprintf(error->text, sizeof error->text, "%.200s: holds no database", directory);
        return STATUS_NOT_FOUND;
    }
    return repairs ? repair(directory, ret_is_well, error)
                   : look(directory, ret_is_well, error);
}
