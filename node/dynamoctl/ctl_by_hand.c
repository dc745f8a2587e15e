/*
 * ctl_by_hand.c - dynamoctl replace, and hints --drop: what takes a person to decide.
 *
 * Both may give up data for good, so that both say what is at stake and ask, unless told --yes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/admin.h"
#include "node/client/socket.h"
#include "node/dynamoctl/ctl.h"

enum { ANSWER_SIZE = 16, BUSY_PAUSE_MS = 500 };

/* Asks on standard error, for standard output is the result's. */
static bool is_confirmed(const struct ctl *ctl, const char *question)
{
    char answer[ANSWER_SIZE] = "";
    if (ctl->yes) {
        return true;
    }
    fprintf(stderr, "%s [yes/no] ", question);
    fflush(stderr);
    bool is_yes = fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
    if (!is_yes) {
        ctl_complain(ctl, NULL, "not confirmed, so that nothing was changed");
    }
    return is_yes;
}

/* replace --------------------------------------------------------------------------------- */

struct replacement {
    const struct ring *ring;
    const struct member *lost;
    uint32_t timeout_ms;
    node_id answers;   /* the node at the member's address */
    bool is_refilling; /* that is the member itself, and it refills */
};

static bool is_refilling(const struct message_status_reply *reply)
{
    for (unsigned i = 0; i < reply->stat_count; i++) {
        if (strcmp(reply->stats[i].name, "complete") == 0) {
            return reply->stats[i].value == 0;
        }
    }
    return false;
}

/* What the other members are like, for whoever has to decide. */
static void show_others(const struct replacement *replacement)
{
    const struct ring *ring = replacement->ring;
    for (unsigned i = 0; i < ring->member_count; i++) {
        const struct member *member = &ring->members[i];
        struct message_status_reply reply;
        char remark[ADMIN_REMARK_SIZE];
        struct error error;
        if (member == replacement->lost) {
            continue;
        }
        const char *state = "does not answer";
        if (admin_status(member->address, replacement->timeout_ms, &reply, remark, &error) ==
            STATUS_OK) {
            state = reply.node != member->id ? "is not there: another node answers"
                    : is_refilling(&reply)   ? "refills, and has not got all of its copies"
                                             : "is there, and complete";
            admin_status_release(&reply);
        }
        fprintf(stderr, "  %s %s\n", member->address, state);
    }
}

/* Who lives at the member's address now? */
static bool look_at_place(const struct ctl *ctl, struct replacement *replacement)
{
    struct message_status_reply reply;
    char remark[ADMIN_REMARK_SIZE];
    struct error error;
    if (admin_status(replacement->lost->address, replacement->timeout_ms, &reply, remark,
                     &error) != STATUS_OK) {
        ctl_complain(ctl, NULL, error.text);
        ctl_complain(ctl, replacement->lost->address,
                     "start a node with an empty data directory at that address first");
        return false;
    }
    replacement->answers = reply.node;
    replacement->is_refilling = reply.node == replacement->lost->id && is_refilling(&reply);
    admin_status_release(&reply);
    if (replacement->answers == replacement->lost->id && !replacement->is_refilling) {
        ctl_complain(ctl, replacement->lost->address,
                     "the member itself answers there, and has all of its copies");
        return false;
    }
    return true;
}

static bool is_replacement_confirmed(const struct ctl *ctl,
                                     const struct replacement *replacement)
{
    char question[768];
    if (!ctl->yes) {
        fputs("the other members:\n", stderr);
        show_others(replacement);
    }
    if (replacement->is_refilling) {
        snprintf(question, sizeof question,
                 "Member %016" PRIx64 " at %s refills. If no complete copy is left to refill "
                 "from, it can\nbe taken for complete once it has met the others: what none of "
                 "them holds is then\n`no such key`, although it may have been acknowledged. "
                 "Do so?",
                 replacement->lost->id, replacement->lost->address);
    } else {
        snprintf(question, sizeof question,
                 "Member %016" PRIx64 " at %s loses its place to the empty node %016" PRIx64
                 ".\nWrites that were acknowledged and of which no other member above has a "
                 "copy are gone\nunless the old data directory is found: should it still be "
                 "there, start that instead.\nGive the place away?",
                 replacement->lost->id, replacement->lost->address, replacement->answers);
    }
    return is_confirmed(ctl, question);
}

/* The member itself ends its refill; a place is given away by any of the others. */
static enum status try_replacement(const struct ctl *ctl, const struct replacement *replacement,
                                   struct error *error)
{
    const struct ring *ring = replacement->ring;
    enum status status = STATUS_UNREACHABLE;
    snprintf(error->text, sizeof error->text, "no other member answers");
    for (unsigned i = 0; i < ring->member_count && status != STATUS_OK; i++) {
        const struct member *member = &ring->members[i];
        if ((member == replacement->lost) == replacement->is_refilling) {
            struct error why;
            enum status reply =
                admin_replace(member->address, ctl->timeout_ms, replacement->lost->id, &why);
            /* A refusal says more than that somebody else is not there. */
            if (reply == STATUS_OK || reply == STATUS_REFUSED || reply == STATUS_BUSY ||
                status == STATUS_UNREACHABLE) {
                status = reply;
                *error = why;
            }
        }
    }
    return status;
}

/* A ring that is about to change lets nobody else change it for a few seconds. */
static enum status command_replacement(const struct ctl *ctl,
                                       const struct replacement *replacement,
                                       struct error *error)
{
    uint64_t deadline_ns = client_now_ns() + ctl->timeout_ms * NS_PER_MS;
    enum status status = try_replacement(ctl, replacement, error);
    while (status == STATUS_BUSY && client_now_ns() < deadline_ns) {
        socket_pause_until(client_now_ns() + BUSY_PAUSE_MS * NS_PER_MS);
        status = try_replacement(ctl, replacement, error);
    }
    return status;
}

static void print_replacement(const struct ctl *ctl, const struct replacement *replacement)
{
    const struct member *lost = replacement->lost;
    if (ctl->json) {
        struct json json = {.out = stdout};
        json_object_begin(&json, NULL);
        json_string(&json, "address", lost->address);
        json_identity(&json, "member", lost->id);
        json_identity(&json, "replaced_by", replacement->answers);
        json_object_end(&json);
    } else if (replacement->is_refilling) {
        printf("%s counts as complete as soon as it has met the others\n", lost->address);
    } else {
        printf("%s is now the place of %016" PRIx64 ", which refills\n", lost->address,
               replacement->answers);
    }
}

int ctl_replace(struct ctl *ctl)
{
    struct ring *ring = ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    int code = CTL_FAILURE;
    int lost = ring_find(ring, ctl_find_node(ring, ctl->arguments[0]));
    struct replacement replacement = {.ring = ring, .timeout_ms = ctl_member_timeout(ctl)};
    struct error error;
    if (lost < 0) {
        ctl_complain(ctl, ctl->arguments[0], "no member has this id or address");
        code = CTL_NOT_FOUND;
        goto out;
    }
    replacement.lost = &ring->members[lost];
    if (!look_at_place(ctl, &replacement) || !is_replacement_confirmed(ctl, &replacement)) {
        goto out;
    }
    if (command_replacement(ctl, &replacement, &error) != STATUS_OK) {
        ctl_complain(ctl, NULL, error.text);
        goto out;
    }
    print_replacement(ctl, &replacement);
    code = CTL_OK;
out:
    free(ring);
    return code;
}

/* hints --drop ---------------------------------------------------------------------------- */

/* Asks every member; those that cannot be asked keep theirs, and are named. */
static int drop_everywhere(const struct ctl *ctl, const struct ring *ring, node_id owner)
{
    uint64_t total = 0;
    int code = CTL_OK;
    for (unsigned i = 0; i < ring->member_count; i++) {
        uint64_t count = 0;
        struct error error;
        if (admin_drop_hints(ring->members[i].address, ctl_member_timeout(ctl), owner, &count,
                             &error) != STATUS_OK) {
            ctl_complain(ctl, NULL, error.text);
            code = CTL_FAILURE;
        }
        total += count;
    }
    if (ctl->json) {
        struct json json = {.out = stdout};
        json_object_begin(&json, NULL);
        json_identity(&json, "owner_id", owner);
        json_unsigned(&json, "dropped", total);
        json_object_end(&json);
    } else {
        printf("%" PRIu64 " hints dropped\n", total);
    }
    return code;
}

int ctl_drop_hints(struct ctl *ctl)
{
    struct ring *ring = ctl_find_ring(ctl);
    if (!ring) {
        return CTL_FAILURE;
    }
    node_id owner = ctl_find_node(ring, ctl->drop);
    char question[320];
    int code = CTL_FAILURE;
    snprintf(question, sizeof question,
             "All members forget what they keep for node %016" PRIx64
             ". A write of which no other\ncopy is left is gone then. Do so?",
             owner);
    if (owner == 0) {
        ctl_complain(ctl, ctl->drop, "neither a node's id nor a member's address");
        code = CTL_NOT_FOUND;
    } else if (is_confirmed(ctl, question)) {
        code = drop_everywhere(ctl, ring, owner);
    }
    free(ring);
    return code;
}
