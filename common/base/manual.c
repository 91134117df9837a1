/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/base/macros.h"

/* LEN bytes of S for roff: backslashes and dashes are spelt out, and no line begins a request. */
static void put(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool first = out->len == 0 || out->data[out->len - 1] == '\n';

        if (first && (s[i] == '.' || s[i] == '\''))
            buf_adds(out, "\\&");
        if (s[i] == '\\')
            buf_adds(out, "\\e");
        else if (s[i] == '-')
            buf_adds(out, "\\-");
        else
            buf_addc(out, s[i]);
    }
}

static bool starts(const char *line, const char *word)
{
    return strncasecmp(line, word, strlen(word)) == 0;
}

static void section(struct buf *out, const char *title, const char **now)
{
    if (*now && strcmp(*now, title) == 0)
        return;
    *now = title;
    buf_printf(out, ".SH %s\n", title);
}

/* Is the last line of OUT a section's heading? A paragraph begins there anyway. */
static bool after_heading(const struct buf *out)
{
    size_t at = out->len;

    while (at > 1 && out->data[at - 2] != '\n')
        at--;
    return at > 0 && starts(out->data + at - 1, ".SH ");
}

/* Lines of TEXT: flowing ones, verbatim ones (two blanks), empty ones between paragraphs. SECTIONS:
 * the paragraphs' first words choose their section. */
static void put_text(struct buf *out, const char *text, size_t len, bool sections)
{
    const char *end = text + len, *now = NULL;
    bool verbatim = false, fresh = true;

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        bool as_is = n > 2 && text[0] == ' ' && text[1] == ' ';

        if (verbatim && !as_is) {
            buf_adds(out, ".fi\n.RE\n");
            verbatim = false;
        }
        if (n == 0) {
            fresh = true;
        } else if (as_is) {
            if (!verbatim)
                buf_adds(out, ".RS 2\n.nf\n");
            verbatim = true;
            put(out, text + 2, n - 2);
            buf_addc(out, '\n');
        } else {
            if (sections && fresh)
                section(out,
                        starts(text, "Example")                                     ? "EXAMPLES"
                        : starts(text, "Exit status") || starts(text, "Exit codes") ? "EXIT STATUS"
                                                                                    : "NOTES",
                        &now);
            if (fresh && !after_heading(out))
                buf_adds(out, ".PP\n");
            fresh = false;
            if (!(starts(text, "Example") && text[n - 1] == ':')) {
                put(out, text, n);
                buf_addc(out, '\n');
            }
        }
        text += n + (stop != NULL);
    }
    if (verbatim)
        buf_adds(out, ".fi\n.RE\n");
}

static bool ends(const struct argp_option *o)
{
    return o->key == 0 && !o->name && !o->doc && o->group == 0;
}

static void put_option(struct buf *out, const struct argp_option *o)
{
    buf_adds(out, ".TP\n");
    if (o->key > 0 && o->key < 0x80 && isprint(o->key))
        buf_printf(out, "\\fB\\-%c\\fR%s", o->key, o->name ? ", " : "");
    if (o->name) {
        buf_adds(out, "\\fB\\-\\-");
        put(out, o->name, strlen(o->name));
        buf_adds(out, "\\fR");
        if (o->arg)
            buf_printf(out, "%s=\\fI%s\\fR%s", o->flags & OPTION_ARG_OPTIONAL ? "[" : "", o->arg,
                       o->flags & OPTION_ARG_OPTIONAL ? "]" : "");
    }
    buf_addc(out, '\n');
    if (o->doc) {
        put(out, o->doc, strlen(o->doc));
        buf_addc(out, '\n');
    }
}

static void put_name(struct buf *out, const char *name, bool upper)
{
    for (; *name; name++)
        buf_addc(out, *name == ' ' ? '-' : (char)(upper ? toupper((unsigned char)*name) : *name));
}

void manual_man(const struct manual *m, struct buf *out)
{
    const char *doc = m->argp->doc ? m->argp->doc : "";
    const char *rest = strchr(doc, '\v');

    buf_adds(out, ".TH \"");
    put_name(out, m->name, true);
    buf_printf(out, "\" \"1\" \"\" \"drover %s\" \"drover manual\"\n.SH NAME\n", m->version);
    put_name(out, m->name, false);
    buf_adds(out, " \\- ");
    put(out, m->summary, strlen(m->summary));
    buf_printf(out, "\n.SH SYNOPSIS\n\\fB%s\\fR [\\fIOPTION\\fR...]", m->name);
    if (m->argp->args_doc) {
        buf_addc(out, ' ');
        put(out, m->argp->args_doc, strlen(m->argp->args_doc));
    }
    buf_adds(out, "\n.SH DESCRIPTION\n");
    put_text(out, doc, rest ? (size_t)(rest - doc) : strlen(doc), false);
    buf_adds(out, ".SH OPTIONS\n");
    for (const struct argp_option *o = m->argp->options; o && !ends(o); o++)
        if (!(o->flags & OPTION_HIDDEN))
            put_option(out, o);
    buf_adds(out, ".TP\n\\fB\\-?\\fR, \\fB\\-\\-help\\fR\nShow a help text.\n");
    if (rest)
        put_text(out, rest + 1, strlen(rest + 1), true);
    if (m->see)
        buf_printf(out, ".SH SEE ALSO\n%s\n", m->see);
}

void manual_options(const struct argp *argp, struct buf *out)
{
    for (const struct argp_option *o = argp->options; o && !ends(o); o++)
        if (o->name && !(o->flags & OPTION_HIDDEN))
            buf_printf(out, "--%s%s%s\n", o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
    buf_adds(out, "--help\n");
}

bool manual_asked(int argc, char **argv, const struct manual *m)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    if (argc != 2)
        return false;
    if (strcmp(argv[1], "--manual=man") == 0)
        manual_man(m, &out);
    else if (strcmp(argv[1], "--manual=options") == 0)
        manual_options(m->argp, &out);
    else
        return false;
    fputs(buf_str(&out), stdout);
    return true;
}
