/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blobs come and go whole in spite of a server that is late, away, or wrong; a job's inputs
 * are the bytes of their digests wherever they lie. Method: the client in the test's thread, a fake
 * server in another, over a socket in the test's folder. */
#include "tests/unit/worker/fake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/manifest.h"
#include "worker/stamps.h"

enum { MIB = 1 << 20 };

struct rig {
    struct fake fake;
    char endpoint[300];
    pthread_t thread;
    atomic_bool stop;
    bool served;
    struct cache *cache;
    struct blob_place *place;
    struct progress progress;
    struct blob_client *client;
};

static struct rig r;

static void *serve(void *arg)
{
    (void)arg;
    fake_open(&r.fake, r.endpoint);
    while (!atomic_load(&r.stop))
        wire_free(fake_next(&r.fake, 10));
    return NULL;
}

static void start_server(void)
{
    r.served = true;
    assert_int_equal(pthread_create(&r.thread, NULL, serve, NULL), 0);
}

static int setup(void **state)
{
    struct err err = { 0 };
    memset(&r, 0, sizeof(r));
    int failed = folder_setup(state);
    (void)snprintf(r.endpoint, sizeof(r.endpoint), "ipc://%s/socket", folder);
    assert_int_equal(cache_open(in_folder("cache"), 64 * MIB, &r.cache, &err), 0);
    r.place = blob_place_new(&transport_insecure);
    blob_place_set(r.place, r.endpoint);
    r.client = blob_client_new(r.place, &r.progress);
    return failed;
}

/* After it the fake's counters may be read. */
static void stop_server(void)
{
    if (!r.served)
        return;
    atomic_store(&r.stop, true);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    fake_close(&r.fake);
    r.served = false;
}

static int teardown(void **state)
{
    blob_client_free(r.client);
    stop_server();
    blob_place_free(r.place);
    cache_close(r.cache);
    return folder_teardown(state);
}

static void fetched_blob_is_not_fetched_again(void **state)
{
    (void)state;
    const size_t len = 2 * MIB + 12345;
    char *bytes = some_bytes(1, len);
    struct digest d = fake_hold(&r.fake, bytes, len, len), found;
    uint64_t found_bytes = 0;
    struct err err = { 0 };

    start_server();
    for (int i = 0; i < 2; i++) {
        struct cache_pin pin = { .fd = -1 };
        assert_int_equal(blob_client_fetch(r.client, r.cache, &d, len, &pin, &err), 0);
        assert_int_equal(digest_file(pin.path, &found, &found_bytes, &err), 0);
        assert_true(digest_equal(&found, &d));
        cache_unpin(&pin);
    }
    stop_server();
    assert_int_equal(r.fake.gets, 3);
    assert_true(atomic_load(&r.progress.counter) >= 3); /* one per chunk */
    free(bytes);
}

static void bytes_of_another_digest_are_refused(void **state)
{
    (void)state;
    struct digest d = fake_hold(&r.fake, "labels", 6, 6);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };
    struct digest list[1];

    r.fake.spoil = true;
    start_server();
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 6, &pin, &err), ERR_CORRUPT);
    assert_int_equal(cache_list(r.cache, list, 1), 0);
    assert_int_equal(pin.fd, -1);
}

static void blob_of_another_size_and_unknown_blob_are_refused(void **state)
{
    (void)state;
    struct digest d = fake_hold(&r.fake, "labels", 6, 6), unknown = digest_of("?", 1);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };

    start_server();
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 7, &pin, &err), ERR_PROTO);
    assert_int_equal(blob_client_fetch(r.client, r.cache, &unknown, 1, &pin, &err), ERR_NOT_FOUND);
}

static void fetch_goes_on_where_an_earlier_one_stopped(void **state)
{
    (void)state;
    const size_t len = 3 * MIB;
    char *bytes = some_bytes(2, len);
    struct digest d = fake_hold(&r.fake, bytes, len, len);
    struct cache_fill f = { .fd = -1 };
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };

    assert_int_equal(cache_fill_begin(r.cache, &d, len, &f, &err), 0);
    assert_int_equal(cache_fill_write(&f, bytes, 2 * MIB, &err), 0);
    cache_fill_abort(&f);
    start_server();
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, len, &pin, &err), 0);
    cache_unpin(&pin);
    stop_server();
    assert_int_equal(r.fake.gets, 1);
    free(bytes);
}

static void damaged_beginning_is_fetched_from_the_start(void **state)
{
    (void)state;
    struct digest d = fake_hold(&r.fake, "abcdef", 6, 6);
    struct cache_fill f = { .fd = -1 };
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };

    assert_int_equal(cache_fill_begin(r.cache, &d, 6, &f, &err), 0);
    assert_int_equal(cache_fill_write(&f, "xyz", 3, &err), 0);
    cache_fill_abort(&f);
    start_server();
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 6, &pin, &err), 0);
    cache_unpin(&pin);
}

static void put_sends_only_what_the_server_lacks(void **state)
{
    (void)state;
    const size_t len = 3 * MIB + 7;
    char *bytes = some_bytes(3, len);
    struct digest d = fake_hold(&r.fake, bytes, len, MIB + 1);
    struct err err = { 0 };

    assert_int_equal(buf_write_file(in_folder("out"), bytes, len, &err), 0);
    start_server();
    assert_int_equal(blob_client_put_file(r.client, &d, in_folder("out"), len, &err), 0);
    assert_int_equal(blob_client_put(r.client, &d, bytes, len, &err), 0); /* all there: nothing */
    stop_server();
    assert_int_equal(r.fake.put_bytes, 2 * MIB + 6);
    free(bytes);
}

static void empty_blob_makes_the_round(void **state)
{
    (void)state;
    struct digest d = digest_of("", 0);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };

    start_server();
    assert_int_equal(blob_client_put(r.client, &d, NULL, 0, &err), 0);
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 0, &pin, &err), 0);
    cache_unpin(&pin);
}

static void *stop_soon(void *arg)
{
    (void)arg;
    clock_sleep_ms(50);
    atomic_store(&r.progress.stop, true);
    return NULL;
}

static void waiting_for_an_absent_server_ends_with_a_request_to_stop(void **state)
{
    (void)state;
    struct digest d = digest_of("x", 1);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 1, &pin, &err), ERR_CANCELLED);
    assert_int_equal(atomic_load(&r.progress.counter), 0); /* waiting is no work */
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *move_soon(void *arg)
{
    (void)arg;
    clock_sleep_ms(50);
    blob_place_set(r.place, r.endpoint);
    return NULL;
}

static void server_is_found_where_the_next_welcome_says(void **state)
{
    (void)state;
    struct digest d = fake_hold(&r.fake, "x", 1, 1);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };
    char elsewhere[320];
    pthread_t thread;

    (void)snprintf(elsewhere, sizeof(elsewhere), "ipc://%s/nobody", folder);
    blob_place_set(r.place, elsewhere);
    start_server();
    assert_int_equal(pthread_create(&thread, NULL, move_soon, NULL), 0);
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 1, &pin, &err), 0);
    cache_unpin(&pin);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void lost_answer_is_asked_for_again(void **state)
{
    (void)state;
    struct digest d = fake_hold(&r.fake, "x", 1, 1);
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };

    r.fake.swallow = 1;
    start_server();
    assert_int_equal(blob_client_fetch(r.client, r.cache, &d, 1, &pin, &err), 0);
    cache_unpin(&pin);
}

static void full_store_is_waited_for(void **state)
{
    (void)state;
    struct digest d = digest_of("x", 1);
    struct err err = { 0 };

    r.fake.full = 2; /* no fault of the job's: it would cost it its tries */
    start_server();
    assert_int_equal(blob_client_put(r.client, &d, "x", 1, &err), 0);
    stop_server();
    assert_int_equal(r.fake.put_bytes, 1);
    assert_int_equal(r.fake.full, 0);
}

/* A lease with one input "model": the manifest M, which the fake holds, at PATH. */
struct model_lease {
    Drover__Lease lease;
    Drover__Input input, *list;
    struct digest digest;
    struct buf text;
};

static void lease_model(struct model_lease *l, const struct manifest *m, const char *path)
{
    drover__lease__init(&l->lease);
    drover__input__init(&l->input);
    l->list = &l->input;
    l->text = (struct buf){ 0 };
    manifest_print(m, &l->text);
    l->digest = fake_hold(&r.fake, l->text.data, l->text.len, l->text.len);
    l->input.name = (char *)(uintptr_t) "model";
    l->input.digest = wire_bytes(&l->digest);
    l->input.size = l->text.len;
    l->input.path = (char *)(uintptr_t)path;
    l->input.folder = true;
    l->lease.inputs = &l->list;
    l->lease.n_inputs = 1;
}

static void manifest_becomes_a_folder_of_the_users_files_and_fetched_ones(void **state)
{
    (void)state;
    struct manifest m = { 0 };
    struct model_lease l;
    struct err err = { 0 };
    char path[CACHE_PATH_MAX], again[CACHE_PATH_MAX];
    struct slot_env env = { .cache = r.cache, .place = r.place, .stamps = stamps_new() };

    assert_int_equal(mkdir(in_folder("model"), 0700), 0);
    write_text(in_folder("model/changed.bin"), "as it was");
    write_text(in_folder("model/gone.bin"), "gone");
    write_text(in_folder("model/same.bin"), "same");
    assert_int_equal(manifest_of_folder(&m, in_folder("model"), NULL, &err), 0);
    char user[512], dir[512]; /* in_folder's strings do not last */
    (void)snprintf(user, sizeof(user), "%s", in_folder("model"));
    (void)snprintf(dir, sizeof(dir), "%s", in_folder("attempt"));
    lease_model(&l, &m, user);
    (void)fake_hold(&r.fake, "as it was", 9, 9);
    (void)fake_hold(&r.fake, "gone", 4, 4);
    write_text(in_folder("model/changed.bin"), "not as it");
    assert_int_equal(unlink(in_folder("model/gone.bin")), 0);
    start_server();

    assert_int_equal(mkdir(dir, 0700), 0);
    struct inputs *in = inputs_new(&env, &l.lease, r.client, &r.progress, dir);
    assert_int_equal(inputs_get(in, "labels", path, sizeof(path), &err), ERR_NOT_FOUND);
    assert_int_equal(inputs_get(in, "model", path, sizeof(path), &err), 0);
    assert_int_equal(inputs_get(in, "model", again, sizeof(again), &err), 0);
    assert_string_equal(path, again);
    struct manifest found = { 0 };
    assert_int_equal(manifest_of_folder(&found, path, NULL, &err), 0);
    assert_int_equal(found.len, 3);
    assert_memory_equal(found.file, m.file, 3 * sizeof(*m.file));
    inputs_free(in);
    stop_server();
    assert_int_equal(r.fake.gets, 3); /* the manifest and two files */
    manifest_release(&m);
    manifest_release(&found);
    buf_release(&l.text);
    stamps_free(env.stamps);
}

/* A benchmark's folder with folders in it: the manifest has flat names, which are not found under
 * the user's path, so its files come from the coordinator. */
static void nested_folder_of_a_task_is_fetched_under_its_flat_names(void **state)
{
    (void)state;
    struct manifest m = { .file = mem_calloc(2, sizeof(*m.file)), .len = 2 }, found = { 0 };
    struct model_lease l;
    struct err err = { 0 };
    char path[CACHE_PATH_MAX], user[512], dir[512];
    struct slot_env env = { .cache = r.cache, .place = r.place, .stamps = stamps_new() };

    assert_int_equal(mkdir(in_folder("mmlu"), 0700), 0);
    assert_int_equal(mkdir(in_folder("mmlu/dev"), 0700), 0);
    write_text(in_folder("mmlu/dev/law.csv"), "shots");
    write_text(in_folder("mmlu/law.csv"), "law");
    (void)snprintf(m.file[0].name, sizeof(m.file[0].name), "dev-law.csv");
    (void)snprintf(m.file[1].name, sizeof(m.file[1].name), "law.csv");
    m.file[0].digest = fake_hold(&r.fake, "shots", 5, 5);
    m.file[0].size_bytes = 5;
    m.file[1].digest = digest_of("law", 3);
    m.file[1].size_bytes = 3;
    (void)snprintf(user, sizeof(user), "%s", in_folder("mmlu"));
    (void)snprintf(dir, sizeof(dir), "%s", in_folder("attempt"));
    lease_model(&l, &m, user);
    l.input.name = (char *)(uintptr_t) "task_file";
    start_server();
    assert_int_equal(mkdir(dir, 0700), 0);
    struct inputs *in = inputs_new(&env, &l.lease, r.client, &r.progress, dir);
    assert_int_equal(inputs_get(in, "task_file", path, sizeof(path), &err), 0);
    assert_int_equal(manifest_of_folder(&found, path, NULL, &err), 0);
    assert_int_equal(found.len, 2);
    assert_memory_equal(found.file, m.file, 2 * sizeof(*m.file));
    inputs_free(in);
    stop_server();
    assert_int_equal(r.fake.gets, 2); /* the manifest and the file that lies deeper */
    manifest_release(&m);
    manifest_release(&found);
    buf_release(&l.text);
    stamps_free(env.stamps);
}

static void file_input_is_used_in_place_when_its_digest_matches(void **state)
{
    (void)state;
    Drover__Lease lease;
    Drover__Input input, *list = &input;
    struct digest d = digest_of("questions", 9);
    struct err err = { 0 };
    char path[CACHE_PATH_MAX];
    struct slot_env env = { .cache = r.cache, .place = r.place, .stamps = stamps_new() };

    drover__lease__init(&lease);
    drover__input__init(&input);
    write_text(in_folder("task.jsonl"), "questions");
    input.name = (char *)(uintptr_t) "task_file";
    input.digest = wire_bytes(&d);
    input.size = 9;
    input.path = (char *)(uintptr_t)in_folder("task.jsonl");
    lease.inputs = &list;
    lease.n_inputs = 1;
    struct inputs *in = inputs_new(&env, &lease, r.client, &r.progress, folder);
    assert_int_equal(inputs_get(in, "task_file", path, sizeof(path), &err), 0);
    assert_string_equal(path, input.path);
    inputs_free(in);
    stamps_free(env.stamps);
}

#define WITH_RIG(F) cmocka_unit_test_setup_teardown(F, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(fetched_blob_is_not_fetched_again),
        WITH_RIG(bytes_of_another_digest_are_refused),
        WITH_RIG(blob_of_another_size_and_unknown_blob_are_refused),
        WITH_RIG(fetch_goes_on_where_an_earlier_one_stopped),
        WITH_RIG(damaged_beginning_is_fetched_from_the_start),
        WITH_RIG(put_sends_only_what_the_server_lacks),
        WITH_RIG(empty_blob_makes_the_round),
        WITH_RIG(waiting_for_an_absent_server_ends_with_a_request_to_stop),
        WITH_RIG(server_is_found_where_the_next_welcome_says),
        WITH_RIG(lost_answer_is_asked_for_again),
        WITH_RIG(full_store_is_waited_for),
        WITH_RIG(manifest_becomes_a_folder_of_the_users_files_and_fetched_ones),
        WITH_RIG(nested_folder_of_a_task_is_fetched_under_its_flat_names),
        WITH_RIG(file_input_is_used_in_place_when_its_digest_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
