/*
 * kept.h - the node's settings once more, in a small file beside the database.
 *
 * Identity, ring and lease are in the database, so the block that holds them may be the damaged
 * one; and whether there are others who have copies has to be known before a damaged database
 * is opened.
 */
#ifndef NODE_STORE_KEPT_H
#define NODE_STORE_KEPT_H

#include "node/store/engine.h"

/* Copies all settings from the database to the file. The one before stays if that fails. */
enum status settings_keep(struct engine *engine);
/* Writes what was kept into the database, synced. STATUS_NOT_FOUND if nothing was kept. */
MUST_CHECK enum status settings_restore(struct engine *engine);
/* The ring among kept settings; false if there is none. */
bool settings_kept_ring(struct slice kept, struct ring *ret_ring);

#endif
