/* SPDX-License-Identifier: MIT */
/*
 * A backend that has no processor behind it (build host): registers in arrays, guest memory in
 * real nested tables, and a record of what the guest half of kernel/ asks for. Functions of
 * kernel/ that a test does not link have weak stand-ins here.
 */
#ifndef TESTS_UNIT_FAKE_BACKEND_H
#define TESTS_UNIT_FAKE_BACKEND_H

#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define FAKE_VCPUS 2u
#define FAKE_MSRS_MAX 600u
#define FAKE_EXIT_CODES 12u
#define FAKE_HZ 3000000000ull
#define FAKE_PHYSICAL_BITS 39u
#define FAKE_MMIO 0xfee00000ull /* one page of registers behind fake.registers */
#define FAKE_PORT 0x500u        /* eight ports, of the same registers */

struct fake_msr {
    uint32_t msr;
    unsigned how;
};

struct fake_access {
    uint64_t offset, value;
    unsigned size;
    bool write;
};

struct fake_backend {
    struct vm vm;
    struct boot_vm config;
    struct vcpu vcpus[FAKE_VCPUS];
    uint64_t regs[VREG_COUNT]; /* of vCPU 0, as the hardware has them */
    struct vsegment segments[VSEG_COUNT];
    bool copied[3];            /* RIP, RFLAGS, shadow: the neutral copy is valid */
    uint32_t features;
    bool no_1g_pages;
    uint64_t tsc, timer, warp;
    unsigned linear_flushes, flushes, entries, injections;
    struct vevent injected;    /* the last */
    unsigned windows;
    void (*guest)(struct vmexit *exit); /* what vcpu_run's guest does */
    struct fake_msr msrs[FAKE_MSRS_MAX]; /* intercept_msr, in order */
    unsigned msr_count;

    int vector;                /* of the interrupt controller; -1: none */
    uint64_t cr8;
    uint32_t intc_msr;         /* the last that it was asked for */
    unsigned resets, kicks;

    unsigned failures;         /* vm_fail */
    char reason[200];

    uint64_t registers[512];   /* of the device, by offset / 8 */
    struct fake_access accesses[128];
    unsigned access_count;
};
extern struct fake_backend fake;

/* A VM with FAKE_VCPUS vCPUs, RAM from 0 on and a device; vCPU 0 in flat 32-bit protected mode. */
void fake_create(uint64_t memory, uint32_t backing);
void fake_destroy(void);

/* Finds the handler for exit->kind, as the loop does, for vCPU 0. An exit with a length is
 * one of an instruction: it has valid copies of RIP, RFLAGS and the shadow; any other has not. */
enum verdict fake_handle(struct vmexit *exit);
/* The same until it is not tried again: its instruction is not what caused it. */
enum verdict fake_insist(struct vmexit *exit);
/* The state of the copies after an exit. */
void fake_begin(bool instruction);
/* What the backend does before an entry: writes the copies that changed. */
void fake_write_back(void);

/* Modes of the guest. */
void fake_real(void);
void fake_protected(void);
void fake_long(void);
void fake_cpl(unsigned cpl);

/* Guest-physical memory. */
void fake_poke(gpa_t gpa, uint64_t value, unsigned size);
uint64_t fake_peek(gpa_t gpa, unsigned size);

/* The exception that is pending. */
void assert_exception(unsigned vector, int error_code);
void assert_no_event(void);

#endif
