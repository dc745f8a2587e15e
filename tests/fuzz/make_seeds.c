/*
 * make_seeds.c - writes the first inputs of the fuzzers: valid messages, records, streams,
 * manifests.
 *
 * usage: make_seeds DIRECTORY    which holds codec/, record/, frame/ and manifest/
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/wire/codec.h"
#include "node/wire/frame.h"
#include "node/wire/record.h"
#include "tests/wire/sample.h"

enum { MESSAGES = 4 * SAMPLE_TYPES, RECORDS = 40, STREAMS = 20, FRAMES = 4, MANIFESTS = 6 };

/* Writes and empties `bytes`. Exits when it cannot. */
static void save(const char *directory, const char *kind, unsigned number, struct buffer *bytes)
{
    char path[4096];
    FILE *file;

    assert(!bytes->failed);
    snprintf(path, sizeof path, "%s/%s/seed-%03u", directory, kind, number);
    file = fopen(path, "wb");
    if (!file || fwrite(bytes->data, 1, bytes->size, file) != bytes->size ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    buffer_reset(bytes);
}

static void append_frame(struct sample *sample, struct buffer *bytes)
{
    struct message message;
    enum status status;

    sample_message(sample, sample_types[sample_below(sample, SAMPLE_TYPES)], &message);
    status = frame_append(&message, bytes);
    assert(status == STATUS_OK);
    message_release(&message);
}

int main(int argc, char **argv)
{
    struct sample sample = {.state = 1}; /* the same inputs every time */
    struct buffer bytes = {0};
    uint64_t size;

    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds DIRECTORY\n");
        return 2;
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct message message;

        sample_message(&sample, sample_types[i % SAMPLE_TYPES], &message);
        codec_encode(&message, &bytes);
        message_release(&message);
        save(argv[1], "codec", i, &bytes);
    }
    for (unsigned i = 0; i < RECORDS; i++) {
        struct object *object = sample_object(&sample, i, i % 2 == 0, ROW_FILE);

        record_encode(object, true, &bytes);
        object_unref(object);
        save(argv[1], "record", i, &bytes);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        buffer_append_byte(&bytes, (uint8_t)(i * 13)); /* how it arrives */
        for (unsigned k = 0; k < FRAMES; k++) {
            append_frame(&sample, &bytes);
        }
        save(argv[1], "frame", i, &bytes);
    }
    for (unsigned i = 0; i < MANIFESTS; i++) {
        struct blob *manifest = sample_manifest(&sample, i, &size);

        buffer_append_slice(&bytes, blob_slice(manifest));
        blob_unref(manifest);
        save(argv[1], "manifest", i, &bytes);
    }
    buffer_release(&bytes);
    return 0;
}
