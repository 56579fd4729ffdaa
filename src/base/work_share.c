// See work_share.h.
//
// The number of the offer is part of what a thread exchanges to take a part: so it cannot take one
// of an offer by the look of an earlier one.
#include "base/work_share.h"
#include "base/thread_pool.h"

enum { PART_BITS = 16, NUMBER_SHIFT = 2 * PART_BITS };

void work_share_offer(struct work_share *share, size_t parts, const void *work) {
    uint64_t number = atomic_load_explicit(&share->ticket, memory_order_relaxed) >> NUMBER_SHIFT;
    share->work = work;
    atomic_store_explicit(&share->finished, 0, memory_order_relaxed);
    atomic_store_explicit(&share->ticket,
        (number + 1) << NUMBER_SHIFT | (uint64_t)parts << PART_BITS, memory_order_release);
}

bool work_share_take(struct work_share *share, size_t *part, const void **work) {
    const uint64_t mask = WORK_SHARE_MOST_PARTS;
    uint64_t ticket = atomic_load_explicit(&share->ticket, memory_order_acquire);
    do {
        *part = ticket & mask;
        if (*part >= (ticket >> PART_BITS & mask)) return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &share->ticket, &ticket, ticket + 1, memory_order_acquire, memory_order_acquire));
    *work = share->work;
    return true;
}

void work_share_finish(struct work_share *share) {
    atomic_fetch_add_explicit(&share->finished, 1, memory_order_release);
}

void work_share_wait(struct work_share *share, size_t parts) {
    unsigned spins = 0;
    while (atomic_load_explicit(&share->finished, memory_order_acquire) < parts)
        thread_pool_pause(&spins);
}
