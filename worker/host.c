/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/host.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "worker/joblog.h"
#include "worker/jobs/job.h"
#include "worker/kernels/blas.h"
#include "worker/kernels/kernels.h"

void host_cores(size_t *ret_cores, size_t *ret_cpus)
{
    hwloc_topology_t topology;
    int cores = 0, cpus = 0;

    if (hwloc_topology_init(&topology) == 0) {
        const unsigned long flags =
            HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING | HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM;
        if (hwloc_topology_set_flags(topology, flags) == 0 && hwloc_topology_load(topology) == 0) {
            cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
            cpus = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
        }
        hwloc_topology_destroy(topology);
    }
    *ret_cpus = cpus > 0 ? (size_t)cpus : 1;
    *ret_cores = cores > 0 ? (size_t)cores : *ret_cpus;
}

/* The numbers that begin the file PATH below ROOT; UINT64_MAX: none ("max"), no such file. */
static void read_numbers(const char *root, const char *path, uint64_t v[2])
{
    struct buf name CLEANUP(buf_release) = { 0 };
    char line[64] = "";

    buf_printf(&name, "%s%s", root, path);
    FILE *f = fopen(buf_str(&name), "re");
    const char *at = f != NULL && fgets(line, sizeof(line), f) != NULL ? line : "";
    for (int i = 0; i < 2; i++) {
        char *end;
        v[i] = strtoull(at, &end, 10);
        if (end == at || *at == '-') /* -1: version 1's word for no limit */
            v[i] = UINT64_MAX;
        at = end;
    }
    if (f != NULL)
        (void)fclose(f);
}

static uint64_t read_number(const char *root, const char *path)
{
    uint64_t v[2];

    read_numbers(root, path, v);
    return v[0];
}

/* The limit of the one group in FOLDER; UINT64_MAX: none. */
typedef uint64_t (*limit_fn)(const char *root, const char *folder);

static uint64_t memory_v2(const char *root, const char *folder)
{
    struct buf name CLEANUP(buf_release) = { 0 };

    buf_printf(&name, "%s/memory.max", folder);
    return read_number(root, buf_str(&name));
}

static uint64_t memory_v1(const char *root, const char *folder)
{
    struct buf name CLEANUP(buf_release) = { 0 };

    buf_printf(&name, "%s/memory.limit_in_bytes", folder);
    return read_number(root, buf_str(&name));
}

/* Thousandths of a CPU from QUOTA time in each PERIOD. */
static uint64_t millicpus(uint64_t quota, uint64_t period)
{
    if (quota > UINT64_MAX / 1000 || period == 0 || period == UINT64_MAX)
        return UINT64_MAX;
    return quota * 1000 / period;
}

static uint64_t cpu_v2(const char *root, const char *folder)
{
    struct buf name CLEANUP(buf_release) = { 0 };
    uint64_t v[2];

    buf_printf(&name, "%s/cpu.max", folder);
    read_numbers(root, buf_str(&name), v);
    return millicpus(v[0], v[1]);
}

static uint64_t cpu_v1(const char *root, const char *folder)
{
    struct buf quota CLEANUP(buf_release) = { 0 }, period CLEANUP(buf_release) = { 0 };

    buf_printf(&quota, "%s/cpu.cfs_quota_us", folder);
    buf_printf(&period, "%s/cpu.cfs_period_us", folder);
    return millicpus(read_number(root, buf_str(&quota)), read_number(root, buf_str(&period)));
}

/* The least limit of the group PATH and those above it, below MOUNT. */
static uint64_t group_limit(const char *root, const char *mount, const char *path, limit_fn limit)
{
    struct buf folder CLEANUP(buf_release) = { 0 };
    uint64_t least = UINT64_MAX;

    buf_printf(&folder, "%s%s", mount, path);
    for (;;) {
        const uint64_t here = limit(root, buf_str(&folder));
        least = MIN(least, here);
        if (folder.len <= strlen(mount))
            return least;
        folder.len = (size_t)(strrchr(folder.data, '/') - folder.data);
        folder.data[folder.len] = '\0';
    }
}

/* Is CONTROLLER among LIST ("cpu,cpuacct")? */
static bool lists(const char *list, const char *controller)
{
    const size_t len = strlen(controller);

    for (const char *at = list; (at = strstr(at, controller)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
            return true;
    return false;
}

/* By the lines of /proc/self/cgroup: "0::/user.slice/..." (version 2), "5:memory:/docker/..." */
static uint64_t least_limit(const char *root, const char *controller, limit_fn v2, limit_fn v1)
{
    struct buf name CLEANUP(buf_release) = { 0 }, mount CLEANUP(buf_release) = { 0 };
    uint64_t least = UINT64_MAX;
    char line[4096];

    buf_printf(&name, "%s/proc/self/cgroup", root);
    buf_printf(&mount, "/sys/fs/cgroup/%s", controller);
    FILE *f = fopen(buf_str(&name), "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        uint64_t limit = UINT64_MAX;
        if (strcmp(controllers + 1, "") == 0)
            limit = group_limit(root, "/sys/fs/cgroup", path, v2);
        else if (lists(controllers + 1, controller))
            limit = group_limit(root, buf_str(&mount), path, v1);
        least = MIN(least, limit);
    }
    if (f != NULL)
        (void)fclose(f);
    return least;
}

uint64_t host_memory_mib(const char *root)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    const uint64_t limit = least_limit(root, "memory", memory_v2, memory_v1);

    return (bytes > 0 ? MIN(bytes, limit) : limit < UINT64_MAX ? limit : 0) >> 20;
}

size_t host_cpu_limit(const char *root)
{
    const uint64_t limit = least_limit(root, "cpu", cpu_v2, cpu_v1);

    return limit == UINT64_MAX ? SIZE_MAX : limit < 1000 ? 1 : (size_t)(limit / 1000);
}

/* The first "model name" of /proc/cpuinfo, or "unknown cpu". */
static void add_cpu_model(struct buf *out)
{
    char line[256];
    const char *found = NULL;
    FILE *f = fopen("/proc/cpuinfo", "re");

    while (f != NULL && found == NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL)
            found = colon + 1 + strspn(colon + 1, " ");
    }
    buf_adds(out, found != NULL ? found : "unknown cpu");
    if (f != NULL)
        (void)fclose(f);
}

void host_environment(struct buf *out)
{
    struct utsname u = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };

    (void)!uname(&u);
    (void)job_classes(); /* it prepares OpenBLAS */
    buf_printf(&text, "drover %s; kernels %s; %s; ", DROVER_VERSION, kernels_best()->name,
               blas_class());
    add_cpu_model(&text);
    buf_printf(&text, "; %s %s %s", u.sysname, u.release, u.machine);
    char *clean = text_clean(buf_str(&text));
    buf_adds(out, clean);
    free(clean);
}

void host_name(char out[64])
{
    if (gethostname(out, 64) != 0)
        (void)snprintf(out, 64, "localhost");
    out[63] = '\0';
}
