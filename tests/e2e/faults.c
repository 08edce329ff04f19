/* Stands between a program and libc: numbers each call that changes a file below the watched
 * directories, across all processes of a run, and at a given number pulls the plug, fills the disk,
 * lets a call fail, or sends a signal.
 *
 * What os.stat() finds there changed a day earlier than it did: see "ages".
 *
 * LD_PRELOAD names this object, FAULTS the shared plan (see faults.py, which has the same layout).
 * Only calls made through the dynamic linker are seen: CPython's all are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, NO_SPACE, READ_ONLY, FAIL_ONCE, FAIL, NO_SYNC, NO_OPEN, SIGNAL };
enum { ROOTS = 4, PROCESSES = 64, CALLS = 2048, WORDS = 160 };
enum { FREE, SPACE }; /* what a call needs */

struct plan {
    int mode, at, number; /* of the error, or of the signal to the first process */
    _Atomic int changes, space, fired, processes;
    int pids[PROCESSES];
    char roots[ROOTS][256];
    char calls[CALLS][WORDS];
};
static struct plan *plan;
static char plan_path[PATH_MAX];

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Where a process begins; a fork of one that had no plan yet calls it, too. */
__attribute__((constructor)) void faults_begin(void) {
    const char *path = getenv("FAULTS");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at == MAP_FAILED) return;
    plan = at;
    snprintf(plan_path, sizeof plan_path, "%s", path);
    int slot = atomic_fetch_add(&plan->processes, 1);
    if (slot < PROCESSES) plan->pids[slot] = getpid();
}

/* A process number may have been given anew: kill only who has the plan mapped. */
static int has_plan(int pid) {
    char text[1 << 16], name[64];
    size_t size = 0;
    snprintf(name, sizeof name, "/proc/%d/maps", pid);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    for (ssize_t n; size < sizeof text - 1; size += (size_t)n)
        if ((n = syscall(SYS_read, fd, text + size, sizeof text - 1 - size)) <= 0) break;
    syscall(SYS_close, fd);
    text[size] = 0;
    return strstr(text, plan_path) != NULL;
}

static void pull_the_plug(void) {
    int known = atomic_load(&plan->processes);
    for (int i = 0; i < known && i < PROCESSES; i++)
        if (plan->pids[i] != getpid() && has_plan(plan->pids[i])) kill(plan->pids[i], SIGKILL);
    for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

static int descriptor_path(int fd, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, name, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return 1;
}

static int watched(const char *path) {
    if (strstr(path, "/../")) return 0;
    for (int i = 0; i < ROOTS; i++) {
        size_t length = strlen(plan->roots[i]);
        if (length && !strncmp(path, plan->roots[i], length) && (path[length] == '/' || !path[length]))
            return 1;
    }
    return 0;
}

static int full_path(int directory, const char *path, char *full) {
    if (!path) return 0;
    if (*path == '/') {
        snprintf(full, PATH_MAX, "%s", path);
        return 1;
    }
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, full, PATH_MAX) < 0) return 0;
    } else if (!descriptor_path(directory, full)) {
        return 0;
    }
    size_t length = strlen(full);
    snprintf(full + length, PATH_MAX - length, "/%s", path);
    return 1;
}

static int fails(void) {
    atomic_fetch_add(&plan->fired, 1);
    errno = plan->number;
    return -1;
}

/* For a call that is no change: it fails from the chosen change on. */
static int from_then_on(void) { return atomic_load(&plan->changes) >= plan->at ? fails() : 0; }

/* Number a call; -1 with errno if it must fail, 1 if it is to be torn in two, else 0. */
static int step(const char *call, const char *path, int needs, size_t size) {
    int number = atomic_fetch_add(&plan->changes, 1) + 1;
    int spacious = needs == SPACE ? atomic_fetch_add(&plan->space, 1) + 1 : 0;
    if (number <= CALLS)
        snprintf(plan->calls[number - 1], WORDS, "%d %s %s", getpid(), call, path);
    if (plan->mode == FAIL && number >= plan->at) return fails();
    if (plan->mode == FAIL_ONCE && number == plan->at) return fails();
    if (plan->mode == NO_OPEN && number >= plan->at && !strcmp(call, "open")) return fails();
    if (plan->mode == SIGNAL && number == plan->at && ++plan->fired) kill(plan->pids[0], plan->number);
    if (plan->mode > READ_ONLY) return 0;
    int counted = plan->mode == NO_SPACE ? spacious : number;
    if (plan->mode == COUNT || !counted || counted < plan->at) return 0;
    atomic_fetch_add(&plan->fired, 1);
    int torn = counted == plan->at && size > 1;
    if (torn && plan->mode != READ_ONLY) return 1;
    if (plan->mode == KILL) pull_the_plug();
    errno = plan->mode == NO_SPACE ? ENOSPC : EROFS;
    return -1;
}

static int at_path(const char *call, int directory, const char *path, int needs) {
    char full[PATH_MAX];
    if (!plan) return 0;
    int saved = errno;
    if (full_path(directory, path, full) && watched(full) && step(call, full, needs, 0) < 0)
        return -1;
    errno = saved;
    return 0;
}

static int at_descriptor(const char *call, int fd, int needs, size_t size) {
    char path[PATH_MAX];
    if (!plan || fd < 3) return 0;
    int saved = errno, result = 0;
    if (descriptor_path(fd, path) && watched(path)) result = step(call, path, needs, size);
    if (result >= 0) errno = saved;
    return result;
}

/* ---- opening -------------------------------------------------------------------------------- */

#define MAKES (O_CREAT | O_TRUNC)
static int may_open(const char *call, int directory, const char *path, int flags) {
    char full[PATH_MAX];
    struct stat found;
    if (!plan || !full_path(directory, path, full)) return 0;
    if (!(flags & MAKES)) return plan->mode == NO_OPEN && watched(full) ? from_then_on() : 0;
    int there = syscall(SYS_newfstatat, AT_FDCWD, full, &found, 0) == 0;
    return at_path(call, directory, path, there ? FREE : SPACE);
}
#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list words; \
        va_start(words, last); \
        mode = (mode_t)va_arg(words, int); \
        va_end(words); \
    }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        MODE(flags, flags) \
        return may_open("open", AT_FDCWD, path, flags) ? -1 : real(path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int directory, const char *path, int flags, ...) { \
        REAL(name); \
        MODE(flags, flags) \
        return may_open("open", directory, path, flags) ? -1 : real(directory, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* ---- content -------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    int torn = at_descriptor("write", fd, SPACE, size);
    if (torn < 0) return -1;
    ssize_t done = real(fd, data, torn ? size / 2 : size);
    if (torn && plan->mode == KILL) pull_the_plug();
    return done;
}
#define CALL(type, name, decl, args, check) \
    type name decl { \
        REAL(name); \
        return (check) ? (type)-1 : real args; \
    }
CALL(ssize_t, pwrite, (int fd, const void *d, size_t n, off_t o), (fd, d, n, o),
     at_descriptor("pwrite", fd, SPACE, 0))
CALL(ssize_t, pwrite64, (int fd, const void *d, size_t n, off64_t o), (fd, d, n, o),
     at_descriptor("pwrite", fd, SPACE, 0))
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n),
     at_descriptor("writev", fd, SPACE, 0))
CALL(ssize_t, sendfile, (int to, int from, off_t *o, size_t n), (to, from, o, n),
     at_descriptor("sendfile", to, SPACE, 0))
CALL(ssize_t, sendfile64, (int to, int from, off64_t *o, size_t n), (to, from, o, n),
     at_descriptor("sendfile", to, SPACE, 0))
CALL(ssize_t, copy_file_range, (int from, off64_t *f, int to, off64_t *t, size_t n, unsigned g),
     (from, f, to, t, n, g), at_descriptor("copy_file_range", to, SPACE, 0))
CALL(int, ftruncate, (int fd, off_t n), (fd, n), at_descriptor("ftruncate", fd, FREE, 0))
CALL(int, ftruncate64, (int fd, off64_t n), (fd, n), at_descriptor("ftruncate", fd, FREE, 0))
CALL(int, truncate, (const char *p, off_t n), (p, n), at_path("truncate", AT_FDCWD, p, FREE))
CALL(int, truncate64, (const char *p, off64_t n), (p, n), at_path("truncate", AT_FDCWD, p, FREE))

/* No change by itself, so no point of its own: what comes before and after it is. */
static int at_sync(int fd) {
    char path[PATH_MAX];
    if (!plan || (plan->mode != FAIL && plan->mode != NO_SYNC) || plan->number != EIO) return 0;
    if (plan->mode == NO_SYNC && atomic_load(&plan->fired)) return 0;
    return descriptor_path(fd, path) && watched(path) ? from_then_on() : 0;
}
CALL(int, fsync, (int fd), (fd), at_sync(fd))
CALL(int, fdatasync, (int fd), (fd), at_sync(fd))

/* ---- names ---------------------------------------------------------------------------------- */

CALL(int, rename, (const char *a, const char *b), (a, b), at_path("rename", AT_FDCWD, b, FREE))
CALL(int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b),
     at_path("rename", y, b, FREE))
CALL(int, renameat2, (int x, const char *a, int y, const char *b, unsigned f), (x, a, y, b, f),
     at_path("rename", y, b, FREE))
CALL(int, unlink, (const char *p), (p), at_path("unlink", AT_FDCWD, p, FREE))
CALL(int, unlinkat, (int d, const char *p, int f), (d, p, f), at_path("unlink", d, p, FREE))
CALL(int, remove, (const char *p), (p), at_path("unlink", AT_FDCWD, p, FREE))
CALL(int, rmdir, (const char *p), (p), at_path("rmdir", AT_FDCWD, p, FREE))
CALL(int, mkdir, (const char *p, mode_t m), (p, m), at_path("mkdir", AT_FDCWD, p, SPACE))
CALL(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m), at_path("mkdir", d, p, SPACE))
CALL(int, symlink, (const char *t, const char *p), (t, p), at_path("symlink", AT_FDCWD, p, SPACE))
CALL(int, symlinkat, (const char *t, int d, const char *p), (t, d, p),
     at_path("symlink", d, p, SPACE))
CALL(int, link, (const char *a, const char *p), (a, p), at_path("link", AT_FDCWD, p, SPACE))
CALL(int, linkat, (int x, const char *a, int d, const char *p, int f), (x, a, d, p, f),
     at_path("link", d, p, SPACE))

/* ---- ages: only what is old enough is put on record, however long a run takes ------------------ */

#define DAY (24 * 60 * 60)
#define STAT(name) \
    int name(const char *path, struct name *found) { \
        REAL(name); \
        char full[PATH_MAX]; \
        int result = real(path, found); \
        if (!result && plan && full_path(AT_FDCWD, path, full) && watched(full)) \
            found->st_ctim.tv_sec -= DAY; \
        return result; \
    }
STAT(stat)
STAT(stat64)

/* ---- modes, owners, times ------------------------------------------------------------------- */

CALL(int, chmod, (const char *p, mode_t m), (p, m), at_path("chmod", AT_FDCWD, p, FREE))
CALL(int, fchmod, (int fd, mode_t m), (fd, m), at_descriptor("chmod", fd, FREE, 0))
CALL(int, fchmodat, (int d, const char *p, mode_t m, int f), (d, p, m, f),
     at_path("chmod", d, p, FREE))
CALL(int, chown, (const char *p, uid_t u, gid_t g), (p, u, g),
     at_path("chown", AT_FDCWD, p, FREE))
CALL(int, lchown, (const char *p, uid_t u, gid_t g), (p, u, g),
     at_path("chown", AT_FDCWD, p, FREE))
CALL(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g), at_descriptor("chown", fd, FREE, 0))
CALL(int, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f),
     at_path("chown", d, p, FREE))
CALL(int, utimensat, (int d, const char *p, const struct timespec t[2], int f), (d, p, t, f),
     at_path("utime", d, p, FREE))
CALL(int, futimens, (int fd, const struct timespec t[2]), (fd, t),
     at_descriptor("utime", fd, FREE, 0))
CALL(int, utimes, (const char *p, const struct timeval t[2]), (p, t),
     at_path("utime", AT_FDCWD, p, FREE))
