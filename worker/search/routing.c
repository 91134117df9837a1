/* SPDX-License-Identifier: Apache-2.0 */
/* Routing configurations: lengths, order, legal edits, text. */
#include <assert.h>
#include <string.h>

#include "worker/search/search.h"

enum { SKIPPED_IN_A_ROW_MAX = 2 };

size_t routing_length(const uint8_t *routing, size_t layers)
{
    size_t n = 0;

    for (size_t i = 0; i < layers; i++)
        n += routing[i];
    return n;
}

static size_t changes(const uint8_t *routing, size_t layers)
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
    la = changes(a, layers);
    lb = changes(b, layers);
    if (la != lb)
        return la < lb ? -1 : 1;
    return memcmp(a, b, layers);
}

static bool legal(const uint8_t *r, size_t layers)
{
    size_t run = 0;

    for (size_t i = 0; i < layers; i++) {
        run = r[i] == 0 ? run + 1 : 0;
        if (run > SKIPPED_IN_A_ROW_MAX)
            return false;
    }
    return routing_length(r, layers) >= 1;
}

size_t routing_children(const uint8_t *r, size_t layers, uint8_t *out)
{
    size_t n = 0;

    for (size_t width = 1; width <= 2; width++)
        for (size_t i = 0; i + width <= layers; i++) {
            uint8_t *child = out + n * layers;
            if (r[i] != 1 || r[i + width - 1] != 1)
                continue;
            memcpy(child, r, layers);
            memset(child + i, 0, width);
            n += legal(child, layers);
        }
    for (size_t i = 0; i < layers; i++)
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
