/*
 * place.c - names in directories and the inodes that are shown under them.
 */
#include "fs/model/place.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/names.h"

int place_check_new_name(struct slice name)
{
    if (name.size > NAME_SIZE_MAX) {
        return ENAMETOOLONG;
    }
    return key_name_is_valid(name) ? 0 : EINVAL;
}

int place_open(struct fs *fs, uint64_t id, const char *name, struct place *ret_place)
{
    assert(name && ret_place);

    struct place place = {.name = slice_of_string(name)};
    int failed = 0;

    if (place.name.size > SHOWN_NAME_MAX) {
        return ENAMETOOLONG;
    }
    inodes_lock(&fs->inodes);
    place.directory = inode_by_id(&fs->inodes, id);
    if (!place.directory) {
        failed = ESTALE;
    } else if (place.directory->type != VERSION_DIRECTORY) {
        failed = ENOTDIR;
    } else if (place.directory->is_unlinked) {
        failed = ENOENT;
    } else {
        failed = errno_of_key(inode_append_key(place.directory, &place.key));
    }
    if (failed == 0) {
        inode_ref(place.directory);
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
    hold_release(fs, place->directory);
    buffer_release(&place->key);
    *place = (struct place){0};
}

int place_key(const struct place *place, struct slice name, enum row_kind kind,
              struct buffer *key)
{
    assert(place->key.size > 0);

    buffer_reset(key);
    key_append_child(key, buffer_slice(&place->key), name, kind);
    if (key->failed) {
        return ENOMEM;
    }
    return key->size > KEY_SIZE_MAX ? ENAMETOOLONG : 0;
}

/* True if the kernel may go on with `inode` for what was found. A file that was replaced by
 * another one is another inode, so that those who have it open keep what they opened; a
 * directory is its path. */
static bool is_same(const struct inode *inode, const struct found *found,
                    enum version_type type)
{
    if (inode->is_ghost || inode->type != type || inode->number != found->number) {
        return false;
    }
    uint64_t known = inode->attributes.file_id;
    uint64_t id = found->version->attributes.file_id;
    return found->kind != FOUND_FILE || known == 0 || id == 0 || known == id;
}

struct inode *place_inode_of_found(struct fs *fs, const struct place *place,
                                   struct found *found)
{
    assert(place->directory);
    assert(found->kind == FOUND_NOTHING || found->version);

    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);

    if (inode && inode->is_pending) {
        return inode_ref(inode);
    }
    if (found->kind == FOUND_NOTHING) {
        if (inode) {
            inode_unname(&fs->inodes, inode);
        }
        return NULL;
    }
    enum version_type type = found_type(found);
    if (inode && is_same(inode, found, type)) {
        inode_ref(inode);
    } else {
        if (inode) {
            inode_unname(&fs->inodes, inode);
        }
        struct inode_description description = {.name = place->name,
                                                .base = found_base(found, place->name),
                                                .number = found->number,
                                                .type = type};
        inode = inode_add(&fs->inodes, place->directory, &description);
    }
    if (inode) {
        current_found(fs, inode, found);
    }
    return inode;
}

int place_shown_inode(struct fs *fs, const struct place *place, struct inode **ret_inode)
{
    assert(place->directory && ret_inode);

    struct found found = {0};

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);
    if (inode) {
        inode_ref(inode);
    }
    inodes_unlock(&fs->inodes);
    if (inode) {
        *ret_inode = inode;
        return 0;
    }

    int failed = resolve_name(fs, buffer_slice(&place->key), place->name, &found);
    if (failed != 0) {
        return failed;
    }
    inodes_lock(&fs->inodes);
    inode = place_inode_of_found(fs, place, &found);
    inodes_unlock(&fs->inodes);
    if (!inode) {
        failed = found.kind == FOUND_NOTHING ? ENOENT : ENOMEM;
    } else {
        *ret_inode = inode;
    }
    found_release(&found);
    return failed;
}

int place_take_token(struct fs *fs, const struct place *place, struct inode *inode)
{
    assert(place->directory && inode);

    int failed = hold_take_token(fs, inode);
    if (failed != 0) {
        return failed;
    }
    inodes_lock(&fs->inodes);
    if (inode_by_name(&fs->inodes, place->directory, place->name) != inode) {
        inode_return_token(&fs->inodes, inode);
        failed = ENOENT;
    }
    inodes_unlock(&fs->inodes);
    return failed;
}
