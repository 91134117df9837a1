/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the memory and the CPUs that a worker offers are no more than its control group allows, in
 * either version of control groups, at whatever level the limit stands. Method: files as the kernel
 * shows them, in a folder. */
#include "tests/unit/worker/folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "worker/host.h"

static void put(const char *path, const char *text)
{
    char name[600];

    (void)snprintf(name, sizeof(name), "%s%s", folder, path);
    for (char *p = name + strlen(folder) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(name, 0700);
        *p = '/';
    }
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static uint64_t all_mib(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
}

static void without_control_groups_it_is_the_computers(void **state)
{
    (void)state;
    assert_int_equal(host_memory_mib(folder), all_mib());
    assert_true(host_memory_mib("") > 0 && host_memory_mib("") <= all_mib());
}

static void the_least_limit_above_the_process_counts(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user.slice/job.scope\n");
    put("/sys/fs/cgroup/user.slice/job.scope/memory.max", "max\n");
    assert_int_equal(host_memory_mib(folder), all_mib());
    put("/sys/fs/cgroup/user.slice/memory.max", "67108864\n");
    assert_int_equal(host_memory_mib(folder), 64);
    put("/sys/fs/cgroup/user.slice/job.scope/memory.max", "33554433\n");
    assert_int_equal(host_memory_mib(folder), 32);
    put("/sys/fs/cgroup/memory.max", "1048576\n"); /* a container's own root */
    assert_int_equal(host_memory_mib(folder), 1);
}

static void version_one_counts_too(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/slurm/job_7\nrubbish\n");
    put("/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "104857600\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(host_memory_mib(folder), 100);
}

static void cpu_time_is_limited_by_the_least_quota_above_the_process(void **state)
{
    (void)state;
    assert_int_equal(host_cpu_limit(folder), SIZE_MAX);
    put("/proc/self/cgroup", "0::/kubepods/pod1/c\n");
    put("/sys/fs/cgroup/kubepods/pod1/c/cpu.max", "max 100000\n");
    assert_int_equal(host_cpu_limit(folder), SIZE_MAX);
    put("/sys/fs/cgroup/kubepods/pod1/cpu.max", "400000 100000\n");
    assert_int_equal(host_cpu_limit(folder), 4);
    put("/sys/fs/cgroup/kubepods/pod1/c/cpu.max", "125000 50000\n"); /* 2.5: whole ones */
    assert_int_equal(host_cpu_limit(folder), 2);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n"); /* a container's own root; half a CPU */
    assert_int_equal(host_cpu_limit(folder), 1);
}

static void cpu_quotas_of_version_one_count_and_minus_one_is_none(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpu,cpuacct:/a\n6:cpuset:/b\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(host_cpu_limit(folder), SIZE_MAX);
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(host_cpu_limit(folder), 3);
    put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "0\n"); /* nonsense limits nothing */
    assert_int_equal(host_cpu_limit(folder), SIZE_MAX);
}

#define IN_FOLDER(F) cmocka_unit_test_setup_teardown(F, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(without_control_groups_it_is_the_computers),
        IN_FOLDER(the_least_limit_above_the_process_counts),
        IN_FOLDER(version_one_counts_too),
        IN_FOLDER(cpu_time_is_limited_by_the_least_quota_above_the_process),
        IN_FOLDER(cpu_quotas_of_version_one_count_and_minus_one_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
