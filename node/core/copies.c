/*
 * copies.c - copies whose content does not match its hash are refused where they come in.
 *
 * A content is verified on receipt and with each read. A bad copy concerns its key alone: the
 * database around it is sound, so nothing is salvaged and the node's other copies go on to
 * count.
 */
#include "node/core/copies.h"

#include <assert.h>

#include "node/core/outbox.h"

void note_key(struct core *core, enum note note, struct slice key)
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
    assert(key.size > 0 || !key.data);
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
