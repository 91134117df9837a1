/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/static_paths.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "worker/search/routing.h"

struct tally {
    size_t seen, right;
    size_t row;     /* the last row that counted, plus one: a path counts once per example */
    size_t *family; /* [families_len]: right, of each family */
    bool chosen;
};

static void count(const struct label_set *s, struct tally *t)
{
    for (size_t i = 0; i < s->len; i++) {
        const struct label_row *r = &s->row[i];
        const uint32_t *seen = label_seen(s, r);

        for (uint32_t k = 0; k < r->seen_len; k++) {
            struct tally *x = &t[seen[k]];

            if (x->row == i + 1)
                continue;
            x->row = i + 1;
            x->seen++;
            x->right += k < r->right_len;
            x->family[r->family] += k < r->right_len;
        }
    }
}

/* Is path A better than B: by what FAMILY (families_len: all) says, then by the label rule? */
static bool is_better(const struct label_set *s, const struct tally *t, size_t family, uint32_t a,
                      uint32_t b)
{
    bool all = family == s->families_len;
    size_t x = all ? t[a].right : t[a].family[family], y = all ? t[b].right : t[b].family[family];

    if (x != y)
        return x > y;
    return routing_compare(label_path(s, a), label_path(s, b), s->layers) < 0;
}

/* Mark the BEAM best of LEN CANDIDATES by FAMILY. */
static void choose(const struct label_set *s, struct tally *t, size_t family, size_t beam,
                   uint32_t *candidates, size_t len)
{
    for (size_t i = 0; i < MIN(beam, len); i++) {
        size_t best = i;
        uint32_t other;

        for (size_t k = i + 1; k < len; k++)
            if (is_better(s, t, family, candidates[k], candidates[best]))
                best = k;
        other = candidates[i];
        candidates[i] = candidates[best];
        candidates[best] = other;
        t[candidates[i]].chosen = true;
    }
}

static void print(const struct label_set *s, const struct tally *t, size_t path, struct buf *out)
{
    const uint8_t *routing = label_path(s, (uint32_t)path);
    struct jsonw w = { .to = out };
    char text[LABEL_LAYERS_MAX + 1];

    routing_print(routing, s->layers, text);
    jsonw_open(&w, '{');
    jsonw_int(&w, "layers", (int64_t)routing_length(routing, s->layers));
    jsonw_text(&w, "routing", text);
    jsonw_int(&w, "n", (int64_t)s->len);
    jsonw_int(&w, "right", (int64_t)t[path].right);
    jsonw_real(&w, "accuracy", (double)t[path].right / (double)s->len);
    jsonw_close(&w, '}');
    buf_addc(out, '\n');
}

static size_t common_to_all(const struct label_set *s, const struct tally *t)
{
    size_t n = 0;

    for (size_t i = 0; i < s->paths_len; i++)
        n += t[i].seen == s->len;
    return n;
}

/* Append the chosen ones of LEN CANDIDATES, which are of one length. */
static size_t print_chosen(const struct label_set *s, struct tally *t, uint32_t *candidates,
                           size_t len, struct buf *out)
{
    size_t chosen = 0;

    for (size_t i = 0; i < len; i++)
        if (t[candidates[i]].chosen)
            candidates[chosen++] = candidates[i];
    choose(s, t, s->families_len, chosen, candidates, chosen); /* in order */
    for (size_t i = 0; i < chosen; i++)
        print(s, t, candidates[i], out);
    return chosen;
}

static size_t choose_all(const struct label_set *s, struct tally *t, size_t beam, bool each,
                         struct buf *out)
{
    uint32_t *candidates CLEANUP(mem_cleanup) = mem_calloc(s->paths_len + 1, sizeof(*candidates));
    size_t sum = 0;

    for (size_t length = 1; length <= 2 * s->layers; length++) {
        size_t len = 0;

        for (uint32_t i = 0; i < s->paths_len; i++)
            if (t[i].seen == s->len && routing_length(label_path(s, i), s->layers) == length)
                candidates[len++] = i;
        choose(s, t, s->families_len, beam, candidates, len);
        for (size_t f = 0; each && f < s->families_len; f++)
            choose(s, t, f, 1, candidates, len);
        sum += print_chosen(s, t, candidates, len, out);
    }
    return sum;
}

int static_paths_choose(const struct label_set *s, const char *path, size_t beam, bool each,
                        struct buf *out, size_t *ret_len, struct err *err)
{
    struct tally *t CLEANUP(mem_cleanup) = mem_calloc(s->paths_len + 1, sizeof(*t));
    size_t *right CLEANUP(mem_cleanup) =
        mem_calloc(s->paths_len * s->families_len + 1, sizeof(*right));

    *ret_len = 0;
    if (s->len == 0)
        return err_set(err, ERR_INVALID, "%s: the label set has no examples", path);
    for (size_t i = 0; i < s->paths_len; i++)
        t[i].family = right + i * s->families_len;
    count(s, t);
    const size_t common = common_to_all(s, t);
    if (common < 2)
        return err_set(err, ERR_INVALID,
                       "%s: of %zu paths %s evaluated for every one of the %zu examples; a static "
                       "path is judged by all of them: search with method = \"enumerate\"",
                       path, s->paths_len,
                       common ? "only one, mostly the default, was" : "none was", s->len);
    *ret_len = choose_all(s, t, beam, each, out);
    return 0;
}

static int take_path(const char *text, size_t len, size_t layers, uint8_t *out,
                     struct static_score *ret_score, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    int rc = json_parse(text, len, &root, err);
    const char *digits = rc < 0 ? NULL : json_text(json_get(root, "routing"));

    if (rc < 0)
        return rc;
    ret_score->n = json_integer(json_get(root, "n"), -1);
    ret_score->right = json_integer(json_get(root, "right"), -1);
    if (ret_score->n < 1 || ret_score->n > INT32_MAX || ret_score->right < 0 ||
        ret_score->right > ret_score->n)
        return err_set(err, ERR_INVALID,
                       "\"right\" of \"n\" examples must be 0 to n, n at least 1");
    if (!digits)
        return err_set(err, ERR_INVALID, "\"routing\" must be a text of digits");
    if (strlen(digits) != layers)
        return err_set(err, ERR_INVALID,
                       "a path for %zu layers; the model has %zu layers: choose the paths on this "
                       "model's labels",
                       strlen(digits), layers);
    return routing_parse_legal(digits, layers, out, err);
}

/* A line takes 600 bytes at most: 100,000 paths. */
enum { FILE_BYTES_MAX = 64 << 20 };

int static_paths_read(const char *path, size_t layers, uint8_t **ret,
                      struct static_score **ret_score, size_t *ret_len, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct static_score *score CLEANUP(mem_cleanup) = NULL;
    uint8_t *paths CLEANUP(mem_cleanup) = NULL;
    int rc = buf_read_file(&text, path, FILE_BYTES_MAX, err);
    size_t number = 0, cap = 0, n = 0;

    for (size_t at = 0; rc == 0 && at < text.len;) {
        const char *line = text.data + at, *end = memchr(line, '\n', text.len - at);
        size_t len = end ? (size_t)(end - line) : text.len - at;

        number++;
        at += len + 1;
        if (len == 0)
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            paths = mem_realloc(paths, cap, layers);
            score = mem_realloc(score, cap, sizeof(*score));
        }
        rc = take_path(line, len, layers, paths + n * layers, &score[n], err);
        if (rc < 0)
            return err_wrap(err, rc, "%s:%zu", path, number);
        n++;
    }
    if (rc < 0)
        return rc;
    *ret = paths;
    paths = NULL;
    *ret_len = n;
    if (ret_score) {
        *ret_score = score;
        score = NULL;
    }
    return 0;
}
