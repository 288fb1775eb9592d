/* SPDX-License-Identifier: MIT */
/* What tests of instructions that reach a device's memory share (build host). */
#ifndef TESTS_UNIT_MMIO_CASE_H
#define TESTS_UNIT_MMIO_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/fake_backend.h"

#define CODE 0x1000ull
#define REG(offset) (FAKE_MMIO + (offset))

static struct vcpu *const v = &fake.vcpus[0];
static struct vmexit last;

static int setup(void **state)
{
    (void)state;
    fake_create(PAGE_2M, BOOT_BACKING_EAGER);
    fake.regs[VREG_RIP] = CODE;
    return 0;
}

static enum verdict access(gpa_t gpa, bool write)
{
    last = (struct vmexit){ .kind = EXIT_MEMORY,
                            .memory = { .gpa = gpa, .write = write } };
    return fake_handle(&last);
}

/* In the end: at first a sibling may have changed the instruction. */
static inline enum verdict access_again(gpa_t gpa)
{
    last = (struct vmexit){ .kind = EXIT_MEMORY, .memory = { .gpa = gpa } };
    return fake_insist(&last);
}

/* 64-bit mode with the first 2 MiB mapped. */
static inline void long_mode(void)
{
    fake_long();
    fake.regs[VREG_CR3] = 0x10000;
    fake_poke(0x10000, 0x11000 | PTE_P | PTE_W | PTE_U, 8);
    fake_poke(0x11000, 0x12000 | PTE_P | PTE_W | PTE_U, 8);
    fake_poke(0x12000, PTE_PS | PTE_P | PTE_W | PTE_U, 8);
}

static void put_code(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fake_poke(CODE + i, (uint8_t)bytes[i], 1);
}

/* One instruction that touches the device at `offset`. */
#define INSTRUCTION(text, offset)                                                                  \
    (put_code(text, sizeof(text) - 1), access(REG(offset), false))

static void assert_access(unsigned index, uint64_t offset, unsigned size, bool write,
                          uint64_t value)
{
    assert_true(index < fake.access_count);
    assert_int_equal(fake.accesses[index].offset, offset);
    assert_int_equal(fake.accesses[index].size, size);
    assert_int_equal(fake.accesses[index].write, write);
    assert_int_equal(fake.accesses[index].value, value);
}

#endif
