/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/records.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/tasks/fields.h"

/* The largest official file, SQuAD's train, has 42 MB; MNLI's train.tsv 79 MB; QQP's 58 MB. */
enum { FILE_BYTES_MAX = 512 << 20, COLUMNS_MAX = 256 };

enum kind { KIND_LINES, KIND_ARRAY, KIND_CSV, KIND_TSV, KIND_SQUAD, KIND_MULTI };

/* Where a record is: text and the line it starts in; for SQuAD article, paragraph, question; for
 * MultiRC question and answer within the line. */
struct cut {
    size_t offset, len, number;
    uint32_t part[3];
};

struct records {
    const struct adapter *a;
    enum kind kind;
    char *path, *subject, *topic;
    struct buf text, labels;
    char **label; /* one per record, or NULL */
    size_t label_len;
    struct json *tree; /* KIND_SQUAD */
    struct cut *cut;
    size_t len, cap;
    char *column[COLUMNS_MAX];
    size_t columns;
};

static void add_cut(struct records *r, struct cut c)
{
    if (r->len == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 1024;
        r->cut = mem_realloc(r->cut, r->cap, sizeof(*r->cut));
    }
    r->cut[r->len++] = c;
}

static int refuse_at(const struct records *r, size_t number, struct err *err)
{
    if (r->kind == KIND_ARRAY)
        return err_wrap(err, ERR_INVALID, "%s: record %zu", r->path, number);
    if (r->kind == KIND_SQUAD)
        return err_wrap(err, ERR_INVALID, "%s: question %zu", r->path, number);
    return err_wrap(err, ERR_INVALID, "%s:%zu", r->path, number);
}

int records_refuse(const struct records *r, size_t i, struct err *err)
{
    return refuse_at(r, r->cut[i].number, err);
}

size_t records_number(const struct records *r, size_t i)
{
    return r->cut[i].number;
}

size_t records_len(const struct records *r)
{
    return r->len;
}

struct cutting {
    struct records *r;
    struct cut cut;
};

static void add_part(const uint32_t part[3], void *arg)
{
    struct cutting *c = arg;
    struct cut cut = c->cut;

    memcpy(cut.part, part, sizeof(cut.part));
    if (c->r->kind == KIND_SQUAD)
        cut.number = c->r->len + 1;
    add_cut(c->r, cut);
}

/* One cut per answer of a MultiRC line; a flat record has one. */
static int cut_multi(struct records *r, struct cut c, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct cutting cutting = { r, c };
    struct err why = { 0 };

    if (json_parse(r->text.data + c.offset, c.len, &root, &why)) {
        (void)!err_set(err, ERR_INVALID, "%s", why.text);
        return refuse_at(r, c.number, err);
    }
    multi_each(root, add_part, &cutting);
    return 0;
}

/* Lines that are not blank; the first one of a file with a header is left out. */
static int cut_lines(struct records *r, size_t at, size_t number, struct err *err)
{
    while (at < r->text.len) {
        const char *start = r->text.data + at;
        const char *end = memchr(start, '\n', r->text.len - at);
        size_t len = end ? (size_t)(end - start) : r->text.len - at;
        size_t next = at + len + 1;
        if (len > 0 && start[len - 1] == '\r')
            len--;
        number++;
        if (strspn(start, " \t\r\n") < len) {
            struct cut c = { .offset = at, .len = len, .number = number };
            int rc = r->kind == KIND_MULTI ? cut_multi(r, c, err) : 0;
            if (rc)
                return rc;
            if (r->kind != KIND_MULTI)
                add_cut(r, c);
        }
        at = next;
    }
    return 0;
}

static int cut_csv(struct records *r, size_t at, size_t line, struct err *err)
{
    while (at < r->text.len) {
        struct row row;
        size_t next = 0, next_line = 0;
        if (csv_row(r->text.data, r->text.len, at, line, &row, &next, &next_line, err))
            return refuse_at(r, line, err);
        if (strspn(r->text.data + row.offset, " \r\n") < row.len)
            add_cut(r, (struct cut){ .offset = row.offset, .len = row.len, .number = line });
        at = next;
        line = next_line;
    }
    return 0;
}

/* The elements of a JSON array, each dumped to a line of its own: the tree is not kept. */
static int cut_array(struct records *r, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct err why = { 0 };

    if (json_parse(r->text.data, r->text.len, &root, &why))
        return err_set(err, ERR_INVALID, "%s: %s", r->path, why.text);
    buf_clear(&r->text);
    for (size_t i = 0; i < json_len(root); i++) {
        char *line = json_dump(json_at(root, i), 0);
        struct cut c = { .offset = r->text.len, .len = strlen(line), .number = i + 1 };
        buf_adds(&r->text, line);
        buf_addc(&r->text, '\n');
        free(line);
        add_cut(r, c);
    }
    return 0;
}

static int cut_squad(struct records *r, struct err *err)
{
    struct err why = { 0 };

    if (json_parse(r->text.data, r->text.len, &r->tree, &why))
        return err_set(err, ERR_INVALID, "%s: %s", r->path, why.text);
    buf_release(&r->text);
    if (!json_is_array(json_get(r->tree, "data")))
        return err_set(err, ERR_INVALID,
                       "%s: no list \"data\"; the official form is {\"version\", \"data\": "
                       "[{\"title\", \"paragraphs\"}]}",
                       r->path);
    squad_each(r->tree, add_part, &(struct cutting){ .r = r });
    return 0;
}

static void add_column(struct records *r, const char *name, size_t len)
{
    struct buf b = { 0 };

    if (r->columns == COLUMNS_MAX)
        return;
    text_strip(name, len, &b);
    r->column[r->columns++] = buf_detach(&b);
}

/* Names of the columns from the adapter, or from the first row: *RET_AT is then behind it. */
static int name_columns(struct records *r, size_t *ret_at, size_t *ret_line, struct err *err)
{
    bool csv = r->kind == KIND_CSV, more = true;
    struct row row;
    size_t at = 0, len;
    const char *name;

    *ret_line = 1;
    if (r->a->form == FILE_CSV || r->a->form == FILE_TSV) {
        for (size_t i = 0; (name = text_part(r->a->columns, '|', i, &len)); i++)
            add_column(r, name, len);
        return 0;
    }
    if (csv) {
        if (csv_row(r->text.data, r->text.len, *ret_at, 1, &row, ret_at, ret_line, err))
            return refuse_at(r, 1, err);
    } else {
        const char *end = memchr(r->text.data + *ret_at, '\n', r->text.len - *ret_at);
        row.offset = *ret_at;
        row.len = end ? (size_t)(end - r->text.data) - *ret_at : r->text.len - *ret_at;
        *ret_at = row.offset + row.len + (end ? 1 : 0);
        *ret_line = 2;
    }
    struct buf field CLEANUP(buf_release) = { 0 };
    while (csv ? csv_field(r->text.data + row.offset, row.len, &at, &more, &field)
               : tsv_field(r->text.data + row.offset, row.len, &at, &more, &field)) {
        if (!utf8_valid(buf_str(&field))) {
            (void)err_set(err, ERR_INVALID, "the name of column %zu is not UTF-8", r->columns + 1);
            return refuse_at(r, 1, err);
        }
        add_column(r, buf_str(&field), field.len);
        buf_clear(&field);
    }
    return 0;
}

static enum kind kind_of(const struct records *r, size_t start)
{
    char first = start < r->text.len ? r->text.data[start] : '\0';

    switch (r->a->form) {
    case FILE_CSV:
    case FILE_CSV_H:
        return KIND_CSV;
    case FILE_SQUAD:
        return KIND_SQUAD;
    case FILE_MULTI:
        return KIND_MULTI;
    case FILE_TSV:
    case FILE_TSV_H:
        if (first != '{' && first != '[')
            return KIND_TSV;
        return first == '[' ? KIND_ARRAY : KIND_LINES;
    case FILE_JSON:
    default:
        return first == '[' ? KIND_ARRAY : KIND_LINES;
    }
}

static int cut_file(struct records *r, struct err *err)
{
    static const char bom[] = "\xEF\xBB\xBF";
    size_t at, line = 1;
    int rc = 0;

    if (r->text.len >= 3 && memcmp(r->text.data, bom, 3) == 0) {
        memmove(r->text.data, r->text.data + 3, r->text.len - 2);
        r->text.len -= 3;
    }
    if (r->text.len > 0 && memchr(r->text.data, '\0', r->text.len))
        return err_set(err, ERR_INVALID, "%s: holds a NUL byte: not a text file", r->path);
    at = r->text.len ? strspn(r->text.data, " \t\r\n") : 0;
    r->kind = kind_of(r, at);
    at = 0;
    if (r->text.len == 0)
        return 0;
    if (r->kind == KIND_CSV || r->kind == KIND_TSV)
        rc = name_columns(r, &at, &line, err);
    if (rc)
        return rc;
    switch (r->kind) {
    case KIND_CSV:
        return cut_csv(r, at, line, err);
    case KIND_ARRAY:
        return cut_array(r, err);
    case KIND_SQUAD:
        return cut_squad(r, err);
    case KIND_LINES:
    case KIND_TSV:
    case KIND_MULTI:
    default:
        return cut_lines(r, at, line - 1, err);
    }
}

/* One label per line, as many as records. */
static int read_labels(struct records *r, const char *path, struct err *err)
{
    int rc = buf_read_file(&r->labels, path, FILE_BYTES_MAX, err);

    if (rc)
        return rc;
    r->label = mem_calloc(r->len ? r->len : 1, sizeof(*r->label));
    for (char *p = r->labels.data, *next; p && *p; p = next) {
        char *end = strchr(p, '\n');
        next = end ? end + 1 : p + strlen(p);
        p[strcspn(p, "\r\n")] = '\0';
        if (*p == '\0')
            continue;
        if (r->label_len < r->len)
            r->label[r->label_len] = p;
        r->label_len++;
    }
    if (r->label_len != r->len)
        return err_set(err, ERR_INVALID, "%s has %zu labels but %s has %zu records", path,
                       r->label_len, r->path, r->len);
    return 0;
}

static void set_subject(struct records *r, const char *subject)
{
    r->subject = mem_strdup(subject);
    r->topic = mem_strdup(subject);
    for (char *p = r->topic; (p = strchr(p, '_'));)
        *p = ' ';
}

int records_open(struct records **ret, const struct adapter *a, const char *path,
                 const char *labels, const char *subject, struct err *err)
{
    struct records *r = mem_calloc(1, sizeof(*r));
    int rc;

    r->a = a;
    r->path = mem_strdup(path);
    if (subject)
        set_subject(r, subject);
    rc = buf_read_file(&r->text, path, FILE_BYTES_MAX, err);
    rc = rc ? rc : cut_file(r, err);
    if (rc == 0 && r->len == 0)
        rc = err_set(err, ERR_INVALID, "%s: no records", path);
    if (rc == 0 && labels)
        rc = read_labels(r, labels, err);
    if (rc) {
        records_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void records_close(struct records *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->columns; i++)
        free(r->column[i]);
    json_free(r->tree);
    buf_release(&r->text);
    buf_release(&r->labels);
    free(r->label);
    free(r->cut);
    free(r->path);
    free(r->subject);
    free(r->topic);
    free(r);
}

static int get_json(const struct records *r, const struct cut *c, struct json **ret,
                    struct err *err)
{
    struct err why = { 0 };

    if (json_parse(r->text.data + c->offset, c->len, ret, &why))
        return err_set(err, ERR_INVALID,
                       "%s (a file holds one JSON object in each line, or one JSON array)",
                       why.text);
    if (memmem(r->text.data + c->offset, c->len, "\\u0000", 6))
        return err_set(err, ERR_INVALID, "a text holds \\u0000, which no prompt can");
    if (!json_is_object(*ret))
        return err_set(err, ERR_INVALID, "a record is no JSON object");
    return 0;
}

static int get_row(const struct records *r, const struct cut *c, struct json **ret, struct err *err)
{
    struct buf field CLEANUP(buf_release) = { 0 };
    const char *row = r->text.data + c->offset;
    size_t at = 0, n = 0;
    bool more = true;

    *ret = json_new_object();
    while (r->kind == KIND_CSV ? csv_field(row, c->len, &at, &more, &field)
                               : tsv_field(row, c->len, &at, &more, &field)) {
        if (!utf8_valid(buf_str(&field)))
            return err_set(err, ERR_INVALID, "column %zu is not UTF-8", n + 1);
        if (n < r->columns && !json_get(*ret, r->column[n]))
            json_set(*ret, r->column[n], json_new_text(buf_str(&field)));
        n++;
        buf_clear(&field);
    }
    if (n == r->columns)
        return 0;
    if (n < r->columns && (r->a->flags & ADAPTER_SKIP_SHORT)) {
        json_cleanup(ret);
        *ret = NULL;
        return 0;
    }
    return err_set(err, ERR_INVALID, "%zu columns where %zu are expected", n, r->columns);
}

static int get_multi(const struct records *r, const struct cut *c, struct json **ret,
                     struct err *err)
{
    struct json *root = NULL;
    int rc = get_json(r, c, &root, err);

    if (rc) {
        json_free(root);
        return rc;
    }
    *ret = multi_record(root, c->part);
    if (*ret)
        json_free(root);
    else
        *ret = root;
    return 0;
}

int records_get(const struct records *r, size_t i, struct json **ret_root, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    const struct cut *c = &r->cut[i];
    int rc = 0;

    *ret_root = NULL;
    if (r->kind == KIND_SQUAD)
        root = squad_record(r->tree, c->part);
    else if (r->kind == KIND_MULTI)
        rc = get_multi(r, c, &root, err);
    else if (r->kind == KIND_CSV || r->kind == KIND_TSV)
        rc = get_row(r, c, &root, err);
    else
        rc = get_json(r, c, &root, err);
    if (rc)
        return records_refuse(r, i, err);
    if (root && r->label)
        json_set(root, "label", json_new_text(r->label[i]));
    if (root && r->subject) {
        json_set(root, "@subject", json_new_text(r->subject));
        json_set(root, "@topic", json_new_text(r->topic));
    }
    *ret_root = root;
    root = NULL;
    return 0;
}
