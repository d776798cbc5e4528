/* Preloaded by the crash tests alone: writes down what a process does to the
 * files below TRACE_FOLDER, so that a test can afterwards take away whatever
 * had not been synced. One line each, appended with a single write:
 *
 *   O ino path        a file was opened        C ino path   ... and created
 *   W ino offset len  bytes were written       T ino size   a file was resized
 *   S ino token       a sync began             F ino token  ... and returned
 *
 * TRACE_LOG names the log. A write is logged after it happened and a sync
 * before it begins, so that nothing counts as synced which may not be.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_fd = -1;
static const char *folder;
static dev_t device;
static atomic_ulong next_token;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("TRACE_LOG");
    struct stat st;
    folder = getenv("TRACE_FOLDER");
    if (!path || !folder || stat(folder, &st) != 0) return;
    device = st.st_dev;
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void say(const char *format, ...) {
    char line[4400];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n > 0 && n < (int)sizeof line) syscall(SYS_write, log_fd, line, (size_t)n);
}

/* The inode of a file or folder that is traced, or 0. */
static unsigned long traced(int fd) {
    struct stat st;
    if (log_fd < 0 || fd == log_fd || fstat(fd, &st) != 0) return 0;
    if (st.st_dev != device || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return 0;
    return (unsigned long)st.st_ino;
}

static void opened(int fd, int created) {
    char link[64], path[4096];
    unsigned long ino = traced(fd);
    if (!ino) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return;
    path[n] = 0;
    if (strncmp(path, folder, strlen(folder)) == 0) say("%c %lu %s\n", created ? 'C' : 'O', ino, path);
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    int created = 0;
    if (flags & O_CREAT) {
        struct stat st;
        created = fstatat(dir, path, &st, 0) != 0;
    }
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0) opened(fd, created);
    return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list args; va_start(args, flags); mode = va_arg(args, mode_t); va_end(args); }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags | O_LARGEFILE, mode); }

static ssize_t wrote(int fd, ssize_t n) {
    unsigned long ino = n > 0 ? traced(fd) : 0;
    if (ino) say("W %lu %lld %lld\n", ino, (long long)(lseek(fd, 0, SEEK_CUR) - n), (long long)n);
    return n;
}
ssize_t write(int fd, const void *data, size_t size) { return wrote(fd, syscall(SYS_write, fd, data, size)); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return wrote(fd, syscall(SYS_writev, fd, parts, count)); }

static ssize_t wrote_at(int fd, ssize_t n, off_t at) {
    unsigned long ino = n > 0 ? traced(fd) : 0;
    if (ino) say("W %lu %lld %lld\n", ino, (long long)at, (long long)n);
    return n;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return wrote_at(fd, syscall(SYS_pwrite64, fd, data, size, at), at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return wrote_at(fd, syscall(SYS_pwrite64, fd, data, size, at), at); }

static int resized(int fd, off_t size) {
    int outcome = (int)syscall(SYS_ftruncate, fd, size);
    unsigned long ino = outcome == 0 ? traced(fd) : 0;
    if (ino) say("T %lu %lld\n", ino, (long long)size);
    return outcome;
}
int ftruncate(int fd, off_t size) { return resized(fd, size); }
int ftruncate64(int fd, off64_t size) { return resized(fd, size); }

static int synced(int fd, long call) {
    unsigned long ino = traced(fd), token = atomic_fetch_add(&next_token, 1);
    if (ino) say("S %lu %lu\n", ino, token);
    int outcome = (int)syscall(call, fd);
    if (ino && outcome == 0) say("F %lu %lu\n", ino, token);
    return outcome;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
