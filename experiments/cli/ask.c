/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/ask.h"

#include <string.h>

#include "common/base/mem.h"
#include "experiments/cli/client.h"
#include "store/reports/reports.h"
#include "store/store.h"

/* A coordinator takes at most 10 s for an answer, and may have others before ours. */
enum { ANSWER_MS = 30000, LOCAL_MS = 600000 };

static int ask_remote(const char *endpoint, const char *what, char *arguments, struct json **ret,
                      struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__Ask ask = DROVER__ASK__INIT;

    ask.what = (char *)what; /* protobuf-c has no const; encoding only reads */
    ask.arguments = arguments;
    int rc = client_call(endpoint, DROVER__ENVELOPE__BODY_ASK, &ask, DROVER__ENVELOPE__BODY_ANSWER,
                         ANSWER_MS, &answer, err);
    if (rc)
        return rc;
    rc = json_parse(answer->answer->text, strlen(answer->answer->text), ret, err);
    return rc ? err_wrap(err, rc, "%s: the answer is no JSON", endpoint) : 0;
}

static int ask_file(const char *path, const char *what, const char *arguments, struct json **ret,
                    struct err *err)
{
    static const struct report_limits limits = { .time_ms = LOCAL_MS };
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = store_open_read(&s, path, err);

    if (!rc)
        rc = report_make(s, what, arguments, &limits, &text, err);
    return rc ? rc : json_parse(buf_str(&text), text.len, ret, err);
}

int ask_report(const struct options *o, const char *what, const struct json *arguments,
               struct json **ret, struct err *err)
{
    char *text CLEANUP(mem_cleanup) = arguments ? json_dump(arguments, 0) : mem_strdup("{}");

    *ret = NULL;
    if (o->coordinator)
        return ask_remote(o->coordinator, what, text, ret, err);
    return ask_file(options_store(o), what, text, ret, err);
}
