// A trainer for tests of the supervisor, which starts `<this program> train JOBDIR`: called so, a
// test's program is the trainer, and the text of the training file says how it behaves.
#ifndef TEST_FAKE_TRAINER_H
#define TEST_FAKE_TRAINER_H

#include "base/error.h"
#include "base/job_format.h"
#include "test_support.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static inline void sleep_a_little(void) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static inline void say(const char *format, ...) PRINTF_LIKE(1, 2);

static inline void say(const char *format, ...) {
    char line[2048];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    int descriptor = open(JOB_EVENTS_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(descriptor, line, (size_t)length) != length) abort();
    close(descriptor);
}

static inline void say_status(const char *status) {
    say("{\"type\":\"status\",\"status\":\"%s\",\"trained_tokens\":4321,\"time\":1700000000}\n",
        status);
}

static inline void touch(const char *path) {
    close(open(path, O_WRONLY | O_CREAT, 0600));
}

static inline void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) abort();
}

static inline void make_adapter(const char *directory) {
    char path[256];
    mkdir(directory, 0700);
    snprintf(path, sizeof path, "%s/adapter_config.json", directory);
    put(path, "{}");
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", directory);
    put(path, directory);
}

static inline void make_step(long step, long total) {
    say("{\"type\":\"metrics\",\"step\":%ld,\"total_steps\":%ld,\"epoch\":0.5,\"train_loss\":%.2f,"
        "\"train_mean_token_accuracy\":0.5,\"valid_loss\":null,\"valid_mean_token_accuracy\":null,"
        "\"full_valid_loss\":null,\"full_valid_mean_token_accuracy\":null,\"learning_rate\":0.001,"
        "\"grad_norm\":1.5,\"tokens\":%ld,\"tokens_per_second\":2000.0,\"time\":1700000000}\n",
        step, total, 2.0 / (double)step, step * 100);
}

static inline void make_checkpoint(long step) {
    char path[64];
    mkdir(JOB_CHECKPOINT_DIRECTORY, 0700);
    snprintf(path, sizeof path, JOB_CHECKPOINT_DIRECTORY "/step-%08ld", step);
    make_adapter(path);
    say("{\"type\":\"checkpoint\",\"step\":%ld,\"epoch\":1,\"path\":\"%s\",\"train_loss\":0.5,"
        "\"time\":1700000000}\n",
        step, path);
}

static inline int finish(void) {
    make_adapter(JOB_ADAPTER_DIRECTORY);
    say_status("succeeded");
    return JOB_EXIT_SUCCEEDED;
}

static inline int run_two_epochs(void) {
    for (long step = 1; step <= 4; step++) {
        make_step(step, 4);
        if (step % 2 == 0) make_checkpoint(step);
    }
    return finish();
}

static inline int run_many_epochs(void) {
    for (long step = 1; step <= 6; step++) {
        make_step(step, 6);
        make_checkpoint(step);
    }
    return finish();
}

static inline int run_many_steps(void) {
    for (long step = 1; step <= 2500; step++)
        make_step(step, 2500);
    return finish();
}

// Ends with the test's directory, too: a test that failed leaves no trainer behind.
static inline void wait_for_file(const char *name) {
    while (access(name, F_OK) != 0) {
        if (access(JOB_LOCK_FILE, F_OK) != 0) _exit(JOB_EXIT_USAGE);
        sleep_a_little();
    }
}

static inline int run_until_cancelled(void) {
    make_step(1, 4);
    wait_for_file(JOB_CANCEL_FILE);
    say_status("cancelled");
    return JOB_EXIT_CANCELLED;
}

static inline void wait_for_word(void) {
    wait_for_file("go");
}

static inline int run_until_told(void) {
    make_step(1, 4);
    wait_for_word();
    make_step(2, 4);
    return finish();
}

// Lives on after it has said its last word.
static inline int run_lingering(void) {
    finish();
    wait_for_word();
    return JOB_EXIT_SUCCEEDED;
}

// The second time it goes on from the start, and ends well.
static inline int run_dying_once(void) {
    if (access("died", F_OK) == 0) return run_two_epochs();
    touch("died");
    make_step(1, 4);
    make_step(2, 4);
    make_checkpoint(2);
    say("{\"type\":\"metrics\",\"step\":3,\"total_st"); // a line that the crash cuts off
    raise(SIGKILL);
    return JOB_EXIT_FAILED;
}

// As a trainer does whose newest checkpoint was damaged: it goes on from an earlier one.
static inline int run_repeating(void) {
    make_step(1, 4);
    make_checkpoint(2);
    make_step(1, 4);
    make_checkpoint(2);
    return finish();
}

static inline int run_dying(void) {
    raise(SIGKILL);
    return JOB_EXIT_FAILED;
}

static inline int run_without_adapter(void) {
    say_status("succeeded");
    return JOB_EXIT_SUCCEEDED;
}

static inline int run_backwards(void) {
    say_status("queued");
    say_status("validating_files");
    say_status("no such status");
    return run_two_epochs();
}

static inline int run_diverging(void) {
    say("{\"type\":\"error\",\"code\":\"training_failed\",\"message\":\"the loss is not finite\","
        "\"param\":null,\"time\":1700000000}\n");
    say_status("failed");
    return JOB_EXIT_FAILED;
}

static const struct behaviour {
    const char *name;
    int (*run)(void);
    bool silent; // does not say that it is running
} behaviours[] = {{"two epochs", run_two_epochs, false}, {"many epochs", run_many_epochs, false},
    {"many steps", run_many_steps, false}, {"until cancelled", run_until_cancelled, false},
    {"until told", run_until_told, false}, {"stubborn", run_until_told, false},
    {"lingering", run_lingering, false}, {"dying once", run_dying_once, false},
    {"repeating", run_repeating, false}, {"dying", run_dying, false},
    {"dying unheard", run_dying, true}, {"without adapter", run_without_adapter, false},
    {"backwards", run_backwards, false}, {"diverging", run_diverging, false}};

static inline int validate(const char *behaviour) {
    say_status("validating_files");
    if (!strcmp(behaviour, "invalid")) {
        say("{\"type\":\"error\",\"code\":\"invalid_training_file\",\"message\":\"line 3: it has "
            "no "
            "messages\",\"param\":\"training_file\",\"time\":1700000000}\n");
        say_status("failed");
        return JOB_EXIT_FAILED;
    }
    if (!strcmp(behaviour, "validator dies")) raise(SIGKILL);
    say("{\"type\":\"plan\",\"hyperparameters\":{\"n_epochs\":2,\"batch_size\":1,"
        "\"learning_rate_multiplier\":1.0},\"lora\":{\"rank\":16,\"alpha\":32.0},"
        "\"time\":1700000000}\n");
    say_status("queued");
    return JOB_EXIT_SUCCEEDED;
}

// Cuts off a line that a crash left without its end, as a trainer does.
static inline void repair_events(void) {
    static char text[1 << 20];
    int descriptor = open(JOB_EVENTS_FILE, O_RDWR | O_CREAT, 0600);
    ssize_t length = read(descriptor, text, sizeof text);
    while (length > 0 && text[length - 1] != '\n')
        length--;
    if (length < 0 || ftruncate(descriptor, length) < 0) abort();
    close(descriptor);
}

static inline int train(const char *behaviour) {
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        if (strcmp(behaviour, behaviours[i].name)) continue;
        if (!behaviours[i].silent) say_status("running");
        return behaviours[i].run();
    }
    return JOB_EXIT_USAGE;
}

// Two trainers at a time are noticed by the second: "working" is there already.
static inline int be_trainer(int count, char **words) {
    char behaviour[64] = "";
    bool validate_only = count > 3 && !strcmp(words[3], "--validate-only");
    if (chdir(words[2]) != 0) return JOB_EXIT_USAGE;
    int lock = open(JOB_LOCK_FILE, O_RDWR | O_CREAT, 0600);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) return JOB_EXIT_FAILED;
    if (getenv("TEST_LAUNCHED")) touch("launched");
    FILE *file = fopen("training.jsonl", "r");
    if (!file || !fgets(behaviour, sizeof behaviour, file)) return JOB_EXIT_USAGE;
    fclose(file);
    char process[32];
    snprintf(process, sizeof process, "%ld", (long)getpid());
    put("process", process);
    FILE *starts = fopen("starts", "a");
    fputc(validate_only ? 'v' : 't', starts);
    fclose(starts);
    repair_events();
    if (validate_only) return validate(behaviour);
    if (mkdir("../working", 0700) != 0) touch("../../overlap");
    bool dies = !strncmp(behaviour, "dying", 5);
    if (dies) rmdir("../working");
    int result = train(behaviour);
    rmdir("../working");
    return result;
}

#endif
