/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/policy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

/* What most programs need and what tells nobody a secret. */
static const char *const harmless[] = { "PATH",        "HOME",
                                        "USER",        "LOGNAME",
                                        "LANG",        "LANGUAGE",
                                        "LC_*",        "TZ",
                                        "SHELL",       "TERM",
                                        "HOSTNAME",    "LD_LIBRARY_PATH",
                                        "CUDA_*",      "NVIDIA_*",
                                        "ROCR_*",      "HIP_*",
                                        "NCCL_*",      "OMP_*",
                                        "MKL_*",       "OPENBLAS_*",
                                        "HF_HOME",     "HF_DATASETS_CACHE",
                                        "HF_HUB_*",    "HF_DATASETS_OFFLINE",
                                        "TORCH_HOME",  "TRITON_CACHE_DIR",
                                        "VIRTUAL_ENV", "CONDA_PREFIX" };
static const struct policy *current;

void policy_set(const struct policy *p)
{
    current = p;
}

const struct policy *policy_get(void)
{
    return current;
}

static char *trimmed(const char *from, const char *end)
{
    while (from < end && isspace((unsigned char)*from))
        from++;
    while (end > from && isspace((unsigned char)end[-1]))
        end--;
    char *copy = mem_calloc((size_t)(end - from) + 1, 1);
    memcpy(copy, from, (size_t)(end - from));
    return copy;
}

static int add_program(struct policy *p, const char *from, const char *end, struct err *err)
{
    char *name CLEANUP(mem_cleanup) = trimmed(from, end);

    if (*name == '\0')
        return 0;
    if (name[0] != '/' && strchr(name, '/') != NULL)
        return err_set(err, ERR_INVALID,
                       "\"%s\": a program is allowed by its absolute path, or by its name alone, "
                       "which is looked up in PATH",
                       name);
    if (p->programs_len == POLICY_PROGRAMS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d programs", POLICY_PROGRAMS_MAX);
    p->program[p->programs_len++] = mem_strdup(name);
    return 0;
}

/* Each part of TEXT up to one of the characters STOP. */
static int add_parts(struct policy *p, const char *text, const char *stop, bool comments,
                     struct err *err)
{
    int rc = 0;

    while (rc == 0) {
        const size_t len = strcspn(text, stop);
        const char *end = text + len;
        const char *hash = comments ? memchr(text, '#', len) : NULL;
        rc = add_program(p, text, hash != NULL ? hash : end, err);
        if (*end == '\0')
            break;
        text = end + 1;
    }
    return rc;
}

/* A list kept in a file, rather than a program. */
static bool is_list_file(const char *text)
{
    struct stat s;
    return text[0] == '/' && strchr(text, ',') == NULL && stat(text, &s) == 0 &&
           S_ISREG(s.st_mode) && (s.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0;
}

int policy_allow(struct policy *p, const char *list, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!is_list_file(list))
        return add_parts(p, list, ",", false, err);
    int rc = buf_read_file(&text, list, POLICY_FILE_MAX, err);
    rc = rc ? rc : add_parts(p, buf_str(&text), "\n", true, err);
    return rc ? err_wrap(err, rc, "%s", list) : 0;
}

int policy_pass(struct policy *p, const char *list, struct err *err)
{
    for (const char *at = list;; at++) {
        const size_t len = strcspn(at, ",");
        char *name CLEANUP(mem_cleanup) = trimmed(at, at + len);
        if (*name == '\0' || strchr(name, '=') != NULL)
            return err_set(err, ERR_INVALID, "\"%s\" is no variable's name", name);
        if (p->variables_len == POLICY_VARIABLES_MAX)
            return err_set(err, ERR_LIMIT, "more than %d variables", POLICY_VARIABLES_MAX);
        p->variable[p->variables_len++] = mem_strdup(name);
        at += len;
        if (*at == '\0')
            return 0;
    }
}

void policy_release(struct policy *p)
{
    for (size_t i = 0; i < p->programs_len; i++)
        free(p->program[i]);
    for (size_t i = 0; i < p->variables_len; i++)
        free(p->variable[i]);
    *p = (struct policy){ 0 };
}

static bool fits(const char *pattern, const char *name)
{
    const size_t len = strlen(pattern);

    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, name, len - 1) == 0;
    return strcmp(pattern, name) == 0;
}

bool policy_passes(const struct policy *p, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        if (fits(harmless[i], name))
            return true;
    for (size_t i = 0; i < p->variables_len; i++)
        if (fits(p->variable[i], name))
            return true;
    return false;
}

/* The file that PROGRAM means, or NULL; a folder is none. */
static char *look_up(const char *program)
{
    const char *path = getenv("PATH");
    struct stat s;

    if (program[0] == '/')
        return stat(program, &s) == 0 && !S_ISDIR(s.st_mode) ? mem_strdup(program) : NULL;
    if (path == NULL)
        path = "/usr/local/bin:/usr/bin:/bin";
    for (const char *at = path; *at != '\0';) {
        const size_t len = strcspn(at, ":");
        struct buf file = { 0 };
        buf_add(&file, at, len);
        buf_printf(&file, "/%s", program);
        /* an empty or relative part would mean the working folder */
        if (at[0] == '/' && stat(buf_str(&file), &s) == 0 && S_ISREG(s.st_mode) &&
            access(buf_str(&file), X_OK) == 0)
            return buf_detach(&file);
        buf_release(&file);
        at += len + (at[len] == ':');
    }
    return NULL;
}

static bool same_file(const char *a, const char *b)
{
    char *x CLEANUP(mem_cleanup) = realpath(a, NULL);
    char *y CLEANUP(mem_cleanup) = realpath(b, NULL);
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static bool allowed(const struct policy *p, const char *program, const char *path)
{
    for (size_t i = 0; i < p->programs_len; i++) {
        if (strcmp(p->program[i], program) == 0)
            return true;
        char *entry CLEANUP(mem_cleanup) = look_up(p->program[i]);
        if (entry != NULL && path != NULL && same_file(entry, path))
            return true;
    }
    return false;
}

int policy_find(const struct policy *p, const char *program, char **ret, struct err *err)
{
    char *path CLEANUP(mem_cleanup) = look_up(program);

    *ret = NULL;
    if (!allowed(p, program, path))
        return err_set(err, ERR_INVALID,
                       "the program \"%s\" is not on this worker's list; whoever starts the worker "
                       "allows it with --allow-program %s",
                       program, program);
    if (path == NULL)
        return err_set(err, ERR_NOT_FOUND,
                       "the program \"%s\" %s on this worker's computer (ENOENT); install it "
                       "there, or correct the step's command",
                       program, program[0] == '/' ? "does not exist" : "is in no folder of PATH");
    if (access(path, X_OK) != 0)
        return err_set(err, ERR_READONLY,
                       "the program \"%s\" may not be executed (%s); give it the permission with "
                       "chmod +x",
                       path, strerrorname_np(errno));
    *ret = path;
    path = NULL;
    return 0;
}
