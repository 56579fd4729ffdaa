#include "model/gguf.h"
#include "base/file.h"
#include <string.h>

bool gguf_find(char *gguf_path, size_t size, const char *model_path) {
    static const char ending[] = ".gguf";
    char config[FILE_PATH_SIZE];
    size_t length = strlen(model_path);
    if (length >= size) return false;
    if (!file_is_directory(model_path)) {
        memcpy(gguf_path, model_path, length + 1);
        return length > strlen(ending) && !strcmp(model_path + length - strlen(ending), ending) &&
               file_exists(model_path);
    }
    return file_path(config, sizeof config, NULL, model_path, "config.json") &&
           !file_exists(config) && file_path(gguf_path, size, NULL, model_path, "model.gguf") &&
           file_exists(gguf_path);
}
