/*
 * bench_files.c - how fast a directory of small files, and a large file, are worked on.
 *
 * Works in DIR/bench/, where file i is called f000000i, and there may be one large file. Phases
 * run in the order they are named; whoever wants a cold one remounts in between (run.sh does).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { SIZE_LIMIT = 1 << 20, FILES_LIMIT = 10000000, THREADS_LIMIT = 64, NAME_SIZE = 32 };
enum { PIECE = 1 << 20, LARGE_LIMIT = 1 << 20 };

struct work {
    int directory; /* DIR/bench */
    size_t size;
    unsigned files;
    unsigned threads;
    uint8_t *content;
    uint8_t *scratch[THREADS_LIMIT]; /* a read buffer for each thread */
    unsigned pieces;                 /* of the one large file */
    uint8_t *piece;
    int large;
};

static void file_name(char name[NAME_SIZE], unsigned index)
{
    snprintf(name, NAME_SIZE, "f%08u", index);
}

static int write_file(struct work *work, unsigned index, int flags, bool sync)
{
    char name[NAME_SIZE];
    int failure = 0;

    file_name(name, index);
    int file = openat(work->directory, name, O_WRONLY | flags, 0644);
    if (file < 0) {
        return errno;
    }
    ssize_t written = write(file, work->content, work->size);
    if (written < 0 || (size_t)written != work->size) {
        failure = written < 0 ? errno : EIO;
    }
    if (!failure && sync && fsync(file)) {
        failure = errno;
    }
    if (close(file) && !failure) {
        failure = errno;
    }
    return failure;
}

static int do_create(void *context, unsigned thread, unsigned index)
{
    (void)thread;
    return write_file(context, index, O_CREAT | O_EXCL, false);
}

static int do_create_sync(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;

    (void)thread;
    return write_file(work, work->files + index, O_CREAT | O_EXCL, true);
}

static int do_overwrite(void *context, unsigned thread, unsigned index)
{
    (void)thread;
    return write_file(context, index, O_TRUNC, false);
}

/* A few bytes at the end of each. */
static int do_append(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char name[NAME_SIZE];

    (void)thread;
    file_name(name, index);
    int file = openat(work->directory, name, O_WRONLY | O_APPEND);
    if (file < 0) {
        return errno;
    }
    int failure = write(file, "log\n", 4) == 4 ? 0 : EIO;
    return close(file) && !failure ? errno : failure;
}

static int do_stat(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char name[NAME_SIZE];
    struct stat status;

    (void)thread;
    file_name(name, index);
    if (fstatat(work->directory, name, &status, AT_SYMLINK_NOFOLLOW)) {
        return errno;
    }
    return (size_t)status.st_size == work->size ? 0 : EIO;
}

static int do_read(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char name[NAME_SIZE];
    int failure = 0;

    file_name(name, index);
    int file = openat(work->directory, name, O_RDONLY);
    if (file < 0) {
        return errno;
    }
    ssize_t got = read(file, work->scratch[thread], work->size);
    if (got < 0 || (size_t)got != work->size ||
        memcmp(work->scratch[thread], work->content, work->size) != 0) {
        failure = got < 0 ? errno : EIO;
    }
    if (close(file) && !failure) {
        failure = errno;
    }
    return failure;
}

/* One listing of the whole directory with the attributes of each name, as `ls -l` does. */
static int do_list(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    struct stat status;
    unsigned count = 0;
    int failure = 0;

    (void)thread;
    (void)index;
    int descriptor = openat(work->directory, ".", O_RDONLY | O_DIRECTORY);
    DIR *stream = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!stream) {
        return errno;
    }
    for (struct dirent *entry; !failure && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (fstatat(work->directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW)) {
            failure = errno;
        }
        count++;
    }
    closedir(stream);
    return !failure && count != work->files ? EIO : failure;
}

static int do_rename(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char from[NAME_SIZE];
    char to[NAME_SIZE];

    (void)thread;
    file_name(from, index);
    snprintf(to, sizeof to, "r%08u", index);
    return renameat(work->directory, from, work->directory, to) ? errno : 0;
}

static int do_unlink(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    char name[NAME_SIZE];

    (void)thread;
    snprintf(name, sizeof name, "r%08u", index);
    return unlinkat(work->directory, name, 0) ? errno : 0;
}

/* No piece is like another, so that none can be left out. */
static void number_piece(struct work *work, unsigned index)
{
    for (unsigned at = 0; at < PIECE; at += 4096) {
        memcpy(work->piece + at, &index, sizeof index);
    }
}

/* One file, from its beginning to its end; the first operation opens it, the last one closes. */
static int do_large_write(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;

    (void)thread;
    if (index == 0) {
        work->large = openat(work->directory, "large", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    }
    if (work->large < 0) {
        return errno;
    }
    number_piece(work, index);
    ssize_t written = write(work->large, work->piece, PIECE);
    if (written != PIECE) {
        return written < 0 ? errno : EIO;
    }
    return index + 1 == work->pieces && close(work->large) ? errno : 0;
}

static int do_large_read(void *context, unsigned thread, unsigned index)
{
    struct work *work = context;
    unsigned found;

    (void)thread;
    if (index == 0) {
        work->large = openat(work->directory, "large", O_RDONLY);
    }
    if (work->large < 0) {
        return errno;
    }
    ssize_t got = read(work->large, work->piece, PIECE);
    memcpy(&found, work->piece + PIECE - 4096, sizeof found);
    if (got != PIECE || found != index) {
        return got < 0 ? errno : EIO;
    }
    return index + 1 == work->pieces && close(work->large) ? errno : 0;
}

enum operations { OF_FILES, OF_PARTS, OF_ONE, OF_PIECES };

static const struct phase {
    const char *name;
    bench_operation operation;
    enum operations
        operations; /* as many as files, a fifth, one, or pieces of the large file */
} PHASES[] = {
    {"create", do_create, OF_FILES},
    {"overwrite", do_overwrite, OF_FILES},
    {"append", do_append, OF_FILES},
    {"stat", do_stat, OF_FILES},
    {"list", do_list, OF_ONE},
    {"read", do_read, OF_FILES},
    {"reread", do_read, OF_FILES},
    {"rename", do_rename, OF_FILES},
    {"unlink", do_unlink, OF_FILES},
    {"create_sync", do_create_sync, OF_PARTS},
    {"sequential_write", do_large_write, OF_PIECES},
    {"sequential_read", do_large_read, OF_PIECES},
};

static void run_phase(struct bench_report *report, struct work *work, const char *name)
{
    for (size_t i = 0; i < sizeof PHASES / sizeof PHASES[0]; i++) {
        const struct phase *phase = &PHASES[i];
        if (strcmp(phase->name, name) != 0) {
            continue;
        }
        const unsigned counts[] = {[OF_FILES] = work->files,
                                   [OF_PARTS] = work->files / 5,
                                   [OF_ONE] = 1,
                                   [OF_PIECES] = work->pieces};
        unsigned operations = counts[phase->operations];
        unsigned threads = phase->operations == OF_PIECES ? 1 : work->threads;
        threads = operations < threads ? operations : threads;
        struct bench_phase run = {.name = phase->name,
                                  .operations = operations ? operations : 1,
                                  .threads = threads ? threads : 1,
                                  .operation = phase->operation,
                                  .context = work};
        bench_run(report, &run);
        return;
    }
    fprintf(stderr, "bench_files: there is no phase %s\n", name);
    exit(2);
}

static void usage(void)
{
    fputs(
        "usage: bench_files DIR [--files N] [--size BYTES] [--threads N] [--json]\n"
        "                   [--large MEBIBYTES] [--phases NAME,...]\n"
        "phases: create overwrite stat list read reread rename unlink (all of these, in this\n"
        "order, unless named), append, create_sync (a fifth as many files, each with fsync), "
        "and\n"
        "sequential_write and sequential_read (one file of --large mebibytes, a mebibyte an\n"
        "operation; what close takes is in the last one)\n",
        stderr);
    exit(2);
}

static void prepare(struct work *work, const char *directory)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/bench", directory);
    if (mkdir(path, 0755) && errno != EEXIST) {
        fprintf(stderr, "bench_files: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    work->directory = open(path, O_RDONLY | O_DIRECTORY);
    work->content = malloc(work->size);
    work->piece = malloc(PIECE);
    bool ready = work->directory >= 0 && work->content && work->piece;
    for (unsigned i = 0; ready && i < work->threads; i++) {
        work->scratch[i] = malloc(work->size);
        ready = work->scratch[i];
    }
    if (!ready) {
        fprintf(stderr, "bench_files: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    /* Incompressible, and the same in every run, so that a later run can check what it reads.
     */
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < work->size; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        work->content[i] = (uint8_t)state;
    }
    for (size_t i = 0; i < PIECE; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        work->piece[i] = (uint8_t)state;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"files", required_argument, NULL, 'f'},
                                            {"size", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"phases", required_argument, NULL, 'p'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"large", required_argument, NULL, 'l'},
                                            {NULL, 0, NULL, 0}};
    struct work work = {.size = 4096, .files = 5000, .threads = 1, .pieces = 256};
    struct bench_report report = {.program = "bench_files"};
    char standard[] = "create,overwrite,stat,list,read,reread,rename,unlink";
    char *phases = standard;
    char *rest = NULL;

    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (letter) {
        case 'f':
            work.files = bench_number(report.program, "--files", optarg, FILES_LIMIT);
            break;
        case 's':
            work.size = bench_number(report.program, "--size", optarg, SIZE_LIMIT);
            break;
        case 't':
            work.threads = bench_number(report.program, "--threads", optarg, THREADS_LIMIT);
            break;
        case 'l':
            work.pieces = bench_number(report.program, "--large", optarg, LARGE_LIMIT);
            break;
        case 'p':
            phases = optarg;
            break;
        case 'j':
            report.json = true;
            break;
        default:
            usage();
        }
    }
    if (optind + 1 != argc) {
        usage();
    }
    prepare(&work, argv[optind]);
    bench_report_begin(&report, work.size, work.threads);
    for (char *name = strtok_r(phases, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        run_phase(&report, &work, name);
    }
    bench_report_end(&report);
    close(work.directory);
    free(work.content);
    free(work.piece);
    for (unsigned i = 0; i < work.threads; i++) {
        free(work.scratch[i]);
    }
    return 0;
}
