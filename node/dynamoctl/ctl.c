/*
 * ctl.c - dynamoctl: looks into a cluster, and reads and writes its keys.
 */
#include "node/dynamoctl/ctl.h"

#include <locale.h>

const struct ctl_verb ctl_verbs[] = {
    {
        .name = "status",
        .arguments = "",
        .summary = "show every member: its state, its disk, what it counted",
        .help =
            "The state is two letters: U (up) or D (down), as seen from here; N (normal), J\n"
            "(not in the ring yet) or R (refilling: its disk was lost, and it is not believed\n"
            "before it has its copies again). SEEN is how many of the other members that\n"
            "answer find it up.\n",
        .options = "cluster json timeout ",
        .run = ctl_status,
    },
    {
        .name = "ring",
        .arguments = "[KEY]",
        .summary = "show who owns how many partitions, or which nodes hold KEY",
        .help = "",
        .argument_max = 1,
        .options = "cluster json timeout ",
        .run = ctl_ring,
    },
    {
        .name = "get",
        .arguments = "KEY",
        .summary = "show the versions of KEY and the context",
        .help =
            "Several versions are siblings: writes that did not know of each other. They are\n"
            "numbered from the oldest on. Hand the context to put or delete to supersede all\n"
            "that was shown.\n",
        .argument_min = 1,
        .argument_max = 1,
        .options = "cluster json timeout raw version r ",
        .run = ctl_get,
    },
    {
        .name = "put",
        .arguments = "KEY [FILE|-]",
        .summary = "write FILE (or standard input) under KEY and print the new context",
        .help =
            "Without --context nothing is overwritten: the value becomes a sibling of what is\n"
            "there. A KEY that ends in a slash makes a directory and takes no FILE.\n",
        .argument_min = 1,
        .argument_max = 2,
        .options = "cluster json timeout context w sync ",
        .is_write = true,
        .run = ctl_put,
    },
    {
        .name = "delete",
        .arguments = "KEY",
        .summary = "delete the versions of KEY that a context covers",
        .help =
            "Say which versions: those of --context, or with --all those that are there now.\n"
            "What is written meanwhile stays.\n",
        .argument_min = 1,
        .argument_max = 1,
        .options = "cluster json timeout context all r w sync ",
        .is_write = true,
        .run = ctl_delete,
    },
    {
        .name = "ls",
        .arguments = "[DIR]",
        .summary = "list a directory, by default the root",
        .help = "Columns: type and mode, versions, user, group, bytes, time, name.\n",
        .argument_max = 1,
        .options = "cluster json timeout r ",
        .run = ctl_ls,
    },
    {
        .name = "hints",
        .arguments = "[--drop OWNER]",
        .summary = "show what is kept for members that could not be reached",
        .help =
            "For each member that keeps some, and each one that they are for: how many, their\n"
            "bytes, the age of the oldest. One that left the ring is shown by its id.\n"
            "With --drop all members forget what they keep for OWNER, after a question.\n",
        .options = "cluster json timeout drop yes ",
        .run = ctl_hints,
    },
    {
        .name = "repair",
        .arguments = "[--wait]",
        .summary = "have all members compare their copies now",
        .help =
            "Every member compares what it holds with each other one that holds it too, and\n"
            "what differs is merged. With --wait success means that all did so, with each.\n",
        .options = "cluster json wait patience ",
        .run = ctl_repair,
    },
    {
        .name = "fsck",
        .arguments = "[PATH]",
        .summary = "look whether every file has its blocks, and every block a file",
        .help =
            "Reads all below PATH, by default everything, and then, if it is everything, "
            "looks\n"
            "at the blocks of large files that no version names. It changes nothing without\n"
            "--repair. Exit codes: 0 all is well, 1 something is wrong, 3 there is no PATH,\n"
            "4 not everything could be looked at, of which nothing is said.\n",
        .argument_max = 1,
        .options = "cluster json timeout repair block-grace ",
        .run = ctl_fsck,
    },
    {
        .name = "replace",
        .arguments = "MEMBER",
        .summary = "give a lost member's place to the empty node at its address",
        .help =
            "MEMBER is its id or its address. The cluster does so by itself while every other\n"
            "member is there and complete; else what only the lost member held is gone, and\n"
            "it takes a person to say so: a question is asked first. Of a member that "
            "refills,\n"
            "and finds no complete copy to do so from, it ends the refill with what there "
            "is.\n",
        .argument_min = 1,
        .argument_max = 1,
        .options = "cluster json timeout yes ",
        .run = ctl_replace,
    },
    {.name = NULL},
};

int main(int argc, char **argv)
{
    struct ctl ctl;
    setlocale(LC_TIME, "");
    int code = ctl_options_read(argc, argv, &ctl);
    if (code < 0) {
        code = ctl.verb->run(&ctl);
    }
    /* A full disk under the output is a failure too. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("dynamoctl: standard output");
        return code == CTL_OK ? CTL_FAILURE : code;
    }
    return code;
}
