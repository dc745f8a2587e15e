/*
 * disk.h - a node's disk: an engine that remembers what was synced, and can lose the rest.
 *
 * As LevelDB does it writes to a log, which is followed by another one when enough was written;
 * a log is on the platter, as a table, when the next one ends. A sync covers both logs. A power
 * cut keeps all that was synced and of what came after it the beginning of each log, by itself:
 * a newer log may survive what an older one lost. Batches are whole. A damaged range of keys
 * cannot be read until it is written anew, or salvaging gives it up.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "node/store/engine.h"

struct disk;

struct disk *disk_new(void);
/* One with the same content, all of it synced. */
struct disk *disk_copy(const struct disk *disk);
void disk_free(struct disk *disk);
/* The engine on this disk; valid until the next power cut. */
struct engine *disk_engine(struct disk *disk);
/* Loses what was not synced, but for the first batches of the older log and of the newer one.
 */
void disk_power_cut(struct disk *disk, size_t kept_older, size_t kept_newer);
/* Batches in the older log and in the newer one that were not synced. */
size_t disk_unsynced_older(const struct disk *disk);
size_t disk_unsynced_newer(const struct disk *disk);
/* The process that wrote is dead: its writes vanish. */
void disk_set_deaf(struct disk *disk, bool deaf);
/* Writes fail with STATUS_NO_SPACE while it is full. */
void disk_set_full(struct disk *disk, bool full);
bool disk_is_full(const struct disk *disk);
/* Keys that are stored, but for settings. */
size_t disk_keys(const struct disk *disk);
/* The number among them of the object's that is stored under `name`, or of the first one. */
size_t disk_find_object(const struct disk *disk, struct slice name);
/* `count` of them from number `first` on cannot be read any more. How many this hit. */
size_t disk_damage(struct disk *disk, size_t first, size_t count);
/* As if some of it had been read. */
void disk_meet_damage(struct disk *disk);
/* From now on the value that each key had before its last one, or before it was deleted, is
 * kept: where a block is damaged an older table may hold it, and a salvage gives it back. */
void disk_keep_older(struct disk *disk);
/* Some are. */
bool disk_has_older(const struct disk *disk);
/* Logs take so many times as many batches. */
void disk_scale_logs(struct disk *disk, size_t scale);
/* Reads show what would be left if the power failed now, and not one batch of a log survived
 * that was not synced. */
void disk_show_platter(struct disk *disk, bool platter);
/* Keys that are stored and cannot be read. */
size_t disk_damaged(const struct disk *disk);

#endif
