/* SPDX-License-Identifier: MIT */
/* Stand-ins for the machine under kernel/ (build host). */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/unit/host_stubs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "kernel/exit_loop.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/page.h"

#define JUNK 0xa5
#define JUNK_MAX (64u << 20)

static uint8_t *memory;
static uint64_t memory_size;
static uint8_t *states;
static unsigned locks_held;
static uint64_t random_state;

void host_memory_init(uint64_t size)
{
    if (memory)
        munmap(memory, memory_size);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    memory_size = size;
    if (memory == MAP_FAILED)
        abort();
    locks_held = 0;
}

void host_pages_init(hpa_t base, uint64_t size)
{
    host_memory_init(base + size);
    if (size <= JUNK_MAX)
        memset(page_ptr(base), JUNK, size);
    free(states);
    states = malloc((base + size) >> PAGE_SHIFT);
    page_init(states, (base + size) >> PAGE_SHIFT);
    page_add(base, size);
}

void *page_ptr(hpa_t hpa)
{
    assert_true(hpa < memory_size);
    return memory + hpa;
}

hpa_t page_hpa(const void *ptr)
{
    const uint8_t *byte = ptr;

    assert_true(byte >= memory && byte < memory + memory_size);
    return (hpa_t)(byte - memory);
}

bool host_is_zero(hpa_t hpa, uint64_t size)
{
    const uint8_t *bytes = page_ptr(hpa);

    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

void host_random_seed(uint64_t seed)
{
    random_state = seed;
}

/* xorshift64* by Marsaglia and Vigna; the multiplication is meant to wrap. */
uint64_t host_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dull;
}

unsigned host_locks_held(void)
{
    return locks_held;
}

void lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
    *lock = (struct lock){ .rank = rank, .name = name };
}

#define HOLDER ((struct cpu *)1)

void lock_acquire(struct lock *lock)
{
    assert_null(lock->owner);
    lock->owner = HOLDER;
    locks_held++;
}

void lock_release(struct lock *lock)
{
    assert_ptr_equal(lock->owner, HOLDER);
    lock->owner = NULL;
    locks_held--;
}

bool lock_held(const struct lock *lock)
{
    return lock->owner;
}

__attribute__((weak)) struct cpu *this_cpu(void)
{
    static struct cpu cpu;

    cpu.self = &cpu;
    return &cpu;
}

__attribute__((weak)) void log_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

/* Jumps back into expect_assert_failure(), or fails the test. */
void panic_at(const char *file, int line, const char *format, ...)
{
    static char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    mock_assert(0, text, file, line);
    abort();
}

/* kernel/exit.c, where only the backend's half of the loop is linked. */
__attribute__((weak)) exit_handle_fn exit_handlers[EXIT_KINDS];

__attribute__((weak)) uint64_t exit_wrap(struct vcpu *v, uint64_t rip)
{
    (void)v;
    return rip;
}

__attribute__((weak)) void exit_settle(struct vcpu *v)
{
    (void)v;
}

__attribute__((weak)) bool exit_prepare(struct vcpu *v)
{
    (void)v;
    return false;
}
