/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - filling the error record. Nothing here allocates: it must work when nothing else does. */
#include "common/base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct err *err, enum err_code code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void put(struct err *err, enum err_code code, const char *format, va_list args)
{
    if (!err)
        return;
    err->code = code;
    if (vsnprintf(err->text, sizeof(err->text), format, args) < 0)
        err->text[0] = '\0';
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    assert(code != ERR_OK);
    va_start(args, format);
    put(err, code, format, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *err, int code, const char *format, ...)
{
    char context[sizeof(err->text)];
    size_t room = sizeof(err->text) - 1, context_len, text_len;
    va_list args;

    assert(code < 0);
    if (!err)
        return code;
    va_start(args, format);
    if (vsnprintf(context, sizeof(context) - 2, format, args) < 0)
        context[0] = '\0';
    va_end(args);
    memcpy(context + strlen(context), ": ", 3);
    context_len = strlen(context);
    text_len = MIN(strlen(err->text), room - context_len);
    memmove(err->text + context_len, err->text, text_len);
    memcpy(err->text, context, context_len);
    err->text[context_len + text_len] = '\0';
    err->code = (enum err_code)code;
    return code;
}

static enum err_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EROFS:
    case EACCES:
    case EPERM:
        return ERR_READONLY;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

int err_errno(struct err *err, int errnum, const char *format, ...)
{
    enum err_code code = code_of_errno(errnum);
    char reason[96] = "";
    va_list args;
    size_t len;

    if (!err)
        return code;
    va_start(args, format);
    put(err, code, format, args);
    va_end(args);
    len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s",
                   strerror_r(errnum, reason, sizeof(reason)));
    return code;
}

const char *err_name(int code)
{
    switch (code) {
#define X(NAME, VALUE, TEXT)                                                                       \
    case VALUE:                                                                                    \
        return TEXT;
        ERR_CODES(X)
#undef X
    default:
        return "unknown error";
    }
}
