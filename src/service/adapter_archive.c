// Writing tar through libarchive.
#include "service/adapter_archive.h"
#include "base/file.h"
#include "base/memory.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 18 };

static bool fail(struct archive *archive, struct error *error) {
    return error_set(error, ERROR_IO, "cannot write an archive: %s", archive_error_string(archive));
}

static bool copy_content(
    struct archive *archive, int input, const char *path, struct error *error) {
    uint8_t *block = memory_alloc(BLOCK);
    ssize_t got = 1;
    bool good = block || memory_error(error, "an archive");
    while (good && got != 0) {
        got = read(input, block, BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) good = error_set_errno(error, ERROR_IO, "cannot read %s", path);
        if (got > 0 && archive_write_data(archive, block, (size_t)got) != got)
            good = fail(archive, error);
    }
    memory_free(block);
    return good;
}

static bool add_open(
    struct archive *archive, int input, const char *name, const char *path, struct error *error) {
    struct stat status;
    if (fstat(input, &status) != 0) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    if (!S_ISREG(status.st_mode)) return true;
    struct archive_entry *entry = archive_entry_new();
    if (!entry) return memory_error(error, "an archive");
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, status.st_size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, status.st_mtime, 0);
    bool good = archive_write_header(archive, entry) == ARCHIVE_OK ? true : fail(archive, error);
    archive_entry_free(entry);
    return good && copy_content(archive, input, path, error);
}

static bool add_file(
    struct archive *archive, const char *adapter, const char *name, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, adapter, name)) return false;
    int input = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (input < 0) return error_set_errno(error, ERROR_IO, "cannot read %s", path);
    bool good = add_open(archive, input, name, path, error);
    close(input);
    return good;
}

static bool add_files(struct archive *archive, const char *adapter, struct error *error) {
    struct dirent *entry;
    DIR *directory = opendir(adapter);
    if (!directory) return error_set_errno(error, ERROR_IO, "cannot read %s", adapter);
    bool good = true;
    while (good && (entry = readdir(directory)))
        if (entry->d_name[0] != '.') good = add_file(archive, adapter, entry->d_name, error);
    closedir(directory);
    return good;
}

static bool write_archive(int descriptor, const char *adapter, struct error *error) {
    struct archive *archive = archive_write_new();
    if (!archive) return memory_error(error, "an archive");
    bool good = archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
                archive_write_open_fd(archive, descriptor) == ARCHIVE_OK;
    if (!good) fail(archive, error);
    good = good && add_files(archive, adapter, error);
    if (good && archive_write_close(archive) != ARCHIVE_OK) good = fail(archive, error);
    archive_write_free(archive);
    return good;
}

bool adapter_archive_make(
    const char *adapter, const char *folder, int *descriptor, uint64_t *size, struct error *error) {
    *descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*descriptor < 0)
        return error_set_errno(error, ERROR_IO, "cannot make a temporary file in %s", folder);
    off_t length = -1;
    bool good = write_archive(*descriptor, adapter, error);
    if (good) length = lseek(*descriptor, 0, SEEK_END);
    if (good && length < 0) good = error_set_errno(error, ERROR_IO, "cannot read an archive");
    *size = (uint64_t)length;
    if (!good) close(*descriptor);
    return good;
}
