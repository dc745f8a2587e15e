/*
 * heal.c - copies whose content does not match its hash: refused where they come in, fetched
 * anew where they were found.
 *
 * A content is verified on receipt and with each read. A bad copy concerns its key alone: the
 * database around it is sound, so nothing is salvaged and the node's other copies go on to
 * count. The key is read from the other primaries, and what they hold takes the place of what
 * does not match.
 */
#include <stdio.h>

#include "node/core/internal.h"

enum { HEALS_MAX = 8 }; /* at a time; what is left is found again by the next read or scrub */

static void note_key(struct core *core, enum note note, struct slice key)
{
    char text[96];
    size_t size = 0;
    for (size_t i = 0; i < key.size && size + 1 < sizeof text; i++) {
        bool is_printable = key.data[i] > ' ' && key.data[i] < 0x7f;
        text[size++] = is_printable ? (char)key.data[i] : '?';
    }
    text[size] = '\0';
    core_note(core, note, text);
}

void copy_refused(struct core *core, struct slice key)
{
    core->stats.copies_refused++;
    note_key(core, NOTE_COPY_REFUSED, key);
}

bool copy_is_sound(struct core *core, struct slice key, const struct object *object)
{
    if (!object || object_is_sound(object)) {
        return true;
    }
    copy_refused(core, key);
    return false;
}

/* True if one more heal may begin, and none of this key goes on. */
static bool may_heal(const struct core *core, struct slice key)
{
    unsigned count = 0;
    for (uint16_t slot = core->active_head; slot != NO_SLOT; slot = core->requests[slot].next) {
        const struct request *request = &core->requests[slot];
        if (request->kind == &get_kind && get_of(request)->heals) {
            count++;
            if (slice_equal(blob_slice(request->key), key)) {
                return false;
            }
        }
    }
    return count < HEALS_MAX;
}

void heal_start(struct core *core, struct blob *key)
{
    if (core->ring && !source_is_on(core) && may_heal(core, blob_slice(key))) {
        note_key(core, NOTE_CORRUPT, blob_slice(key));
        get_start_heal(core, key);
    }
}

void heal_finish(struct core *core, const struct request *request, struct object *merged)
{
    struct slice key = blob_slice(request->key);
    if (!merged) {
        return;
    }
    struct store_request *store = core_store(core, STORE_MERGE);
    store->key = blob_ref(request->key);
    store->object = object_ref(merged);
    store->parts = REPLICA_OBJECT;
    if (!key_is_root(key) && peer_holds(core, PEER_SELF, key_directory(key))) {
        store->parts |= REPLICA_ROW;
    }
    store->heals = true;
    core->stats.copies_healed++;
}
