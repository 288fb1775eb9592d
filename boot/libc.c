/* SPDX-License-Identifier: MIT */
/*
 * The system calls that newlib wants: a heap, and nothing else. There are no streams here; text
 * goes through say.c. Runs in the UEFI loader.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/loader.h"

/* The manifest's parse tree is the one user: 64 KiB of text at most. */
#define HEAP_SIZE (16ull << 20)

int kill(int pid, int sig); /* newlib declares it in signal.h for POSIX targets only */

void *sbrk(ptrdiff_t increment)
{
    static uint8_t *heap;
    static size_t used;
    void *result;

    if (heap == NULL)
        heap = memory_borrow(HEAP_SIZE, "the heap");
    if (increment < 0 ? (size_t)-increment > used : (size_t)increment > HEAP_SIZE - used) {
        errno = ENOMEM;
        return (void *)-1;
    }
    result = heap + used;
    used += (size_t)increment;
    return result;
}

static int refuse(void)
{
    errno = EBADF;
    return -1;
}

_READ_WRITE_RETURN_TYPE read(int fd, void *buffer, size_t size)
{
    (void)fd, (void)buffer, (void)size;
    return refuse();
}

_READ_WRITE_RETURN_TYPE write(int fd, const void *buffer, size_t size)
{
    (void)fd, (void)buffer, (void)size;
    return refuse();
}

int close(int fd)
{
    (void)fd;
    return refuse();
}

off_t lseek(int fd, off_t offset, int whence)
{
    (void)fd, (void)offset, (void)whence;
    return refuse();
}

int fstat(int fd, struct stat *status)
{
    (void)fd, (void)status;
    return refuse();
}

int isatty(int fd)
{
    (void)fd;
    return refuse() + 1;
}

pid_t getpid(void)
{
    return 1;
}

int kill(int pid, int sig)
{
    (void)pid, (void)sig;
    return refuse();
}

void _exit(int status)
{
    say_fatal("internal error: the C library gave up (status %d)", status);
}
