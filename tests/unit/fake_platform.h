/* SPDX-License-Identifier: MIT */
/*
 * A VM for tests of interrupt controllers (build host): guest RAM in an array, vCPUs
 * that only record what is asked of them, a clock that stands still until the test moves it.
 */
#ifndef TESTS_UNIT_FAKE_PLATFORM_H
#define TESTS_UNIT_FAKE_PLATFORM_H

#include "boot/bootinfo.h"
#include "kernel/apicv.h"
#include "kernel/vdev.h"

#define FAKE_PAGES_SIZE (4ull << 20) /* what page_alloc gives */
#define FAKE_RAM_MAX (1ull << 36)

/* What a processor with APIC virtualisation was told of a vCPU. */
struct fake_apicv {
    uint32_t *page; /* NULL: off */
    unsigned changes;
    uint8_t in_service;
    uint8_t requested; /* highest that was raised since the last change */
    uint64_t eoi_exits[APICV_WORDS];
};

struct fake {
    struct vm vm;
    struct vcpu vcpus[BOOT_VCPUS_MAX];
    struct boot_vm config;
    struct vdev devices[16];
    unsigned device_count;
    uint8_t *ram; /* guest-physical space, sparse */
    unsigned kicks;    /* calls of vcpu_request */
    int pic_vector;    /* what the PIC answers; -1: no PIC */
    uint32_t pic_lines;
    struct fake_apicv apicv[BOOT_VCPUS_MAX];
};

extern struct fake fake;
extern uint64_t fake_tsc;

/* A VM with its vCPUs, no map, no devices; the one before is dropped. */
void fake_create(enum boot_vm_kind kind, uint32_t vcpus, uint64_t memory);
/* Creates the devices of all types that are linked in. */
void fake_devices(void);
void fake_destroy(void);
/* Requests of a vCPU, which are cleared. */
uint32_t fake_requests(unsigned vcpu);
/* Moves the clock, running what is due on every vCPU. */
void fake_advance(uint64_t ticks);
/* MMIO as vCPU `vcpu` does it, with the VM's lock held. */
uint64_t fake_mmio_read(unsigned vcpu, gpa_t gpa, unsigned size);
void fake_mmio_write(unsigned vcpu, gpa_t gpa, unsigned size, uint64_t value);

#endif
