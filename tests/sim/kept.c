/*
 * kept.c - see kept.h.
 */
#include "tests/sim/kept.h"

#include <assert.h>
#include <string.h>

#include "node/client/id_table.h"
#include "ring/block_key.h"
#include "tests/sim/gather.h"

enum { LEFT_MAX = 256 };

/* All blocks, wherever they are. */
static enum status fetch(void *context, const struct block_place *place,
                         const struct block_entry *entry, struct blob **ret_content)
{
    struct check *check = context;
    struct buffer key = {0};
    uint8_t hash[BLOCK_HASH_SIZE];
    enum status status = STATUS_CORRUPT;
    block_key_block(&key, &place->set, place->index, entry);
    struct object *object = gather_object(check, buffer_slice(&key));
    for (uint32_t i = 0; status != STATUS_OK && object && i < object->version_count; i++) {
        struct blob *content = object->versions[i].content;
        block_hash(blob_slice(content), hash);
        if (memcmp(hash, entry->hash, sizeof hash) == 0) {
            *ret_content = blob_ref(content);
            status = STATUS_OK;
        }
    }
    object_unref(object);
    buffer_release(&key);
    return status;
}

static bool is_whole(struct check *check, const struct mounts *mounts, const char *name,
                     const struct version *version)
{
    struct book_source source = {.fetch = fetch, .context = check};
    enum status status = book_verify(mounts_book(mounts), version, &source);
    if (status != STATUS_OK) {
        (void)snprintf(check->why, sizeof check->why, "%s: content %d: %s", name,
                       (int)version->attributes.modified_ns,
                       status == STATUS_CORRUPT ? "a block that it names is gone"
                                                : "it has another block than was written");
        world_trace(check->world, -1, "%s", check->why);
    }
    return status == STATUS_OK;
}

bool kept_look(struct check *check, const struct mounts *mounts)
{
    bool good = true;
    for (int name = 0; good && gather_is_possible(check) && name < mounts_names(mounts);
         name++) {
        const char *text = mounts_name(mounts, name);
        struct object *object = gather_object(check, slice_of_string(text));
        for (uint32_t i = 0; good && object && i < object->version_count; i++) {
            good = is_whole(check, mounts, text, &object->versions[i]);
        }
        object_unref(object);
    }
    return good;
}

/* What versions name ------------------------------------------------------------------------ */

struct named {
    struct check *check;
    struct id_table ids;
};

static void add(struct named *named, const struct block_entry *entry)
{
    bool is_new;
    if (!block_entry_is_hole(entry)) {
        enum status status = id_table_add(&named->ids, entry, &is_new);
        assert(status == STATUS_OK);
        (void)status;
    }
}

/* As fetch, and notes what was asked for. */
static enum status fetch_named(void *context, const struct block_place *place,
                               const struct block_entry *entry, struct blob **ret_content)
{
    struct named *named = context;
    add(named, entry);
    return fetch(named->check, place, entry, ret_content);
}

/* book_verify fetches each block that is named, and each map. */
static void name_all(struct named *named, const struct mounts *mounts)
{
    struct book_source source = {.fetch = fetch_named, .context = named};
    for (int name = 0; name < mounts_names(mounts); name++) {
        struct object *object =
            gather_object(named->check, slice_of_string(mounts_name(mounts, name)));
        for (uint32_t i = 0; object && i < object->version_count; i++) {
            (void)!book_verify(mounts_book(mounts), &object->versions[i], &source);
        }
        object_unref(object);
    }
}

/* What is left ------------------------------------------------------------------------------ */

/* A live row: true if there is a reason for it. */
typedef bool has_reason(struct named *named, const struct mounts *mounts,
                        const struct block_set *set, struct slice name);

static bool is_named(struct named *named, const struct mounts *mounts,
                     const struct block_set *set, struct slice name)
{
    uint8_t id[BLOCK_ID_SIZE];
    (void)mounts;
    (void)set;
    return block_key_parse_id(name, id) && id_table_has(&named->ids, id);
}

/* True if a version at the path names the set. */
static bool names_set(struct named *named, const char *path, const struct block_set *set)
{
    struct object *object = gather_object(named->check, slice_of_string(path));
    struct manifest manifest;
    bool names = false;
    for (uint32_t i = 0; object && i < object->version_count; i++) {
        names |=
            manifest_parse(blob_slice(object->versions[i].content), &manifest) == STATUS_OK &&
            memcmp(&manifest.set, set, sizeof *set) == 0;
    }
    object_unref(object);
    return names;
}

static bool is_note_due(struct named *named, const struct mounts *mounts,
                        const struct block_set *set, struct slice name)
{
    uint8_t holder[BLOCK_ID_SIZE];
    if (block_key_parse_hold(name, holder)) {
        return false;
    }
    bool is_due = name.data[0] != 'h'; /* of a stripe: it goes later, with all of the set */
    for (int i = 0; !is_due && i < mounts_names(mounts); i++) {
        struct buffer key = {0};
        block_key_path(&key, set, slice_of_string(mounts_name(mounts, i)));
        is_due = slice_equal(key_name(buffer_slice(&key)), name) &&
                 names_set(named, mounts_name(mounts, i), set);
        buffer_release(&key);
    }
    return is_due;
}

/* Each live row that a node has of a directory has its reason. */
static bool is_directory_clean(struct named *named, const struct mounts *mounts,
                               const struct block_set *set, struct slice directory,
                               has_reason *judge)
{
    struct check *check = named->check;
    bool good = true;
    for (int node = 0; good && node < check->nodes; node++) {
        struct store_request request = {
            .operation = STORE_LIST, .key = blob_new(directory), .list = {.limit = LEFT_MAX}};
        struct store_result result = check_look(check->world, node, &request);
        for (uint16_t i = 0; good && i < result.list.row_count; i++) {
            struct row *row = &result.list.rows[i];
            good = message_open_row(row) == STATUS_OK &&
                   (!object_is_live(row->object) ||
                    judge(named, mounts, set, blob_slice(row->name)));
            if (!good) {
                (void)snprintf(check->why, sizeof check->why, "node %d: %.*s%.*s is left", node,
                               (int)directory.size, (const char *)directory.data,
                               (int)row->name->size, (const char *)row->name->data);
            }
        }
        store_result_release(&result);
    }
    return good;
}

static bool is_set_clean(struct named *named, const struct mounts *mounts,
                         const struct block_set *set)
{
    static const uint32_t stripes[] = {0, MAP_BLOCKS / STRIPE_BLOCKS};
    struct buffer key = {0};
    block_key_set(&key, set);
    bool good = is_directory_clean(named, mounts, set, buffer_slice(&key), is_note_due);
    for (int i = 0; good && i < 2; i++) {
        buffer_reset(&key);
        block_key_stripe(&key, set, stripes[i]);
        good = is_directory_clean(named, mounts, set, buffer_slice(&key), is_named);
    }
    buffer_release(&key);
    return good;
}

bool kept_is_clean(struct check *check, const struct mounts *mounts)
{
    const struct book *book = mounts_book(mounts);
    struct named named = {.check = check};
    bool good = true;
    name_all(&named, mounts);
    for (uint32_t i = 0; good && i < book->set_count; i++) {
        good = is_set_clean(&named, mounts, &book->sets[i]);
    }
    id_table_release(&named.ids);
    return good;
}
