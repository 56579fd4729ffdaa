// Files: mapped read-only, read whole, written atomically. The one door to the file system for
// whatever must survive a crash.
//
// An atomic write is: a temporary file in the same directory, fsync, rename over the name, fsync of
// the directory. After a power cut the name holds either the old bytes or the new ones, never a
// mixture.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct file_map {
    const uint8_t *data; // read-only, shared with every process that maps the same file
    size_t size;
};

bool file_map_open(struct file_map *map, const char *path, struct error *error) WARN_UNUSED;
void file_map_close(struct file_map *map);

// Reads a whole file of at most `maximum` bytes; *bytes (memory_free) has a NUL after `*length`
// bytes.
bool file_read(const char *path, size_t maximum, char **bytes, size_t *length,
    struct error *error) WARN_UNUSED;

bool file_write_atomic(
    const char *path, const void *bytes, size_t length, struct error *error) WARN_UNUSED;

// Renames over the target and syncs the target's directory: the last step of publishing something
// that was written beside its final place.
bool file_rename_durable(const char *from, const char *to, struct error *error) WARN_UNUSED;
bool file_sync_directory(const char *path, struct error *error) WARN_UNUSED;

// Copies a file of any size and brings the copy to disk. `to` must not be there.
bool file_copy(const char *from, const char *to, struct error *error) WARN_UNUSED;

bool file_exists(const char *path);
bool file_is_directory(const char *path);
bool file_size(const char *path, uint64_t *size, struct error *error) WARN_UNUSED;

// Makes the directory and its missing parents, mode 0700. An existing directory is success.
bool file_make_directories(const char *path, struct error *error) WARN_UNUSED;

// Removes a file, or a directory with all that is in it; links are not followed. Nothing there is
// success.
bool file_remove_tree(const char *path, struct error *error) WARN_UNUSED;

// Writes all bytes to a descriptor, over short writes and interruptions.
bool file_write_all(
    int descriptor, const void *bytes, size_t length, struct error *error) WARN_UNUSED;

// "directory/name" into `path`; an error if it does not fit.
bool file_path(char *path, size_t size, struct error *error, const char *directory,
    const char *name) WARN_UNUSED;

enum { FILE_PATH_SIZE = 4096 };

#endif
