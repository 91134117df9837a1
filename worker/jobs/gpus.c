/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/gpus.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

enum { IDS_MAX = 1024, RANGE_MAX = 256 };

static const char cuda[] = "CUDA_VISIBLE_DEVICES", rocr[] = "ROCR_VISIBLE_DEVICES",
                  hip[] = "HIP_VISIBLE_DEVICES";
static const char *const given[] = { cuda, rocr, "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK", hip };

/* An id: LEN bytes at TEXT, or for part of a range NUMBER. */
struct id {
    const char *text;
    size_t len;
    unsigned number;
};

static size_t split(const char *list, struct id *ids)
{
    size_t n = 0;

    while (*list && n < IDS_MAX) {
        size_t len = strcspn(list, ",");
        unsigned first, last;
        int end = 0;

        if (sscanf(list, "%u-%u%n", &first, &last, &end) == 2 && (size_t)end == len &&
            first <= last && last - first < RANGE_MAX)
            for (unsigned k = first; k <= last && n < IDS_MAX; k++)
                ids[n++] = (struct id){ .number = k };
        else if (len > 0)
            ids[n++] = (struct id){ .text = list, .len = len };
        list += len + (list[len] == ',');
    }
    return n;
}

/* "-1" and Slurm's words for no GPU at all. */
static bool none(const char *list)
{
    return !*list || *list == '-' || strncmp(list, "No", 2) == 0;
}

void gpus_share(const char *list, size_t slot, size_t slots, struct buf *out)
{
    struct id ids[IDS_MAX];
    const size_t n = none(list) ? 0 : split(list, ids), every = MAX(slots, (size_t)1);

    if (n == 0) {
        buf_adds(out, list);
        return;
    }
    for (size_t i = n < every ? slot % n : slot; i < n; i += n < every ? n : every) {
        if (i >= every && n >= every)
            buf_adds(out, ",");
        if (ids[i].text)
            buf_add(out, ids[i].text, ids[i].len);
        else
            buf_printf(out, "%u", ids[i].number);
    }
}

bool gpus_gives(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        if (strcmp(given[i], name) == 0)
            return true;
    return false;
}

void gpus_env(char *(*get)(const char *name), size_t slot, size_t slots,
              void (*put)(void *arg, const char *name, const char *value), void *arg)
{
    struct buf share CLEANUP(buf_release) = { 0 };
    const char *list;
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        list = get(given[i]);
        if (!list)
            continue;
        any = true;
        if (given[i] == hip && get(rocr))
            continue;
        buf_clear(&share);
        gpus_share(list, slot, slots, &share);
        put(arg, given[i], buf_str(&share));
    }
    list = get("SLURM_STEP_GPUS");
    list = list ? list : get("SLURM_JOB_GPUS");
    if (any || !list)
        return;
    gpus_share(list, slot, slots, &share);
    put(arg, cuda, buf_str(&share));
}
