/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - what this computer is. */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Cores, and processing units (hardware threads), that this process may use; at least 1 of each. */
void host_cores(size_t *ret_cores, size_t *ret_cpus);
/* Memory that this process and its jobs may use, in MiB: the computer's, or less when a control
 * group's limit says so. ROOT: "" but in tests, where /proc and /sys lie. */
uint64_t host_memory_mib(const char *root);
/* Whole CPUs' worth of time that control groups (a container's cpu limit, CPUQuota) grant, at least
 * 1; SIZE_MAX: no limit. Affinity, which host_cores sees, says nothing of it. ROOT as above. */
size_t host_cpu_limit(const char *root);
/* "drover 0.1.0; kernels v4; openblas-...; Intel Xeon ...; Linux 6.1.0 x86_64": shown beside a
 * result. */
void host_environment(struct buf *out);
/* The host's name, at most 63 bytes. */
void host_name(char out[64]);

#endif
