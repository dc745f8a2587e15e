/*
 * ghosts.c - names of siblings that a listing has given out, for as long as it is open.
 */
#include "fs/model/ghosts.h"

#include <stdlib.h>

#include "ring/fnv.h"

enum { CAPACITY_FIRST = 16 };

void ghosts_init(struct ghosts *ghosts)
{
    *ghosts = (struct ghosts){0};
    pthread_mutex_init(&ghosts->lock, NULL);
}

void ghosts_release(struct ghosts *ghosts)
{
    pthread_mutex_destroy(&ghosts->lock);
}

void ghosts_open(struct ghosts *ghosts, struct given_names *names, uint64_t directory)
{
    *names = (struct given_names){.directory = directory};
    pthread_mutex_lock(&ghosts->lock);
    names->next = ghosts->first;
    if (names->next) {
        names->next->previous = names;
    }
    ghosts->first = names;
    pthread_mutex_unlock(&ghosts->lock);
}

void ghosts_close(struct ghosts *ghosts, struct given_names *names)
{
    pthread_mutex_lock(&ghosts->lock);
    *(names->previous ? &names->previous->next : &ghosts->first) = names->next;
    if (names->next) {
        names->next->previous = names->previous;
    }
    pthread_mutex_unlock(&ghosts->lock);
    free(names->hashes);
    *names = (struct given_names){0};
}

static bool is_given(const struct given_names *names, uint64_t hash)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->hashes[i] == hash) {
            return true;
        }
    }
    return false;
}

void ghosts_give(struct ghosts *ghosts, struct given_names *names, struct slice name)
{
    uint64_t hash = fnv64(name);

    pthread_mutex_lock(&ghosts->lock);
    bool is_wanted = names->count < GHOSTS_MAX && !is_given(names, hash);
    if (is_wanted && names->count == names->capacity) {
        size_t capacity = names->capacity == 0 ? CAPACITY_FIRST : names->capacity * 2;
        uint64_t *hashes = realloc(names->hashes, capacity * sizeof *hashes);
        is_wanted = hashes;
        if (hashes) {
            names->hashes = hashes;
            names->capacity = capacity;
        }
    }
    if (is_wanted) {
        names->hashes[names->count++] = hash;
    }
    pthread_mutex_unlock(&ghosts->lock);
}

bool ghosts_have(struct ghosts *ghosts, uint64_t directory, struct slice name)
{
    bool found = false;

    pthread_mutex_lock(&ghosts->lock);
    for (struct given_names *names = ghosts->first; names && !found; names = names->next) {
        found = names->directory == directory && is_given(names, fnv64(name));
    }
    pthread_mutex_unlock(&ghosts->lock);
    return found;
}
