/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - names, lines, Z85 (ZeroMQ's RFC 32: five characters for four bytes, big-endian). */
#include "common/net/key.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               ".-:+=^!/*?&<>()[]{}@%$#";
static const char public_word[] = "drover-key1", secret_word[] = "drover-secret1";

/* ---- Z85 ---- */

const char *key_to_text(const uint8_t raw[KEY_BYTES], char out[KEY_TEXT])
{
    for (size_t i = 0; i < KEY_BYTES / 4; i++) {
        uint32_t v = (uint32_t)raw[4 * i] << 24 | (uint32_t)raw[4 * i + 1] << 16 |
                     (uint32_t)raw[4 * i + 2] << 8 | raw[4 * i + 3];

        for (size_t k = 5; k-- > 0; v /= 85)
            out[5 * i + k] = alphabet[v % 85];
    }
    out[KEY_TEXT - 1] = '\0';
    return out;
}

bool key_raw(const char *text, size_t len, uint8_t ret[KEY_BYTES])
{
    if (len != KEY_TEXT - 1)
        return false;
    for (size_t i = 0; i < KEY_BYTES / 4; i++) {
        uint64_t v = 0;

        for (size_t k = 0; k < 5; k++) {
            const char *at = text[5 * i + k] ? strchr(alphabet, text[5 * i + k]) : NULL;

            if (!at)
                return false;
            v = v * 85 + (uint64_t)(at - alphabet);
        }
        if (v > UINT32_MAX)
            return false;
        for (size_t k = 0; k < 4; k++)
            ret[4 * i + k] = (uint8_t)(v >> (24 - 8 * k));
    }
    return true;
}

/* ---- names ---- */

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._-@", c));
}

static int check_name(const char *name, size_t len, struct err *err)
{
    if (len == 0 || len > KEY_NAME_MAX)
        return err_set(err, ERR_INVALID, "a key's name has 1 to %d characters, not %zu",
                       KEY_NAME_MAX, len);
    for (size_t i = 0; i < len; i++)
        if (!name_char(name[i]))
            return err_set(err, ERR_INVALID,
                           "a key's name has letters, digits and . _ - @; character %zu of it is "
                           "none of them",
                           i + 1);
    if (name[0] == '-')
        return err_set(err, ERR_INVALID, "a key's name does not begin with -");
    return 0;
}

int key_check_name(const char *name, struct err *err)
{
    return check_name(name, strlen(name), err);
}

/* ---- pairs ---- */

int key_new(const char *name, struct key_secret *ret, struct err *err)
{
    uint8_t raw[KEY_BYTES], secret[KEY_BYTES];
    int rc = key_check_name(name, err);

    static_assert(KEY_BYTES == crypto_box_PUBLICKEYBYTES, "Curve25519");
    static_assert(KEY_BYTES == crypto_box_SECRETKEYBYTES, "Curve25519");
    if (rc == 0 && sodium_init() < 0)
        rc = err_set(err, ERR_IO, "libsodium finds no random numbers");
    if (rc < 0)
        return rc;
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->key.name, sizeof(ret->key.name), "%s", name);
    (void)crypto_box_keypair(raw, secret); /* always 0 */
    (void)key_to_text(raw, ret->key.text);
    (void)key_to_text(secret, ret->secret);
    sodium_memzero(secret, sizeof(secret));
    return 0;
}

void key_wipe(struct key_secret *s)
{
    sodium_memzero(s, sizeof(*s));
}

/* ---- lines ---- */

struct word {
    const char *at;
    size_t len;
};

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The words of TEXT; more than MAX count as MAX + 1. A NUL byte is part of a word, and no word with
 * one is a good one. */
static size_t split(const char *text, size_t len, struct word *words, size_t max)
{
    size_t n = 0, i = 0;

    for (;;) {
        while (i < len && space(text[i]))
            i++;
        if (i == len)
            return n;
        if (n == max)
            return max + 1;
        words[n].at = text + i;
        while (i < len && !space(text[i]))
            i++;
        words[n].len = (size_t)(text + i - words[n].at);
        n++;
    }
}

static bool is_word(const struct word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

static int take_key(const struct word *name, const struct word *text, struct key *ret,
                    struct err *err)
{
    uint8_t raw[KEY_BYTES];
    int rc = check_name(name->at, name->len, err);

    if (rc < 0)
        return rc;
    if (!key_raw(text->at, text->len, raw))
        return err_set(err, ERR_INVALID,
                       "the public key is no %d characters of Z85 (a line cut by a mail program?)",
                       KEY_TEXT - 1);
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->name, name->at, name->len);
    memcpy(ret->text, text->at, text->len);
    return 0;
}

int key_parse(const char *text, size_t len, struct key *ret, struct err *err)
{
    struct word w[4];
    size_t n = split(text, len, w, ARRAY_LEN(w));

    if (n > 0 && is_word(&w[0], secret_word))
        return err_set(err, ERR_INVALID,
                       "this is a secret key, which nobody else may see; give the line of "
                       "drover key show");
    if (n != 3 || !is_word(&w[0], public_word))
        return err_set(err, ERR_INVALID, "a key is a line \"%s NAME KEY\"", public_word);
    return take_key(&w[1], &w[2], ret, err);
}

const char *key_line(const struct key *k, char out[KEY_LINE_MAX])
{
    static_assert(sizeof(public_word) + KEY_NAME_MAX + KEY_TEXT + 2 <= KEY_LINE_MAX, "fits");
    (void)snprintf(out, KEY_LINE_MAX, "%s %s %s", public_word, k->name, k->text);
    return out;
}

/* Do the two halves belong together? */
static bool match(const uint8_t secret[KEY_BYTES], const char *text)
{
    uint8_t raw[KEY_BYTES];
    char other[KEY_TEXT];

    return crypto_scalarmult_base(raw, secret) == 0 && strcmp(key_to_text(raw, other), text) == 0;
}

int key_parse_secret(const char *text, size_t len, struct key_secret *ret, struct err *err)
{
    uint8_t secret[KEY_BYTES];
    struct word w[5];
    size_t n = split(text, len, w, ARRAY_LEN(w));
    int rc;

    if (n > 0 && is_word(&w[0], public_word))
        return err_set(err, ERR_INVALID,
                       "this is the public half; the file of drover key new is needed");
    if (n != 4 || !is_word(&w[0], secret_word))
        return err_set(err, ERR_INVALID,
                       "not a key file (or a torn one): a line \"%s NAME KEY "
                       "SECRET\" is needed",
                       secret_word);
    memset(ret, 0, sizeof(*ret));
    rc = take_key(&w[1], &w[2], &ret->key, err);
    if (rc == 0 && !key_raw(w[3].at, w[3].len, secret))
        rc = err_set(err, ERR_INVALID, "its secret is no %d characters of Z85", KEY_TEXT - 1);
    else if (rc == 0 && !match(secret, ret->key.text))
        rc = err_set(err, ERR_INVALID, "its two halves do not belong together");
    if (rc == 0)
        memcpy(ret->secret, w[3].at, w[3].len);
    sodium_memzero(secret, sizeof(secret));
    if (rc < 0)
        key_wipe(ret);
    return rc;
}
