/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - what a path is: by what it holds, and by its name where that does not tell. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/json.h"
#include "worker/tokenizer/tokenizer_private.h"

/* The tokenizer of folder DIR. */
static int find_in_folder(const char *dir, struct buf *out, struct err *err)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "vocab.json",
                                         "encoder.json" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_clear(out);
        buf_printf(out, "%s/%s", dir, names[i]);
        if (!access(out->data, F_OK))
            return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "%s: a folder without a tokenizer (tokenizer.json, tokenizer.model, or "
                   "vocab.json and merges.txt)",
                   dir);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

static int open_json(struct tokenizer **ret, const char *path, size_t vocab, enum family f,
                     struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    int rc = json_parse_file(path, FILE_MAX, &root, err);

    if (rc)
        return rc;
    if (!json_is_object(root))
        return err_set(err, ERR_INVALID, "%s: not an object: no tokenizer.json and no vocab.json",
                       path);
    if (!json_is_object(json_get(root, "model")) && !json_get(root, "added_tokens"))
        return read_vocab_merges(ret, path, root, vocab, f, err);
    if (f != FAMILY_NONE)
        return err_set(err, ERR_INVALID, "%s: it names its pre-tokenizer itself: leave yours out",
                       path);
    return read_tokenizer_json(ret, path, root, vocab, err);
}

static int open_file(struct tokenizer **ret, const char *path, size_t vocab, enum family f,
                     struct err *err)
{
    CLEANUP(buf_release) struct buf file = { 0 };
    int rc;

    if (ends_with(path, ".json"))
        return open_json(ret, path, vocab, f, err);
    if (ends_with(path, ".gguf"))
        return read_gguf(ret, path, vocab, f, err);
    rc = buf_read_file(&file, path, FILE_MAX, err);
    if (rc)
        return rc;
    if (file.len >= 4 && !memcmp(file.data, "GGUF", 4))
        return read_gguf(ret, path, vocab, f, err);
    if (!file.len)
        return err_set(err, ERR_CORRUPT, "%s: an empty file", path);
    if (looks_like_ranks(&file))
        return read_ranks(ret, path, &file, vocab, f, err);
    if (f != FAMILY_NONE)
        return err_set(err, ERR_INVALID, "%s: a SentencePiece vocabulary takes no pre-tokenizer",
                       path);
    return ends_with(path, ".bin") ? read_bin(ret, path, &file, vocab, err)
                                   : read_spm(ret, path, &file, vocab, err);
}

int tokenizer_open(struct tokenizer **ret, const char *path, size_t vocab, const char *pre,
                   struct err *err)
{
    CLEANUP(buf_release) struct buf inside = { 0 };
    enum family f = FAMILY_NONE;
    struct stat st;
    int rc = pre ? family_by_name(pre, &f, err) : 0;

    if (rc)
        return rc;
    if (stat(path, &st))
        return err_errno(err, errno, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        rc = find_in_folder(path, &inside, err);
        if (rc)
            return rc;
        path = inside.data;
    }
    return open_file(ret, path, vocab, f, err);
}
