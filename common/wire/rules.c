/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - the limits of every field, in one table, and a walk over any message that holds them.
 *
 * A field without a row has the defaults: text and bytes up to WIRE_NAME_MAX bytes, lists up to
 * LIST_MAX. All text is UTF-8, all enums are in range, whatever the table says. */
#include "common/wire/rules.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/utf8.h"
#include "common/wire/wire.h"

enum { LIST_MAX = 4096 };

enum form {
    ANY,
    DIGEST, /* 32 bytes */
    DIGEST_OR_EMPTY,
    WORKER_ID, /* 16 bytes */
    ROUTING,   /* at most WIRE_ROUTING_MAX bytes, each 0, 1 or 2 */
    PRESENT,   /* a message that must be there */
};

struct rule {
    const char *field;
    enum form form;
    size_t count_max; /* of a list; 0: LIST_MAX */
    size_t bytes_max; /* of text or bytes; 0: WIRE_NAME_MAX */
};

struct rules {
    const ProtobufCMessageDescriptor *message;
    struct rule rule[12]; /* ended by a row without field */
};

static const struct rules table[] = {
    { &drover__text_list__descriptor, { { "v", ANY, WIRE_LIST_MAX, WIRE_TEXT_MAX } } },
    { &drover__int_list__descriptor, { { "v", ANY, WIRE_LIST_MAX, 0 } } },
    { &drover__real_list__descriptor, { { "v", ANY, WIRE_LIST_MAX, 0 } } },
    { &drover__param__descriptor, { { "s", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__input__descriptor,
      { { "digest", DIGEST_OR_EMPTY, 0, 0 },
        { "path", ANY, 0, WIRE_PATH_MAX },
        { "content", ANY, 0, WIRE_CHUNK_MAX } } },
    { &drover__example__descriptor,
      { { "source_id", ANY, 0, WIRE_TEXT_MAX },
        { "question", ANY, 0, WIRE_TEXT_MAX },
        { "gold", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__search_entry__descriptor,
      { { "routing", ROUTING, 0, 0 }, { "answer", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__label__descriptor,
      { { "routing", ROUTING, 0, 0 },
        { "base_answer", ANY, 0, WIRE_TEXT_MAX },
        { "label_answer", ANY, 0, WIRE_TEXT_MAX },
        { "log", ANY, WIRE_ENTRIES_MAX, 0 } } },
    { &drover__score__descriptor,
      { { "routing", ROUTING, 0, 0 },
        { "answer", ANY, 0, WIRE_TEXT_MAX },
        { "values", ANY, WIRE_VALUES_MAX, 0 } } },
    { &drover__example_result__descriptor, { { "example", PRESENT, 0, 0 } } },
    { &drover__output__descriptor, { { "digest", DIGEST, 0, 0 } } },
    { &drover__checkpoint__descriptor,
      { { "digest", DIGEST, 0, 0 }, { "metrics", ANY, WIRE_METRICS_MAX, 0 } } },
    { &drover__job_result__descriptor,
      { { "text", ANY, 0, WIRE_TEXT_MAX },
        { "environment", ANY, 0, WIRE_TEXT_MAX },
        { "log", ANY, 0, WIRE_LOG_MAX },
        { "outputs", ANY, WIRE_OUTPUTS_MAX, 0 },
        { "metrics", ANY, WIRE_METRICS_MAX, 0 } } },
    { &drover__job_results__descriptor, { { "v", ANY, WIRE_GROUP_MAX, 0 } } },
    { &drover__leases__descriptor, { { "v", ANY, WIRE_GROUP_MAX, 0 } } },
    { &drover__drain__descriptor, { { "why", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__hello__descriptor,
      { { "worker", WORKER_ID, 0, 0 },
        { "classes", ANY, WIRE_CLASSES_MAX, 0 },
        { "labels", ANY, WIRE_LABELS_MAX, 0 },
        { "environment", ANY, 0, WIRE_TEXT_MAX },
        { "held", ANY, WIRE_HELD_MAX, 0 },
        { "blobs", DIGEST, WIRE_BLOBS_MAX, 0 } } },
    { &drover__welcome__descriptor,
      { { "keep", ANY, WIRE_HELD_MAX, 0 }, { "drop", ANY, WIRE_HELD_MAX, 0 } } },
    { &drover__refuse__descriptor, { { "text", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__renew__descriptor,
      { { "held", ANY, WIRE_HELD_MAX, 0 }, { "metrics", ANY, WIRE_METRICS_MAX, 0 } } },
    { &drover__lease__descriptor,
      { { "key", DIGEST, 0, 0 },
        { "params", ANY, WIRE_PARAMS_MAX, 0 },
        { "inputs", ANY, WIRE_INPUTS_MAX, 0 },
        { "finished", ANY, WIRE_FINISHED_MAX, 0 } } },
    { &drover__cancel__descriptor, { { "why", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__family__descriptor,
      { { "key", DIGEST, 0, 0 }, { "evaluation", DIGEST_OR_EMPTY, 0, 0 } } },
    { &drover__plan_job__descriptor,
      { { "key", DIGEST, 0, 0 },
        { "params", ANY, WIRE_PARAMS_MAX, 0 },
        { "inputs", ANY, WIRE_INPUTS_MAX, 0 },
        { "needs", ANY, WIRE_JOBS_MAX, 0 },
        { "labels", ANY, WIRE_LABELS_MAX, 0 },
        { "runs", ANY, WIRE_RUNS_MAX, 0 },
        { "families", ANY, WIRE_FAMILIES_MAX, 0 },
        { "family_examples", ANY, WIRE_FAMILIES_MAX, 0 } } },
    { &drover__run_param__descriptor, { { "value", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__plan_run__descriptor,
      { { "digest", DIGEST, 0, 0 }, { "families", ANY, WIRE_FAMILIES_MAX, 0 } } },
    { &drover__plan__descriptor,
      { { "revision", DIGEST, 0, 0 },
        { "recipe", ANY, 0, WIRE_RECIPE_MAX },
        { "recipe_path", ANY, 0, WIRE_PATH_MAX },
        { "runs", ANY, WIRE_RUNS_MAX, 0 },
        { "families", ANY, WIRE_FAMILIES_MAX, 0 },
        { "jobs", ANY, WIRE_JOBS_MAX, 0 },
        { "files", ANY, WIRE_FILES_MAX, 0 },
        { "gates", ANY, WIRE_GATES_MAX, 0 },
        { "candidates", ANY, WIRE_GATES_MAX, 0 } } },
    { &drover__candidate__descriptor, { { "candidate", DIGEST, 0, 0 } } },
    { &drover__control__descriptor, { { "path", ANY, 0, WIRE_PATH_MAX } } },
    { &drover__controlled__descriptor, { { "text", ANY, 0, WIRE_TEXT_MAX } } },
    { &drover__ask__descriptor, { { "arguments", ANY, 0, WIRE_RECIPE_MAX } } },
    { &drover__answer__descriptor, { { "text", ANY, 0, WIRE_BYTES_MAX } } },
    { &drover__submit__descriptor, { { "plan", PRESENT, 0, 0 } } },
    { &drover__experiment_status__descriptor,
      { { "failures", ANY, 0, 2 * WIRE_TEXT_MAX }, { "running", ANY, 64, 0 } } },
    { &drover__status__descriptor, { { "workers", ANY, 20000, 0 }, { "running", ANY, 8192, 0 } } },
    { &drover__blob_get__descriptor, { { "digest", DIGEST, 0, 0 } } },
    { &drover__blob_chunk__descriptor,
      { { "digest", DIGEST, 0, 0 },
        { "data", ANY, 0, WIRE_CHUNK_MAX },
        { "path", ANY, 0, WIRE_PATH_MAX } } },
    { &drover__blob_put__descriptor,
      { { "digest", DIGEST, 0, 0 }, { "data", ANY, 0, WIRE_CHUNK_MAX } } },
    { &drover__blob_state__descriptor, { { "digest", DIGEST, 0, 0 } } },
    { &drover__ack__descriptor, { { "seq", ANY, WIRE_FINISHED_MAX, 0 } } },
};

static const struct rule no_rule = { .form = ANY };

static const struct rule *rules_of(const ProtobufCMessageDescriptor *message)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].message == message)
            return table[i].rule;
    return &no_rule;
}

static const struct rule *rule_of(const struct rule *rules, const char *field)
{
    for (; rules->field; rules++)
        if (strcmp(rules->field, field) == 0)
            return rules;
    return &no_rule;
}

/* A field that is looked at. */
struct shape;
struct item {
    const ProtobufCFieldDescriptor *field;
    const struct rule *rule;
    const struct shape *sub; /* of a message */
};

/* What is looked at in a message: worked out once, since messages come by ten thousands a second.
 */
struct shape {
    const ProtobufCMessageDescriptor *message;
    const struct item *item;
    unsigned len;
};

static int check_message(const ProtobufCMessage *m, const struct shape *shape, struct err *err);

static int field_error(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const char *what, size_t is, size_t limit, struct err *err)
{
    return err_set(err, ERR_PROTO, "%s.%s: %s %zu, allowed are %zu", m->descriptor->short_name,
                   f->name, what, is, limit);
}

static int check_bytes(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const struct rule *rule, ProtobufCBinaryData b, struct err *err)
{
    size_t limit = rule->bytes_max ? rule->bytes_max : WIRE_NAME_MAX;

    switch (rule->form) {
    case DIGEST_OR_EMPTY:
        if (b.len == 0)
            return 0;
        /* fall through */
    case DIGEST:
        return b.len == DIGEST_BYTES ? 0 : field_error(m, f, "bytes", b.len, DIGEST_BYTES, err);
    case WORKER_ID:
        return b.len == WIRE_WORKER_BYTES
                   ? 0
                   : field_error(m, f, "bytes", b.len, WIRE_WORKER_BYTES, err);
    case ROUTING:
        limit = WIRE_ROUTING_MAX;
        for (size_t i = 0; i < b.len; i++)
            if (b.data[i] > 2)
                return field_error(m, f, "a layer's value is", b.data[i], 2, err);
        break;
    case ANY:
    case PRESENT:
        break;
    }
    return b.len <= limit ? 0 : field_error(m, f, "bytes", b.len, limit, err);
}

static int check_text(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                      const struct rule *rule, const char *s, struct err *err)
{
    size_t limit = rule->bytes_max ? rule->bytes_max : WIRE_NAME_MAX;

    if (!*s)
        return 0;
    if (strlen(s) > limit)
        return field_error(m, f, "bytes", strlen(s), limit, err);
    if (!utf8_valid(s))
        return err_set(err, ERR_PROTO, "%s.%s: not UTF-8", m->descriptor->short_name, f->name);
    return 0;
}

/* One value of the field of ITEM at P. */
static int check_value(const ProtobufCMessage *m, const struct item *item, const void *p,
                       struct err *err)
{
    const ProtobufCFieldDescriptor *f = item->field;
    const struct rule *rule = item->rule;
    const ProtobufCMessage *sub;
    const char *s;
    int number;

    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        memcpy(&sub, p, sizeof(sub));
        if (sub && sub->descriptor != f->descriptor) /* a parser's mistake would be a way in */
            return err_set(err, ERR_PROTO, "%s.%s: of another type", m->descriptor->short_name,
                           f->name);
        if (sub)
            return check_message(sub, item->sub, err);
        return rule->form != PRESENT ? 0
                                     : err_set(err, ERR_PROTO, "%s.%s is missing",
                                               m->descriptor->short_name, f->name);
    }
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(&s, p, sizeof(s));
        return s ? check_text(m, f, rule, s, err) : 0;
    }
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return check_bytes(m, f, rule, *(const ProtobufCBinaryData *)p, err);
    if (f->type == PROTOBUF_C_TYPE_ENUM) {
        memcpy(&number, p, sizeof(number));
        if (!protobuf_c_enum_descriptor_get_value(f->descriptor, number))
            return err_set(err, ERR_PROTO, "%s.%s: %d is no value of it", m->descriptor->short_name,
                           f->name, number);
    }
    return 0;
}

/* Bytes of one element of a list; 0 when elements need no look. */
static size_t element_size(const ProtobufCFieldDescriptor *f)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING)
        return sizeof(void *);
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return sizeof(ProtobufCBinaryData);
    return f->type == PROTOBUF_C_TYPE_ENUM ? sizeof(int) : 0;
}

static int check_field(const ProtobufCMessage *m, const struct item *item, struct err *err)
{
    const ProtobufCFieldDescriptor *f = item->field;
    const struct rule *rule = item->rule;
    const char *base = (const char *)m;
    size_t limit = rule->count_max ? rule->count_max : LIST_MAX, size = element_size(f), n;
    const char *list;
    uint32_t which;
    int rc = 0;

    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&n, base + f->quantifier_offset, sizeof(n));
        memcpy(&list, base + f->offset, sizeof(list));
        if (n > limit)
            return field_error(m, f, "entries", n, limit, err);
        for (size_t i = 0; size && i < n && rc == 0; i++)
            rc = check_value(m, item, list + i * size, err);
        return rc;
    }
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memcpy(&which, base + f->quantifier_offset, sizeof(which));
        if (which != f->id)
            return 0;
    }
    return check_value(m, item, base + f->offset, err);
}

/* What spans fields. */
static int check_whole(const ProtobufCMessage *m, struct err *err)
{
    if (m->descriptor == &drover__example_result__descriptor) {
        const Drover__ExampleResult *r = (const Drover__ExampleResult *)m;

        if (!r->label == !r->score)
            return err_set(err, ERR_PROTO, "ExampleResult: exactly one of label and score");
    }
    if (m->descriptor == &drover__score__descriptor) {
        const Drover__Score *s = (const Drover__Score *)m;

        if (s->pick < -1 || s->pick >= WIRE_CLASSES_OF_SCORE || s->gold < -1 ||
            s->gold >= WIRE_CLASSES_OF_SCORE)
            return err_set(err, ERR_PROTO, "Score.%s: class %d, allowed are -1 to %d",
                           s->pick < -1 || s->pick >= WIRE_CLASSES_OF_SCORE ? "pick" : "gold",
                           s->pick < -1 || s->pick >= WIRE_CLASSES_OF_SCORE ? s->pick : s->gold,
                           WIRE_CLASSES_OF_SCORE - 1);
    }
    if (m->descriptor == &drover__value__descriptor && !*((const Drover__Value *)m)->name)
        return err_set(err, ERR_PROTO, "Value.name: is empty");
    return 0;
}

/* --- shapes --- */

enum { SHAPES_MAX = 96, ITEMS_MAX = 512 };

static struct shape shapes[SHAPES_MAX];
static struct item items[ITEMS_MAX];
static unsigned shapes_len, items_len;
static pthread_once_t shapes_once = PTHREAD_ONCE_INIT;

static bool looked_at(const ProtobufCFieldDescriptor *f)
{
    return f->label == PROTOBUF_C_LABEL_REPEATED || element_size(f) > 0;
}

/* The shape of MESSAGE and of everything that can be in it (a message never holds its own kind). */
static const struct shape *add_shape(const ProtobufCMessageDescriptor *message)
{
    struct shape *s = shapes;
    struct item *item;

    for (; s < shapes + shapes_len; s++)
        if (s->message == message)
            return s;
    assert(shapes_len < SHAPES_MAX);
    shapes_len++;
    *s = (struct shape){ .message = message, .item = &items[items_len] };
    for (unsigned i = 0; i < message->n_fields; i++)
        s->len += looked_at(&message->fields[i]);
    items_len += s->len;
    assert(items_len <= ITEMS_MAX);
    item = items + (s->item - items);
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &message->fields[i];

        if (!looked_at(f))
            continue;
        *item++ = (struct item){
            .field = f,
            .rule = rule_of(rules_of(message), f->name),
            .sub = f->type == PROTOBUF_C_TYPE_MESSAGE ? add_shape(f->descriptor) : NULL,
        };
    }
    return s;
}

static void make_shapes(void)
{
    (void)add_shape(&drover__envelope__descriptor);
}

static int check_message(const ProtobufCMessage *m, const struct shape *shape, struct err *err)
{
    for (unsigned i = 0; i < shape->len; i++) {
        int rc = check_field(m, &shape->item[i], err);

        if (rc < 0)
            return rc;
    }
    return check_whole(m, err);
}

int rules_check(const ProtobufCMessage *m, struct err *err)
{
    (void)pthread_once(&shapes_once, make_shapes);
    for (const struct shape *s = shapes; s < shapes + shapes_len; s++)
        if (s->message == m->descriptor)
            return check_message(m, s, err);
    assert(false); /* nothing that an envelope can hold */
    return ERR_INVALID;
}
