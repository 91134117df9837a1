/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - BLAKE2b-256 by libsodium, with framed fields. The bytes fed to the hash are part of
 * every key: the golden values in tests/unit/common_base/test_digest.c hold them fast. */
#include "common/base/digest.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { FILE_BLOCK = 1 << 20, FRAME = 9 };

static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct digester *)0)->opaque),
              "state fits");
static_assert(_Alignof(struct digester) >= 64, "libsodium wants its state aligned");
static_assert(DIGEST_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Picks libsodium's fastest implementation; all give the same bits. */
static void start_sodium(void)
{
    int rc = sodium_init();

    assert(rc >= 0);
}

static crypto_generichash_state *state_of(struct digester *d)
{
    return (crypto_generichash_state *)(void *)d->opaque;
}

void digest_begin(struct digester *d)
{
    int rc;

    pthread_once(&once, start_sodium);
    rc = crypto_generichash_init(state_of(d), NULL, 0, DIGEST_BYTES);
    assert(rc == 0);
    d->held_len = 0;
}

static void update(struct digester *d, const void *bytes, size_t len)
{
    int rc = len ? crypto_generichash_update(state_of(d), bytes, len) : 0;

    assert(rc == 0);
}

void digest_raw(struct digester *d, const void *bytes, size_t len)
{
    if (len > sizeof d->held - d->held_len) {
        update(d, d->held, d->held_len);
        d->held_len = 0;
    }
    if (len > sizeof d->held) {
        update(d, bytes, len);
    } else if (len > 0) {
        memcpy(d->held + d->held_len, bytes, len);
        d->held_len += len;
    }
}

/* Type byte, then VALUE little-endian. */
static void frame(struct digester *d, char type, uint64_t value)
{
    uint64_t little = htole64(value);
    uint8_t *head;

    if (sizeof d->held - d->held_len < FRAME) {
        update(d, d->held, d->held_len);
        d->held_len = 0;
    }
    head = d->held + d->held_len;
    head[0] = (uint8_t)type;
    memcpy(head + 1, &little, sizeof little);
    d->held_len += FRAME;
}

void digest_add_bytes(struct digester *d, const void *bytes, size_t len)
{
    frame(d, 'b', len);
    digest_raw(d, bytes, len);
}

void digest_add_text(struct digester *d, const char *s)
{
    size_t len = strlen(s);

    frame(d, 't', len);
    digest_raw(d, s, len);
}

void digest_add_u64(struct digester *d, uint64_t v)
{
    frame(d, 'u', v);
}

void digest_add_i64(struct digester *d, int64_t v)
{
    frame(d, 'i', (uint64_t)v);
}

void digest_add_double(struct digester *d, double v)
{
    uint64_t bits;

    assert(!isnan(v));
    if (v == 0.0)
        v = 0.0;
    memcpy(&bits, &v, sizeof(bits));
    if (bits == UINT64_C(1) << 63) /* -0.0, should the compiler have dropped the line above */
        bits = 0;
    frame(d, 'd', bits);
}

struct digest digest_end(struct digester *d)
{
    struct digest result;
    int rc;

    update(d, d->held, d->held_len);
    rc = crypto_generichash_final(state_of(d), result.b, DIGEST_BYTES);
    assert(rc == 0);
    return result;
}

struct digest digest_of(const void *bytes, size_t len)
{
    struct digester d;

    digest_begin(&d);
    digest_raw(&d, bytes, len);
    return digest_end(&d);
}

static int digest_fd(int fd, const char *path, struct digester *d, uint64_t *ret_size_bytes,
                     struct err *err)
{
    char *block CLEANUP(mem_cleanup) = mem_calloc(1, FILE_BLOCK);
    uint64_t size = 0;

    for (;;) {
        ssize_t got = read(fd, block, FILE_BLOCK);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, errno, "read %s", path);
        if (got == 0)
            break;
        digest_raw(d, block, (size_t)got);
        size += (uint64_t)got;
    }
    *ret_size_bytes = size;
    return 0;
}

int digest_file(const char *path, struct digest *ret, uint64_t *ret_size_bytes, struct err *err)
{
    struct digester d;
    uint64_t size = 0;
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? err_errno(err, errno, "open %s", path)
                               : err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
    digest_begin(&d);
    rc = digest_fd(fd, path, &d, &size, err);
    (void)close(fd);
    if (rc < 0)
        return rc;
    *ret = digest_end(&d);
    if (ret_size_bytes)
        *ret_size_bytes = size;
    return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->b, b->b, DIGEST_BYTES) == 0;
}

bool digest_is_zero(const struct digest *d)
{
    static const struct digest zero;

    return digest_equal(d, &zero);
}

const char *digest_hex(const struct digest *d, char out[DIGEST_HEX])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = hex[d->b[i] >> 4];
        out[2 * i + 1] = hex[d->b[i] & 15];
    }
    out[DIGEST_HEX - 1] = '\0';
    return out;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int digest_parse(const char *hex, struct digest *ret, struct err *err)
{
    struct digest d;

    if (strlen(hex) != DIGEST_HEX - 1)
        return err_set(err, ERR_INVALID, "a digest has 64 hex digits, not %zu", strlen(hex));
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "not a hex digit in the digest \"%s\"", hex);
        d.b[i] = (uint8_t)(high << 4 | low);
    }
    *ret = d;
    return 0;
}

uint64_t digest_u64(const struct digest *d)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | d->b[i];
    return v;
}
