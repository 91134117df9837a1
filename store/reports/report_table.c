/* SPDX-License-Identifier: Apache-2.0 */
/* report_table.c - tables as one text: {"text": "..."}. */
#include <string.h>

#include "common/base/nearest.h"
#include "store/reports/private.h"
#include "store/tables/tables.h"

static const struct report_arg args[] = {
    { "experiment", ARG_TEXT, false }, /* "": what the specification says, or the last one */
    { "spec", ARG_TEXT, false },       /* text of a specification, includes resolved */
    { "spec_name", ARG_TEXT, false },  /* its name in errors */
    { "format", ARG_TEXT, false },     /* "text", "markdown", "csv", "latex", "json" */
    { "only", ARG_INTEGER, false },    /* the table of this number, from 1; 0: all */
    { "strict", ARG_BOOL, false },     /* the rest as in struct table_options */
    { "no_footer", ARG_BOOL, false },  { "csv_footer", ARG_BOOL, false },
    { "ansi", ARG_BOOL, false },       { 0 }
};

static int find_format(const char *word, enum table_format *ret, struct err *err)
{
    const char *const *words = table_format_words();

    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) {
            *ret = (enum table_format)i;
            return 0;
        }
    const char *near = nearest_find(word, words);
    return err_set(err, ERR_INVALID, "report table: no format \"%.40s\"%s%s%s", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int make(struct report_call *c, struct err *err)
{
    const int64_t only = arg_integer(c, "only", 0);
    const struct table_options options = {
        .strict = arg_bool(c, "strict", false),
        .no_footer = arg_bool(c, "no_footer", false),
        .csv_footer = arg_bool(c, "csv_footer", false),
        .ansi = arg_bool(c, "ansi", false),
        .only = (size_t)MAX(only, 0),
    };
    struct buf text CLEANUP(buf_release) = { 0 };
    enum table_format format = TABLE_TEXT;
    int rc = find_format(arg_text(c, "format", "text"), &format, err);

    if (!rc && only < 0)
        rc = err_set(err, ERR_INVALID, "report table: only is the number of a table, from 1");
    rc =
        rc ? rc
           : tables_text(c->s, arg_text(c, "spec", NULL), arg_text(c, "spec_name", "specification"),
                         arg_text(c, "experiment", NULL), &options, format, &text, err);
    if (!rc)
        jsonw_text_len(&c->w, "text", buf_str(&text), text.len);
    return rc;
}

const struct report report_table = { "table", "Tables of a specification or recipe, as text.", args,
                                     make };
