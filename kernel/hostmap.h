/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space. Where things are (all supervisor, nothing is writable and
 * executable at once; what is not listed is unmapped):
 *
 *   PHYSMAP_BASE            RAM, firmware tables and the log: RW NX, write-back; the image's code
 *                           and constants read-only here too
 *   HOSTMAP_WINDOW_BASE     device registers (UC) and the frame buffer (WC): RW NX
 *   HOSTMAP_STACK_BASE      stacks, each with unmapped pages below: RW NX
 *   KERNEL_BASE             the image: code RX, constants R, data RW
 *   the trampoline's page   identity-mapped RX while other CPUs are started
 *
 * All of this is set up by the boot CPU alone, before other CPUs run: no lock.
 */
#ifndef KERNEL_HOSTMAP_H
#define KERNEL_HOSTMAP_H

#include "boot/bootinfo.h"
#include "kernel/pt.h"

#define HOSTMAP_WINDOW_BASE 0xffffd00000000000ull
#define HOSTMAP_STACK_BASE 0xffffe00000000000ull
#define KERNEL_BASE 0xffffffff80000000ull

/* IA32_PAT of every CPU in root mode: as after reset, but entry 1 (PWT) is write-combining. */
#define HOSTMAP_PAT 0x0007040600070106ull

#define HOSTMAP_IST_COUNT 7u         /* IST stacks of one CPU, numbered from 1 as in the TSS */
#define HOSTMAP_IST_SIZE (8u << 10)

/* A part of the image by its link addresses, 4 KiB aligned. The array ends with start == 0. */
struct hostmap_part {
    const char *start;
    const char *end;
    unsigned rights; /* enum pt_rights */
};
extern const struct hostmap_part hostmap_image[]; /* kernel/image.c; tests bring their own */

/* The very first call: makes page_ptr() work on the loader's tables, by aliasing their identity
 * map at PHYSMAP_BASE. Gives bootinfo's new address, which stays valid. */
const struct bootinfo *hostmap_early(hpa_t bootinfo);

/* Gives usable memory to the page allocator and builds the tables. Panics when it can't. */
void hostmap_init(const struct bootinfo *boot);

/* Loads the tables on this CPU, with EFER.NXE, CR0.WP and IA32_PAT. The loader's identity map
 * ends here: the caller's stack is in the image (.bss) or from hostmap_stack(). */
void hostmap_activate(void);

/* The tables; the root lies below 4 GiB, so that a CPU in 32-bit mode can load it. */
const struct pt *hostmap_pt(void);

/* Maps device registers, uncached, and the frame buffer, write-combining. Any alignment.
 * NULL: no memory. */
void *hostmap_mmio(hpa_t hpa, uint64_t size);
void *hostmap_wc(hpa_t hpa, uint64_t size);

/* Top of a CPU's stack (CPU_STACK_SIZE) and of its IST stacks (HOSTMAP_IST_SIZE, ist 1 and up),
 * mapped at the first call. NULL: no memory. */
void *hostmap_stack(unsigned cpu);
void *hostmap_ist_stack(unsigned cpu, unsigned ist);

/* Maps the trampoline's page (identity, RX, write through the direct map) or removes it. Its GDT
 * must have the accessed bits set, since CR0.WP makes loading a segment fault otherwise. */
void hostmap_trampoline(bool on);

/* Panics when anything is writable and executable at once. */
void hostmap_check(void);

#endif
