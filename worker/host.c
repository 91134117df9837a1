/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/host.h"

#include <hwloc.h>
#include <stdio.h>
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
