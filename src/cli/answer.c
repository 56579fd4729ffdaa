#include "cli/answer.h"
#include <stdio.h>
#include <string.h>

enum { MAX_ANSWER = 64 << 20 };

void answer_init(struct answer *answer) {
    memset(answer, 0, sizeof *answer);
    answer->request.top_p = 1;
    buffer_init(&answer->text, MAX_ANSWER);
    pthread_mutex_init(&answer->lock, NULL);
    pthread_cond_init(&answer->changed, NULL);
}

void answer_free(struct answer *answer) {
    buffer_free(&answer->text);
    pthread_mutex_destroy(&answer->lock);
    pthread_cond_destroy(&answer->changed);
}

static void take_piece(void *context, const struct engine_piece *piece) {
    struct answer *answer = context;
    buffer_append(&answer->text, piece->text, piece->length);
    if (answer->print) {
        fwrite(piece->text, 1, piece->length, stdout);
        fflush(stdout);
    }
}

static void take_result(void *context, const struct engine_result *result) {
    struct answer *answer = context;
    pthread_mutex_lock(&answer->lock);
    answer->result = *result;
    answer->finished = true;
    pthread_cond_signal(&answer->changed);
    pthread_mutex_unlock(&answer->lock);
}

bool answer_begin(struct answer *answer, struct engine *engine, struct error *error) {
    answer->request.context = answer;
    answer->request.piece = take_piece;
    answer->request.finished = take_result;
    return engine_submit(engine, &answer->request, &answer->ticket, error);
}

bool answer_wait(struct answer *answer, struct error *error) {
    pthread_mutex_lock(&answer->lock);
    while (!answer->finished)
        pthread_cond_wait(&answer->changed, &answer->lock);
    pthread_mutex_unlock(&answer->lock);
    if (answer->result.reason != ENGINE_FAILED) return buffer_ok(&answer->text, "an answer", error);
    *error = answer->result.error;
    return false;
}
