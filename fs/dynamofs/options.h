/*
 * options.h - the command line of dynamofs, checked.
 *
 * Threads:  options_parse before any thread is started (it uses getopt).
 * Memory:   options_parse fills a struct that owns its strings; options_release frees them.
 * Never:    an option that is not understood is never passed over in silence, but for mount -s.
 */
#ifndef FS_DYNAMOFS_OPTIONS_H
#define FS_DYNAMOFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/model/fs.h"
#include "ring/status.h"

enum {
    OPTIONS_TIMEOUT_MIN_MS = 100,
    OPTIONS_TIMEOUT_MAX_MS = 3600 * 1000,
    OPTIONS_CACHE_MAX_MS = 24 * 3600 * 1000, /* attr_timeout and entry_timeout */
    OPTIONS_GRACE_MIN_MS = 1000,
};

#define OPTIONS_GRACE_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

struct options {
    char *mountpoint;  /* absolute after options_resolve */
    char *cluster;     /* HOST:PORT[,...]: a client only; NULL: embed a node */
    char *join;        /* HOST:PORT[,...], or NULL */
    char *data;        /* of the embedded node; absolute after options_resolve */
    char *listen;      /* HOST:PORT of the embedded node */
    char *expect;      /* id of the embedded node that the data must be of, or NULL */
    char *secret_file; /* the cluster's secret, or NULL; absolute after options_resolve */
    bool insecure;
    bool foreground;
    bool debug;
    bool fake;    /* check everything, and mount nothing: mount -f */
    bool help;    /* nothing else is set */
    bool version; /* nothing else is set */

    /* What libfuse and the kernel are told, as one -o argument: "fsname=dynamofs,noatime". */
    char *fuse;
    bool read_only;
    bool is_sloppy;     /* words of -o that nobody understands are passed over: mount -s */
    bool hide_siblings; /* of names in conflict, unless a directory says otherwise */
    struct fs_ownership ownership;
    uint8_t r; /* 0: the default quorum */
    uint8_t w;
    uint32_t timeout_ms;     /* 0: the default */
    int64_t block_grace_ms;  /* 0: the default */
    int64_t attr_timeout_ms; /* -1: the default */
    int64_t entry_timeout_ms;
};

/*
 * Reads a command line; as mount(8) calls a helper, if the program's name begins with "mount.".
 * STATUS_BAD_MESSAGE with `error` naming what is wrong in one line, or
 * NO_MEMORY; *ret_options then needs no release.
 */
MUST_CHECK enum status options_parse(int argc, char *argv[], struct options *ret_options,
                                     struct error *error);

/*
 * Makes the paths absolute, finds the default data directory, and refuses a mountpoint that is
 * no directory and a data directory that would lie under the mount. To be called once, before
 * the working directory changes.
 */
MUST_CHECK enum status options_resolve(struct options *options, struct error *error);
void options_release(struct options *options); /* a zeroed struct is allowed */

/* What --help prints. Static. */
const char *options_help(void);

#endif
