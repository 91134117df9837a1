/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - Curve25519 keys as names, lines and files.
 *
 *   drover-key1 NAME PUBLIC            what people mail to each other (Z85, 40 characters)
 *   drover-secret1 NAME PUBLIC SECRET  a key file: one line, mode 600, never on a command line
 *
 * Who has the secret is who the line names. Secrets are wiped as soon as they are not needed and
 * are in no error text and no log. Lines that start with # are skipped in files. */
#ifndef COMMON_NET_KEY_H
#define COMMON_NET_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    KEY_BYTES = 32,
    KEY_TEXT = 41,     /* 40 characters of Z85 and a NUL */
    KEY_NAME_MAX = 64, /* of letters, digits and . _ - @ */
    KEY_LINE_MAX = 128,
    KEY_FILE_MAX = 4096, /* bytes of a key file */
};

/* The public half. */
struct key {
    char name[KEY_NAME_MAX + 1];
    char text[KEY_TEXT];
};

struct key_secret {
    struct key key;
    char secret[KEY_TEXT];
};

/* Z85, as the files have it; reading is strict. */
const char *key_to_text(const uint8_t raw[KEY_BYTES], char out[KEY_TEXT]);
bool key_raw(const char *text, size_t len, uint8_t ret[KEY_BYTES]);

/* ERR_INVALID: what is wrong with the name. */
int key_check_name(const char *name, struct err *err) MUST_CHECK;
/* A new pair. ERR_INVALID: the name. */
int key_new(const char *name, struct key_secret *ret, struct err *err) MUST_CHECK;
void key_wipe(struct key_secret *s); /* also for CLEANUP(key_wipe) */

/* "drover-key1 NAME PUBLIC", spaces around it are fine; LEN bytes. ERR_INVALID. */
int key_parse(const char *text, size_t len, struct key *ret, struct err *err) MUST_CHECK;
const char *key_line(const struct key *k, char out[KEY_LINE_MAX]);
/* What a person gives: the line itself, or a file that holds it. */
int key_read(const char *line_or_file, struct key *ret, struct err *err) MUST_CHECK;

/* The content of a key file. ERR_INVALID: torn, or the two halves do not belong together. */
int key_parse_secret(const char *text, size_t len, struct key_secret *ret,
                     struct err *err) MUST_CHECK;
/* Read a key file. ERR_DENIED: others may read it (chmod 600; only root may lend its file to a
 * group, mode 440, as Kubernetes does), or we may not; ERR_NOT_FOUND. */
int key_load(const char *path, struct key_secret *ret, struct err *err) MUST_CHECK;
/* Write a key file, durable and whole or not at all. ERR_CONFLICT: there is one already. */
int key_save(const char *path, const struct key_secret *s, struct err *err) MUST_CHECK;
/* Files with secrets, for other forms of them: read all of PATH (PRIVATE: and refuse it when others
 * may read it); write it with mode 600, durable and whole or not at all (REPLACE: also over one
 * that is there, else ERR_CONFLICT). The caller wipes TEXT. */
int key_read_file(const char *path, bool private, char text[KEY_FILE_MAX], size_t *ret_len,
                  struct err *err) MUST_CHECK;
int key_write_file(const char *path, bool replace, const char *text, size_t len,
                   struct err *err) MUST_CHECK;
/* The same for the public line, which may be replaced. */
int key_save_line(const char *path, const struct key *k, struct err *err) MUST_CHECK;

#endif
