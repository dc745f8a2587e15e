/*
 * fs.c - the model as a whole: its start and end.
 */
#include "fs/model/fs.h"

#include <assert.h>
#include <stdlib.h>

#include "fs/model/attributes.h"
#include "fs/model/flush.h"
#include "fs/model/merged_kv.h"

enum { ROOT_MODE = 0755 };

struct fs *fs_new(const struct fs_config *config)
{
    assert(config->kv);

    struct fs *fs = calloc(1, sizeof *fs);
    if (!fs) {
        return NULL;
    }
    fs->config = *config;
    fs->options =
        (struct kv_options){.deadline_ms = config->deadline_ms, .r = config->r, .w = config->w};
    fs->conflicts = conflicts_new(CONFLICTS_MAX);
    fs->config.kv = merged_kv_new(config->kv);
    if (!fs->conflicts || !fs->config.kv || !inodes_init(&fs->inodes)) {
        kv_close(fs->config.kv);
        conflicts_free(fs->conflicts);
        free(fs);
        return NULL;
    }
    blocks_init(&fs->blocks, config->kv, &fs->options);
    if (config->block_grace_us > 0) {
        fs->blocks.grace_us = config->block_grace_us;
    }
    ghosts_init(&fs->ghosts);
    content_keeper_init(&fs->keeper, &fs->blocks);
    int64_t now = attributes_now_ns();
    fs->inodes.root->attributes = (struct attributes){.type = VERSION_DIRECTORY,
                                                      .mode = ROOT_MODE,
                                                      .user = config->user,
                                                      .group = config->group,
                                                      .accessed_ns = now,
                                                      .modified_ns = now,
                                                      .changed_ns = now};
    return fs;
}

/* A kernel that is gone (a lazy unmount, a signal) leaves files open: each is closed as its
 * program would have, so that what was written to it is put or its loss told. */
static void close_files(struct fs *fs)
{
    for (;;) {
        inodes_lock(&fs->inodes);
        struct inode *inode = inode_open(&fs->inodes);
        struct file *file = inode ? inode->file : NULL;
        inodes_unlock(&fs->inodes);
        if (!file) {
            return;
        }
        flush_release(fs, file, 0);
    }
}

void fs_free(struct fs *fs)
{
    if (!fs) {
        return;
    }
    close_files(fs);
    inodes_release(&fs->inodes);
    conflicts_free(fs->conflicts);
    ghosts_release(&fs->ghosts);
    blocks_release(&fs->blocks);
    kv_close(fs->config.kv);
    content_keeper_release(&fs->keeper);
    free(fs);
}
