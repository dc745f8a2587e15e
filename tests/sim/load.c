/*
 * load.c - the workload: blind puts, read-modify-write with contexts new and old, deletes,
 * dropping of single siblings, listings, retries.
 */
#include "tests/sim/load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/check.h"
#include "tests/sim/client.h"
#include "tests/sim/expect.h"

/* With so many siblings a put may be refused. */
enum { MANY_VERSIONS = VERSIONS_PUT_MAX - LOAD_CLIENTS_MAX };

struct user {
    struct load *load;
    int index;
    struct client client;
    struct object *seen[HISTORY_KEYS_MAX];
};

struct load {
    struct world *world;
    struct history *history;
    struct graves *graves;
    struct load_options options;
    uint32_t sent;
    char breach[100];
    char refused[100];
    struct load_due due;
    bool has_synced;
    bool has_put; /* of: */
    int put_key, put_node;
    int focus_key, focus_node;
    uint32_t focus_left; /* requests */
    struct user user[LOAD_CLIENTS_MAX];
};

static char names[HISTORY_KEYS_MAX][24];

/* The placement of a key follows from its name. */
static void name_keys(uint64_t number)
{
    static const char *const bases[HISTORY_KEYS_MAX] = {
        "a",     "b",     "d/a", "d/b", "d/e/a", "d/e/b", "f/a", "f/b",
        "g/h/a", "g/h/b", "i",   "j",   "k",     "l/a",   "l/b", "m",
    };
    for (int i = 0; i < HISTORY_KEYS_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "%c%u%s", bases[i][0],
                       (unsigned)(number % 1000), bases[i] + 1);
    }
}

const char *load_key(int key)
{
    assert(key >= 0 && key < HISTORY_KEYS_MAX);
    return names[key];
}

int load_keys(void)
{
    return HISTORY_KEYS_MAX;
}

static uint32_t pick(struct load *load, uint32_t count)
{
    return (uint32_t)(world_random(load->world) % count);
}

/* One put or delete on its way. */
struct doing {
    int key;
    struct client_put put;
    struct pledge pledge;
    uint32_t covered_first, covered_count;
};

static void choose_value(struct load *load, struct doing *doing)
{
    doing->put.has_value = true;
    doing->put.number = history_write(load->history, doing->key);
    for (int i = 0; i < WRITE_ID_SIZE; i++) {
        doing->put.write_id[i] = (uint8_t)world_random(load->world);
    }
}

static bool of_100(struct load *load, uint8_t share)
{
    return pick(load, 100) < share;
}

static void choose_put(struct load *load, const struct user *user, struct doing *doing)
{
    struct client_put *put = &doing->put;
    const struct object *seen = user->seen[doing->key];
    put->key = load_key(doing->key);
    put->mode = UPDATE_ALL;
    put->sync = of_100(load, load->options.syncs);
    doing->pledge = (struct pledge){.synced = put->sync, .copies = load->options.w};
    bool is_delete = of_100(load, load->options.deletes);
    if (seen && seen->version_count > 1 && of_100(load, load->options.ones)) {
        const struct version *one = &seen->versions[pick(load, seen->version_count)];
        put->mode = UPDATE_SOME;
        put->context = seen;
        put->dot = one->dot;
        doing->covered_first = history_cover_one(load->history, doing->key, one);
        doing->covered_count = 1;
    } else if (seen && seen->clock.count > 0 && pick(load, 5) != 0) {
        put->context = seen;
        doing->covered_first = history_cover(load->history, doing->key, seen);
        doing->covered_count = seen->version_count;
    } else {
        is_delete = is_delete && pick(load, 8) == 0; /* A blind delete has nothing to do. */
    }
    if (is_delete) {
        history_remove(load->history, doing->key);
    } else {
        choose_value(load, doing);
    }
}

static void note_breach(struct load *load, const char *what, int key)
{
    if (load->breach[0] == '\0') {
        (void)snprintf(load->breach, sizeof load->breach, "key %d: %s", key, what);
        world_trace(load->world, -1, "%s", load->breach);
    }
}

/* A breach whatever disks forget. */
static void note_unsynced(struct load *load, int key)
{
    if (load->refused[0] == '\0') {
        (void)snprintf(load->refused, sizeof load->refused,
                       "key %d: acknowledged with sync and not on W platters", key);
        world_trace(load->world, -1, "%s", load->refused);
    }
}

/* W nodes must hold what was synced though the power failed. */
static void check_durable(struct load *load, int key, uint32_t number)
{
    bool is_promised =
        load->options.platters_are_kept && !load->history->write[number].superseded;
    if (is_promised &&
        check_platters(load->world, load->options.nodes, key, number) < load->options.w) {
        note_unsynced(load, key);
    }
}

static void on_acknowledged(struct load *load, struct doing *doing)
{
    doing->pledge.acknowledged = true;
    load->has_synced |= doing->put.sync;
    doing->pledge.place = ++load->history->acknowledged;
    if (doing->put.has_value) {
        struct written *write = &load->history->write[doing->put.number];
        write->pledge = doing->pledge;
        bool has_copies = !load->options.copies_are_kept || write->superseded ||
                          check_copies(load->world, load->options.nodes, doing->key,
                                       doing->put.number) >= load->options.w;
        if (!has_copies) {
            note_breach(load, "acknowledged without W copies", doing->key);
        }
        if (doing->put.sync) {
            check_durable(load, doing->key, doing->put.number);
        }
    }
    for (uint32_t i = 0; i < doing->covered_count; i++) {
        load->history->covered[doing->covered_first + i].pledge = doing->pledge;
    }
}

/* A request failed. */
static void note_refused(struct load *load, const struct user *user, const char *what, int key,
                         enum status status)
{
    if (load->refused[0] == '\0' && !user->client.port.is_dead) {
        (void)snprintf(load->refused, sizeof load->refused,
                       "key %d: a %s failed (%s) though enough nodes could be reached", key,
                       what, status_name(status));
        world_trace(load->world, -1, "%s", load->refused);
    }
}

static int asked_by(const struct user *user)
{
    return user->client.options.knows_ring ? EXPECT_ANY_NODE : user->client.asked;
}

/* A version that was acknowledged is found by the read before a put that names it: the two
 * overlap where there are no fallbacks and no disk forgets, and truncation forgets no clock as
 * short as these. */
static bool must_know_named(const struct load *load, const struct doing *doing)
{
    const struct history *history = load->history;
    const struct covered *covered = &history->covered[doing->covered_first];
    return doing->put.mode == UPDATE_SOME && covered->number < history->count &&
           history->write[covered->number].pledge.acknowledged &&
           load->options.copies_are_kept && load->options.nodes == load->options.replicas &&
           history->pairs[doing->key] < CLOCK_PAIRS_KEPT &&
           check_knowing(load->world, load->options.nodes, doing->key, covered->dot) >=
               load->options.w;
}

static enum status try_put(struct load *load, struct user *user, struct doing *doing)
{
    bool must_know = must_know_named(load, doing);
    struct client *client = &user->client;
    struct expect expect = expect_begin(load->world);
    bool reads = doing->put.mode == UPDATE_SOME;
    world_trace(load->world, -1, "client %d puts %s %s%u", user->index, doing->put.key,
                doing->put.has_value ? "write " : "nothing ", doing->put.number);
    enum status status = client_put(client, &doing->put);
    world_trace(load->world, -1, "client %d has put %s: %s", user->index, doing->put.key,
                status_name(status));
    if (status == STATUS_UNKNOWN_VERSION && must_know) {
        note_breach(load, "a put does not know the acknowledged version that it names",
                    doing->key);
    }
    /* Named siblings are read before, and may be known to any primary. */
    bool is_due =
        expect_put(&expect, asked_by(user), slice_of_string(doing->put.key), load->options.w) &&
        (!reads || expect_read(&expect, asked_by(user), slice_of_string(doing->put.key),
                               (uint8_t)load->options.replicas));
    /* A node whose disk is full may be asked by one that is well. */
    bool is_refused = status == STATUS_TOO_MANY_VERSIONS || status == STATUS_UNKNOWN_VERSION ||
                      status == STATUS_NO_SPACE;
    load->due.puts += is_due;
    /* A refusal after an attempt whose outcome is open is none to the client. */
    if (is_due && status != STATUS_OK && !is_refused &&
        check_versions(load->world, load->options.nodes, doing->key) < MANY_VERSIONS) {
        note_refused(load, user, "put", doing->key, status);
    }
    return status;
}

/* As an fsync after the close: what the coordinator holds is stored again, to stay. */
static void sync_later(struct load *load, struct user *user, const struct doing *doing)
{
    struct client_put put = {.key = load_key(doing->key), .mode = UPDATE_NONE, .sync = true};
    struct written *write = &load->history->write[doing->put.number];
    port_sleep_until(&user->client.port, port_now_us(&user->client.port) +
                                             pick(load, (uint32_t)load->options.think_us * 4));
    user->client.wanted = user->client.asked;
    bool is_there = check_holds(load->world, user->client.asked, doing->key, doing->put.number);
    enum status status = client_put(&user->client, &put);
    world_trace(load->world, -1, "client %d has synced %s: %s", user->index, put.key,
                status_name(status));
    if (status == STATUS_OK && is_there) {
        write->pledge.synced = true;
        check_durable(load, doing->key, doing->put.number);
    }
}

/* True: it was acknowledged. */
static bool send_put(struct load *load, struct user *user, struct doing *doing)
{
    enum status status = STATUS_TIMEOUT;
    uint32_t tries = 1 + pick(load, 3);
    while (status != STATUS_OK && tries-- > 0 && !user->client.port.is_dead) {
        status = try_put(load, user, doing);
    }
    if (status == STATUS_OK) {
        on_acknowledged(load, doing);
        load->has_put = doing->put.has_value && !user->client.options.knows_ring;
        load->put_key = doing->key;
        load->put_node = user->client.asked;
    }
    return status == STATUS_OK;
}

static void run_put(struct load *load, struct user *user, int key)
{
    struct doing doing = {.key = key};
    choose_put(load, user, &doing);
    bool may_sync = send_put(load, user, &doing) && load->has_put && !doing.put.sync &&
                    load->options.platters_are_kept;
    if (may_sync && of_100(load, load->options.late_syncs)) {
        sync_later(load, user, &doing);
    }
}

/* All that is shown of it. */
static void run_delete(struct load *load, struct user *user, int key)
{
    const struct object *seen = user->seen[key];
    struct doing doing = {.key = key, .pledge = {.copies = load->options.w}};
    if (!object_is_live(seen)) {
        return;
    }
    doing.put = (struct client_put){.key = load_key(key), .mode = UPDATE_ALL, .context = seen};
    doing.covered_first = history_cover(load->history, key, seen);
    doing.covered_count = seen->version_count;
    history_remove(load->history, key);
    (void)send_put(load, user, &doing);
}

/* What a get must show, as of before it began. */
struct known {
    uint32_t acknowledged;
    bool by_all; /* every primary holds a live version */
};

static struct known known_now(const struct load *load, int key)
{
    return (struct known){.acknowledged = load->history->acknowledged,
                          .by_all = load->options.copies_are_kept &&
                                    check_is_known(load->world, load->options.nodes,
                                                   slice_of_string(load_key(key)))};
}

static void check_get(struct load *load, struct user *user, int key, struct known known)
{
    const struct object *object = user->seen[key];
    uint32_t before = known.acknowledged;
    if (user->client.port.is_dead) {
        return;
    }
    bool has_answer = object && object->clock.count > 0;
    if (known.by_all && !has_answer && known_now(load, key).by_all) {
        note_breach(load, "a get knows nothing of what every primary holds", key);
    }
    if (!history_is_written(load->history, key, object)) {
        note_breach(load, "a get shows what nobody wrote", key);
    } else if (load->options.reads_are_current &&
               !history_check_read(load->history, key, object, before)) {
        note_breach(load, "a get missed an acknowledged write", key);
    } else if (load->options.reads_are_current &&
               !history_check_superseded(load->history, key, object, before)) {
        note_breach(load, "a get shows a version that was superseded", key);
    }
}

static void run_get(struct load *load, struct user *user, int key)
{
    struct object *object = NULL;
    struct expect expect = expect_begin(load->world);
    struct known known = known_now(load, key);
    enum status status = client_get(&user->client, load_key(key), &object);
    world_trace(load->world, -1, "client %d got %s: %s, %u versions", user->index,
                load_key(key), status_name(status), object ? object->version_count : 0);
    bool is_due =
        expect_read(&expect, asked_by(user), slice_of_string(load_key(key)), load->options.r);
    load->due.gets += is_due;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        object_unref(user->seen[key]);
        user->seen[key] = object;
        history_see(load->history, key, object);
        check_get(load, user, key, known);
    } else if (is_due) {
        note_refused(load, user, "get", key, status);
    }
}

static void run_list(struct load *load, struct user *user, int key)
{
    struct listing listing;
    struct slice directory = key_directory(slice_of_string(load_key(key)));
    struct expect expect = expect_begin(load->world);
    uint32_t before = load->history->acknowledged;
    enum status status =
        client_list(&user->client, directory, (uint16_t)(1 + pick(load, 8)), &listing);
    world_trace(load->world, -1, "client %d listed %.*s: %s, %zu rows", user->index,
                (int)directory.size, (const char *)directory.data, status_name(status),
                listing.count);
    bool is_due = expect_read(&expect, asked_by(user), directory, load->options.r);
    load->due.lists += is_due;
    char what[80] = "";
    if (status == STATUS_OK && !user->client.port.is_dead) {
        bool good = listing_check(&listing, load->history, before,
                                  load->options.reads_are_current, what, sizeof what);
        if (!good) {
            note_breach(load, what, key);
        }
    } else if (status != STATUS_OK && is_due) {
        note_refused(load, user, "listing", key, status);
    }
    listing_release(&listing);
}

/* A directory is deleted whatever is in it: another client may create there now. */
static void run_rmdir(struct load *load, struct user *user, int key, bool is_emptied)
{
    char directory[sizeof names[0]];
    struct slice text = key_directory(slice_of_string(load_key(key)));
    struct object *object = NULL;
    if (key_is_root(text)) {
        return;
    }
    (void)snprintf(directory, sizeof directory, "%.*s", (int)text.size,
                   (const char *)text.data);
    enum status status = client_get(&user->client, directory, &object);
    if (status == STATUS_OK && !user->client.port.is_dead) {
        if (is_emptied) {
            graves_note_removal(load->graves, text);
        }
        struct client_put put = {.key = directory, .mode = UPDATE_ALL, .context = object};
        status = client_put(&user->client, &put);
        world_trace(load->world, -1, "client %d has removed %s: %s", user->index, directory,
                    status_name(status));
        object_unref(object);
    } else if (status == STATUS_NOT_FOUND) {
        object_unref(object);
    }
}

/* `rm -r` of the directory that the key is in, and of those below. */
static void run_tree_removal(struct load *load, struct user *user, int key)
{
    struct slice directory = key_directory(slice_of_string(load_key(key)));
    int last = -1;
    for (int i = 0; i < load->options.keys && !user->client.port.is_dead; i++) {
        struct slice text = slice_of_string(load_key(i));
        bool is_below = text.size > directory.size &&
                        slice_equal(slice_of(text.data, directory.size), directory);
        if (!is_below || key_is_root(key_directory(text))) {
            continue;
        }
        run_get(load, user, i);
        run_delete(load, user, i);
        if (!slice_equal(key_directory(text), directory)) {
            last = i;
        }
    }
    if (last >= 0) {
        run_rmdir(load, user, last, true);
    }
    run_rmdir(load, user, key, true);
}

/* Clients wander from key to key together: what they leave has time to be forgotten. */
static int pick_key(struct load *load)
{
    uint32_t keys = (uint32_t)load->options.keys;
    if (load->options.stay == 0) {
        return (int)pick(load, keys);
    }
    return (int)((load->sent / load->options.stay * 2 + pick(load, 2)) % keys);
}

static bool has_more(const struct load *load)
{
    return load->sent < load->options.requests && load->history->count < HISTORY_WRITES_MAX &&
           load->history->covered_count + VERSIONS_MAX < HISTORY_COVERED_MAX;
}

/* What a request is about; through which node follows for clients that choose. */
static int choose_key(struct load *load, struct user *user)
{
    int key = pick_key(load);
    bool has_focus = load->focus_left > 0 && !user->client.options.knows_ring;
    user->client.wanted = has_focus ? load->focus_node : CLIENT_ANY_NODE;
    load->focus_left -= has_focus ? 1 : 0;
    return has_focus ? load->focus_key : key;
}

static void user_main(void *context)
{
    struct user *user = context;
    struct load *load = user->load;
    struct port *port = &user->client.port;
    while (!port->is_dead && has_more(load)) {
        load->sent++;
        int key = choose_key(load, user);
        uint32_t what = pick(load, 100);
        uint32_t reads = (uint32_t)load->options.gets + load->options.lists;
        if (what < load->options.gets) {
            run_get(load, user, key);
        } else if (what - load->options.gets < load->options.lists) {
            run_list(load, user, key);
        } else if (what - reads < load->options.rmdirs) {
            run_rmdir(load, user, key, false);
        } else if (what - reads - load->options.rmdirs < load->options.tree_removals) {
            run_tree_removal(load, user, key);
        } else {
            run_put(load, user, key);
        }
        port_sleep_until(port,
                         port_now_us(port) + pick(load, (uint32_t)load->options.think_us));
    }
    client_close(&user->client);
}

static void user_begin(struct load *load, int index)
{
    struct user *user = &load->user[index];
    *user = (struct user){.load = load, .index = index};
    user->client.options = (struct client_options){.nodes = load->options.nodes,
                                                   .r = load->options.r,
                                                   .w = load->options.w,
                                                   .knows_ring = pick(load, 2) == 0};
    user->client.wanted = CLIENT_ANY_NODE;
    user->client.port = (struct port){.world = load->world, .call = -1};
    user->client.port.fiber = fiber_new(user_main, user);
}

static void user_end(struct load *load, int index)
{
    struct user *user = &load->user[index];
    port_kill(&user->client.port);
    fiber_free(user->client.port.fiber);
    for (int key = 0; key < HISTORY_KEYS_MAX; key++) {
        object_unref(user->seen[key]);
    }
}

struct load *load_new(struct world *world, struct history *history, struct graves *graves,
                      const struct load_options *options)
{
    assert(options->clients <= LOAD_CLIENTS_MAX && options->keys <= HISTORY_KEYS_MAX);
    struct load *load = calloc(1, sizeof *load);
    assert(load);
    load->world = world;
    load->history = history;
    load->graves = graves;
    load->options = *options;
    name_keys(world_random(world));
    for (int i = 0; i < options->clients; i++) {
        user_begin(load, i);
    }
    return load;
}

void load_free(struct load *load)
{
    for (int i = 0; i < load->options.clients; i++) {
        user_end(load, i);
    }
    free(load);
}

void load_kill_client(struct load *load)
{
    int index = (int)pick(load, (uint32_t)load->options.clients);
    world_trace(load->world, -1, "client %d dies", index);
    user_end(load, index);
    user_begin(load, index);
}

void load_step(struct load *load)
{
    for (int i = 0; i < load->options.clients; i++) {
        port_step(&load->user[i].client.port);
    }
}

bool load_is_done(const struct load *load)
{
    for (int i = 0; i < load->options.clients; i++) {
        if (!fiber_is_done(load->user[i].client.port.fiber)) {
            return false;
        }
    }
    return true;
}

const char *load_breach(const struct load *load)
{
    return load->breach[0] != '\0' ? load->breach : NULL;
}

const char *load_refused(const struct load *load)
{
    return load->refused[0] != '\0' ? load->refused : NULL;
}

struct load_due load_due(const struct load *load)
{
    return load->due;
}

bool load_take_synced(struct load *load)
{
    bool has_synced = load->has_synced;
    load->has_synced = false;
    return has_synced;
}

bool load_take_put(struct load *load, int *ret_key, int *ret_node)
{
    bool has_put = load->has_put;
    load->has_put = false;
    *ret_key = load->put_key;
    *ret_node = load->put_node;
    return has_put;
}

void load_focus(struct load *load, int key, int node, uint32_t requests)
{
    load->focus_key = key;
    load->focus_node = node;
    load->focus_left = requests;
}

void load_go_on(struct load *load, uint32_t requests)
{
    load->options.requests = load->sent + requests;
    for (int i = 0; i < load->options.clients; i++) {
        user_end(load, i);
        user_begin(load, i);
    }
}

uint32_t load_acknowledged(const struct load *load)
{
    return load->history->acknowledged;
}
