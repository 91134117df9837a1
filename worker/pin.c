/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/kernels/pool.h"

struct core {
    hwloc_cpuset_t cpus; /* its processing units that this process may use */
    unsigned number;     /* of its first processing unit, as the system counts */
    int lock;            /* file descriptor of the claim, -1: not ours */
};

struct pin {
    hwloc_topology_t topology;
    bool loaded;
    struct core *core;
    size_t cores;
    size_t slots, threads;
    size_t *of; /* [slots * threads]: index of its core; NULL: nothing is bound */
    struct buf text;
};

bool pin_assign(enum pin_mode mode, const bool *free, size_t cores, size_t threads, size_t *ret)
{
    size_t len = 0;

    if (mode == PIN_OFF || threads == 0 || (mode == PIN_AUTO && threads != cores))
        return false;
    for (size_t i = 0; i < cores && len < threads; i++)
        if (free[i])
            ret[len++] = i;
    return len == threads;
}

/* ------------------------------------------------------------------------------------------- */

static bool load_topology(struct pin *p)
{
    const unsigned long flags =
        HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING | HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM;

    if (hwloc_topology_init(&p->topology) != 0)
        return false;
    if (hwloc_topology_set_flags(p->topology, flags) != 0 ||
        hwloc_topology_load(p->topology) != 0) {
        hwloc_topology_destroy(p->topology);
        return false;
    }
    p->loaded = true;
    return true;
}

static void find_cores(struct pin *p)
{
    int n = hwloc_get_nbobjs_by_type(p->topology, HWLOC_OBJ_CORE);

    p->core = mem_calloc(n > 0 ? (size_t)n : 1, sizeof(*p->core));
    for (int i = 0; i < n; i++) {
        hwloc_obj_t o = hwloc_get_obj_by_type(p->topology, HWLOC_OBJ_CORE, (unsigned)i);
        struct core *c = &p->core[p->cores];

        c->cpus = hwloc_bitmap_dup(o->cpuset);
        hwloc_bitmap_and(c->cpus, c->cpus,
                         hwloc_topology_get_allowed_cpuset(p->topology)); /* cgroups */
        c->lock = -1;
        c->number = (unsigned)MAX(hwloc_bitmap_first(c->cpus), 0);
        if (hwloc_bitmap_iszero(c->cpus))
            hwloc_bitmap_free(c->cpus);
        else
            p->cores++;
    }
}

/* The folder of the claims. It must be the user's own: another's could hold our files. */
static bool find_folder(const char *dir, struct buf *path)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    struct stat st;

    if (dir)
        buf_adds(path, dir);
    else if (run && run[0] == '/')
        buf_printf(path, "%s/drover-cores", run);
    else
        buf_printf(path, "/tmp/drover-cores-%lu", (unsigned long)getuid());
    if (mkdir(buf_str(path), 0700) != 0 && errno != EEXIST)
        return false;
    return lstat(buf_str(path), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

/* Claim core C by its file in DIR. */
static bool claim(struct core *c, const char *dir)
{
    struct buf path CLEANUP(buf_release) = { 0 };

    buf_printf(&path, "%s/%u", dir, c->number);
    c->lock = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock >= 0 && flock(c->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (c->lock >= 0)
        (void)close(c->lock);
    c->lock = -1;
    return false;
}

static void unclaim(struct core *c)
{
    if (c->lock >= 0)
        (void)close(c->lock);
    c->lock = -1;
}

/* Claim all that can be had, keep those that are assigned. False: nothing is bound, or claimed. */
static bool assign(struct pin *p, enum pin_mode mode, const char *dir)
{
    size_t n = p->slots * p->threads;
    bool *free_core CLEANUP(mem_cleanup) = mem_calloc(p->cores + 1, sizeof(*free_core));
    bool *kept CLEANUP(mem_cleanup) = mem_calloc(p->cores + 1, sizeof(*kept));
    size_t *of = mem_calloc(n, sizeof(*of));
    bool good;

    for (size_t i = 0; i < p->cores; i++)
        free_core[i] = claim(&p->core[i], dir);
    good = pin_assign(mode, free_core, p->cores, n, of);
    for (size_t i = 0; good && i < n; i++)
        kept[of[i]] = true;
    for (size_t i = 0; i < p->cores; i++)
        if (!kept[i])
            unclaim(&p->core[i]);
    if (good)
        p->of = of;
    else
        free(of);
    return good;
}

/* The sentence of why nothing is bound, or NULL. */
static const char *try_pin(struct pin *p, enum pin_mode mode, const char *dir)
{
    struct buf folder CLEANUP(buf_release) = { 0 };

    if (mode == PIN_OFF)
        return "switched off";
    if (!load_topology(p))
        return "the topology of this computer cannot be read";
    if (!hwloc_topology_get_support(p->topology)->cpubind->set_thisthread_cpubind)
        return "this system cannot bind threads";
    find_cores(p);
    if (mode == PIN_AUTO && p->slots * p->threads != p->cores)
        return "the threads are not exactly as many as the cores";
    if (!find_folder(dir, &folder))
        return "the folder of the claims cannot be used";
    if (!assign(p, mode, buf_str(&folder)))
        return "too few cores that no other worker has claimed";
    return NULL;
}

struct pin *pin_new(enum pin_mode mode, size_t slots, size_t threads, const char *dir,
                    struct buf *why)
{
    struct pin *p = mem_calloc(1, sizeof(*p));
    const char *reason;

    p->slots = slots;
    p->threads = threads;
    reason = try_pin(p, mode, dir);
    if (reason) {
        buf_printf(why, "threads are not bound to cores: %s", reason);
        return p;
    }
    buf_adds(&p->text, "cores");
    for (size_t i = 0; i < slots * threads; i++)
        buf_printf(&p->text, " %u", p->core[p->of[i]].number);
    buf_printf(why, "threads are bound to %s", buf_str(&p->text));
    return p;
}

void pin_free(struct pin *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->cores; i++) {
        unclaim(&p->core[i]);
        hwloc_bitmap_free(p->core[i].cpus);
    }
    if (p->loaded)
        hwloc_topology_destroy(p->topology);
    free(p->core);
    free(p->of);
    buf_release(&p->text);
    free(p);
}

bool pin_is_on(const struct pin *p)
{
    return p && p->of;
}

const char *pin_cores(const struct pin *p)
{
    return p ? buf_str(&p->text) : "";
}

/* ------------------------------------------------------------------------------------------- */

struct binding {
    const struct pin *pin;
    size_t slot;
    pthread_barrier_t together;
};

/* Each thread takes one item: it waits in it until all have one. */
static void bind_thread(void *arg, size_t i, size_t thread)
{
    struct binding *b = arg;
    const struct pin *p = b->pin;
    const struct core *c = &p->core[p->of[b->slot * p->threads + thread]];

    (void)i;
    /* Failing costs speed at most. */
    (void)hwloc_set_cpubind(p->topology, c->cpus, HWLOC_CPUBIND_THREAD);
    (void)pthread_barrier_wait(&b->together);
}

void pin_slot(const struct pin *p, size_t slot, struct pool *pool)
{
    struct binding b = { .pin = p, .slot = slot };

    if (!pin_is_on(p) || slot >= p->slots || pool_threads(pool) != p->threads ||
        pthread_barrier_init(&b.together, NULL, (unsigned)p->threads) != 0)
        return;
    if (p->threads == 1)
        bind_thread(&b, 0, 0);
    else
        pool_run(pool, bind_thread, &b, p->threads);
    (void)pthread_barrier_destroy(&b.together);
}

void pin_loosen(const struct pin *p)
{
    if (pin_is_on(p))
        (void)hwloc_set_cpubind(p->topology, hwloc_topology_get_topology_cpuset(p->topology),
                                HWLOC_CPUBIND_THREAD);
}
