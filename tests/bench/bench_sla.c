/*
 * bench_sla.c - the paper's promise: 99.9 % of the requests within 300 ms, at 500 a second,
 * also while a node is stopped.
 *
 * Source:   DeCandia et al., section 2.2: "a service guaranteeing that it will provide a
 *           response within 300 ms for 99.9 % of its requests for a peak client load of 500
 *           requests per second".
 *
 * The load is open: operation i is due at i / rate, whatever became of those before it, and its
 * latency counts from then. Halfway a process, which is to be a node, is stopped with SIGSTOP:
 * it still accepts connections, and never answers. Whoever began the process lets it go on.
 *
 * A thread that waits for an operation's moment tells what the machine itself costs: no promise
 * can be judged where even that is woken too late.
 */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/kv.h"
#include "node/client/socket.h"
#include "tests/bench/bench.h"
#include "tests/bench/histogram.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_US UINT64_C(1000)

enum {
    RATE_MAX = 100000,
    SECONDS_MAX = 86400,
    THREADS_MAX = 512,
    DIRECTORIES = 64,
    FIRST_KEYS = 512, /* written before the clock starts, so that there is what to get */
    PROMISED_US = 300000,
    COMPLAINTS_MAX = 10,
    KEY_SIZE = 64,
    /* A request passes through several threads; each of them may be woken so late. */
    WOKEN_LATE_MAX_MS = 100,
    EXIT_BROKEN = 1,
    EXIT_INCONCLUSIVE = 77,
};

/* What became of one operation. */
struct outcome {
    uint64_t due_ns;
    uint64_t begun_ns;
    bool has_slept; /* a thread was free and waited for the moment: it is woken on time, or the
                     * machine is too busy */
    uint64_t done_ns;
    enum status status;
};

struct load {
    struct kv *kv;
    size_t value_size;
    unsigned rate;
    unsigned threads;
    unsigned healthy_s;
    unsigned stopped_s;
    unsigned operations;
    uint64_t begin_ns;
    uint64_t stop_ns; /* when the node was stopped; set before the results are read */
    atomic_uint next;
    atomic_uint complaints;
    struct outcome *outcomes;
    pthread_mutex_t lock; /* around the rest */
    unsigned written_count;
    uint32_t *written; /* the numbers of the keys whose put was acknowledged */
};

struct phase {
    const char *name;
    size_t count;
    unsigned failures;
    uint64_t woken_late_ns; /* the latest that a thread was woken that waited */
    struct percentiles percentiles;
    uint32_t *latencies_us; /* sorted */
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory) {
        fputs("bench_sla: out of memory\n", stderr);
        exit(EXIT_BROKEN);
    }
    return memory;
}

static struct slice key_of(uint32_t number, char text[KEY_SIZE])
{
    int size =
        snprintf(text, KEY_SIZE, "sla/%02" PRIu32 "/%08" PRIu32, number % DIRECTORIES, number);

    return slice_of(text, (size_t)size);
}

/* A value that tells its key, for the get to check. */
static struct blob *content_of(const struct load *load, uint32_t number)
{
    struct blob *content = blob_new_uninitialised(load->value_size);

    if (content) {
        memset(content->data, 's', load->value_size);
        memcpy(content->data, &number, sizeof number);
    }
    return content;
}

static enum status put_number(struct load *load, uint32_t number)
{
    char text[KEY_SIZE];
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                            .content = content_of(load, number)};
    struct kv_put put = {.key = key_of(number, text), .mode = UPDATE_ALL, .value = &value};
    enum status status = value.content ? kv_put(load->kv, &put, NULL, NULL) : STATUS_NO_MEMORY;

    if (status == STATUS_OK) {
        pthread_mutex_lock(&load->lock);
        load->written[load->written_count++] = number;
        pthread_mutex_unlock(&load->lock);
    }
    blob_unref(value.content);
    return status;
}

/* A number that looks random (SplitMix64's last step). */
static uint64_t scatter(uint64_t number)
{
    number = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

/* Gets one of the keys whose put was acknowledged: that it is not there is a failure too. */
static enum status get_some(struct load *load, unsigned index)
{
    char text[KEY_SIZE];
    struct object *object = NULL;

    pthread_mutex_lock(&load->lock);
    uint32_t number = load->written[scatter(index) % load->written_count];
    pthread_mutex_unlock(&load->lock);
    enum status status = kv_get(load->kv, key_of(number, text), NULL, &object);
    if (status == STATUS_OK) {
        struct slice content = blob_slice(object_newest(object)->content);
        if (content.size != load->value_size ||
            memcmp(content.data, &number, sizeof number) != 0) {
            status = STATUS_CORRUPT;
        }
    }
    object_unref(object);
    return status;
}

static void operate(struct load *load, unsigned index)
{
    struct outcome *outcome = &load->outcomes[index];
    bool is_put = index % 2 == 0;

    outcome->begun_ns = bench_now_ns();
    outcome->status = is_put ? put_number(load, FIRST_KEYS + index) : get_some(load, index);
    outcome->done_ns = bench_now_ns();
    if (outcome->status != STATUS_OK &&
        atomic_fetch_add(&load->complaints, 1) < COMPLAINTS_MAX) {
        fprintf(stderr, "bench_sla: %s number %u after %.1f ms: %s\n", is_put ? "put" : "get",
                index, (double)(outcome->done_ns - outcome->due_ns) / 1e6,
                status_text(outcome->status));
    }
}

static void *worker_run(void *argument)
{
    struct load *load = argument;
    unsigned index;

    while ((index = atomic_fetch_add(&load->next, 1)) < load->operations) {
        uint64_t due = load->begin_ns + (uint64_t)index * NS_PER_S / load->rate;
        load->outcomes[index].due_ns = due;
        load->outcomes[index].has_slept = bench_now_ns() < due;
        (void)socket_pause_until(due);
        operate(load, index);
    }
    return NULL;
}

static void *writer_run(void *argument)
{
    struct load *load = argument;
    unsigned number;

    while ((number = atomic_fetch_add(&load->next, 1)) < FIRST_KEYS) {
        enum status status = put_number(load, number);
        if (status != STATUS_OK) {
            fprintf(stderr, "bench_sla: before the load: %s\n", status_text(status));
            exit(EXIT_BROKEN);
        }
    }
    return NULL;
}

/* Runs `function` on every thread; in the midst of it, once it is time, stops `victim`. */
static void run_threads(struct load *load, void *(*function)(void *), pid_t victim)
{
    pthread_t *threads = allocate(load->threads, sizeof *threads);

    atomic_store(&load->next, 0);
    for (unsigned i = 0; i < load->threads; i++) {
        if (pthread_create(&threads[i], NULL, function, load) != 0) {
            fputs("bench_sla: cannot start a thread\n", stderr);
            exit(EXIT_BROKEN);
        }
    }
    if (victim > 0) {
        (void)socket_pause_until(load->begin_ns + load->healthy_s * NS_PER_S);
        load->stop_ns = bench_now_ns();
        if (kill(victim, SIGSTOP) != 0) {
            perror("bench_sla: cannot stop the node");
            exit(EXIT_BROKEN);
        }
    }
    for (unsigned i = 0; i < load->threads; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
}

/* The operations that ended before the node was stopped, or those that ended after it and were
 * due before `before_ns`: what was under way in that moment belongs to what came after. */
static struct phase phase_of(const struct load *load, const char *name, bool is_stopped,
                             uint64_t before_ns)
{
    struct phase phase = {.name = name,
                          .latencies_us = allocate(load->operations, sizeof(uint32_t))};

    for (unsigned i = 0; i < load->operations; i++) {
        const struct outcome *outcome = &load->outcomes[i];
        bool is_after = outcome->done_ns >= load->stop_ns;
        if (is_after == is_stopped && outcome->due_ns < before_ns) {
            phase.latencies_us[phase.count++] =
                (uint32_t)((outcome->done_ns - outcome->due_ns) / NS_PER_US);
            phase.failures += outcome->status != STATUS_OK;
            uint64_t late_ns = outcome->has_slept ? outcome->begun_ns - outcome->due_ns : 0;
            if (late_ns > phase.woken_late_ns) {
                phase.woken_late_ns = late_ns;
            }
        }
    }
    phase.percentiles = histogram_percentiles(phase.latencies_us, phase.count);
    return phase;
}

static void print_phase(const struct phase *phase)
{
    const struct percentiles *p = &phase->percentiles;

    fprintf(stderr,
            "%s: %zu operations, %u failed; p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, "
            "max %.2f ms; threads woken up to %.2f ms late\n",
            phase->name, phase->count, phase->failures, p->p50_us / 1e3, p->p99_us / 1e3,
            p->p999_us / 1e3, p->max_us / 1e3, (double)phase->woken_late_ns / 1e6);
    histogram_print(stderr, phase->latencies_us, phase->count);
}

static void print_phase_json(const struct phase *phase)
{
    const struct percentiles *p = &phase->percentiles;

    printf(",\n  \"%s\": {\"operations\": %zu, \"failed\": %u, \"p50_us\": %" PRIu32
           ", \"p99_us\": %" PRIu32 ", \"p999_us\": %" PRIu32 ", \"max_us\": %" PRIu32
           ", \"woken_late_us\": %" PRIu64 ", \"histogram\": ",
           phase->name, phase->count, phase->failures, p->p50_us, p->p99_us, p->p999_us,
           p->max_us, phase->woken_late_ns / NS_PER_US);
    histogram_print_json(stdout, phase->latencies_us, phase->count);
    putchar('}');
}

/* The longest of each second: whether slow ones come once or again and again. */
static void print_seconds_json(const struct load *load)
{
    printf(",\n  \"max_us_by_second\": [");
    for (unsigned i = 0; i < load->operations; i += load->rate) {
        uint64_t longest_ns = 0;
        for (unsigned k = i; k < i + load->rate; k++) {
            uint64_t took_ns = load->outcomes[k].done_ns - load->outcomes[k].due_ns;
            longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        }
        printf("%s%" PRIu64, i ? ", " : "", longest_ns / NS_PER_US);
    }
    putchar(']');
}

/* Prints the verdict and returns the exit status. An operation that failed is never excused. */
static int judge(unsigned failures, bool is_quick, uint64_t woken_late_ns)
{
    bool is_kept = failures == 0 && is_quick;
    bool is_excused = failures == 0 && woken_late_ns >= WOKEN_LATE_MAX_MS * NS_PER_MS;

    fprintf(stderr, "the promise (99.9 %% below %d ms, no failure) is %s\n", PROMISED_US / 1000,
            is_kept      ? "kept"
            : is_excused ? "broken, but the machine is too busy to tell"
                         : "BROKEN");
    return is_kept ? 0 : is_excused ? EXIT_INCONCLUSIVE : EXIT_BROKEN;
}

static int report(const struct load *load, uint64_t stolen_ns)
{
    uint64_t total_ns = (load->healthy_s + load->stopped_s) * NS_PER_S;
    struct phase phases[] = {
        phase_of(load, "healthy", false, UINT64_MAX),
        phase_of(load, "first_second", true, load->stop_ns + NS_PER_S),
        phase_of(load, "stopped", true, UINT64_MAX),
    };
    unsigned failures = 0;
    bool is_quick = true;
    uint64_t woken_late_ns = 0;

    printf("{\"program\": \"bench_sla\", \"per_second\": %u, \"size\": %zu, \"threads\": %u, "
           "\"stolen_cores\": %.3f",
           load->rate, load->value_size, load->threads, (double)stolen_ns / (double)total_ns);
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        print_phase(&phases[i]);
        print_phase_json(&phases[i]);
        failures += phases[i].failures;
        if (phases[i].woken_late_ns > woken_late_ns) {
            woken_late_ns = phases[i].woken_late_ns;
        }
        is_quick &= phases[i].count > 0 && phases[i].percentiles.p999_us < PROMISED_US;
        free(phases[i].latencies_us);
    }
    print_seconds_json(load);
    printf(",\n  \"kept\": %s}\n", failures == 0 && is_quick ? "true" : "false");
    return judge(failures, is_quick, woken_late_ns);
}

static void usage(void)
{
    fputs(
        "usage: bench_sla --cluster HOST:PORT[,...] --stop PID [--rate N] [--healthy SECONDS]\n"
        "                 [--stopped SECONDS] [--size BYTES] [--threads N]\n"
        "Puts and gets --rate values a second, half and half; after --healthy seconds stops\n"
        "PID with SIGSTOP and goes on for --stopped seconds. Histograms go to stderr, JSON\n"
        "to stdout. Status 1 if an operation failed or 0.1 % took 300 ms or more; 77 if the\n"
        "latter and the machine itself paused for so long that this tells nothing.\n",
        stderr);
    exit(2);
}

static pid_t parse_options(int argc, char **argv, struct load *load, const char **ret_cluster)
{
    static const struct option options[] = {
        {"cluster", required_argument, NULL, 'c'}, {"stop", required_argument, NULL, 'p'},
        {"rate", required_argument, NULL, 'r'},    {"healthy", required_argument, NULL, 'h'},
        {"stopped", required_argument, NULL, 's'}, {"size", required_argument, NULL, 'b'},
        {"threads", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
    const char *name = "bench_sla";
    pid_t victim = 0;

    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (letter) {
        case 'c':
            *ret_cluster = optarg;
            break;
        case 'p':
            victim = (pid_t)bench_number(name, "--stop", optarg, INT32_MAX);
            break;
        case 'r':
            load->rate = bench_number(name, "--rate", optarg, RATE_MAX);
            break;
        case 'h':
            load->healthy_s = bench_number(name, "--healthy", optarg, SECONDS_MAX);
            break;
        case 's':
            load->stopped_s = bench_number(name, "--stopped", optarg, SECONDS_MAX);
            break;
        case 'b':
            load->value_size = bench_number(name, "--size", optarg, VALUE_SIZE_MAX);
            break;
        case 't':
            load->threads = bench_number(name, "--threads", optarg, THREADS_MAX);
            break;
        default:
            usage();
        }
    }
    if (!*ret_cluster || optind != argc || victim <= 1 || load->value_size < sizeof(uint32_t)) {
        usage();
    }
    return victim;
}

int main(int argc, char **argv)
{
    struct load load = {
        .rate = 500, .threads = 64, .healthy_s = 10, .stopped_s = 30, .value_size = 1024};
    struct error error = {0};
    const char *cluster = NULL;
    pid_t victim = parse_options(argc, argv, &load, &cluster);

    load.operations = load.rate * (load.healthy_s + load.stopped_s);
    load.outcomes = allocate(load.operations, sizeof *load.outcomes);
    load.written = allocate(FIRST_KEYS + load.operations, sizeof *load.written);
    if (pthread_mutex_init(&load.lock, NULL) != 0 ||
        kv_open_cluster(cluster, NULL, &load.kv, &error) != STATUS_OK) {
        fprintf(stderr, "bench_sla: %s\n", error.text);
        return EXIT_BROKEN;
    }
    run_threads(&load, writer_run, 0);
    load.begin_ns = bench_now_ns() + NS_PER_S / 10;
    uint64_t stolen_ns = bench_stolen_ns();
    run_threads(&load, worker_run, victim);
    int status = report(&load, bench_stolen_ns() - stolen_ns);
    kv_close(load.kv);
    pthread_mutex_destroy(&load.lock);
    free(load.outcomes);
    free(load.written);
    return status;
}
