/* Preloaded by the fault tests alone: makes the disk of a process fail on
 * demand. FAULT_FILE names a file; while it holds "full", writes to files
 * below FAULT_FOLDER answer ENOSPC, and while it holds "sync", syncs of them
 * answer EIO, and while it holds "hang", they do not come back; while it holds
 * "readonly", nothing of it can be opened to be written (EROFS). Without the
 * file everything goes through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* How often a sync that hangs looks whether it still does. */
#define LOOK_US 10000

/* Whether the fault is told just now. */
static int told(const char *fault) {
    char held[16] = {0};
    const char *file = getenv("FAULT_FILE");
    if (!file || !getenv("FAULT_FOLDER")) return 0;
    int asked = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    if (asked < 0) return 0;
    ssize_t n = syscall(SYS_read, asked, held, sizeof held - 1);
    syscall(SYS_close, asked);
    return n > 0 && strncmp(held, fault, strlen(fault)) == 0;
}

static int below(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static int fails(int fd, const char *fault) {
    char link[64], path[4096];
    if (!told(fault)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int opened(const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (writes && told("readonly") && below(path)) { errno = EROFS; return -1; }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return opened(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(path, flags, mode); }

#define FULL(fd) if (fails(fd, "full")) { errno = ENOSPC; return -1; }
#define SYNC(fd) \
    while (fails(fd, "hang")) usleep(LOOK_US); \
    if (fails(fd, "sync")) { errno = EIO; return -1; }

ssize_t write(int fd, const void *data, size_t n) { FULL(fd) return syscall(SYS_write, fd, data, n); }
ssize_t writev(int fd, const struct iovec *parts, int n) { FULL(fd) return syscall(SYS_writev, fd, parts, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { FULL(fd) return syscall(SYS_pwrite64, fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { FULL(fd) return syscall(SYS_pwrite64, fd, data, n, at); }
int fallocate(int fd, int mode, off_t at, off_t n) { FULL(fd) return (int)syscall(SYS_fallocate, fd, mode, at, n); }
int fallocate64(int fd, int mode, off64_t at, off64_t n) { FULL(fd) return (int)syscall(SYS_fallocate, fd, mode, at, n); }
int fsync(int fd) { SYNC(fd) return (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { SYNC(fd) return (int)syscall(SYS_fdatasync, fd); }
