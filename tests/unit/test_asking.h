// Asking the engine in tests, and waiting for what it says.
#ifndef TEST_ASKING_H
#define TEST_ASKING_H

#include "base/buffer.h"
#include "base/utf8.h"
#include "generate/engine.h"
#include "model/adapter_file.h"
#include "test_model.h"
#include <pthread.h>
#include <stdatomic.h>

// Zeros but for the hooks; filled by `ask`.
struct asked {
    struct engine *engine;
    uint64_t ticket;
    struct buffer text;
    struct engine_result result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool finished;
    bool broken; // a piece was empty, no whole characters, or came after the end
    size_t pieces;
    void (*at_first_piece)(struct asked *asked); // in the engine's thread
    void *hook_context;
    atomic_size_t *counter; // of requests that ended; may be NULL
    size_t ended_as;        // its value then: the first has 0
};

static inline void asked_take_piece(void *context, const struct engine_piece *piece) {
    struct asked *asked = context;
    pthread_mutex_lock(&asked->lock);
    buffer_append(&asked->text, piece->text, piece->length);
    asked->broken |= (!piece->length && !piece->scored_count) || asked->finished ||
                     utf8_valid_length(piece->text, piece->length) < piece->length;
    bool first = asked->pieces++ == 0;
    pthread_mutex_unlock(&asked->lock);
    if (first && asked->at_first_piece) asked->at_first_piece(asked);
}

static inline void asked_take_result(void *context, const struct engine_result *result) {
    struct asked *asked = context;
    pthread_mutex_lock(&asked->lock);
    asked->result = *result;
    asked->broken |= asked->finished;
    asked->finished = true;
    if (asked->counter) asked->ended_as = atomic_fetch_add(asked->counter, 1);
    pthread_cond_signal(&asked->changed);
    pthread_mutex_unlock(&asked->lock);
}

// Asks `model` (a directory) a question without waiting. False if the engine refuses.
static inline bool try_to_ask(struct engine *engine, struct asked *asked, const char *model,
    const char *question, struct engine_request request, struct error *error) {
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", question);
    asked->engine = engine;
    buffer_init(&asked->text, 1 << 20);
    pthread_mutex_init(&asked->lock, NULL);
    pthread_cond_init(&asked->changed, NULL);
    request.model = model;
    request.messages = messages;
    request.context = asked;
    request.piece = asked_take_piece;
    request.finished = asked_take_result;
    if (!(request.top_p > 0)) request.top_p = 1;
    pthread_mutex_lock(&asked->lock); // no piece is taken before its ticket is known
    bool ok = engine_submit(engine, &request, &asked->ticket, error);
    pthread_mutex_unlock(&asked->lock);
    json_decref(messages);
    return ok;
}

static inline void ask(struct engine *engine, struct asked *asked, const char *model,
    const char *question, struct engine_request request) {
    struct error error;
    if (!try_to_ask(engine, asked, model, question, request, &error)) fail_msg("%s", error.message);
}

static inline void wait_for(struct asked *asked) {
    pthread_mutex_lock(&asked->lock);
    while (!asked->finished)
        pthread_cond_wait(&asked->changed, &asked->lock);
    bool broken = asked->broken;
    pthread_mutex_unlock(&asked->lock);
    assert_false(broken);
}

static inline void forget(struct asked *asked) {
    buffer_free(&asked->text);
    pthread_mutex_destroy(&asked->lock);
    pthread_cond_destroy(&asked->changed);
}

static inline struct engine *open_engine(int threads) {
    struct engine *engine;
    struct error error;
    struct engine_options options = {threads};
    if (!engine_open(&engine, &options, &error)) fail_msg("%s", error.message);
    return engine;
}

// A random adapter for a model, in a new directory (test_directory_remove).
static inline char *make_adapter(const char *model, uint64_t seed) {
    struct model_config config;
    struct lora *lora;
    struct error error;
    char *directory = test_directory();
    assert_true(model_config_load(&config, model, &error));
    assert_true(lora_create(&lora, &config, 4, 8, LORA_ALL_MODULES, seed, &error));
    for (size_t i = 0; i < lora->entry_count; i++)
        for (size_t j = 0; j < lora->entries[i].out * lora->rank; j++)
            lora->parameters[lora->entries[i].b_offset + j] =
                (float)((double)((seed * 31 + i * 17 + j * 7) % 13) - 6.0) / 50;
    assert_true(adapter_file_save(lora, directory, "base", &error));
    lora_free(lora);
    return directory;
}

#endif
