/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: .safetensors files, one or several, are read as the format says, at any alignment, and no
 * damaged one does harm. Method: headers edited and written by hand; every truncation and every
 * flipped header bit of a tiny model (under sanitizers this is the crash test). */
#include "tests/unit/worker_checkpoint/files.h"

#include <math.h>

#include "worker/checkpoint/safetensors.h"

static struct model_weights weights;

static int make_all(void **state)
{
    random_weights(&weights, &tiny);
    return make_scratch(state);
}

static int remove_all(void **state)
{
    model_weights_release(&weights);
    return remove_scratch(state);
}

/* A folder with the model TINY. */
static const char *fresh(const char *name)
{
    saved(at(name), &tiny, &weights);
    return at(name);
}

static void put_header(struct buf *out, const char *header)
{
    size_t n = strlen(header);

    buf_clear(out);
    for (int i = 0; i < 8; i++)
        buf_addc(out, (char)(n >> 8 * i & 255));
    buf_adds(out, header);
}

/* Opens HEADER followed by DATA_BYTES of zeros. */
static int open_header(struct safetensors *s, const char *header, size_t data_bytes,
                       struct err *err)
{
    struct buf file = { 0 };
    int rc;

    put_header(&file, header);
    while (data_bytes--)
        buf_addc(&file, 0);
    put(at("x.safetensors"), file.data, file.len);
    buf_release(&file);
    rc = safetensors_open(s, at("x.safetensors"), err);
    return rc;
}

static void headers_that_the_format_allows_are_read(void **state)
{
    static const struct {
        const char *header;
        size_t bytes, tensors;
    } cases[] = {
        { "{}", 0, 0 },
        { "{}      \n", 0, 0 },
        { "{\"__metadata__\":{}}", 0, 0 },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1 },
        { "{\"a\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[0,0]}}", 0, 1 },
        { "{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, 1 },
        { "{\"a\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, 1 },
        { "{\"a\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, 1 },
        { "{\"b\":{\"dtype\":\"BOOL\",\"shape\":[1,1,1,3],\"data_offsets\":[1,4]},"
          "\"a\":{\"data_offsets\":[0,1],\"shape\":[1],\"dtype\":\"U8\"}}",
          4, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct safetensors s;
        struct err err = { 0 };

        if (open_header(&s, cases[i].header, cases[i].bytes, &err))
            fail_msg("%s: %s", cases[i].header, err.text);
        assert_int_equal(s.len, cases[i].tensors);
        assert_int_equal(safetensors_find(&s, "a") != NULL, cases[i].tensors > 0);
        assert_null(safetensors_find(&s, "aa"));
        safetensors_close(&s);
    }
}

#define ENTRY(NAME, SHAPE, BEGIN, END)                                                             \
    "\"" NAME "\":{\"dtype\":\"U8\",\"shape\":[" SHAPE "],\"data_offsets\":[" BEGIN "," END "]}"

static void headers_that_the_format_forbids_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t bytes;
        const char *text;
    } cases[] = {
        { "", 0, "does not start with '{'" },
        { " {}", 0, "does not start with '{'" },
        { "[]", 0, "does not start with '{'" },
        { "{} x", 0, "header at offset 8" },
        { "{", 0, "header at offset 8" },
        { "{}", 1, "1 bytes more than its header describes (from offset 10)" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a is no text" },
        { "{\"__metadata__\":7}", 0, "unknown dtype" },
        { "{\"a\":7}", 0, "unknown dtype" },
        { "{" ENTRY("a", "3", "0", "3") "," ENTRY("a", "3", "3", "6") "}", 6, "duplicate" },
        { "{" ENTRY("a", "3", "0", "3") "," ENTRY("b", "3", "2", "5") "}", 5, "hole or overlap" },
        { "{" ENTRY("a", "3", "0", "3") "," ENTRY("b", "3", "0", "3") "}", 3, "hole or overlap" },
        { "{" ENTRY("a", "3", "0", "3") "," ENTRY("b", "3", "4", "7") "}", 7, "hole or overlap" },
        { "{" ENTRY("a", "3", "1", "4") "}", 4, "hole or overlap" },
        { "{" ENTRY("a", "3", "0", "3") "}", 2, "truncated" },
        { "{" ENTRY("a", "3", "3", "0") "}", 3, "two growing numbers" },
        { "{" ENTRY("a", "3", "-3", "0") "}", 3, "two growing numbers" },
        { "{" ENTRY("a", "3", "0", "3.0") "}", 3, "two growing numbers" },
        { "{" ENTRY("a", "3", "0,1", "3") "}", 3, "two growing numbers" },
        { "{" ENTRY("a", "true", "0", "1") "}", 1, "bad dimension" },
        { "{" ENTRY("a", "1,1,1,1,1,1,1,1,1", "0", "1") "}", 1, "at most 8" },
        { "{" ENTRY("a", "4294967296,4294967296", "0", "0") "}", 0, "bad dimension" },
        { "{" ENTRY("a", "9223372036854775807,2", "0", "1") "}", 1, "need" },
        { "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "need 2 bytes" },
        { "{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
          "need" },
        { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "unknown dtype" },
        { "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape must be a list" },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct safetensors s;
        struct err err = { 0 };

        expect_error(open_header(&s, cases[i].header, cases[i].bytes, &err), &err, ERR_CORRUPT,
                     cases[i].text, cases[i].header);
        assert_non_null(strstr(err.text, "x.safetensors"));
        assert_null(s.map.data); /* nothing is left to close */
    }
}

static void header_lengths_beyond_the_file_or_the_format_are_refused(void **state)
{
    static const uint64_t lengths[] = {
        3, 0x100, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX
    };
    struct safetensors s;
    struct err err = { 0 };
    FILE *f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        uint8_t file[10];

        memcpy(file, &lengths[i], 8);
        memcpy(file + 8, "{}", 2);
        put(at("long"), file, sizeof(file));
        expect_error(safetensors_open(&s, at("long"), &err), &err, ERR_CORRUPT, "truncated",
                     "long");
    }
    for (size_t len = 0; len < 8; len++) {
        put(at("short"), "\2\0\0\0\0\0\0", len);
        expect_error(safetensors_open(&s, at("short"), &err), &err, ERR_CORRUPT, "no safetensors",
                     "short");
    }
    f = fopen(at("sparse"), "wb"); /* a hole: takes no room */
    assert_non_null(f);
    assert_int_equal(fwrite(&(uint64_t){ 100000001 }, 8, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(at("sparse"), 8 + 100000001), 0);
    expect_error(safetensors_open(&s, at("sparse"), &err), &err, ERR_LIMIT, "100000000", "limit");
}

static void damaged_headers_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *old, *new; /* of the same length, so that the header's length stays true */
        int code;
        const char *text;
    } cases[] = {
        { "\"dtype\":\"F32\"", "\"dtype\":\"F31\"", ERR_CORRUPT, "unknown dtype" },
        { "\"dtype\":\"F32\"", "\"dtipe\":\"F32\"", ERR_CORRUPT, "unknown dtype" },
        { "\"dtype\":\"F32\"", "\"dtype\":\"I32\"", ERR_INVALID,
          "has type I32; this version reads F32, F16 and BF16" },
        { "\"shape\":[16,8]", "\"shape\":[16,9]", ERR_CORRUPT,
          "need 576 bytes, data_offsets give 512" },
        { "\"shape\":[16,8]", "\"shape\":[8,16]", ERR_INVALID,
          "has shape [8, 16], but config.json asks for [16, 8]" },
        { "\"shape\":[16,8]", "\"shape\":[ 128]", ERR_INVALID, "has shape [128], but" },
        { "\"shape\":[8]", "\"shape\":8  ", ERR_CORRUPT, "shape must be a list" },
        { "\"shape\":[16,8]", "\"shape\":\"16,8", ERR_CORRUPT, "line 1" },
        { "\"data_offsets\":[512,", "\"data_offsets\":[516,", ERR_CORRUPT, "data_offsets" },
        { "\"data_offsets\":[0,512]", "\"data_offsets\":[9,521]", ERR_CORRUPT, "hole or overlap" },
        { "model.norm.weight", "model.morn.weight", ERR_INVALID, "model.norm.weight is missing" },
        { "lm_head.weight", "lm_haed.weight", ERR_INVALID, "lm_head.weight is missing" },
    };
    struct buf pristine = { 0 };

    (void)state;
    fresh("damaged");
    get(at("damaged/model.safetensors"), &pristine);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(at("damaged/model.safetensors"), pristine.data, pristine.len);
        edit(at("damaged/model.safetensors"), cases[i].old, cases[i].new);
        refused(at("damaged"), cases[i].code, cases[i].text, cases[i].new);
    }
    buf_release(&pristine);
}

/* Give the file at PATH another header entry in front, and ENTRY's bytes at the end of the data. */
static void add_tensor(const char *path, const char *name, size_t floats)
{
    struct buf file = { 0 }, header = { 0 };
    size_t n, data;

    get(path, &file);
    n = (unsigned char)file.data[0] + 256 * (size_t)(unsigned char)file.data[1];
    data = file.len - 8 - n;
    buf_printf(&header, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]},",
               name, floats, data, data + 4 * floats);
    buf_add(&header, file.data + 9, n - 1);
    put_header(&file, buf_str(&header));
    get(path, &header);
    buf_add(&file, header.data + 8 + n, data);
    while (floats--)
        buf_add(&file, "\0\0\0\0", 4);
    put(path, file.data, file.len);
    buf_release(&file);
    buf_release(&header);
}

static void only_tensors_that_say_nothing_new_may_be_there_besides(void **state)
{
    static const struct {
        const char *name;
        bool tied, fine;
    } cases[] = {
        { "model.layers.0.self_attn.rotary_emb.inv_freq", false, true },
        { "model.rotary_emb.inv_freq", false, true },
        { "lm_head.weight", true, true },
        { "model.layers.0.self_attn.q_proj.bias", false, false },
        { "model.layers.2.mlp.up_proj.weight", false, false },
        { "rotary_emb.inv_freq", false, false },
        { "", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct model_conf c = tiny;
        struct model_weights w;

        c.tied = cases[i].tied;
        random_weights(&w, &c);
        saved(at("others"), &c, &w);
        add_tensor(at("others/model.safetensors"), cases[i].name, 3);
        if (cases[i].fine)
            checkpoint_close(opened(at("others")));
        else
            refused(at("others"), ERR_INVALID, "has no place in a LlamaForCausalLM of 2 layers",
                    cases[i].name);
        model_weights_release(&w);
    }
}

static void data_may_begin_anywhere(void **state)
{
    struct buf file = { 0 }, header = { 0 };

    (void)state;
    for (size_t shift = 0; shift < 9; shift++) {
        struct checkpoint *c;
        struct model_weights w;
        size_t n;

        fresh("shifted");
        get(at("shifted/model.safetensors"), &file);
        n = (unsigned char)file.data[0] + 256 * (size_t)(unsigned char)file.data[1];
        buf_clear(&header);
        buf_add(&header, file.data + 8, n);
        for (size_t i = 0; i < shift; i++)
            buf_addc(&header, ' ');
        put_header(&file, buf_str(&header));
        get(at("shifted/model.safetensors"), &header);
        buf_add(&file, header.data + 8 + n, header.len - 8 - n);
        put(at("shifted/model.safetensors"), file.data, file.len);
        c = opened(at("shifted"));
        assert_int_equal((uintptr_t)c->embed[0].data % 8, shift % 8);
        w = widened(c);
        assert_memory_equal(w.all, weights.all, w.floats_len * sizeof(float));
        model_weights_release(&w);
        checkpoint_close(c);
    }
    buf_release(&file);
    buf_release(&header);
}

static double half_value(unsigned v)
{
    int exponent = v >> 10 & 31;
    double fraction = v & 1023, sign = v & 0x8000 ? -1.0 : 1.0;

    if (exponent == 31)
        return fraction > 0.0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void narrow_types_are_widened_exactly(void **state)
{
    float *x = mem_aligned(65536, sizeof(float));
    struct buf file = { 0 };

    (void)state;
    for (int half = 0; half < 2; half++) {
        struct safetensors s;
        struct tensor_view view;

        put_header(&file, half ? "{\"x\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,"
                                 "131072]}}"
                               : "{\"x\":{\"dtype\":\"BF16\",\"shape\":[65536],\"data_offsets\":["
                                 "0,131072]}}");
        for (unsigned v = 0; v < 65536; v++) {
            buf_addc(&file, (char)(v & 255));
            buf_addc(&file, (char)(v >> 8));
        }
        put(at("narrow"), file.data, file.len);
        assert_int_equal(safetensors_open(&s, at("narrow"), NULL), 0);
        assert_int_equal(
            safetensors_view(&s, safetensors_find(&s, "x"), 1, 65536, true, &view, NULL), 0);
        assert_int_equal(view.type, half ? WEIGHT_F16 : WEIGHT_BF16);
        weight_widen(x, view.data, view.type, view.cols);
        for (unsigned v = 0; v < 65536; v++) {
            uint32_t bits;

            memcpy(&bits, &x[v], sizeof(bits));
            if (!half)
                assert_int_equal(bits, v << 16);
            else if (isnan(half_value(v)))
                assert_true(isnan(x[v]));
            else
                assert_true((double)x[v] == half_value(v) && !signbit(x[v]) == !(v >> 15));
        }
        safetensors_close(&s);
    }
    buf_release(&file);
    free(x);
}

static void every_truncation_and_every_excess_is_refused(void **state)
{
    struct buf file = { 0 };

    (void)state;
    fresh("cut");
    get(at("cut/model.safetensors"), &file);
    for (size_t len = 0; len < file.len; len++) {
        if (len % 8 && len > 4000)
            continue;
        put(at("cut/model.safetensors"), file.data, len);
        refused(at("cut"), ERR_CORRUPT, "model.safetensors", "truncated");
    }
    buf_addc(&file, 'x');
    put(at("cut/model.safetensors"), file.data, file.len);
    refused(at("cut"), ERR_CORRUPT, "1 bytes more", "too long");
    buf_release(&file);
}

static void flipped_bits_of_the_header_never_crash(void **state)
{
    struct buf file = { 0 };
    size_t opened_all_the_same = 0, header;

    (void)state;
    fresh("flip");
    get(at("flip/model.safetensors"), &file);
    header = 8 + (unsigned char)file.data[0] + 256 * (size_t)(unsigned char)file.data[1];
    for (size_t bit = 0; bit < 8 * header; bit++) {
        struct err err = { 0 };
        struct checkpoint *c;

        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        put(at("flip/model.safetensors"), file.data, file.len);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        if (!checkpoint_open(&c, at("flip"), &err)) {
            opened_all_the_same++; /* a flip inside "pt" or "format", a space for a space */
            checkpoint_close(c);
            continue;
        }
        assert_non_null(strstr(err.text, "flip"));
    }
    assert_true(opened_all_the_same < header / 4);
    buf_release(&file);
}

/* What the engine never writes: two files and an index; tensors alternate between them. */
struct halves {
    struct buf header[2], data[2], index;
    size_t n;
};

static int deal(const struct model_tensor *t, void *arg)
{
    struct halves *h = arg;
    size_t i = h->n++ % 2, bytes = t->rows * t->cols * 4;
    struct buf *header = &h->header[i];

    buf_printf(header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", header->len ? "," : "{", t->name);
    if (!t->vector)
        buf_printf(header, "%zu,", t->rows);
    buf_printf(header, "%zu],\"data_offsets\":[%zu,%zu]}", t->cols, h->data[i].len,
               h->data[i].len + bytes);
    buf_add(&h->data[i], weights.all + t->offset, bytes);
    buf_printf(&h->index, "%s\"%s\":\"part-%zu.safetensors\"", h->index.len ? "," : "", t->name, i);
    return 0;
}

static void write_halves(const char *name)
{
    struct halves h = { 0 };
    struct buf file = { 0 };
    char path[64];

    fresh(name);
    assert_int_equal(model_each_tensor(&tiny, deal, &h), 0);
    for (size_t i = 0; i < 2; i++) {
        buf_adds(&h.header[i], "}");
        put_header(&file, buf_str(&h.header[i]));
        buf_add(&file, h.data[i].data, h.data[i].len);
        snprintf(path, sizeof(path), "%s/part-%zu.safetensors", name, i);
        put(at(path), file.data, file.len);
        buf_release(&h.header[i]);
        buf_release(&h.data[i]);
    }
    snprintf(path, sizeof(path), "%s/model.safetensors", name);
    assert_int_equal(remove(at(path)), 0);
    buf_clear(&file);
    buf_printf(&file, "{\"metadata\":{\"total_size\":1},\"weight_map\":{%s}}", buf_str(&h.index));
    snprintf(path, sizeof(path), "%s/model.safetensors.index.json", name);
    put(at(path), file.data, file.len);
    buf_release(&file);
    buf_release(&h.index);
}

static void sharded_model_opens_and_what_is_wrong_with_its_index_is_named(void **state)
{
    static const char norm[] = "\"model.norm.weight\":\"part-";
    static const struct {
        const char *old, *new;
        int code;
        const char *text;
    } cases[] = {
        { "weight_map", "weight_mop", ERR_CORRUPT, "weight_map is missing" },
        { "{\"metadata\"", "[\"metadata\"", ERR_INVALID, "index.json" },
        { ":\"part-0", ":\"../part-0", ERR_CORRUPT, "must name a file of the folder" },
        { ":\"part-0", ":\"..", ERR_CORRUPT, "must name a file of the folder" },
        { ":\"part-0.safetensors\"", ":0", ERR_CORRUPT, "must name a file of the folder" },
        { ":\"part-0", ":\"part-7", ERR_NOT_FOUND, "part-7.safetensors" },
        { "\"lm_head.weight\":", "\"lm_head.wait\":", ERR_INVALID, "lm_head.weight is missing" },
    };
    struct buf index = { 0 };
    struct checkpoint *c;
    struct model_weights w;
    char *digit;

    (void)state;
    write_halves("shards");
    c = opened(at("shards"));
    w = widened(c);
    assert_memory_equal(w.all, weights.all, w.floats_len * sizeof(float));
    assert_int_equal(c->mappings_len, 2);
    model_weights_release(&w);
    checkpoint_close(c);
    get(at("shards/model.safetensors.index.json"), &index);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(at("shards/model.safetensors.index.json"), index.data, index.len);
        edit(at("shards/model.safetensors.index.json"), cases[i].old, cases[i].new);
        refused(at("shards"), cases[i].code, cases[i].text, cases[i].new);
    }
    digit = strstr(index.data, norm) + strlen(norm); /* the other file */
    *digit = (char)('0' + '1' - *digit);
    put(at("shards/model.safetensors.index.json"), index.data, index.len);
    refused(at("shards"), ERR_INVALID, ".safetensors: tensor model.norm.weight is missing",
            "moved");
    buf_release(&index);
    write_halves("twice");
    add_tensor(at("twice/part-1.safetensors"), "model.embed_tokens.weight", 1);
    refused(at("twice"), ERR_INVALID, "is in part-1.safetensors and in part-0.safetensors",
            "twice");
    assert_int_equal(remove(at("twice/part-1.safetensors")), 0);
    refused(at("twice"), ERR_NOT_FOUND, "part-1.safetensors", "missing shard");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_the_format_allows_are_read),
        cmocka_unit_test(headers_that_the_format_forbids_are_refused),
        cmocka_unit_test(header_lengths_beyond_the_file_or_the_format_are_refused),
        cmocka_unit_test(damaged_headers_are_refused_with_the_reason),
        cmocka_unit_test(only_tensors_that_say_nothing_new_may_be_there_besides),
        cmocka_unit_test(data_may_begin_anywhere),
        cmocka_unit_test(narrow_types_are_widened_exactly),
        cmocka_unit_test(every_truncation_and_every_excess_is_refused),
        cmocka_unit_test(flipped_bits_of_the_header_never_crash),
        cmocka_unit_test(sharded_model_opens_and_what_is_wrong_with_its_index_is_named),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}
