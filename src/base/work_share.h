// Work that its owner has cut into parts, and of which idle threads take some: the end of a run,
// when there are fewer tasks than threads.
//
// An owner offers, takes parts itself as the others do, and waits until all are finished before it
// offers again. One owner a share; any number of threads may take.
#ifndef BASE_WORK_SHARE_H
#define BASE_WORK_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORK_SHARE_MOST_PARTS = 0xffff };

// Zeroed: nothing is offered. Padded to a cache line of its own.
struct work_share {
    _Alignas(64) atomic_uint_fast64_t ticket; // the offer's number, its parts, the next of them
    atomic_uint_fast32_t finished;
    const void *work;
};

// Parts 0 … parts - 1 of `work`, borrowed until work_share_wait returns; at most
// WORK_SHARE_MOST_PARTS.
void work_share_offer(struct work_share *share, size_t parts, const void *work);

// False: nothing is left. Who has taken a part calls work_share_finish when it is done.
bool work_share_take(struct work_share *share, size_t *part, const void **work);
void work_share_finish(struct work_share *share);

// Until all parts, taken or not, are finished.
void work_share_wait(struct work_share *share, size_t parts);

#endif
