/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the text; a construct's parts are written first and brackets put around them
 * afterwards, so every level costs at most its own length: linear for a bounded depth. */
#include "common/grading/linear.h"

#include <string.h>

#include "common/grading/utext.h"

enum { DEPTH_MAX = 64 };

struct linear {
    const char *at;
    struct buf *out;
    int depth;
};

enum macro_kind {
    M_EMIT, /* .text */
    M_DROP,
    M_DELIMITER, /* \left: dropped with a "." after it */
    M_CONTENT,   /* its argument */
    M_MARK,      /* name(argument) */
    M_FUNCTION,
    M_FRAC,
    M_BINOM,
    M_SQRT,
    M_BEGIN,
    M_END,
};

static const struct macro {
    const char *name;
    enum macro_kind kind;
    const char *text;
} macros[] = {
    { "frac", M_FRAC, "" },
    { "dfrac", M_FRAC, "" },
    { "tfrac", M_FRAC, "" },
    { "cfrac", M_FRAC, "" },
    { "sqrt", M_SQRT, "" },
    { "binom", M_BINOM, "" },
    { "dbinom", M_BINOM, "" },
    { "tbinom", M_BINOM, "" },
    { "text", M_CONTENT, "" },
    { "textbf", M_CONTENT, "" },
    { "textit", M_CONTENT, "" },
    { "textrm", M_CONTENT, "" },
    { "mathrm", M_CONTENT, "" },
    { "mathbf", M_CONTENT, "" },
    { "mathit", M_CONTENT, "" },
    { "mathsf", M_CONTENT, "" },
    { "mbox", M_CONTENT, "" },
    { "operatorname", M_CONTENT, "" },
    { "boxed", M_CONTENT, "" },
    { "fbox", M_CONTENT, "" },
    { "textnormal", M_CONTENT, "" },
    { "boldsymbol", M_CONTENT, "" },
    { "left", M_DELIMITER, "" },
    { "right", M_DELIMITER, "" },
    { "big", M_DROP, "" },
    { "bigl", M_DROP, "" },
    { "bigr", M_DROP, "" },
    { "Big", M_DROP, "" },
    { "Bigl", M_DROP, "" },
    { "Bigr", M_DROP, "" },
    { "displaystyle", M_DROP, "" },
    { "textstyle", M_DROP, "" },
    { "limits", M_DROP, "" },
    { "rm", M_DROP, "" },
    { "bf", M_DROP, "" },
    { "quad", M_EMIT, " " },
    { "qquad", M_EMIT, " " },
    { "overline", M_MARK, "" },
    { "bar", M_MARK, "" },
    { "vec", M_MARK, "" },
    { "hat", M_MARK, "" },
    { "underline", M_MARK, "" },
    { "begin", M_BEGIN, "" },
    { "end", M_END, "" },
    { "pi", M_EMIT, "pi" },
    { "infty", M_EMIT, "inf" },
    { "cup", M_EMIT, "U" },
    { "cap", M_EMIT, "\xe2\x88\xa9" },
    { "cdot", M_EMIT, "*" },
    { "times", M_EMIT, "*" },
    { "ast", M_EMIT, "*" },
    { "div", M_EMIT, "/" },
    { "pm", M_EMIT, "\xc2\xb1" },
    { "mp", M_EMIT, "\xe2\x88\x93" },
    { "leq", M_EMIT, "\xe2\x89\xa4" },
    { "le", M_EMIT, "\xe2\x89\xa4" },
    { "leqslant", M_EMIT, "\xe2\x89\xa4" },
    { "geqslant", M_EMIT, "\xe2\x89\xa5" },
    { "geq", M_EMIT, "\xe2\x89\xa5" },
    { "ge", M_EMIT, "\xe2\x89\xa5" },
    { "lt", M_EMIT, "<" },
    { "gt", M_EMIT, ">" },
    { "neq", M_EMIT, "\xe2\x89\xa0" },
    { "ne", M_EMIT, "\xe2\x89\xa0" },
    { "in", M_EMIT, "\xe2\x88\x88" },
    { "to", M_EMIT, "\xe2\x86\x92" },
    { "circ", M_EMIT, "\xe2\x88\x98" },
    { "emptyset", M_EMIT, "\xe2\x88\x85" },
    { "varnothing", M_EMIT, "\xe2\x88\x85" },
    { "lvert", M_EMIT, "|" },
    { "rvert", M_EMIT, "|" },
    { "vert", M_EMIT, "|" },
    { "mid", M_EMIT, "|" },
    { "colon", M_EMIT, ":" },
    { "ldots", M_EMIT, "..." },
    { "cdots", M_EMIT, "..." },
    { "dots", M_EMIT, "..." },
    { "lbrack", M_EMIT, "[" },
    { "rbrack", M_EMIT, "]" },
    { "langle", M_EMIT, "\xe2\x9f\xa8" },
    { "rangle", M_EMIT, "\xe2\x9f\xa9" },
    { "lbrace", M_EMIT, "" },
    { "rbrace", M_EMIT, "" },
    { "alpha", M_EMIT, "\xce\xb1" },
    { "beta", M_EMIT, "\xce\xb2" },
    { "gamma", M_EMIT, "\xce\xb3" },
    { "delta", M_EMIT, "\xce\xb4" },
    { "epsilon", M_EMIT, "\xce\xb5" },
    { "varepsilon", M_EMIT, "\xce\xb5" },
    { "theta", M_EMIT, "\xce\xb8" },
    { "lambda", M_EMIT, "\xce\xbb" },
    { "mu", M_EMIT, "\xce\xbc" },
    { "nu", M_EMIT, "\xce\xbd" },
    { "rho", M_EMIT, "\xcf\x81" },
    { "sigma", M_EMIT, "\xcf\x83" },
    { "tau", M_EMIT, "\xcf\x84" },
    { "phi", M_EMIT, "\xcf\x86" },
    { "varphi", M_EMIT, "\xcf\x86" },
    { "omega", M_EMIT, "\xcf\x89" },
    { "sin", M_FUNCTION, "" },
    { "cos", M_FUNCTION, "" },
    { "tan", M_FUNCTION, "" },
    { "cot", M_FUNCTION, "" },
    { "sec", M_FUNCTION, "" },
    { "csc", M_FUNCTION, "" },
    { "arcsin", M_FUNCTION, "" },
    { "arccos", M_FUNCTION, "" },
    { "arctan", M_FUNCTION, "" },
    { "sinh", M_FUNCTION, "" },
    { "cosh", M_FUNCTION, "" },
    { "tanh", M_FUNCTION, "" },
    { "log", M_FUNCTION, "" },
    { "ln", M_FUNCTION, "" },
    { "exp", M_FUNCTION, "" },
};

static void run(struct linear *l, char stop);

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char last_char(const struct buf *b)
{
    size_t i = b->len;

    while (i > 0 && b->data[i - 1] == ' ')
        i--;
    return i > 0 ? b->data[i - 1] : '\0';
}

/* The text before END closes with the name of a function (or its base or power is going on). */
static bool after_function(const struct buf *b, size_t end)
{
    size_t start;

    while (end > 0 && b->data[end - 1] == ' ')
        end--;
    for (start = end; start > 0 && end - start < 8 && letter(b->data[start - 1]);)
        start--;
    for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
        size_t len = strlen(macros[i].name);
        if (macros[i].kind == M_FUNCTION && end - start >= len &&
            memcmp(b->data + end - len, macros[i].name, len) == 0)
            return true;
    }
    return false;
}

/* What was written from MARK on is one operand: a number, a character, a name, or in brackets. */
static bool atomic(const struct buf *b, size_t mark)
{
    const char *s = buf_str(b) + mark;
    size_t len, depth = 0, head;

    if (strspn(s, "0123456789.") == strlen(s))
        return true;
    (void)utext_char(s, &len);
    if (s[len] == '\0' || strcmp(s, "pi") == 0)
        return true;
    head = utext_starts(s, "sqrt") ? 4 : 0;
    if (s[head] != '(')
        return false;
    for (s += head; *s; s++) {
        depth += *s == '(';
        if (*s == ')' && --depth == 0)
            return s[1] == '\0';
    }
    return false;
}

/* What was written from MARK on may stand left of "/": a product. */
static bool product(const struct buf *b, size_t mark)
{
    const char *s = buf_str(b) + mark;
    int depth = 0;

    for (s += *s == '-'; *s; s++) {
        depth += (*s == '(' || *s == '[') - (*s == ')' || *s == ']');
        if (depth == 0 && (strchr("+-/,=<>;&!|*:", *s) || (unsigned char)*s == 0xc2))
            return false;
        if (depth < 0)
            return false;
    }
    return true;
}

static void enclose(struct buf *b, size_t mark)
{
    linear_insert(b, mark, "(");
    buf_addc(b, ')');
}

static void macro(struct linear *l);

/* The next argument: a group, a macro or a character. */
static void argument(struct linear *l)
{
    size_t len;

    l->at += strspn(l->at, " ");
    if (*l->at == '{') {
        l->at++;
        run(l, '}');
        l->at += *l->at == '}';
    } else if (*l->at == '\\') {
        macro(l);
    } else if (*l->at && *l->at != '}') {
        (void)utext_char(l->at, &len);
        buf_add(l->out, l->at, len);
        l->at += len;
    }
}

/* A number stands before MARK. *RET_START: where it starts. True when a fraction after it makes a
 * mixed number: whole, and no power, index or decimal. */
static bool whole_before(const struct buf *b, size_t mark, size_t *ret_start)
{
    size_t end = mark, start;

    while (end > 0 && b->data[end - 1] == ' ')
        end--;
    for (start = end; start > 0 && utext_is_digit(b->data[start - 1]);)
        start--;
    *ret_start = start;
    return start == 0 || strchr("+-*([,=; <>", b->data[start - 1]) != NULL;
}

/* The fraction written from MARK on, into its surroundings. */
static void settle_fraction(struct linear *l, size_t mark, bool plain)
{
    struct buf *b = l->out;
    char before, next = l->at[strspn(l->at, " ")];
    size_t start, end = mark;

    while (end > 0 && b->data[end - 1] == ' ')
        end--;
    before = end > 0 ? b->data[end - 1] : '\0';
    if ((before && strchr("^/_", before)) || next == '^' || after_function(b, mark)) {
        enclose(b, mark);
    } else if (utext_is_digit(before) || before == '.') {
        if (plain && before != '.' && whole_before(b, mark, &start)) {
            linear_insert(b, mark, "+");
            if (start > 0 && strchr("-*", b->data[start - 1]))
                enclose(b, start);
        } else {
            linear_insert(b, mark, "*");
        }
    } else if (b->data[mark] == '-' && before && !strchr("([,=;", before)) {
        enclose(b, mark);
    }
    if (utext_is_digit(next))
        buf_addc(b, '*');
}

static void fraction(struct linear *l)
{
    size_t mark = l->out->len, under;
    bool plain;

    argument(l);
    plain = l->out->len > mark && strspn(l->out->data + mark, "0123456789") == l->out->len - mark;
    if (l->out->len == mark)
        buf_addc(l->out, '?');
    else if (!product(l->out, mark))
        enclose(l->out, mark);
    buf_addc(l->out, '/');
    under = l->out->len;
    argument(l);
    if (l->out->len == under)
        buf_addc(l->out, '?');
    plain = plain && strspn(l->out->data + under, "0123456789") == l->out->len - under;
    if (!atomic(l->out, under))
        enclose(l->out, under);
    settle_fraction(l, mark, plain);
}

static void root(struct linear *l)
{
    size_t mark;

    if (letter(last_char(l->out)) && !after_function(l->out, l->out->len))
        buf_addc(l->out, '*');
    buf_adds(l->out, "sqrt");
    l->at += strspn(l->at, " ");
    if (*l->at == '[') {
        mark = l->out->len;
        l->at++;
        run(l, ']');
        l->at += *l->at == ']';
        if (strcmp(l->out->data + mark, "2") == 0) {
            l->out->data[l->out->len = mark] = '\0';
        } else {
            linear_insert(l->out, mark, "[");
            buf_addc(l->out, ']');
        }
    }
    mark = l->out->len;
    argument(l);
    buf_addc(l->out, ')');
    linear_insert(l->out, mark, "(");
}

/* \begin{pmatrix} and the like become "[", \end "]"; \begin{array}{cc} loses its second argument.
 */
static void environment(struct linear *l, bool begin)
{
    size_t len = strcspn(l->at, "}");
    bool array = utext_starts(l->at, "{array}") || utext_starts(l->at, "{tabular}");

    if (*l->at == '{' && l->at[len] == '}')
        l->at += len + 1;
    if (begin && array && *l->at == '{' && l->at[strcspn(l->at, "}")] == '}')
        l->at += strcspn(l->at, "}") + 1;
    buf_addc(l->out, begin ? '[' : ']');
}

static void drop_power(struct linear *l)
{
    const char *s = l->at + strspn(l->at, " ");
    size_t digits;

    if (*s != '^')
        return;
    s += 1 + (s[1] == '{');
    digits = strspn(s, "0123456789");
    if (digits > 0 && (s[-1] == '^' || s[digits] == '}'))
        l->at = s + digits + (s[-1] == '{');
}

static void named_macro(struct linear *l, const struct macro *m)
{
    size_t mark;

    switch (m->kind) {
    case M_EMIT:
        buf_adds(l->out, m->text);
        break;
    case M_DROP:
        break;
    case M_DELIMITER:
        l->at += strspn(l->at, " ");
        l->at += *l->at == '.';
        break;
    case M_CONTENT:
        mark = l->out->len;
        argument(l);
        if (strspn(l->out->data + mark, " ") == l->out->len - mark)
            drop_power(l); /* of a unit that has gone: 5\text{ cm}^2 */
        break;
    case M_MARK:
        buf_adds(l->out, m->name);
        mark = l->out->len;
        argument(l);
        enclose(l->out, mark);
        break;
    case M_FUNCTION:
        if (letter(last_char(l->out)) && !after_function(l->out, l->out->len))
            buf_addc(l->out, '*');
        buf_adds(l->out, m->name);
        break;
    case M_FRAC:
        fraction(l);
        break;
    case M_BINOM:
        buf_adds(l->out, "binom(");
        argument(l);
        buf_addc(l->out, ',');
        argument(l);
        buf_addc(l->out, ')');
        break;
    case M_SQRT:
        root(l);
        break;
    case M_BEGIN:
        environment(l, true);
        break;
    case M_END:
        environment(l, false);
        break;
    }
}

/* At a backslash. */
static void macro(struct linear *l)
{
    size_t len = 0;

    l->at++;
    while (letter(l->at[len]))
        len++;
    if (len == 0) {
        char c = *l->at;
        if (c == '\0')
            return;
        l->at++;
        if (c == '\\')
            buf_addc(l->out, ';');
        else if (c == ' ' || c == '\n')
            buf_addc(l->out, ' ');
        else if (c == '|')
            buf_adds(l->out, "||");
        else if (!strchr(",;:!{}()[]", c))
            buf_addc(l->out, c);
        return;
    }
    if (++l->depth <= DEPTH_MAX) {
        for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
            if (strlen(macros[i].name) == len && memcmp(macros[i].name, l->at, len) == 0) {
                l->at += len;
                if (macros[i].kind != M_CONTENT)
                    l->at += strspn(l->at, " ");
                named_macro(l, &macros[i]);
                l->depth--;
                return;
            }
    }
    l->depth--;
    buf_add(l->out, l->at, len); /* unknown: by its name */
    l->at += len;
}

/* At "^" or "_". */
static void script(struct linear *l)
{
    char c = *l->at++;
    bool base = c == '_' && after_function(l->out, l->out->len);
    size_t mark;

    l->at += strspn(l->at, " ");
    if (c == '^' && utext_starts(l->at, "\\circ")) {
        l->at += strlen("\\circ");
        return;
    }
    buf_addc(l->out, c);
    mark = l->out->len;
    if (base && utext_is_digit(*l->at)) {
        size_t digits = strspn(l->at, "0123456789");
        buf_add(l->out, l->at, digits);
        l->at += digits;
    } else if (base || *l->at == '{' || *l->at == '\\') {
        argument(l);
    } else {
        return;
    }
    if (l->out->len == mark || strcmp(l->out->data + mark, "\xe2\x88\x98") == 0)
        l->out->data[l->out->len = mark - 1] = '\0'; /* empty, or degrees */
    else if (base ||
             (!atomic(l->out, mark) && !(l->out->data[mark] == '-' && atomic(l->out, mark + 1))))
        enclose(l->out, mark);
    else if (utext_is_digit(l->out->data[l->out->len - 1]) && utext_is_digit(*l->at))
        buf_addc(l->out, '*'); /* x^{2}3 */
}

static void plain_char(struct linear *l)
{
    static const char *const same[][2] = {
        { "\xcf\x80", "pi" },    { "\xe2\x88\x9a", "sqrt" }, { "\xe2\x88\x9e", "inf" },
        { "\xe2\x88\xaa", "U" }, { "\xc2\xb7", "*" },        { "\xc3\x97", "*" },
        { "\xe2\x88\x92", "-" }, { "\xe2\x8b\x85", "*" },    { "\xc2\xb0", "" },
    };

    for (size_t i = 0; (unsigned char)*l->at >= 0x80 && i < sizeof(same) / sizeof(same[0]); i++)
        if (utext_starts(l->at, same[i][0])) {
            buf_adds(l->out, same[i][1]);
            l->at += strlen(same[i][0]);
            return;
        }
    buf_addc(l->out, *l->at++);
}

/* Up to STOP (not taken) or the end. */
static void run(struct linear *l, char stop)
{
    if (++l->depth > DEPTH_MAX) {
        buf_adds(l->out, l->at);
        l->at += strlen(l->at);
        l->depth--;
        return;
    }
    while (*l->at && *l->at != stop) {
        switch (*l->at) {
        case '{':
            l->at++;
            run(l, '}');
            l->at += *l->at == '}';
            break;
        case '}':
            l->at++;
            break;
        case '\\':
            macro(l);
            break;
        case '^':
        case '_':
            script(l);
            break;
        case '~':
            buf_addc(l->out, ' ');
            l->at++;
            break;
        default:
            plain_char(l);
            break;
        }
    }
    l->depth--;
}

void linear_text(const char *s, struct buf *out)
{
    struct linear l = { .at = s, .out = out };

    buf_reserve(out, 1);
    out->data[out->len] = '\0';
    run(&l, '\0');
}
