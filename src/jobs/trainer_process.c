#include "jobs/trainer_process.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 32 };

extern char **environ;

// Cuts the launcher's text into words, in place.
static bool cut_words(char *text, char **words, size_t *count, struct error *error) {
    char *rest, *word = strtok_r(text, " ", &rest);
    for (; word; word = strtok_r(NULL, " ", &rest)) {
        if (*count + 6 > MAX_WORDS)
            return error_set(
                error, ERROR_INVALID, "the launcher has more than %d words", MAX_WORDS - 6);
        words[(*count)++] = word;
    }
    return true;
}

// No signal of the server's is blocked or ignored in the trainer, and none of its files is open
// there.
static bool set_up(
    posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions, const char *log) {
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    sigaddset(&standard, SIGTERM);
    sigaddset(&standard, SIGINT);
    short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int mode = O_WRONLY | O_CREAT | O_APPEND;
    return posix_spawnattr_setflags(attributes, flags) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &standard) == 0 &&
           posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_addopen(actions, 1, log, mode, 0600) == 0 &&
           posix_spawn_file_actions_adddup2(actions, 1, 2) == 0 &&
           posix_spawn_file_actions_addclosefrom_np(actions, 3) == 0;
}

static bool spawn(
    const char *path, char **words, const char *log, pid_t *process, struct error *error) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    int fault = set_up(&attributes, &actions, log)
                    ? posix_spawnp(process, path, &actions, &attributes, words, environ)
                    : ENOMEM;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    errno = fault;
    return fault == 0 ||
           error_set_errno(error, ERROR_IO, "cannot start the trainer (%s)", words[0]);
}

bool trainer_process_start(const char *job_directory, enum trainer_task task, const char *launcher,
    pid_t *process, struct error *error) {
    char program[FILE_PATH_SIZE], log[FILE_PATH_SIZE], launcher_words[1024] = "";
    char *words[MAX_WORDS];
    size_t count = 0;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return error_set_errno(error, ERROR_IO, "cannot find this program's own file");
    program[length] = 0;
    if (launcher && snprintf(launcher_words, sizeof launcher_words, "%s", launcher) >=
                        (int)sizeof launcher_words)
        return error_set(error, ERROR_INVALID, "the launcher is too long");
    if (!cut_words(launcher_words, words, &count, error) ||
        !file_path(log, sizeof log, error, job_directory, "trainer.log"))
        return false;
    static const char *const options[] = {
        [TRAINER_VALIDATE] = "--validate-only", [TRAINER_REPORT] = "--report-only"};
    char train[] = "train";
    words[count++] = program;
    words[count++] = train;
    words[count++] = (char *)job_directory;
    if (task != TRAINER_TRAIN) words[count++] = (char *)options[task];
    words[count] = NULL;
    // By this name it is the program that runs, even where its file was replaced meanwhile.
    return spawn(launcher ? words[0] : "/proc/self/exe", words, log, process, error);
}

bool trainer_process_lives(pid_t process, char how[64]) {
    int status;
    pid_t ended = waitpid(process, &status, WNOHANG);
    if (ended == 0) return true;
    if (ended < 0)
        snprintf(how, 64, "was lost");
    else if (WIFSIGNALED(status))
        snprintf(how, 64, "was ended by signal %d (%s)", WTERMSIG(status),
            sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(how, 64, "ended with status %d", WEXITSTATUS(status));
    return false;
}
