/* SPDX-License-Identifier: Apache-2.0 */
/* What a program left behind, checked and made blobs. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/jobs/exec_setup.h"

static const char *form(const struct stat *s)
{
    return S_ISREG(s->st_mode)   ? "a file"
           : S_ISDIR(s->st_mode) ? "a folder"
           : S_ISLNK(s->st_mode) ? "a symbolic link"
                                 : "neither a file nor a folder";
}

static int check_form(const struct command_output *o, const char *path, struct err *err)
{
    struct stat s;

    if (lstat(path, &s) != 0)
        return err_set(err, ERR_INVALID,
                       "the program ended well but did not leave its output \"%s\"; it belongs at "
                       "the path in $DROVER_OUTPUT_* or {output.%s}",
                       o->name, o->name);
    if (o->folder ? S_ISDIR(s.st_mode) : S_ISREG(s.st_mode))
        return 0;
    return err_set(err, ERR_INVALID, "the output \"%s\" is %s; the step declares \"%s%s\", %s",
                   o->name, form(&s), o->name, o->folder ? "/" : "",
                   o->folder ? "a folder" : "a file");
}

/* A folder becomes a flat list of its files: what would be lost is refused. */
static int check_flat(const struct command_output *o, const char *path, struct err *err)
{
    DIR *dir = opendir(path);
    size_t files = 0;
    int rc = 0;

    if (dir == NULL)
        return err_errno(err, errno, "output %s", o->name);
    for (const struct dirent *d = readdir(dir); rc == 0 && d != NULL; d = readdir(dir)) {
        struct buf file CLEANUP(buf_release) = { 0 };
        struct stat s;
        if (d->d_name[0] == '.')
            continue;
        files++;
        buf_printf(&file, "%s/%s", path, d->d_name);
        if (stat(buf_str(&file), &s) != 0 || !S_ISREG(s.st_mode))
            rc = err_set(err, ERR_INVALID,
                         "the output \"%s/\" holds \"%.100s\", which is no file; a folder's files "
                         "lie in it directly: pack folders with tar, or declare them one by one",
                         o->name, d->d_name);
    }
    (void)closedir(dir);
    if (rc == 0 && files == 0)
        rc = err_set(err, ERR_INVALID, "the output \"%s/\" is an empty folder", o->name);
    return rc;
}

int exec_outputs(const struct exec_setup *s, struct job *j, struct err *err)
{
    const struct job_services *v = j->services;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->outputs_len; i++) { /* all, before any is sent */
        struct buf path CLEANUP(buf_release) = { 0 };
        buf_printf(&path, "%s/%s", s->out, s->output[i].name);
        rc = check_form(&s->output[i], buf_str(&path), err);
        if (rc == 0 && s->output[i].folder)
            rc = check_flat(&s->output[i], buf_str(&path), err);
    }
    for (size_t i = 0; rc == 0 && i < s->outputs_len; i++) {
        struct buf path CLEANUP(buf_release) = { 0 };
        const struct command_output *o = &s->output[i];
        buf_printf(&path, "%s/%s", s->out, o->name);
        rc = o->folder ? v->put_folder(v->arg, o->name, buf_str(&path), &j->output[i], err)
                       : v->put_file(v->arg, o->name, buf_str(&path), &j->output[i], err);
        if (rc == 0)
            j->outputs_len = i + 1;
    }
    return rc;
}
