/* SPDX-License-Identifier: Apache-2.0 */
/* Routing configurations: lengths, order, legality, legal edits, text. */
#include "worker/search/routing.h"

#include <assert.h>
#include <string.h>

size_t routing_length(const uint8_t *routing, size_t layers)
{
    size_t n = 0;

    for (size_t i = 0; i < layers; i++)
        n += routing[i];
    return n;
}

size_t routing_changes(const uint8_t *routing, size_t layers)
{
    size_t n = 0;

    for (size_t i = 0; i < layers; i++)
        n += routing[i] != 1;
    return n;
}

int routing_compare(const uint8_t *a, const uint8_t *b, size_t layers)
{
    size_t la = routing_length(a, layers), lb = routing_length(b, layers);

    if (la != lb)
        return la < lb ? -1 : 1;
    la = routing_changes(a, layers);
    lb = routing_changes(b, layers);
    if (la != lb)
        return la < lb ? -1 : 1;
    return memcmp(a, b, layers);
}

/* Layers skipped in a row at the first place where they are too many, ending before *RET_END; 0:
 * nowhere. */
static size_t long_skip(const uint8_t *r, size_t layers, size_t *ret_end)
{
    size_t run = 0;

    for (size_t i = 0; i < layers; i++) {
        run = r[i] == 0 ? run + 1 : 0;
        *ret_end = i + 1;
        if (run > ROUTING_SKIPS_IN_A_ROW_MAX && (i + 1 == layers || r[i + 1] != 0))
            return run;
    }
    return 0;
}

bool routing_legal(const uint8_t *routing, size_t layers)
{
    size_t end, used = 0;

    for (size_t i = 0; i < layers; i++) {
        if (routing[i] > 2)
            return false;
        used += routing[i];
    }
    return used > 0 && long_skip(routing, layers, &end) == 0;
}

/* The path as people write it, cut where TEXT ends; other values than 0, 1, 2 are '?'. */
static const char *shown(const uint8_t *r, size_t layers, char text[84])
{
    size_t n = layers <= 80 ? layers : 77;

    for (size_t i = 0; i < n; i++)
        text[i] = (char)(r[i] <= 2 ? '0' + r[i] : '?');
    memcpy(text + n, "...", 4);
    text[n + (layers <= 80 ? 0 : 3)] = '\0';
    return text;
}

int routing_check(const uint8_t *routing, size_t layers, struct err *err)
{
    size_t run, end;
    char text[84];

    for (size_t i = 0; i < layers; i++)
        if (routing[i] > 2)
            return err_set(err, ERR_INVALID,
                           "path \"%s\": layer %zu of %zu has the value %u; 0 skips, 1 executes "
                           "and 2 repeats a layer",
                           shown(routing, layers, text), i + 1, layers, routing[i]);
    if (routing_length(routing, layers) == 0)
        return err_set(err, ERR_INVALID,
                       "path \"%s\" executes no layer; the length of a path is 1 to %zu",
                       shown(routing, layers, text), 2 * layers);
    run = long_skip(routing, layers, &end);
    if (run > 0)
        return err_set(err, ERR_INVALID,
                       "path \"%s\" skips %zu layers in a row (%zu to %zu of %zu); at most %d may "
                       "be skipped in a row",
                       shown(routing, layers, text), run, end - run + 1, end, layers,
                       ROUTING_SKIPS_IN_A_ROW_MAX);
    return 0;
}

size_t routing_children(const uint8_t *r, size_t layers, enum routing_edits edits, uint8_t *out)
{
    size_t n = 0;

    for (size_t width = 1; width <= 2 && edits != EDITS_REPEAT; width++)
        for (size_t i = 0; i + width <= layers; i++) {
            uint8_t *child = out + n * layers;
            if (r[i] != 1 || r[i + width - 1] != 1)
                continue;
            memcpy(child, r, layers);
            memset(child + i, 0, width);
            n += routing_legal(child, layers);
        }
    for (size_t i = 0; i < layers && edits != EDITS_SKIP; i++)
        if (r[i] == 1) {
            memcpy(out + n * layers, r, layers);
            out[n * layers + i] = 2;
            n++;
        }
    return n;
}

void routing_print(const uint8_t *r, size_t layers, char *out)
{
    for (size_t i = 0; i < layers; i++) {
        assert(r[i] <= 2);
        out[i] = (char)('0' + r[i]);
    }
    out[layers] = '\0';
}

int routing_parse(const char *text, size_t layers, uint8_t *out, struct err *err)
{
    size_t len = strlen(text);

    if (len != layers)
        return err_set(err, ERR_INVALID, "a routing of %zu digits for a model of %zu layers", len,
                       layers);
    for (size_t i = 0; i < layers; i++)
        if (text[i] < '0' || text[i] > '2')
            return err_set(err, ERR_INVALID,
                           "routing \"%s\": digit %zu is not 0 (skip), 1 (execute) or 2 (repeat)",
                           text, i + 1);
    for (size_t i = 0; i < layers; i++)
        out[i] = (uint8_t)(text[i] - '0');
    return 0;
}

int routing_parse_legal(const char *text, size_t layers, uint8_t *out, struct err *err)
{
    int rc = routing_parse(text, layers, out, err);

    return rc == 0 ? routing_check(out, layers, err) : rc;
}
