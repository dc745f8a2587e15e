/*
 * ctl.h - what the verbs of dynamoctl share.
 *
 * ctl.c           the program: finds the verb and runs it
 * ctl_options.c   the command line, and the help
 * ctl_print.c     sizes, times, modes and names for people
 * ctl_json.c      JSON
 * ctl_complain.c  what went wrong, and exit codes
 * ctl_members.c   the cluster, its ring, and asking all of its members
 * ctl_status.c    status, ring
 * ctl_value.c     get, put, delete
 * ctl_large.c     the content of a file that is kept in blocks
 * ctl_list.c      ls
 * ctl_hints.c     hints
 * ctl_repair.c    repair
 * ctl_fsck.c      fsck
 * ctl_by_hand.c   replace, and hints --drop: what takes a person to decide
 */
#ifndef NODE_DYNAMOCTL_CTL_H
#define NODE_DYNAMOCTL_CTL_H

#include <stdio.h>

#include "node/client/kv.h"
#include "node/dynamoctl/ctl_json.h"

/* Exit codes; documented in the help, so that scripts may rely on them. */
enum {
    CTL_OK = 0,
    CTL_FAILURE = 1,
    CTL_USAGE = 2,
    CTL_NOT_FOUND = 3,
    CTL_INDETERMINATE = 4,
};

enum { CTL_ARGUMENTS_MAX = 2 };

struct ctl;

struct ctl_verb {
    const char *name;
    const char *arguments; /* as the help shows them */
    const char *summary;
    const char *help; /* further lines, or "" */
    unsigned argument_min;
    unsigned argument_max;
    const char *options; /* names of the options it takes, each followed by a space */
    bool is_write;       /* what fails may yet have been done */
    int (*run)(struct ctl *ctl);
};

/* The command line, read. Strings are borrowed from argv. */
struct ctl {
    const struct ctl_verb *verb;
    const char *cluster;
    const char *context; /* --context, or NULL */
    const char *arguments[CTL_ARGUMENTS_MAX];
    unsigned argument_count;
    uint32_t timeout_ms;
    uint32_t version; /* --version N of get: 0 for none */
    uint8_t r;        /* 0: the default */
    uint8_t w;
    bool json;
    bool raw;
    bool sync;
    bool all;
    bool wait;
    bool yes;            /* do not ask */
    bool repair;         /* --repair of fsck */
    uint32_t grace_s;    /* --block-grace of fsck; 0: the default */
    const char *drop;    /* --drop OWNER of hints, or NULL */
    uint32_t patience_s; /* how long --wait waits */
};

/* ctl.c */
extern const struct ctl_verb ctl_verbs[];

/* ctl_complain.c */
/* One line on standard error: `dynamoctl: VERB SUBJECT: what`. The subject may be NULL. */
void ctl_complain(const struct ctl *ctl, const char *subject, const char *what);
/* Complains of `status` and returns the exit code that belongs to it. */
int ctl_fail(const struct ctl *ctl, const char *subject, enum status status);

/* ctl_options.c */
/* Reads the command line. Returns -1 to go on, or the exit code: it has complained, or has
 * shown what was asked for. */
int ctl_options_read(int argc, char **argv, struct ctl *ret_ctl);

/* ctl_print.c */
enum {
    CTL_SIZE_TEXT = 16,
    CTL_TIME_TEXT = 32,
    CTL_MODE_TEXT = 11,
    CTL_AGE_TEXT = 24,
    CTL_BAR_TEXT = 64,
};
void ctl_format_size(uint64_t bytes, char ret_text[CTL_SIZE_TEXT]);
/* Local time, to the second. */
void ctl_format_time(int64_t ns, char ret_text[CTL_TIME_TEXT]);
/* As in `ls -l`. */
/* True if the size is a device's number. */
bool ctl_is_device(const struct attributes *attributes);
void ctl_format_mode(const struct attributes *attributes, char ret_text[CTL_MODE_TEXT]);
/* "90 s", "3 d": the largest unit of which there are at least two. */
void ctl_format_age(uint64_t us, char ret_text[CTL_AGE_TEXT]);
/* "[####      ]  42%" */
void ctl_format_bar(unsigned percent, char ret_text[CTL_BAR_TEXT]);
/* Writes a name so that it cannot play tricks on a terminal: what is no printable UTF-8 as
 * \xNN. */
void ctl_print_name(FILE *out, struct slice name);
/* The attributes as members of the JSON object at hand. */
void ctl_json_attributes(struct json *json, const struct attributes *attributes);
/* The context as the member `context`. */
void ctl_json_context(struct json *json, const struct clock *context);
/* Prints the context and a newline. False when memory is short. */
bool ctl_print_context(FILE *out, const struct clock *context);

/* ctl_members.c */
/* Connects to the cluster; complains and returns false if that fails. */
bool ctl_open(const struct ctl *ctl, struct kv **ret_kv);
/* The ring, from the first of the addresses whose node tells one; the caller frees it with
 * free. NULL: has complained. */
struct ring *ctl_find_ring(const struct ctl *ctl);
/* The id of the member that `text` names, by its address or as 16 hex digits; of hex digits
 * also that of a node that is no member. 0: it names none. */
node_id ctl_find_node(const struct ring *ring, const char *text);
/* The same, also when the nodes that answer are on their way into one: waits for that. */
struct ring *ctl_await_ring(const struct ctl *ctl, uint32_t patience_s);
/* Milliseconds that one member is given to answer in. */
uint32_t ctl_member_timeout(const struct ctl *ctl);
/* Calls `ask` once for each index below `count`, on several threads at a time. */
void ctl_ask_members(unsigned count, void (*ask)(void *argument, unsigned index),
                     void *argument);
/* What tells one ring from another, as members of the JSON object at hand. */
void ctl_json_ring(struct json *json, const struct ring *ring);

/* ctl_large.c */
/* Writes the file whose manifest the version holds to standard output. Returns the exit code;
 * has complained if it is not CTL_OK. */
int ctl_write_large(const struct ctl *ctl, struct kv *kv, const struct version *version);

/* The verbs. */
int ctl_status(struct ctl *ctl);
int ctl_ring(struct ctl *ctl);
int ctl_get(struct ctl *ctl);
int ctl_put(struct ctl *ctl);
int ctl_delete(struct ctl *ctl);
int ctl_ls(struct ctl *ctl);
int ctl_hints(struct ctl *ctl);
int ctl_repair(struct ctl *ctl);
int ctl_fsck(struct ctl *ctl);
int ctl_replace(struct ctl *ctl);
/* hints --drop */
int ctl_drop_hints(struct ctl *ctl);

#endif
