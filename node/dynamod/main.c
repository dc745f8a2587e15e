/*
 * main.c - dynamod: a storage node alone.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/base/text.h"
#include "node/dynamod/check.h"
#include "node/server/options.h"
#include "node/server/server.h"

enum { EXIT_USAGE = 2 };

static const char USAGE[] =
    "usage: dynamod --data DIR --listen HOST:PORT [OPTION...]\n"
    "       dynamod --check [--repair] --data DIR\n"
    "\n"
    "A storage node. It runs in the foreground until SIGTERM, SIGINT or SIGHUP.\n"
    "\n"
    "      --data DIR                 where its data is kept; made if missing\n"
    "      --listen HOST:PORT         where clients and other nodes reach it; port 0 lets\n"
    "                                 the kernel choose one\n"
    "      --join HOST:PORT[,...]     nodes of the cluster to join, or to form with\n"
    "      --replicas N               copies of every key in a new cluster; default 3\n"
    "      --partitions Q             partitions of a new cluster, a power of two;\n"
    "                                 default 256\n"
    "      --expect ID                refuse a data directory that is empty or not that\n"
    "                                 node's: its volume may not be mounted\n"
    "      --source                   the node's place was given to another: only hand over\n"
    "                                 what the directory holds; any --listen will do\n"
    "      --secret-file FILE         the cluster's secret; default: the one that\n"
    "                                 DYNAMOFS_SECRET_FILE names, DIR/secret, or that of a\n"
    "                                 node of this user on this machine\n"
    "      --insecure                 allow --listen beyond this machine, without\n"
    "                                 encryption\n"
    "      --check                    do not run: tell what is damaged or lost\n"
    "      --repair                   with --check: keep what can be read\n"
    "      --help                     print this and exit\n"
    "      --version                  print the version and exit\n";

static const struct option LONG_OPTIONS[] = {
    {"data", required_argument, NULL, 'd'},
    {"listen", required_argument, NULL, 'l'},
    {"join", required_argument, NULL, 'j'},
    {"replicas", required_argument, NULL, 'n'},
    {"partitions", required_argument, NULL, 'q'},
    {"secret-file", required_argument, NULL, 's'},
    {"expect", required_argument, NULL, 'e'},
    {"source", no_argument, NULL, 'o'},
    {"insecure", no_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},
    {"check", no_argument, NULL, 'c'},
    {"repair", no_argument, NULL, 'r'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* What the command line asks for beside the node's options. */
static bool wants_check;
static bool wants_repair;

/* For the signal handler alone; set once before it is installed. */
static struct server *running;

static void on_signal(int number)
{
    (void)number;
    server_stop(running);
}

/* Each ends the node properly; a hangup only where the one who started it did not have it
 * ignored, as nohup does. */
static const int STOP_SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};

enum { STOP_SIGNAL_COUNT = sizeof STOP_SIGNALS / sizeof STOP_SIGNALS[0] };

/* Blocked until the handlers are there, and on every thread but this one. */
static void block_signals(int how)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < STOP_SIGNAL_COUNT; i++) {
        (void)sigaddset(&set, STOP_SIGNALS[i]);
    }
    (void)pthread_sigmask(how, &set, NULL);
}

static void set_signal_handler(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < STOP_SIGNAL_COUNT; i++) {
        struct sigaction before;
        bool is_ignored = sigaction(STOP_SIGNALS[i], NULL, &before) == 0 &&
                          before.sa_handler == SIG_IGN && STOP_SIGNALS[i] == SIGHUP;
        if (!is_ignored) {
            (void)sigaction(STOP_SIGNALS[i], &action, NULL);
        }
    }
}

/* They mean nothing to a node, and must not end it. */
static void ignore_user_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigaction(SIGUSR1, &ignore, NULL);
    (void)sigaction(SIGUSR2, &ignore, NULL);
}

/* One line; it may quote what was typed, what a node said, or a file's name. */
static void complain(const char *text)
{
    fputs("dynamod: ", stderr);
    text_print(stderr, slice_of_string(text));
    fputc('\n', stderr);
}

static int usage_error(const char *what, const char *why)
{
    char text[ERROR_TEXT_SIZE + 128];

    snprintf(text, sizeof text, "%.100s%s%s (see --help)", what, why[0] != '\0' ? ": " : "",
             why);
    complain(text);
    return EXIT_USAGE;
}

/* Standard output on a full disk is a failure too. */
static int end_of_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("dynamod: standard output");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* True if all is well; else *ret_exit says how to end. */
static bool take_option(int option, const char *word, struct server_options *options,
                        int *ret_exit)
{
    struct error error;
    node_id id = 0;
    enum status status = STATUS_OK;

    switch (option) {
    case 'd':
        options->data_directory = optarg;
        break;
    case 'l':
        options->listen = optarg;
        break;
    case 'j':
        options->join = optarg;
        break;
    case 'n':
        status = options_parse_count(optarg, 1, REPLICAS_MAX, &options->replica_count, &error);
        break;
    case 'q':
        status =
            options_parse_count(optarg, 1, PARTITIONS_MAX, &options->partition_count, &error);
        break;
    case 'e':
        options->expect = optarg;
        status = options_parse_identity(optarg, &id, &error);
        break;
    case 'o':
        options->is_source = true;
        break;
    case 's':
        options->secret_file = optarg;
        break;
    case 'i':
        options->insecure = true;
        break;
    case 'c':
        wants_check = true;
        break;
    case 'r':
        wants_repair = true;
        break;
    case 'h':
        fputs(USAGE, stdout);
        *ret_exit = end_of_output();
        return false;
    case 'V':
        printf("dynamod %s\n", DYNAMOFS_VERSION);
        *ret_exit = end_of_output();
        return false;
    case ':':
        *ret_exit = usage_error(word, "needs a value");
        return false;
    default:
        *ret_exit = usage_error(word, "unknown option");
        return false;
    }
    if (status != STATUS_OK) {
        *ret_exit = usage_error(option == 'n'   ? "--replicas"
                                : option == 'e' ? "--expect"
                                                : "--partitions",
                                error.text);
    }
    return status == STATUS_OK;
}

static bool check_options(const struct server_options *options, int *ret_exit)
{
    struct address_list list;
    struct address address;
    struct error error;

    *ret_exit = EXIT_USAGE;
    if (!options->data_directory) {
        (void)usage_error("--data", "missing");
        return false;
    }
    if (wants_repair && !wants_check) {
        (void)usage_error("--repair", "only with --check");
        return false;
    }
    if (wants_check) {
        return true;
    }
    if (!options->listen) {
        (void)usage_error("--listen", "missing");
        return false;
    }
    if (address_parse(options->listen, &address, &error) != STATUS_OK) {
        (void)usage_error("--listen", error.text);
        return false;
    }
    if (options_parse_addresses(options->join, NULL, &list, &error) != STATUS_OK ||
        options_check_counts(options->partition_count, 0, &error) != STATUS_OK) {
        (void)usage_error(error.text, "");
        return false;
    }
    return true;
}

/* Fills in the options; false if the program ends here, with *ret_exit. */
static bool parse_command_line(int argc, char **argv, struct server_options *ret_options,
                               int *ret_exit)
{
    int option;

    opterr = 0; /* its words would be printed as they are */
    while ((option = getopt_long(argc, argv, ":", LONG_OPTIONS, NULL)) != -1) {
        if (!take_option(option, argv[optind - 1], ret_options, ret_exit)) {
            return false;
        }
    }
    if (optind < argc) {
        *ret_exit = usage_error(argv[optind], "unexpected argument");
        return false;
    }
    return check_options(ret_options, ret_exit);
}

static int serve(const struct server_options *options)
{
    struct error error;

    block_signals(SIG_BLOCK);
    if (server_new(options, &running, &error) != STATUS_OK) {
        complain(error.text);
        return EXIT_FAILURE;
    }
    set_signal_handler(on_signal);
    ignore_user_signals();
    block_signals(SIG_UNBLOCK);
    printf("dynamod: ready on %s\n", server_address(running));
    (void)fflush(stdout);
    enum status status = server_run(running, &error);
    set_signal_handler(SIG_IGN);
    server_free(running);
    if (status != STATUS_OK) {
        complain(error.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* Without a node: 0 if all is well, or has become so. */
static int check(const struct server_options *options)
{
    struct error error;
    bool is_well = false;

    if (check_run(options->data_directory, wants_repair, &is_well, &error) != STATUS_OK) {
        fputs("dynamod: check: ", stderr);
        text_print(stderr, slice_of_string(error.text));
        fputc('\n', stderr);
        return EXIT_FAILURE;
    }
    if (is_well) {
        puts(wants_repair ? "All that is left can be used." : "Nothing is damaged.");
    } else {
        printf("dynamod --check --repair --data %s makes the rest usable.\n",
               options->data_directory);
    }
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct server_options options = {.data_directory = NULL};
    int exit_code = EXIT_SUCCESS;

    if (!parse_command_line(argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    return wants_check ? check(&options) : serve(&options);
}
