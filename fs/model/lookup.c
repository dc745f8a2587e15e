/*
 * lookup.c - names that the kernel asks for, and what it forgets again.
 */
#include "fs/model/lookup.h"

#include <assert.h>

#include "fs/model/current.h"
#include "fs/model/hold.h"
#include "fs/model/names.h"
#include "fs/model/place.h"

/* A name that this mount took away or replaced while the cluster was asked is asked for
 * again. */
enum { LOOKUP_TRIES = 3, GHOST_MODE = 0400 };

/* The inode to hand out at the place, one lookup counted and one reference for the caller. NULL
 * with *ret_failed: EAGAIN if the answer is older than a removal. */
static struct inode *hand_out(struct fs *fs, const struct place *place, struct found *found,
                              uint64_t since, int *ret_failed)
{
    assert(ret_failed);

    struct inode *inode = NULL;

    inodes_lock(&fs->inodes);
    if (inodes_was_removed(&fs->inodes, place->directory, place->name, since)) {
        *ret_failed = EAGAIN;
    } else {
        inode = place_inode_of_found(fs, place, found);
        *ret_failed = found->kind == FOUND_NOTHING ? ENOENT : ENOMEM;
    }
    if (inode) {
        inode->lookups++;
        *ret_failed = 0;
    }
    inodes_unlock(&fs->inodes);
    return inode;
}

/* The inode that this mount has put at the place meanwhile, handed out; NULL if there is
 * none. */
static struct inode *hand_out_known(struct fs *fs, const struct place *place)
{
    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);
    if (inode) {
        inode->lookups++;
        inode_ref(inode);
    }
    inodes_unlock(&fs->inodes);
    return inode;
}

/* A file that only this mount shows wins without asking. Otherwise NULL; *ret_removals says how
 * many removals there were before the question. */
static struct inode *hand_out_pending(struct fs *fs, const struct place *place,
                                      uint64_t *ret_removals)
{
    assert(ret_removals);

    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_name(&fs->inodes, place->directory, place->name);
    if (inode && inode->is_pending) {
        inode->lookups++;
        inode_ref(inode);
    } else {
        inode = NULL;
    }
    *ret_removals = fs->inodes.removals;
    inodes_unlock(&fs->inodes);
    return inode;
}

/* A sibling that is not there, but that an open listing gave: the inode to hand out, as above.
 * NULL if it is none, or memory is short. */
static struct inode *hand_out_ghost(struct fs *fs, const struct place *place)
{
    struct inode_description description = {.name = place->name, .type = VERSION_FILE};
    struct inode *inode = NULL;

    if (!names_parse_sibling(place->name, &description.base, &description.number) ||
        !ghosts_have(&fs->ghosts, place->directory->id, place->name)) {
        return NULL;
    }
    inodes_lock(&fs->inodes);
    if (!inode_by_name(&fs->inodes, place->directory, place->name)) {
        inode = inode_add(&fs->inodes, place->directory, &description);
    }
    if (inode) {
        inode->is_ghost = true;
        inode->attributes.mode = GHOST_MODE;
        inode->lookups++;
    }
    inodes_unlock(&fs->inodes);
    return inode;
}

int lookup_name(struct fs *fs, uint64_t parent, const char *name, struct fs_entry *ret_entry)
{
    assert(name && ret_entry);

    struct place place;
    struct inode *inode = NULL;
    int failed = place_open(fs, parent, name, &place);
    if (failed != 0) {
        return failed;
    }

    for (int tries = 0; tries < LOOKUP_TRIES && !inode; tries++) {
        struct found found = {0};
        uint64_t removals;
        inode = hand_out_pending(fs, &place, &removals);
        if (inode) {
            break;
        }
        failed = resolve_name(fs, buffer_slice(&place.key), place.name, &found);
        if (failed == 0) {
            inode = hand_out(fs, &place, &found, removals, &failed);
        }
        found_release(&found);
        if (failed != EAGAIN) {
            break;
        }
    }
    if (failed == EAGAIN) {
        /* Replaced again and again: whoever does that knows what is there now. */
        inode = hand_out_known(fs, &place);
        failed = inode ? 0 : ENOENT;
    }
    if (failed == ENOENT) {
        inode = hand_out_ghost(fs, &place);
        failed = inode ? 0 : ENOENT;
    }
    if (failed == 0) {
        current_entry(fs, inode, ret_entry);
        hold_release(fs, inode);
    }
    place_release(fs, &place);
    return failed;
}

void lookup_forget(struct fs *fs, uint64_t id, uint64_t count)
{
    inodes_lock(&fs->inodes);
    struct inode *inode = inode_by_id(&fs->inodes, id);
    if (inode) {
        inode_forget(&fs->inodes, inode, count);
    }
    inodes_unlock(&fs->inodes);
}
