/* SPDX-License-Identifier: Apache-2.0 */
/* labels_verify.c - every label is run again by drover-labels, which has the engine (labels.h).
 * Here: which labels, and the folders of their models. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "experiments/cli/labels.h"

enum { MANIFEST_BYTES_MAX = 1024 * 342, DIR_BYTES = 4096 };

/* A label as the program reads it. Sorted by GROUP, then INDEX. */
struct item {
    char *line;
    uint64_t index;
    size_t group;
};

/* Labels of one model and list of examples. */
struct group {
    uint64_t family; /* of the store: examples are read as its jobs read them */
    char task[64], split[16];
    int level;
    struct store_family_model m;
};

struct verifying {
    struct store *s;
    struct err *err;
    struct item *item;
    size_t items, items_cap;
    struct group *group;
    size_t groups;
    char dir[DIR_BYTES]; /* of models and tasks; "": not made yet */
    size_t damaged;      /* labels that contradict themselves */
    bool json;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)!remove(path);
    return 0;
}

static void verifying_release(struct verifying *v)
{
    for (size_t i = 0; i < v->items; i++)
        free(v->item[i].line);
    free(v->item);
    free(v->group);
    if (v->dir[0])
        (void)!nftw(v->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- which labels ---- */

static size_t group_of(struct verifying *v, const struct store_label_row *r)
{
    struct group *g;

    for (size_t i = v->groups; i-- > 0;)
        if (v->group[i].family == r->family)
            return i;
    v->group = mem_realloc(v->group, v->groups + 1, sizeof(*v->group));
    g = &v->group[v->groups];
    *g = (struct group){ .family = r->family, .level = r->level };
    snprintf(g->task, sizeof(g->task), "%s", r->task);
    snprintf(g->split, sizeof(g->split), "%s", r->split);
    return v->groups++;
}

/* What can be said without running anything. */
static bool is_whole(const struct store_label_row *r)
{
    uint32_t n = 0;

    if (!r->has_label)
        return !r->base_correct && !r->routing;
    if (!r->routing)
        return false;
    for (const char *c = r->routing; *c; c++)
        n += *c >= '0' && *c <= '2' ? (uint32_t)(*c - '0') : 1000;
    return n == r->label_layers;
}

static int on_label(const struct store_label_row *r, void *arg)
{
    struct verifying *v = arg;
    struct buf line = { 0 }, what CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &line };
    char id[17];

    snprintf(id, sizeof(id), "%016" PRIx64, r->example);
    buf_printf(&what, "%s/%s", r->experiment, r->step);
    if (!is_whole(r)) {
        v->damaged++;
        fprintf(v->json ? stderr : stdout,
                "%s of %s: the label contradicts itself: %s, %u layers, base path %s\n", id,
                buf_str(&what), r->routing ? r->routing : "no path", r->label_layers,
                r->base_correct ? "right" : "wrong");
    }
    jsonw_open(&w, '{');
    jsonw_text(&w, "id", id);
    jsonw_int(&w, "index", (int64_t)r->index);
    jsonw_bool(&w, "base_correct", r->base_correct);
    jsonw_text(&w, "base_answer", r->base_answer);
    jsonw_text(&w, "routing", r->has_label ? r->routing : NULL);
    jsonw_text(&w, "answer", r->label_answer);
    jsonw_text(&w, "what", buf_str(&what));
    jsonw_close(&w, '}');
    buf_addc(&line, '\n');
    if (v->items == v->items_cap) {
        v->items_cap = MAX((size_t)1024, 2 * v->items_cap);
        v->item = mem_realloc(v->item, v->items_cap, sizeof(*v->item));
    }
    v->item[v->items].group = group_of(v, r);
    v->item[v->items].index = r->index;
    v->item[v->items++].line = buf_detach(&line);
    return 0;
}

static int by_group(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Sorted, and each label once: several steps may read it. */
static void sort_items(struct verifying *v)
{
    size_t kept = 0;

    qsort(v->item, v->items, sizeof(*v->item), by_group);
    for (size_t i = 0; i < v->items; i++) {
        if (kept > 0 && by_group(&v->item[kept - 1], &v->item[i]) == 0)
            free(v->item[i].line);
        else
            v->item[kept++] = v->item[i];
    }
    v->items = kept;
}

/* ---- their models and task files ---- */

/* Path of the bytes of DIGEST, which are looked at. */
static int find_bytes(struct store *s, const struct digest *digest, char *path, size_t size,
                      struct err *err)
{
    struct store_blob blob;
    struct digest is;
    uint64_t bytes;
    int rc = store_blob_find(s, digest, &blob, err);

    rc = rc ? rc : digest_file(blob.path, &is, &bytes, err);
    if (rc)
        return rc;
    if (!digest_equal(&is, digest))
        return err_set(err, ERR_CORRUPT, "%s is no longer what it was when the labels were made",
                       blob.path);
    /* Links must work from anywhere. */
    if (blob.path[0] == '/')
        return (size_t)snprintf(path, size, "%s", blob.path) < size
                   ? 0
                   : err_set(err, ERR_LIMIT, "a path is too long");
    {
        char *whole CLEANUP(mem_cleanup) = realpath(blob.path, NULL);

        if (!whole)
            return err_errno(err, errno, "%s", blob.path);
        return (size_t)snprintf(path, size, "%s", whole) < size
                   ? 0
                   : err_set(err, ERR_LIMIT, "a path is too long");
    }
}

/* The line "name size digest" as a link in DIR. */
static int link_member(struct verifying *v, const char *dir, char *line, struct err *err)
{
    char *hex = strrchr(line, ' '), *end = strchr(line, ' '), path[DIR_BYTES];
    struct buf to CLEANUP(buf_release) = { 0 };
    struct digest d;
    int rc;

    if (!hex || line[0] == '.' || strchr(line, '/') || digest_parse(hex + 1, &d, NULL) < 0)
        return err_set(err, ERR_CORRUPT, "a manifest is damaged: \"%.80s\"", line);
    *end = '\0';
    buf_printf(&to, "%s/%s", dir, line);
    rc = find_bytes(v->s, &d, path, sizeof(path), err);
    if (rc == 0 && symlink(path, buf_str(&to)) != 0)
        rc = err_errno(err, errno, "link %s", buf_str(&to));
    return rc ? err_wrap(err, rc, "file %s", line) : 0;
}

/* The folder of manifest D, made of links when it is not there yet. */
static int make_folder(struct verifying *v, const struct digest *d, char *path, size_t size,
                       struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    char manifest[DIR_BYTES], hex[DIGEST_HEX], *save = NULL;
    int rc;

    if ((size_t)snprintf(path, size, "%s/%s", v->dir, digest_hex(d, hex)) >= size)
        return err_set(err, ERR_LIMIT, "the path of the temporary folder is too long");
    if (access(path, F_OK) == 0)
        return 0;
    rc = find_bytes(v->s, d, manifest, sizeof(manifest), err);
    rc = rc ? rc : buf_read_file(&text, manifest, MANIFEST_BYTES_MAX, err);
    if (rc == 0 && mkdir(path, 0700) != 0)
        rc = err_errno(err, errno, "make %s", path);
    for (char *line = rc ? NULL : strtok_r(text.data, "\n", &save); line && rc == 0;
         line = strtok_r(NULL, "\n", &save))
        rc = link_member(v, path, line, err);
    return rc;
}

static int place(struct verifying *v, const struct digest *d, bool folder, char *path, size_t size,
                 struct err *err)
{
    if (folder)
        return make_folder(v, d, path, size, err);
    return find_bytes(v->s, d, path, size, err);
}

static int put_group(struct verifying *v, const struct group *g, FILE *to, struct err *err)
{
    char model[DIR_BYTES], file[DIR_BYTES], hex[DIGEST_HEX];
    struct buf line CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &line };
    bool has_file = !digest_is_zero(&g->m.task_file);
    int rc = place(v, &g->m.model, g->m.model_folder, model, sizeof(model), err);

    if (rc)
        return err_wrap(err, rc, "model %.16s...", digest_hex(&g->m.model, hex));
    if (has_file)
        rc = place(v, &g->m.task_file, g->m.task_folder, file, sizeof(file), err);
    if (rc)
        return err_wrap(err, rc, "file of task %s", g->task);
    jsonw_open(&w, '{');
    jsonw_text(&w, "model", model);
    jsonw_text(&w, "model_name", "the labels' model");
    jsonw_text(&w, "task", g->task);
    jsonw_int(&w, "level", g->level);
    jsonw_text(&w, "split", g->split);
    jsonw_text(&w, "file", has_file ? file : NULL);
    jsonw_text(&w, "prompts", g->m.prompts);
    jsonw_int(&w, "fewshot", g->m.fewshot);
    jsonw_close(&w, '}');
    buf_addc(&line, '\n');
    fputs(buf_str(&line), to);
    return 0;
}

static int write_all(struct verifying *v, FILE *to, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < v->items && rc == 0; i++) {
        if (i == 0 || v->item[i].group != v->item[i - 1].group)
            rc = put_group(v, &v->group[v->item[i].group], to, err);
        fputs(v->item[i].line, to);
    }
    if (rc == 0 && (fflush(to) != 0 || ferror(to)))
        rc = err_errno(err, errno, "write what is to be replayed");
    return rc;
}

static int make_dir(struct verifying *v, struct err *err)
{
    const char *base = getenv("TMPDIR");

    snprintf(v->dir, sizeof(v->dir) - 512, "%s/drover-labels-XXXXXX",
             base && *base ? base : "/tmp");
    if (mkdtemp(v->dir))
        return 0;
    v->dir[0] = '\0';
    return err_errno(err, errno, "make a temporary folder (TMPDIR names where)");
}

/* ---- the program ---- */

/* Of the child: only what may be called behind fork(). */
static void become(const char *program, char *const *args, int in)
{
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    if (dup2(in, STDIN_FILENO) >= 0)
        (void)execv(program, args);
    _exit(127);
}

static int run(const struct verifying *v, const struct labels_arguments *a, const char *folder,
               int in, int *ret, struct err *err)
{
    struct buf program CLEANUP(buf_release) = { 0 };
    char total[32], threads[32];
    char *args[8] = { (char *)(uintptr_t) "drover-labels", total };
    size_t n = 2;
    int status;
    pid_t pid;

    buf_printf(&program, "%s/drover-labels", folder);
    if (access(buf_str(&program), X_OK) != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "%s is not there: it lies beside drover once all is built",
                       buf_str(&program));
    snprintf(total, sizeof(total), "--total=%zu", v->items);
    snprintf(threads, sizeof(threads), "--threads=%ld", a->threads);
    if (a->threads)
        args[n++] = threads;
    if (a->o.json)
        args[n++] = (char *)(uintptr_t) "--json";
    if (a->quiet)
        args[n++] = (char *)(uintptr_t) "--quiet";
    if (a->kernels && setenv("DROVER_KERNELS", a->kernels, 1) != 0)
        return err_errno(err, errno, "set DROVER_KERNELS");
    (void)fflush(stdout);
    (void)signal(SIGINT, SIG_IGN); /* the program ends; we tidy up */
    pid = fork();
    if (pid < 0)
        return err_errno(err, errno, "start drover-labels");
    if (pid == 0)
        become(buf_str(&program), args, in);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, errno, "wait for drover-labels");
    if (WIFSIGNALED(status))
        return err_set(err, ERR_IO, "drover-labels was killed by signal %d", WTERMSIG(status));
    *ret = WEXITSTATUS(status);
    return 0;
}

int labels_verify(struct store *s, const struct labels_arguments *a, const struct env *env,
                  int *ret, struct err *err)
{
    struct verifying v CLEANUP(verifying_release) = { .s = s, .err = err, .json = a->o.json };
    struct store_label_filter f = a->filter;
    FILE *to = NULL;
    int rc;

    if (a->limited)
        f.limit = a->limit;
    rc = store_list_labels(s, &f, on_label, &v, err);
    if (rc == 0 && v.items == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no such labels; drover labels lists those there are");
    for (size_t i = 0; i < v.groups && rc == 0; i++)
        rc = store_family_model(s, v.group[i].family, &v.group[i].m, err);
    if (rc)
        return rc;
    sort_items(&v);
    rc = make_dir(&v, err);
    if (rc == 0 && !(to = tmpfile()))
        rc = err_errno(err, errno, "make a temporary file");
    rc = rc ? rc : write_all(&v, to, err);
    if (rc == 0) {
        rewind(to);
        rc = run(&v, a, env->folder, fileno(to), ret, err);
    }
    if (to)
        (void)fclose(to);
    if (rc == 0 && v.damaged && *ret == CLI_DONE) {
        fprintf(a->o.json ? stderr : stdout, "%zu labels contradict themselves\n", v.damaged);
        *ret = CLI_FAILED;
    }
    return rc;
}
