/*
 * attributes.h - attributes of versions as stat(2) shows them; times and ids for new ones.
 */
#ifndef FS_MODEL_ATTRIBUTES_H
#define FS_MODEL_ATTRIBUTES_H

#include <sys/stat.h>

#include "fs/model/fs.h"
#include "ring/object.h"

enum { INODE_NUMBER_ROOT = 1, STAT_BLOCK_SIZE = 4096 };

/* The wall clock, nanoseconds since 1970. */
int64_t attributes_now_ns(void);

/* The content was written now. */
void attributes_touch(struct attributes *attributes);

/* What kind of file it is: whether its content is kept in blocks is no matter. */
enum version_type attributes_file_type(const struct attributes *attributes);

/* FIFOs, sockets and devices: their content is not here. */
bool attributes_is_special(enum version_type type);

/* A random id for a new file; never 0 nor INODE_NUMBER_ROOT. */
uint64_t attributes_new_file_id(void);

/*
 * The inode number shown for a name: the file's id, which overwrites and renames keep, or a
 * hash of `key` where the id is unknown. For sibling `number` > 0 a hash with the number, since
 * siblings often share the id of the version that both came from.
 */
uint64_t attributes_inode_number(const struct attributes *attributes, struct slice key,
                                 uint32_t number);

/* Shows another owner, or other permissions, than the attributes say. */
void attributes_present(const struct fs_ownership *ownership, struct stat *stat);

/* Fills a stat. `link_count` is 0 for what was unlinked. */
void attributes_to_stat(const struct attributes *attributes, uint64_t inode_number,
                        uint32_t link_count, struct stat *ret_stat);

#endif
