// Asking the engine and waiting for the answer: what the commands `chat` and `eval` share.
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/buffer.h"
#include "generate/engine.h"
#include <pthread.h>

// One request and its answer. Set `request` but for its callbacks; free with answer_free.
struct answer {
    struct engine_request request;
    bool print; // pieces go to standard output as they come
    struct buffer text;
    struct engine_result result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool finished;
    uint64_t ticket;
};

void answer_init(struct answer *answer);
void answer_free(struct answer *answer);

// Asks, without waiting.
bool answer_begin(struct answer *answer, struct engine *engine, struct error *error) WARN_UNUSED;

// Waits for the end. False if the engine failed.
bool answer_wait(struct answer *answer, struct error *error) WARN_UNUSED;

#endif
