// Work that threads share: every part is done once, by whoever comes, and an owner gets its work
// back whole before it offers more.
#include "base/thread_pool.h"
#include "base/work_share.h"
#include "test_support.h"
#include <pthread.h>

enum { THREADS = 3, OFFERS = 2000, MOST_PARTS = 37 };

// What an owner offers: parts that count how often they were done.
struct work {
    size_t parts;
    atomic_int done[MOST_PARTS];
};

struct team {
    struct work_share share;
    atomic_bool over;
    atomic_size_t helped;
};

static bool take_one(struct work_share *share) {
    size_t part;
    const void *offered;
    if (!work_share_take(share, &part, &offered)) return false;
    struct work *work = (struct work *)offered;
    if (part < work->parts) atomic_fetch_add(&work->done[part], 1);
    work_share_finish(share);
    return true;
}

static void *help(void *context) {
    struct team *team = context;
    for (unsigned spins = 0; !atomic_load(&team->over);) {
        if (take_one(&team->share))
            atomic_fetch_add(&team->helped, 1);
        else
            thread_pool_pause(&spins);
    }
    return NULL;
}

static void test_work_share_has_nothing_before_an_offer_and_after_its_parts(void **state) {
    (void)state;
    struct work_share share = {0};
    struct work work = {.parts = 2};
    size_t part;
    const void *offered;
    assert_false(work_share_take(&share, &part, &offered));
    for (int offer = 0; offer < 2; offer++) {
        work_share_offer(&share, 2, &work);
        for (size_t want = 0; want < 2; want++) {
            assert_true(work_share_take(&share, &part, &offered));
            assert_int_equal(part, want);
            assert_ptr_equal(offered, &work);
            work_share_finish(&share);
        }
        assert_false(work_share_take(&share, &part, &offered));
        work_share_wait(&share, 2);
    }
}

static void test_work_share_gives_the_largest_number_of_parts(void **state) {
    (void)state;
    struct work_share share = {0};
    size_t part, count = 0;
    const void *offered;
    work_share_offer(&share, WORK_SHARE_MOST_PARTS, &share);
    while (work_share_take(&share, &part, &offered)) {
        assert_int_equal(part, count++);
        work_share_finish(&share);
    }
    assert_int_equal(count, WORK_SHARE_MOST_PARTS);
    work_share_wait(&share, count);
}

// The work lies on the owner's stack and is another one each time: a thread that took a part of an
// offer by the look of an earlier one would spoil it.
static void test_work_share_does_every_part_once(void **state) {
    (void)state;
    struct team team = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, help, &team), 0);
    for (size_t offer = 0; offer < OFFERS; offer++) {
        struct work work = {.parts = 1 + offer % MOST_PARTS};
        work_share_offer(&team.share, work.parts, &work);
        while (take_one(&team.share)) {
        }
        work_share_wait(&team.share, work.parts);
        for (size_t part = 0; part < MOST_PARTS; part++)
            assert_int_equal(atomic_load(&work.done[part]), part < work.parts);
    }
    // However slow they are, others come in the end.
    struct work work = {.parts = 1};
    work_share_offer(&team.share, 1, &work);
    work_share_wait(&team.share, 1);
    assert_int_equal(atomic_load(&work.done[0]), 1);
    atomic_store(&team.over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&team.helped) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_share_has_nothing_before_an_offer_and_after_its_parts),
        cmocka_unit_test(test_work_share_gives_the_largest_number_of_parts),
        cmocka_unit_test(test_work_share_does_every_part_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
