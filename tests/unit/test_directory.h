// A directory of its own for each test, and what tests put into it.
#ifndef TEST_DIRECTORY_H
#define TEST_DIRECTORY_H

#include "base/file.h"
#include "test_support.h"
#include <stdlib.h>

// Makes a new directory; `path` has room for FILE_PATH_SIZE bytes.
static inline void test_directory_make(char *path) {
    const char *parent = getenv("TMPDIR");
    snprintf(path, FILE_PATH_SIZE, "%s/temper-test-XXXXXX", parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline void test_directory_remove(const char *path) {
    struct error error;
    assert_true(file_remove_tree(path, &error));
}

// "directory/name", in one of a few buffers that are used in turn.
static inline const char *test_path(const char *directory, const char *name) {
    static _Thread_local char paths[4][FILE_PATH_SIZE];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    struct error error;
    assert_true(file_path(path, FILE_PATH_SIZE, &error, directory, name));
    return path;
}

static inline void test_write(const char *directory, const char *name, const char *text) {
    struct error error;
    assert_true(file_write_atomic(test_path(directory, name), text, strlen(text), &error));
}

// A directory that is found as a base model, though nothing could load it.
static inline void test_make_model(const char *place, const char *name) {
    struct error error;
    const char *path = test_path(place, name);
    assert_true(file_make_directories(path, &error));
    test_write(path, "config.json", "{}\n");
}

#endif
