// Weights that are read in are in memory, all of them, before a pass asks for them.
#include "model/transformer.h"
#include "test_support.h"
#include <stdio.h>
#include <string.h>

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"

// Kilobytes of this process's mappings of weight files: all of them, and those that are present.
static void measure(size_t *size, size_t *present) {
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[1024];
    size_t value;
    bool ours = false;
    assert_non_null(maps);
    *size = *present = 0;
    while (fgets(line, sizeof line, maps)) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2) // of the next mapping
            ours = strstr(line, "model.safetensors") != NULL;
        if (ours && sscanf(line, "Size: %zu kB", &value) == 1) *size += value;
        if (ours && sscanf(line, "Rss: %zu kB", &value) == 1) *present += value;
    }
    fclose(maps);
}

static void test_transformer_read_in_leaves_no_weight_on_the_disk(void **state) {
    (void)state;
    atomic_bool stop = false, stopped = true;
    struct transformer *transformer;
    size_t size, before, after;
    struct error error;
    assert_true(transformer_open(&transformer, MODEL, &error));
    measure(&size, &before);
    assert_true(size > 1000 && before < size / 2);
    transformer_read_in(transformer, &stopped);
    measure(&size, &after);
    assert_true(after < size / 2);
    transformer_read_in(transformer, &stop);
    measure(&size, &after);
    assert_true(after + 64 >= size); // the file's head may be missing
    transformer_close(transformer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformer_read_in_leaves_no_weight_on_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
