/*
 * secret.c - see secret.h.
 */
#include "node/base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/base/error.h"

enum {
    PATH_SIZE = 4096,
    /* A secret that all can read is none; one that others can write is theirs. The group may
     * read it, as where a service is handed it by root. */
    MODE_FORBIDDEN = 0027,
};

enum status secret_random(uint8_t *ret_bytes, size_t size, struct error *error)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = getrandom(ret_bytes + done, size - done, 0);
        if (got < 0 && errno != EINTR) {
            return error_set(error, STATUS_IO, "random numbers: kernel: %s", strerror(errno));
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return STATUS_OK;
}

enum status secret_make(struct secret *ret_secret, struct error *error)
{
    struct secret secret;

    enum status status = secret_random(secret.bytes, sizeof secret.bytes, error);
    if (status == STATUS_OK) {
        *ret_secret = secret;
    }
    return status;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, SECRET_SIZE) == 0;
}

/* Without its digests libcrypto is broken, and no key could be placed: nothing can go on. */
void secret_code(const struct secret *secret, struct slice bytes,
                 uint8_t ret_code[SECRET_CODE_SIZE])
{
    unsigned size = 0;
    const uint8_t *done =
        HMAC(EVP_sha256(), secret->bytes, SECRET_SIZE, bytes.data, bytes.size, ret_code, &size);

    assert(done && size == SECRET_CODE_SIZE);
    (void)done;
}

bool secret_code_equal(const uint8_t a[SECRET_CODE_SIZE], const uint8_t b[SECRET_CODE_SIZE])
{
    return CRYPTO_memcmp(a, b, SECRET_CODE_SIZE) == 0;
}

void secret_format(const struct secret *secret, char ret_text[SECRET_TEXT_SIZE])
{
    static const char DIGITS[] = "0123456789abcdef";

    for (size_t i = 0; i < SECRET_SIZE; i++) {
        ret_text[2 * i] = DIGITS[secret->bytes[i] >> 4];
        ret_text[2 * i + 1] = DIGITS[secret->bytes[i] & 15];
    }
    ret_text[SECRET_TEXT_SIZE - 1] = '\n';
}

static int digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

enum status secret_parse(struct slice text, struct secret *ret_secret)
{
    struct secret secret;

    if (text.size == SECRET_TEXT_SIZE && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    if (text.size != SECRET_TEXT_SIZE - 1) {
        return STATUS_REFUSED;
    }
    for (size_t i = 0; i < SECRET_SIZE; i++) {
        int high = digit_value(text.data[2 * i]);
        int low = digit_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return STATUS_REFUSED;
        }
        secret.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_secret = secret;
    return STATUS_OK;
}

static enum status check_file(int descriptor, struct error *error)
{
    struct stat attributes;

    if (fstat(descriptor, &attributes) != 0) {
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    }
    if (!S_ISREG(attributes.st_mode)) {
        return error_set(error, STATUS_REFUSED, "not a regular file");
    }
    if (attributes.st_uid != geteuid() && attributes.st_uid != 0 && geteuid() != 0) {
        return error_set(error, STATUS_REFUSED, "belongs to another user");
    }
    if ((attributes.st_mode & MODE_FORBIDDEN) != 0) {
        return error_set(error, STATUS_REFUSED,
                         "is open to others (mode %03o): make it readable by its owner alone",
                         (unsigned)attributes.st_mode & 0777);
    }
    return STATUS_OK;
}

enum status secret_read_take(int descriptor, struct secret *ret_secret, struct error *error)
{
    uint8_t text[SECRET_TEXT_SIZE + 1];

    enum status status = check_file(descriptor, error);
    if (status == STATUS_OK) {
        ssize_t size = read(descriptor, text, sizeof text);
        if (size < 0) {
            status = error_set(error, STATUS_IO, "%s", strerror(errno));
        } else if (secret_parse(slice_of(text, (size_t)size), ret_secret) != STATUS_OK) {
            status = error_set(error, STATUS_REFUSED, "holds no secret, 64 hexadecimal digits");
        }
    }
    (void)close(descriptor);
    return status;
}

enum status secret_read_file(const char *path, struct secret *ret_secret, struct error *error)
{
    struct error why = {.code = STATUS_OK};
    /* A pipe must not make us wait. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0) {
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                         "secret file %.120s: %s", path, strerror(errno));
    }
    enum status status = secret_read_take(descriptor, ret_secret, &why);
    if (status != STATUS_OK) {
        return error_set(error, status, "secret file %.120s: %.110s", path, why.text);
    }
    return STATUS_OK;
}

static bool write_synced(const char *path, const char *text, size_t size)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (descriptor < 0) {
        return false;
    }
    bool is_written = fchmod(descriptor, 0600) == 0 &&
                      write(descriptor, text, size) == (ssize_t)size && fsync(descriptor) == 0;
    int reason = errno;
    (void)close(descriptor);
    errno = reason;
    return is_written;
}

/* The name of a new file is on the disk once its directory is. */
static bool sync_parent(const char *path)
{
    char parent[PATH_SIZE];

    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash) {
        return false;
    }
    *slash = '\0';
    int descriptor = open(parent[0] != '\0' ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    bool is_synced = fsync(descriptor) == 0;
    (void)close(descriptor);
    return is_synced;
}

enum status secret_write_file(const char *path, const struct secret *secret,
                              struct error *error)
{
    char text[SECRET_TEXT_SIZE];
    char fresh[PATH_SIZE];
    int size = snprintf(fresh, sizeof fresh, "%s.new", path);

    if (size < 0 || size >= PATH_SIZE) {
        return error_set(error, STATUS_IO, "secret file %.120s: path too long", path);
    }
    secret_format(secret, text);
    if (!write_synced(fresh, text, sizeof text) || rename(fresh, path) != 0 ||
        !sync_parent(path)) {
        return error_set(error, errno == ENOSPC ? STATUS_NO_SPACE : STATUS_IO,
                         "secret file %.120s: %s", path, strerror(errno));
    }
    return STATUS_OK;
}

const char *secret_file_named(const char *option)
{
    const char *named = option ? option : getenv("DYNAMOFS_SECRET_FILE");

    return named && named[0] != '\0' ? named : NULL;
}
