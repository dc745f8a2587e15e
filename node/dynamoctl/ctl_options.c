/*
 * ctl_options.c - the command line of dynamoctl, and its help.
 */
#include <assert.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/address.h"
#include "node/dynamoctl/ctl.h"
#include "node/wire/message_client.h"

enum { PATIENCE_DEFAULT_S = 600, PATIENCE_MAX_S = 7 * 24 * 3600, GRACE_MAX_S = 30 * 24 * 3600 };

/* What getopt_long returns: one of these, or RULE_FIRST and the index of a rule. */
enum { IS_ARGUMENT = 1, IS_VERSION = 0x100, RULE_FIRST = 0x200 };

struct option_rule {
    const char *name;
    const char *value; /* as the help shows it; NULL: it takes none */
    const char *help;
    const char *key; /* by which verbs name it, where that is not its name */
};

static const struct option_rule rules[] = {
    {"cluster", "HOST:PORT[,...]", "nodes to ask, tried in turn (127.0.0.1:7450)", NULL},
    {"json", NULL, "print JSON", NULL},
    {"secret-file", "FILE", "the cluster's secret, if this user's nodes here do not leave it",
     NULL},
    {"timeout", "MS", "give up after so many milliseconds (10000)", NULL},
    {"raw", NULL, "print the newest version's content and nothing else", NULL},
    {"version", "N", "only the version of that number", NULL},
    {"context", "CTX", "supersede what this context covers; get and put print it", NULL},
    {"all", NULL, "read first, then delete what was read", NULL},
    {"r", "N", "replicas that must answer a read", NULL},
    {"w", "N", "replicas that must acknowledge a write", NULL},
    {"sync", NULL, "survive a power cut before success is reported", NULL},
    {"wait", NULL, "wait until all members are through, and show how far they are", NULL},
    {"yes", NULL, "do not ask", NULL},
    {"drop", "OWNER", "forget what is kept for this node: its id, or a member's address", NULL},
    {"repair", NULL, "read every copy, store anew what lacks copies, rows or notes", NULL},
    {"block-grace", "SECONDS", "the option of that name of the cluster's mounts (3600)", NULL},
    {"timeout", "SECONDS", "with --wait: give up after so many seconds (600)", "patience"},
};

enum {
    RULE_COUNT = sizeof rules / sizeof *rules,
    COMMON_COUNT = 4, /* the first ones may stand before the verb, any verb */
};

static void print_usage(FILE *out)
{
    fputs("usage: dynamoctl [OPTIONS] VERB [ARGUMENTS]\n\nverbs:\n", out);
    for (const struct ctl_verb *verb = ctl_verbs; verb->name; verb++) {
        char head[32];
        snprintf(head, sizeof head, "%s %s", verb->name, verb->arguments);
        fprintf(out, "  %-20s %s\n", head, verb->summary);
    }
    fputs("\noptions of every verb:\n"
          "  --cluster HOST:PORT[,...]  nodes to ask, tried in turn (127.0.0.1:7450)\n"
          "  --secret-file FILE         the cluster's secret; default: the one that\n"
          "                             DYNAMOFS_SECRET_FILE names, or the one that a node of\n"
          "                             this user on this machine left\n"
          "  --json                     print JSON\n"
          "  --timeout MS               give up after so many milliseconds (10000)\n"
          "  --help, --version\n\n"
          "`dynamoctl VERB --help` tells of the verb's own options.\n\n"
          "exit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 a write whose outcome is "
          "open\n",
          out);
}

static bool verb_takes(const struct ctl_verb *verb, const char *name)
{
    if (strcmp(name, "secret-file") == 0) {
        return true;
    }
    char word[16];
    snprintf(word, sizeof word, "%s ", name);
    const char *at = verb->options;
    while (*at && strncmp(at, word, strlen(word)) != 0) {
        at += strcspn(at, " ") + 1;
    }
    return *at != '\0';
}

static const char *key_of(const struct option_rule *rule)
{
    return rule->key ? rule->key : rule->name;
}

static void print_verb_help(const struct ctl_verb *verb)
{
    printf("usage: dynamoctl [OPTIONS] %s%s%s\n\n%s\n", verb->name,
           verb->arguments[0] ? " " : "", verb->arguments, verb->summary);
    printf("%s%s\noptions:\n", verb->help[0] ? "\n" : "", verb->help);
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (verb_takes(verb, key_of(&rules[i]))) {
            char head[40];
            snprintf(head, sizeof head, "--%s %s", rules[i].name,
                     rules[i].value ? rules[i].value : "");
            printf("  %-26s %s\n", head, rules[i].help);
        }
    }
    puts("\nexit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 a write whose outcome is "
         "open");
}

static int usage_error(const struct ctl *ctl, const char *what, const char *which)
{
    fprintf(stderr, "dynamoctl: %s%s", ctl->verb ? ctl->verb->name : "", ctl->verb ? ": " : "");
    ctl_print_name(stderr, slice_of_string(what)); /* it may quote an address */
    if (which) {
        fputs(" '", stderr);
        ctl_print_name(stderr, slice_of_string(which));
        fputc('\'', stderr);
    }
    fprintf(stderr, " (see dynamoctl %s%s--help)\n", ctl->verb ? ctl->verb->name : "",
            ctl->verb ? " " : "");
    return CTL_USAGE;
}

static bool parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
    size_t size = text ? strlen(text) : 0;
    if (size == 0 || size > 9 || strspn(text, "0123456789") != size) {
        return false;
    }
    unsigned long number = strtoul(text, NULL, 10);
    if (number == 0 || number > max) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* Sets the option of that key. False if its value is not one; *error may say why. */
static bool set_option(struct ctl *ctl, const char *name, const char *value,
                       struct error *error)
{
    uint32_t number = 0;
    if (strcmp(name, "cluster") == 0) {
        ctl->cluster = value;
        return address_check_list(value, error) == STATUS_OK;
    } else if (strcmp(name, "json") == 0) {
        ctl->json = true;
    } else if (strcmp(name, "secret-file") == 0) {
        /* Every connection of this process looks there. */
        return value[0] != '\0' && setenv("DYNAMOFS_SECRET_FILE", value, 1) == 0;
    } else if (strcmp(name, "raw") == 0) {
        ctl->raw = true;
    } else if (strcmp(name, "all") == 0) {
        ctl->all = true;
    } else if (strcmp(name, "sync") == 0) {
        ctl->sync = true;
    } else if (strcmp(name, "yes") == 0) {
        ctl->yes = true;
    } else if (strcmp(name, "drop") == 0) {
        ctl->drop = value;
    } else if (strcmp(name, "repair") == 0) {
        ctl->repair = true;
    } else if (strcmp(name, "block-grace") == 0) {
        return parse_number(value, GRACE_MAX_S, &ctl->grace_s);
    } else if (strcmp(name, "wait") == 0) {
        ctl->wait = true;
    } else if (strcmp(name, "patience") == 0) {
        return parse_number(value, PATIENCE_MAX_S, &ctl->patience_s);
    } else if (strcmp(name, "context") == 0) {
        ctl->context = value;
    } else if (strcmp(name, "timeout") == 0) {
        return parse_number(value, DEADLINE_MAX_MS, &ctl->timeout_ms);
    } else if (strcmp(name, "version") == 0) {
        return parse_number(value, VERSIONS_MAX, &ctl->version);
    } else if (parse_number(value, REPLICAS_MAX, &number)) { /* r and w are left */
        *(strcmp(name, "r") == 0 ? &ctl->r : &ctl->w) = (uint8_t)number;
    } else {
        return false;
    }
    return true;
}

/* The options that getopt_long knows at this point, with an end. */
static void make_table(const struct ctl *ctl, struct option ret_table[RULE_COUNT + 3])
{
    size_t count = 0;
    ret_table[count++] = (struct option){"help", no_argument, NULL, 'h'};
    if (!ctl->verb) {
        ret_table[count++] = (struct option){"version", no_argument, NULL, IS_VERSION};
    }
    for (int i = 0; i < RULE_COUNT; i++) {
        if (ctl->verb ? verb_takes(ctl->verb, key_of(&rules[i])) : i < COMMON_COUNT) {
            ret_table[count++] = (struct option){
                .name = rules[i].name,
                .has_arg = rules[i].value ? required_argument : no_argument,
                .val = RULE_FIRST + i,
            };
        }
    }
    ret_table[count] = (struct option){.name = NULL};
}

static int set_rule(struct ctl *ctl, const struct option_rule *rule)
{
    struct error error = {.text = ""};
    if (set_option(ctl, key_of(rule), optarg, &error)) {
        return -1;
    }
    if (error.text[0] != '\0') {
        char what[ERROR_TEXT_SIZE + 32];
        snprintf(what, sizeof what, "--%s: %s", rule->name, error.text);
        return usage_error(ctl, what, NULL);
    }
    return usage_error(ctl, "not a value for this option:", optarg);
}

/* What getopt_long found at `word`. Returns -1 or an exit code. */
static int take_option(struct ctl *ctl, int option, const char *word)
{
    switch (option) {
    case 'h':
        if (ctl->verb) {
            print_verb_help(ctl->verb);
        } else {
            print_usage(stdout);
        }
        return CTL_OK;
    case IS_VERSION:
        puts("dynamoctl " DYNAMOFS_VERSION);
        return CTL_OK;
    case ':':
        return usage_error(ctl, "a value is missing after", word);
    case '?':
        /* It knows the option, but not with a value. */
        return usage_error(ctl, optopt > UCHAR_MAX ? "no value belongs to" : "unknown option",
                           word);
    default:
        assert(option >= RULE_FIRST && option < RULE_FIRST + RULE_COUNT);
        return set_rule(ctl, &rules[option - RULE_FIRST]);
    }
}

static int read_argument(struct ctl *ctl, const char *argument)
{
    if (ctl->verb) {
        if (ctl->argument_count == ctl->verb->argument_max) {
            return usage_error(ctl, "one argument too many:", argument);
        }
        ctl->arguments[ctl->argument_count++] = argument;
        return -1;
    }
    const struct ctl_verb *verb = ctl_verbs;
    while (verb->name && strcmp(verb->name, argument) != 0) {
        verb++;
    }
    if (!verb->name) {
        return usage_error(ctl, "unknown verb", argument);
    }
    ctl->verb = verb;
    return -1;
}

/* Reads options and arguments of argv from 1 on, up to the verb if there is none yet. Returns
 * -1, with how many were read, or an exit code. */
static int read_words(struct ctl *ctl, int argc, char **argv, int *ret_count)
{
    struct option table[RULE_COUNT + 3];
    bool has_verb = ctl->verb;
    int code = -1;

    make_table(ctl, table);
    opterr = 0; /* its words would be printed as they are */
    optind = 0; /* anew */
    while (code < 0 && (has_verb || !ctl->verb)) {
        const char *word = argv[optind > 0 ? optind : 1];
        int option = getopt_long(argc, argv, "-:h", table, NULL);
        if (option == -1) {
            break;
        }
        code =
            option == IS_ARGUMENT ? read_argument(ctl, optarg) : take_option(ctl, option, word);
    }
    *ret_count = optind;
    return code;
}

/* The rest are arguments, as after "--". */
static int read_rest(struct ctl *ctl, int argc, char **argv)
{
    int code = -1;
    for (int i = 0; i < argc && code < 0; i++) {
        code = read_argument(ctl, argv[i]);
    }
    return code;
}

int ctl_options_read(int argc, char **argv, struct ctl *ret_ctl)
{
    struct ctl ctl = {.cluster = "127.0.0.1:7450",
                      .timeout_ms = KV_DEADLINE_DEFAULT_MS,
                      .patience_s = PATIENCE_DEFAULT_S};
    int count = 0;
    int code = read_words(&ctl, argc, argv, &count);
    if (code < 0 && ctl.verb) {
        /* Those of the verb: it stands where getopt_long looks for the program's name. */
        argv += count - 1;
        argc -= count - 1;
        code = read_words(&ctl, argc, argv, &count);
    }
    if (code < 0) {
        code = read_rest(&ctl, argc - count, argv + count);
    }
    if (code >= 0) {
        return code;
    }
    if (!ctl.verb) {
        print_usage(stderr);
        return CTL_USAGE;
    }
    if (ctl.argument_count < ctl.verb->argument_min) {
        return usage_error(&ctl, "an argument is missing", NULL);
    }
    *ret_ctl = ctl;
    return -1;
}
