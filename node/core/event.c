/*
 * event.c - dropping what actions own.
 */
#include "node/core/event.h"

#include <string.h>

void action_release(struct action *action)
{
    switch (action->type) {
    case ACTION_SEND:
    case ACTION_REPLY:
        message_release(&action->message);
        break;
    case ACTION_STORE:
        store_request_release(&action->request);
        break;
    case ACTION_CONNECT:
    case ACTION_NOTE:
        break;
    }
    memset(action, 0, sizeof *action);
}
