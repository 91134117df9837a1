/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - what is typed. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/top/private.h"

enum key {
    KEY_UP = 256, /* below: the byte itself */
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_OTHER,
    KEY_ESC = 27,
    KEY_ENTER = '\r',
    KEY_BACKSPACE = 127,
};

/* A sequence's last byte, and the number before a ~. */
static int key_of(char last, int number)
{
    switch (last) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        return number == 5                  ? KEY_PAGE_UP
               : number == 6                ? KEY_PAGE_DOWN
               : number == 1 || number == 7 ? KEY_HOME
               : number == 4 || number == 8 ? KEY_END
                                            : KEY_OTHER;
    default:
        return KEY_OTHER;
    }
}

/* The key at *AT, which moves behind it. An Esc with nothing behind it is the key of that name. */
static int next_key(const char **at, const char *end)
{
    const char *s = (*at)++;
    int number = 0;

    if (*s != KEY_ESC || *at == end || (**at != '[' && **at != 'O'))
        return (unsigned char)*s;
    for (s = *at + 1; s < end && (unsigned char)*s < '@'; s++)
        if (*s >= '0' && *s <= '9' && number < 1000)
            number = 10 * number + (*s - '0');
    *at = s < end ? s + 1 : end;
    return s < end ? key_of(*s, number) : KEY_OTHER;
}

static void type(struct top_view *v, int key)
{
    size_t len = strlen(v->filter);

    if (key == KEY_ENTER || key == '\n') {
        v->typing = false;
    } else if (key == KEY_ESC) {
        v->typing = false;
        v->filter[0] = '\0';
    } else if (key == KEY_BACKSPACE || key == 8) {
        while (len > 0 && ((unsigned char)v->filter[--len] & 0xc0) == 0x80)
            ;
        v->filter[len] = '\0';
    } else if (key >= ' ' && key < 256 && len + 1 < sizeof(v->filter)) {
        v->filter[len] = (char)key;
        v->filter[len + 1] = '\0';
    }
    v->scroll = 0;
}

static void scroll(const struct top *t, struct top_view *v, size_t rows, int key)
{
    const size_t page = MAX(top_lay_out(t, rows).workers, 1u);
    size_t *order = mem_calloc(t->workers + 1, sizeof(*order));
    const size_t len = top_order(t, v, order), last = len - MIN(len, page);

    free(order);
    v->scroll = MIN(v->scroll, last);
    if (key == KEY_UP || key == 'k')
        v->scroll -= v->scroll > 0;
    else if (key == KEY_DOWN || key == 'j')
        v->scroll++;
    else if (key == KEY_PAGE_UP)
        v->scroll -= MIN(v->scroll, page);
    else if (key == KEY_PAGE_DOWN)
        v->scroll += page;
    else
        v->scroll = key == KEY_END ? last : 0;
    v->scroll = MIN(v->scroll, last);
}

/* False: leave. */
static bool press(const struct top *t, struct top_view *v, size_t rows, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
    case 4: /* Ctrl-D */
        return false;
    case 'p':
    case ' ':
        v->paused = !v->paused;
        break;
    case 's':
        v->sort = (v->sort + 1) % TOP_SORTS;
        break;
    case 'S':
        v->sort = (v->sort + TOP_SORTS - 1) % TOP_SORTS;
        break;
    case 'r':
        v->reverse = !v->reverse;
        break;
    case '/':
        v->typing = true;
        break;
    case '?':
    case 'h':
        v->help = true;
        break;
    case 'k':
    case 'j':
    case KEY_UP:
    case KEY_DOWN:
    case KEY_PAGE_UP:
    case KEY_PAGE_DOWN:
    case KEY_HOME:
    case KEY_END:
        scroll(t, v, rows, key);
        break;
    default:
        break;
    }
    return true;
}

bool top_keys(const struct top *t, struct top_view *v, size_t rows, const char *bytes, size_t len)
{
    const char *end = bytes + len;

    while (bytes < end) {
        const int key = next_key(&bytes, end);

        if (v->typing)
            type(v, key);
        else if (v->help && key != 'q')
            v->help = false;
        else if (!press(t, v, rows, key))
            return false;
    }
    return true;
}
