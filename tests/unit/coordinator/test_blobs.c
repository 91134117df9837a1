/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blobs come and go in chunks, and only whole and checked ones are ever seen.
 * Method: the real coordinator in a child process; the test talks to its blob socket. */
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

struct world {
    struct coordinator c;
    struct peer main, blobs;
};

static int set_up(void **state)
{
    static struct world w;
    Drover__Welcome *m;

    w = (struct world){ .c.pid = 0 };
    coordinator_init(&w.c);
    coordinator_start(&w.c);
    peer_open(&w.main, w.c.endpoint);
    peer_hello(&w.main, 1, NULL);
    m = peer_take(&w.main, DROVER__ENVELOPE__BODY_WELCOME)->welcome;
    peer_open(&w.blobs, m->blob_endpoint);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    peer_close(&w->main);
    peer_close(&w->blobs);
    (void)coordinator_end(&w->c, SIGTERM);
    return folder_remove(w->c.folder);
}

static Drover__Envelope *put(struct world *w, const struct digest *d, const char *bytes,
                             size_t size, size_t offset, size_t len)
{
    Drover__BlobPut m = DROVER__BLOB_PUT__INIT;

    m.digest = wire_bytes(d);
    m.size = size;
    m.offset = offset;
    m.data = (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)bytes + offset };
    peer_send(&w->blobs, DROVER__ENVELOPE__BODY_BLOB_PUT, &m);
    return peer_next(&w->blobs, 60000);
}

static Drover__Envelope *get(struct world *w, const struct digest *d, size_t offset, uint32_t len)
{
    Drover__BlobGet m = DROVER__BLOB_GET__INIT;

    m.digest = wire_bytes(d);
    m.offset = offset;
    m.length = len;
    peer_send(&w->blobs, DROVER__ENVELOPE__BODY_BLOB_GET, &m);
    return peer_next(&w->blobs, 60000);
}

static void chunks_make_a_blob_and_come_back(void **state)
{
    enum { SIZE = 2500000, CHUNK = 1000000 };
    struct world *w = *state;
    char *bytes = calloc(1, SIZE);
    struct digest d;

    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    d = digest_of(bytes, SIZE);
    assert_int_equal(get(w, &d, 0, 10)->refuse->code, ERR_NOT_FOUND);
    for (size_t offset = 0; offset < SIZE; offset += CHUNK) {
        size_t len = MIN((size_t)CHUNK, SIZE - offset);
        const Drover__BlobState *s = put(w, &d, bytes, SIZE, offset, len)->blob_state;

        assert_int_equal(s->have, offset + len);
        assert_int_equal(s->complete, offset + len == SIZE);
        if (!s->complete) /* not seen before it is whole */
            assert_int_equal(get(w, &d, 0, 10)->refuse->code, ERR_NOT_FOUND);
    }
    for (size_t offset = 0; offset < SIZE; offset += CHUNK) {
        const Drover__BlobChunk *c = get(w, &d, offset, CHUNK)->blob_chunk;

        assert_int_equal(c->size, SIZE);
        assert_int_equal(c->data.len, MIN((size_t)CHUNK, SIZE - offset));
        assert_memory_equal(c->data.data, bytes + offset, c->data.len);
    }
    assert_int_equal(get(w, &d, SIZE, 10)->blob_chunk->data.len, 0);
    free(bytes);
}

static void bytes_of_another_digest_are_refused_and_may_come_again(void **state)
{
    struct world *w = *state;
    struct digest d = digest_of("right", 5);
    Drover__Envelope *m = put(w, &d, "wrong", 5, 0, 5);

    assert_int_equal(m->body_case, DROVER__ENVELOPE__BODY_REFUSE);
    assert_int_equal(m->refuse->code, ERR_CORRUPT);
    assert_int_equal(get(w, &d, 0, 5)->refuse->code, ERR_NOT_FOUND);
    assert_true(put(w, &d, "right", 5, 0, 5)->blob_state->complete);
    assert_memory_equal(get(w, &d, 0, 5)->blob_chunk->data.data, "right", 5);
}

static void upload_goes_on_after_kill(void **state)
{
    struct world *w = *state;
    struct digest d = digest_of("0123456789", 10);
    Drover__Welcome *m;

    assert_int_equal(put(w, &d, "0123456789", 10, 0, 4)->blob_state->have, 4);
    (void)coordinator_end(&w->c, SIGKILL);
    coordinator_start(&w->c);
    peer_close(&w->main);
    peer_close(&w->blobs);
    peer_open(&w->main, w->c.endpoint);
    peer_hello(&w->main, 2, NULL);
    m = peer_take(&w->main, DROVER__ENVELOPE__BODY_WELCOME)->welcome;
    peer_open(&w->blobs, m->blob_endpoint);
    assert_int_equal(put(w, &d, "0123456789", 10, 0, 0)->blob_state->have, 4);
    assert_true(put(w, &d, "0123456789", 10, 4, 6)->blob_state->complete);
}

/* Submit a plan that names nothing but the file F. */
static Drover__Envelope *submit_file(struct world *w, Drover__Input *f)
{
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    struct digest d = digest_of("x", 1);

    plan.name = (char *)(uintptr_t) "files";
    plan.revision = run.digest = wire_bytes(&d);
    plan.runs = &runs;
    plan.n_runs = 1;
    plan.files = &f;
    plan.n_files = 1;
    submit.plan = &plan;
    peer_send(&w->main, DROVER__ENVELOPE__BODY_SUBMIT, &submit);
    return peer_next(&w->main, 60000);
}

static void file_of_the_user_is_served_until_it_changes(void **state)
{
    struct world *w = *state;
    struct buf path CLEANUP(buf_release) = { 0 };
    struct digest d = digest_of("content", 7);
    Drover__Input f = DROVER__INPUT__INIT;
    struct err err = { 0 };

    buf_printf(&path, "%s/outside", w->c.folder);
    assert_int_equal(buf_write_file(buf_str(&path), "content", 7, &err), 0);
    f.digest = wire_bytes(&d);
    f.size = 7;
    f.path = path.data;
    assert_int_equal(submit_file(w, &f)->body_case, DROVER__ENVELOPE__BODY_SUBMITTED);
    assert_memory_equal(get(w, &d, 3, 100)->blob_chunk->data.data, "tent", 4);
    assert_int_equal(buf_write_file(buf_str(&path), "longer content", 14, &err), 0);
    assert_int_equal(get(w, &d, 0, 7)->refuse->code, ERR_NOT_FOUND);
    assert_int_equal(unlink(buf_str(&path)), 0);
    assert_int_equal(get(w, &d, 0, 7)->refuse->code, ERR_NOT_FOUND);
}

static void content_in_a_plan_becomes_a_blob_if_it_is_true(void **state)
{
    struct world *w = *state;
    struct digest d = digest_of("a 1 00\n", 7), other = digest_of("b", 1);
    Drover__Input f = DROVER__INPUT__INIT;

    f.folder = true;
    f.size = 7;
    f.content = (ProtobufCBinaryData){ 7, (uint8_t *)(uintptr_t) "a 1 00\n" };
    f.digest = wire_bytes(&other);
    assert_int_equal(submit_file(w, &f)->refuse->code, ERR_INVALID);
    f.digest = wire_bytes(&d);
    assert_int_equal(submit_file(w, &f)->body_case, DROVER__ENVELOPE__BODY_SUBMITTED);
    assert_memory_equal(get(w, &d, 0, 100)->blob_chunk->data.data, "a 1 00\n", 7);
}

static void other_messages_are_refused(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    peer_hello(&w->blobs, 9, NULL);
    assert_int_equal(peer_take(&w->blobs, DROVER__ENVELOPE__BODY_REFUSE)->refuse->code, ERR_PROTO);
    assert_int_equal(transport_send(w->blobs.t, 0, "junk", 4, &err), 0);
    assert_int_equal(peer_take(&w->blobs, DROVER__ENVELOPE__BODY_REFUSE)->refuse->code, ERR_PROTO);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(chunks_make_a_blob_and_come_back),
        TEST(bytes_of_another_digest_are_refused_and_may_come_again),
        TEST(upload_goes_on_after_kill),
        TEST(file_of_the_user_is_served_until_it_changes),
        TEST(content_in_a_plan_becomes_a_blob_if_it_is_true),
        TEST(other_messages_are_refused),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
