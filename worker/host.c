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

/* The number that begins the file PATH below ROOT, or UINT64_MAX: none ("max"), no such file. */
static uint64_t read_number(const char *root, const char *path)
{
    struct buf name CLEANUP(buf_release) = { 0 };
    char line[64] = "", *end = line;
    uint64_t v = UINT64_MAX;

    buf_printf(&name, "%s%s", root, path);
    FILE *f = fopen(buf_str(&name), "re");
    if (f == NULL)
        return v;
    if (fgets(line, sizeof(line), f) != NULL)
        v = strtoull(line, &end, 10);
    (void)fclose(f);
    return end > line ? v : UINT64_MAX;
}

/* The least limit FILE of the group PATH and those above it, below MOUNT. */
static uint64_t group_limit(const char *root, const char *mount, char *path, const char *file)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        struct buf name CLEANUP(buf_release) = { 0 };
        buf_printf(&name, "%s%s/%s", mount, path, file);
        const uint64_t limit = read_number(root, buf_str(&name));
        least = MIN(least, limit);
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* By the lines of /proc/self/cgroup: "0::/user.slice/..." (version 2), "5:memory:/docker/..." */
static uint64_t cgroup_bytes(const char *root)
{
    struct buf name CLEANUP(buf_release) = { 0 };
    uint64_t least = UINT64_MAX;
    char line[4096];

    buf_printf(&name, "%s/proc/self/cgroup", root);
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
            limit = group_limit(root, "/sys/fs/cgroup", path, "memory.max");
        else if (strcmp(controllers + 1, "memory") == 0)
            limit = group_limit(root, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
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
    const uint64_t limit = cgroup_bytes(root);

    return (bytes > 0 ? MIN(bytes, limit) : limit < UINT64_MAX ? limit : 0) >> 20;
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
