/*
 * place.c - names in directories and the nodes that are shown under them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/attributes.h"
#include "fs/model/file.h"
#include "fs/model/model.h"
#include "fs/model/names.h"

int fs_get_node(struct fs *fs, uint64_t id, struct node **ret_node)
{
    int failed = ESTALE;

    inodes_lock(&fs->inodes);
    struct node *node = node_by_id(&fs->inodes, id);
    if (node != NULL && !node->is_unlinked) {
        *ret_node = node_ref(node);
        failed = 0;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

int fs_get_open_node(struct fs *fs, uint64_t id, struct node **ret_node)
{
    int failed = ESTALE;

    inodes_lock(&fs->inodes);
    struct node *node = node_or_heir(&fs->inodes, id);
    if (node != NULL && (!node->is_unlinked || node->file != NULL)) {
        *ret_node = node_ref(node);
        failed = 0;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

void fs_put_node(struct fs *fs, struct node *node)
{
    inodes_lock(&fs->inodes);
    node_unref(&fs->inodes, node);
    inodes_unlock(&fs->inodes);
}

/* A token is held for a few kv calls at most, so that waiting longer means that something
 * hangs.
 */
enum { TOKEN_DEADLINES = 4 };

int fs_take_token(struct fs *fs, struct node *node)
{
    uint32_t deadline_ms = fs->options.deadline_ms;

    if (deadline_ms == 0) {
        deadline_ms = KV_DEADLINE_DEFAULT_MS;
    }
    uint64_t deadline_ns = (uint64_t)fs_monotonic_ns() +
                           TOKEN_DEADLINES * (uint64_t)deadline_ms * UINT64_C(1000000);
    inodes_lock(&fs->inodes);
    bool is_taken = node_take_token(&fs->inodes, node, kv_limits_deadline(deadline_ns));
    inodes_unlock(&fs->inodes);
    return is_taken ? 0 : kv_limits_is_interrupted() ? EINTR : ETIMEDOUT;
}

void fs_return_token(struct fs *fs, struct node *node)
{
    inodes_lock(&fs->inodes);
    node_return_token(&fs->inodes, node);
    inodes_unlock(&fs->inodes);
}

uint32_t fs_node_number(struct fs *fs, const struct node *node)
{
    inodes_lock(&fs->inodes);
    uint32_t number = node->number;
    inodes_unlock(&fs->inodes);
    return number;
}

/* A path that is too long is told so; what else breaks the rules of keys cannot be a path. */
static int errno_of_key(enum status status)
{
    return status == STATUS_BAD_KEY ? ENAMETOOLONG : errno_of_status(status);
}

int fs_node_key(struct fs *fs, const struct node *node, struct buffer *key)
{
    buffer_reset(key);
    inodes_lock(&fs->inodes);
    enum status status = node_append_key(node, key);
    inodes_unlock(&fs->inodes);
    return errno_of_key(status);
}

int fs_check_new_name(struct slice name)
{
    if (name.size > NAME_SIZE_MAX) {
        return ENAMETOOLONG;
    }
    return key_name_is_valid(name) ? 0 : EINVAL;
}

int place_open(struct fs *fs, uint64_t id, const char *name, struct place *ret_place)
{
    struct place place = {.name = slice_of_string(name)};
    int failed = 0;

    if (place.name.size > SHOWN_NAME_MAX) {
        return ENAMETOOLONG;
    }
    inodes_lock(&fs->inodes);
    place.directory = node_by_id(&fs->inodes, id);
    if (place.directory == NULL) {
        failed = ESTALE;
    } else if (place.directory->type != VERSION_DIRECTORY) {
        failed = ENOTDIR;
    } else if (place.directory->is_unlinked) {
        failed = ENOENT;
    } else {
        failed = errno_of_key(node_append_key(place.directory, &place.key));
    }
    if (failed == 0) {
        node_ref(place.directory);
    }
    inodes_unlock(&fs->inodes);
    if (failed != 0) {
        buffer_release(&place.key);
        return failed;
    }
    *ret_place = place;
    return 0;
}

void place_release(struct fs *fs, struct place *place)
{
    fs_put_node(fs, place->directory);
    buffer_release(&place->key);
    *place = (struct place){0};
}

int place_key(const struct place *place, struct slice name, enum row_kind kind,
              struct buffer *key)
{
    buffer_reset(key);
    key_append_child(key, buffer_slice(&place->key), name, kind);
    if (key->failed) {
        return ENOMEM;
    }
    return key->size > KEY_SIZE_MAX ? ENAMETOOLONG : 0;
}

/* True if the kernel may go on with `node` for what was found. A file that was replaced by
 * another one is another node, so that those who have it open keep what they opened; a
 * directory is its path. */
static bool is_same(const struct node *node, const struct found *found, enum version_type type)
{
    if (node->type != type || node->number != found->number) {
        return false;
    }
    uint64_t known = node->attributes.file_id;
    uint64_t id = found->version->attributes.file_id;
    return found->kind != FOUND_FILE || known == 0 || id == 0 || known == id;
}

static enum version_type type_of_found(const struct found *found)
{
    if (found->kind == FOUND_DIRECTORY) {
        return VERSION_DIRECTORY;
    }
    return found->version->attributes.type == VERSION_SYMLINK ? VERSION_SYMLINK : VERSION_FILE;
}

/* True if what the node shows is newer than what was found: a listing that was read before an
 * own put was answered. */
static bool is_older(const struct found *found, const struct node *node)
{
    const struct object *row = node->shown.row;

    return row != NULL && clock_descends(&row->clock, &found->shown.row->clock) &&
           !clock_equal(&row->clock, &found->shown.row->clock);
}

void node_tell(struct node *node, struct dot dot)
{
    if (!dot_equal(node->told, dot)) {
        node->is_told_unsure |= node->told.counter != 0;
        node->told_ns = node->told.counter != 0 ? fs_monotonic_ns() : 0;
        node->told = dot;
    }
}

struct node *place_node_of_found(struct fs *fs, const struct place *place, struct found *found)
{
    struct node *node = node_by_name(&fs->inodes, place->directory, place->name);

    if (node != NULL && node->is_pending) {
        return node_ref(node);
    }
    if (found->kind == FOUND_NOTHING) {
        if (node != NULL) {
            node_unname(&fs->inodes, node);
        }
        return NULL;
    }
    enum version_type type = type_of_found(found);
    if (node != NULL && is_same(node, found, type)) {
        node_ref(node);
    } else {
        if (node != NULL) {
            node_unname(&fs->inodes, node);
        }
        struct node_description description = {.name = place->name,
                                               .base_size = found->base_size,
                                               .number = found->number,
                                               .type = type};
        node = node_add(&fs->inodes, place->directory, &description);
    }
    if (node == NULL || is_older(found, node)) {
        return node;
    }
    if (node->file == NULL || file_is_cache(node)) {
        node->attributes = found->version->attributes;
        node->attributes.type = type;
        node_tell(node, found->version->dot);
        fs_node_is_fresh(fs, node);
    }
    shown_move(&node->shown, &found->shown);
    found->version = NULL;
    return node;
}

int place_shown_node(struct fs *fs, const struct place *place, struct node **ret_node)
{
    struct found found = {0};

    inodes_lock(&fs->inodes);
    struct node *node = node_by_name(&fs->inodes, place->directory, place->name);
    if (node != NULL) {
        node_ref(node);
    }
    inodes_unlock(&fs->inodes);
    if (node != NULL) {
        *ret_node = node;
        return 0;
    }

    int failed = resolve_name(fs, buffer_slice(&place->key), place->name, &found);
    if (failed != 0) {
        return failed;
    }
    inodes_lock(&fs->inodes);
    node = place_node_of_found(fs, place, &found);
    inodes_unlock(&fs->inodes);
    if (node == NULL) {
        failed = found.kind == FOUND_NOTHING ? ENOENT : ENOMEM;
    } else {
        *ret_node = node;
    }
    found_release(&found);
    return failed;
}

int place_take_token(struct fs *fs, const struct place *place, struct node *node)
{
    int failed = fs_take_token(fs, node);
    if (failed != 0) {
        return failed;
    }
    inodes_lock(&fs->inodes);
    if (node_by_name(&fs->inodes, place->directory, place->name) != node) {
        node_return_token(&fs->inodes, node);
        failed = ENOENT;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}

void fs_entry_of_node(struct fs *fs, struct node *node, struct fs_entry *ret_entry)
{
    struct buffer key = {0};
    struct file *file = file_of_node(fs, node);
    struct attributes attributes;
    uint64_t inode = INODE_ROOT;

    if (file != NULL) {
        file_lock(file);
    }
    inodes_lock(&fs->inodes);
    attributes = node->attributes;
    if (file != NULL && file->is_loaded && !file_is_stale(file)) {
        attributes = file->attributes;
        attributes.size = file_size(file);
    }
    uint32_t link_count = node->is_unlinked ? 0 : 1;
    ret_entry->valid_s = fs->config.attribute_timeout;
    if (node->type == VERSION_DIRECTORY) {
        fs_directory_times(node, &attributes);
        ret_entry->valid_s = fs_seconds_until(node->names_fresh_until_ns);
    }
    uint32_t number = node->number;
    if (node->parent != NULL) {
        /* Only an unknown file id needs the key; if memory for it is short the number differs.
         */
        enum status status = STATUS_OK;
        if (attributes.file_id == 0) {
            status = node_append_key(node, &key);
        }
        inode = attributes_inode(
            &attributes, status == STATUS_OK ? buffer_slice(&key) : slice_of(NULL, 0), number);
    }
    inodes_unlock(&fs->inodes);
    if (file != NULL) {
        file_unlock(file);
        file_unref(file);
    }
    ret_entry->node = node->id;
    attributes_to_stat(&attributes, inode, link_count, &ret_entry->attributes);
    buffer_release(&key);
}

/* The plain node of a sibling's file, if the kernel knows it: it has seen what this mount wrote
 * to the sibling, too. */
static struct node *base_node(struct fs *fs, const struct node *node)
{
    if (node->number == 0 || node->parent == NULL) {
        return NULL;
    }
    struct node *base = node_by_name(&fs->inodes, node->parent, node_base(node));
    return base != NULL && base->type != VERSION_DIRECTORY ? base : NULL;
}

/* The attributes of the version `dot` of the row are now those of the node. */
static void tell_version(struct node *node, const struct object *row, struct dot dot)
{
    for (uint32_t i = 0; i < row->version_count; i++) {
        if (dot_equal(row->versions[i].dot, dot)) {
            enum version_type type = node->type;
            node->attributes = row->versions[i].attributes;
            node->attributes.type = type;
            node->told = dot;
        }
    }
}

int fs_node_was_put(struct fs *fs, struct node *node, struct object *row,
                    const uint8_t hash[CONTENT_HASH_SIZE], const struct shown *superseded)
{
    struct buffer key = {0};
    struct dot dot = {0};
    struct dot ignored;

    inodes_lock(&fs->inodes);
    enum status status = shown_after_put(&node->shown, row, hash, node->number > 0, &dot);
    if (status == STATUS_OK) {
        tell_version(node, row, dot);
        fs_node_is_fresh(fs, node);
        status = node_append_key(node, &key);
    }
    struct node *base = base_node(fs, node);
    if (status == STATUS_OK && base != NULL && base->shown.dots == NULL) {
        struct shown shown = {0};
        shown_set_all(&shown, base->shown.row);
        status = shown_after_put(&shown, row, hash, false, &ignored);
        /* Otherwise there is a version that was not shown: what was shown before stays. */
        if (status == STATUS_OK && shown.dots == NULL) {
            shown_move(&base->shown, &shown);
        }
        shown_release(&shown);
    }
    inodes_unlock(&fs->inodes);

    if (status == STATUS_OK && superseded->dots != NULL && dot.counter != 0) {
        conflicts_rewritten(fs->conflicts, buffer_slice(&key), superseded->dots,
                            superseded->dot_count, dot);
    }
    buffer_release(&key);
    return errno_of_status(status);
}
