/*
 * options.c - the command line of dynamofs, checked.
 */
#include "fs/dynamofs/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dynamofs/options_words.h"
#include "node/base/address.h"
#include "node/base/error.h"
#include "ring/bytes.h"

static const char *const HELP =
    "usage: dynamofs [OPTION...] MOUNTPOINT\n"
    "\n"
    "Mounts a Dynamo cluster. Without --cluster it runs a storage node of its own.\n"
    "\n"
    "      --cluster HOST:PORT[,...]  mount a running cluster, as a client only\n"
    "      --join HOST:PORT[,...]     the own node joins this cluster\n"
    "      --data DIR                 data of the own node; default\n"
    "                                 $XDG_DATA_HOME/dynamofs, as root /var/lib/dynamofs\n"
    "      --listen HOST:PORT         address of the own node; default 127.0.0.1:7450\n"
    "      --expect ID                refuse a data directory that is empty or not that\n"
    "                                 node's: its volume may not be mounted\n"
    "      --secret-file FILE         the cluster's secret; default: the one that\n"
    "                                 DYNAMOFS_SECRET_FILE names, DIR/secret, or that of a\n"
    "                                 node of this user on this machine\n"
    "      --insecure                 allow --listen beyond this machine without TLS\n"
    "  -o OPTION[,...]                mount options, see below\n"
    "  -f                             stay in the foreground\n"
    "  -d                             print every request; implies -f\n"
    "  -h, --help                     print this and exit\n"
    "  -V, --version                  print the version and exit\n"
    "\n"
    "Mount options:\n"
    "  r=COUNT, w=COUNT               replicas that must answer a read or a write;\n"
    "                                 default: more than half of them\n"
    "  timeout=SECONDS                deadline of an operation; default 10\n"
    "  attr_timeout=SECONDS           how long the kernel may keep attributes\n"
    "  entry_timeout=SECONDS          how long the kernel may keep names\n"
    "  block_grace=SECONDS            how long blocks of large files stay that no file\n"
    "                                 names any more; default 3600\n"
    "  data=DIR, listen=HOST:PORT, join=HOST:PORT, secret-file=FILE, insecure\n"
    "                                 as the options above, for a line of /etc/fstab\n"
    "  siblings=show|hide             whether listings show the versions of a name that\n"
    "                                 is in conflict; default show\n"
    "  uid=ID, gid=ID, umask=MODE     every file is shown with this owner, or with the\n"
    "                                 permissions that the mask leaves of 0777\n"
    "  ro, allow_other, auto_unmount, noatime, nodev, nosuid, noexec, fsname=NAME,\n"
    "  subtype=NAME and the other options of mount(8) and libfuse\n";

enum {
    LONG_CLUSTER = 256,
    LONG_JOIN,
    LONG_DATA,
    LONG_LISTEN,
    LONG_INSECURE,
    LONG_SECRET_FILE,
    LONG_EXPECT
};

static const struct option LONG_OPTIONS[] = {
    {"cluster", required_argument, NULL, LONG_CLUSTER},
    {"join", required_argument, NULL, LONG_JOIN},
    {"data", required_argument, NULL, LONG_DATA},
    {"listen", required_argument, NULL, LONG_LISTEN},
    {"secret-file", required_argument, NULL, LONG_SECRET_FILE},
    {"expect", required_argument, NULL, LONG_EXPECT},
    {"insecure", no_argument, NULL, LONG_INSECURE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

#define COUNT_OF(array) (sizeof array / sizeof((array)[0]))

static enum status check_addresses(const struct options *options, struct error *error)
{
    const struct {
        const char *name;
        const char *value;
        bool is_valid;
    } given[] = {
        {"--cluster", options->cluster,
         !options->cluster || address_list_is_valid(options->cluster)},
        {"--join", options->join, !options->join || address_list_is_valid(options->join)},
        {"--listen", options->listen,
         !options->listen || address_text_is_valid(options->listen, true)},
    };

    for (size_t i = 0; i < COUNT_OF(given); i++) {
        if (!given[i].is_valid) {
            return error_set(error, STATUS_BAD_MESSAGE, "%s %.120s: not of the form HOST:PORT",
                             given[i].name, given[i].value);
        }
    }
    return STATUS_OK;
}

static enum status apply_option(struct options *options, struct buffer *fuse, int key,
                                struct error *error)
{
    switch (key) {
    case LONG_CLUSTER:
        return options_set_text(&options->cluster, "--cluster", optarg, error);
    case LONG_JOIN:
        return options_set_text(&options->join, "--join", optarg, error);
    case LONG_DATA:
        return options_set_text(&options->data, "--data", optarg, error);
    case LONG_LISTEN:
        return options_set_text(&options->listen, "--listen", optarg, error);
    case LONG_EXPECT:
        return options_set_text(&options->expect, "--expect", optarg, error);
    case LONG_SECRET_FILE:
        return options_set_text(&options->secret_file, "--secret-file", optarg, error);
    case LONG_INSECURE:
        options->insecure = true;
        return STATUS_OK;
    case 'o':
        return options_apply_list(options, fuse, optarg, error);
    case 'd':
        options->debug = true;
        options->foreground = true;
        return STATUS_OK;
    case 'f':
        options->foreground = true;
        return STATUS_OK;
    case 'h':
        options->help = true;
        return STATUS_OK;
    default:
        assert(key == 'V');
        options->version = true;
        return STATUS_OK;
    }
}

static enum status bad_option(int key, char *argv[], struct error *error)
{
    const char *word = argv[optind - 1];

    if (key == ':') {
        return error_set(error, STATUS_BAD_MESSAGE, "option %.80s needs a value", word);
    }
    if (optopt != 0 && optopt < LONG_CLUSTER && strncmp(word, "--", 2) != 0) {
        return error_set(error, STATUS_BAD_MESSAGE, "unknown option -%c", optopt);
    }
    return error_set(error, STATUS_BAD_MESSAGE, "unknown option %.120s", word);
}

/* The options alone; what is left begins at optind. */
static enum status parse_switches(int argc, char *argv[], struct options *options,
                                  struct buffer *fuse, struct error *error)
{
    enum status status = STATUS_OK;
    int key;

    optind = 0;
    opterr = 0;
    while (status == STATUS_OK &&
           (key = getopt_long(argc, argv, ":o:fdhV", LONG_OPTIONS, NULL)) != -1) {
        if (key == ':' || key == '?') {
            return bad_option(key, argv, error);
        }
        status = apply_option(options, fuse, key, error);
    }
    return status;
}

/* The same as mount(8) gives them to a helper: `-sfnv -o WORDS -t TYPE`. */
static enum status parse_helper_switches(int argc, char *argv[], struct options *options,
                                         struct buffer *fuse, struct error *error)
{
    static const struct option NO_LONG_OPTIONS[] = {{NULL, 0, NULL, 0}};
    enum status status = STATUS_OK;
    int key;

    /* -s stands where it likes, and is about all words. */
    for (int pass = 0; pass < 2 && status == STATUS_OK; pass++) {
        optind = 0;
        opterr = 0;
        while (status == STATUS_OK &&
               (key = getopt_long(argc, argv, ":o:t:sfnvhV", NO_LONG_OPTIONS, NULL)) != -1) {
            if (key == ':' || key == '?') {
                return bad_option(key, argv, error);
            }
            if (pass == 0) {
                options->is_sloppy |= key == 's';
            } else if (key == 'f') {
                options->fake = true;
            } else if (!strchr("stnv", key)) {
                status = apply_option(options, fuse, key, error);
            }
        }
    }
    return status;
}

static bool is_mount_helper(const char *program)
{
    return strncmp(basename(program), "mount.", strlen("mount.")) == 0;
}

/* True if -o fsname= was given, behind the one that is always there. */
static bool is_named(const struct buffer *fuse)
{
    static const char WORD[] = ",fsname=";

    return memmem(fuse->data, fuse->size, WORD, sizeof WORD - 1);
}

/*
 * mount(8) calls with two arguments for a line of fstab: its first field, and the mountpoint.
 * The first is the cluster; "dynamofs" and "none" stand for no cluster. The kernel is told it
 * as it stands there, or `mount -a` would not find that the line is mounted already.
 */
static enum status apply_source(struct options *options, struct buffer *fuse,
                                const char *source, struct error *error)
{
    bool is_none = strcmp(source, "dynamofs") == 0 || strcmp(source, "none") == 0;
    char *name = NULL;

    if (!is_none && (options->cluster || !strchr(source, ':'))) {
        return error_set(error, STATUS_BAD_MESSAGE, "one mountpoint expected, not also %.120s",
                         source);
    }
    if (!is_named(fuse)) {
        if (asprintf(&name, "fsname=%s", source) < 0) {
            return options_no_memory(error);
        }
        options_add_for_fuse(fuse, name);
        free(name);
    }
    return is_none ? STATUS_OK
                   : options_set_text(&options->cluster, "the cluster", source, error);
}

static enum status apply_arguments(int argc, char *argv[], struct options *options,
                                   struct buffer *fuse, struct error *error)
{
    enum status status = STATUS_OK;

    if (argc < 1) {
        return error_set(error, STATUS_BAD_MESSAGE, "no mountpoint given; see dynamofs --help");
    }
    if (argc > 2) {
        return error_set(error, STATUS_BAD_MESSAGE, "one mountpoint expected, not also %.120s",
                         argv[1]);
    }
    if (argc == 2) {
        status = apply_source(options, fuse, argv[0], error);
    }
    if (status == STATUS_OK) {
        status =
            options_set_text(&options->mountpoint, "the mountpoint", argv[argc - 1], error);
    }
    return status;
}

static enum status check_combination(const struct options *options, struct error *error)
{
    const char *name = options->join       ? "--join"
                       : options->data     ? "--data"
                       : options->listen   ? "--listen"
                       : options->expect   ? "--expect"
                       : options->insecure ? "--insecure"
                                           : NULL;

    if (options->cluster && name) {
        return error_set(error, STATUS_BAD_MESSAGE,
                         "%s is for a node of its own and cannot be given with --cluster",
                         name);
    }
    return STATUS_OK;
}

/* Takes what was gathered for libfuse, and adds what is always on. */
static enum status finish_fuse(struct options *options, struct buffer *fuse,
                               struct error *error)
{
    options_add_for_fuse(fuse, "default_permissions");
    buffer_append_byte(fuse, '\0');
    if (fuse->failed) {
        return options_no_memory(error);
    }
    options->fuse = strdup((const char *)fuse->data);
    return options->fuse ? STATUS_OK : options_no_memory(error);
}

enum status options_parse(int argc, char *argv[], struct options *ret_options,
                          struct error *error)
{
    struct options options = {.attr_timeout_ms = -1, .entry_timeout_ms = -1};
    struct buffer fuse = {0};
    enum status status;

    assert(argc > 0 && argv);
    assert(ret_options && error);
    options_add_for_fuse(&fuse, "fsname=dynamofs");
    options_add_for_fuse(&fuse, "subtype=dynamofs");
    status = is_mount_helper(argv[0])
                 ? parse_helper_switches(argc, argv, &options, &fuse, error)
                 : parse_switches(argc, argv, &options, &fuse, error);
    if (status == STATUS_OK && !options.help && !options.version) {
        status = apply_arguments(argc - optind, argv + optind, &options, &fuse, error);
        if (status == STATUS_OK) {
            status = check_combination(&options, error);
        }
        if (status == STATUS_OK) {
            status = check_addresses(&options, error);
        }
    }
    if (status == STATUS_OK) {
        status = finish_fuse(&options, &fuse, error);
    }
    buffer_release(&fuse);
    if (status != STATUS_OK) {
        options_release(&options);
        return status;
    }
    *ret_options = options;
    return STATUS_OK;
}

void options_release(struct options *options)
{
    assert(options);
    free(options->mountpoint);
    free(options->cluster);
    free(options->join);
    free(options->data);
    free(options->listen);
    free(options->secret_file);
    free(options->expect);
    free(options->fuse);
    *options = (struct options){0};
}

const char *options_help(void)
{
    return HELP;
}
