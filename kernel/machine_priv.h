/* SPDX-License-Identifier: MIT */
/* What the machine files share (root mode). */
#ifndef KERNEL_MACHINE_PRIV_H
#define KERNEL_MACHINE_PRIV_H

#include "kernel/machine.h"

/* One row for each kind of guest. */
struct machine_kind {
    enum machine machine;
    uint64_t min_memory;
    gpa_t low_end;   /* RAM below 1 MiB ends here; from there to 1 MiB it is reserved for us */
    gpa_t image_min; /* below it are tables of ours: no image may lie there */
    int (*load)(struct vm *vm);
};

int machine_linux_load(struct vm *vm);
int machine_pc_load(struct vm *vm);
int machine_flat_load(struct vm *vm);

/* Copies size bytes of host-physical memory, all of it to RAM that the guest may use. */
int machine_copy(struct vm *vm, gpa_t gpa, hpa_t from, uint64_t size, const char *what);
/* Writes one table of ours; -EFAULT is logged. */
int machine_write(struct vm *vm, gpa_t gpa, const void *from, size_t size);
/* End of RAM below 4 GiB. */
gpa_t machine_low_ram_end(const struct vm *vm);

/* 32-bit protected mode, flat segments, paging off; EAX, EBX and EIP as given. 0, -EFAULT. */
int machine_enter_32(struct vcpu *vcpu, uint32_t eax, uint32_t ebx, gpa_t entry);
/* 64-bit mode on an identity map of the first 4 GiB, whose tables it writes; RSI as given. */
int machine_enter_64(struct vcpu *vcpu, uint64_t rsi, gpa_t entry);
#define MACHINE_GDT_GPA 0x6000ull
#define MACHINE_PML4_GPA 0x8000ull /* and PDPT, and four page directories: to 0xdfff */

/* MP configuration table 1.4 with its floating pointer first. Bytes used. */
size_t mptable_build(const struct vm *vm, gpa_t base, void *buffer, size_t size);

#endif
