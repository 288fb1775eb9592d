/* SPDX-License-Identifier: MIT */
/*
 * The one contract between the UEFI loader (boot/) and the hypervisor (kernel/).
 *
 * At entry of the kernel ELF (64-bit, boot services left, interrupts off, boot CPU only):
 *   RDI = physical address of struct bootinfo; RSP = a loader stack of at least 16 KiB;
 *   page tables: identity map of all memory and MMIO below the highest address in the memory
 *   map (at least 4 GiB), and the kernel image at its link address (-2 GiB and up).
 * All addresses here are physical, all sizes are in bytes. Everything that this structure
 * points to lies in memory of type BOOT_MEM_LOADER and is the kernel's to keep or to free.
 * The loader has checked all that it parsed: the kernel parses no file format.
 */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include <stdint.h>

#define BOOTINFO_MAGIC 0x4e4f494c4c554dull /* "MULLION" */
#define BOOTINFO_VERSION 3

#define BOOT_NAME_MAX 32     /* VM name with its final NUL */
#define BOOT_RANGES_MAX 16   /* of a VM's guest-physical space */
#define BOOT_SEGMENTS_MAX 32 /* of what a VM's memory holds at its start */
#define BOOT_VCPUS_MAX 16    /* vCPUs of one VM */
#define BOOT_CPUS_MAX 64     /* physical CPUs that are used; more are reported and left alone */
#define BOOT_VMS_MAX 32
#define BOOT_IOAPICS_MAX 8
#define BOOT_ISA_IRQS 16

enum boot_mem_type {
    BOOT_MEM_USABLE = 1,   /* free from the start; boot services memory is counted here */
    BOOT_MEM_LOADER,       /* kernel image, bootinfo, guest images, loader page tables */
    BOOT_MEM_ACPI,         /* ACPI tables and NVS */
    BOOT_MEM_RUNTIME,      /* UEFI runtime services */
    BOOT_MEM_RESERVED,     /* anything else that firmware keeps */
    BOOT_MEM_MMIO,
};

struct boot_mem {
    uint64_t base; /* 4 KiB aligned */
    uint64_t size; /* multiple of 4 KiB */
    uint32_t type; /* enum boot_mem_type */
    uint32_t reserved;
};

struct boot_cpu {
    uint32_t apic_id;
    uint32_t enabled; /* 0: firmware says that it must not be started */
};

enum boot_fb_format { BOOT_FB_NONE = 0, BOOT_FB_RGBX, BOOT_FB_BGRX };

struct boot_fb {
    uint64_t base;
    uint32_t width, height; /* pixels */
    uint32_t pitch;         /* bytes a line; 4 bytes a pixel */
    uint32_t format;        /* enum boot_fb_format */
};

enum boot_vm_kind { BOOT_VM_LINUX = 1, BOOT_VM_MULTIBOOT, BOOT_VM_FLAT };
enum boot_restart { BOOT_RESTART_NEVER = 0, BOOT_RESTART_ON_FAILURE, BOOT_RESTART_ALWAYS };
enum boot_backing { BOOT_BACKING_EAGER = 0, BOOT_BACKING_DEMAND_4K, BOOT_BACKING_DEMAND_2M };
enum boot_switch { BOOT_AUTO = 0, BOOT_ON, BOOT_OFF };

/*
 * A range of a VM's guest-physical space; what is in no range is a hole. The ranges are the single
 * source for the memory map and tables that the guest reads (made by the loader) and for its nested
 * page tables and the decoder (made by the kernel).
 */
enum boot_range_kind {
    BOOT_RANGE_RAM = 1,
    BOOT_RANGE_FIRMWARE, /* RAM that the guest is told to leave alone: tables lie there */
    BOOT_RANGE_DEVICES,  /* device registers */
};

struct boot_range {
    uint64_t gpa;  /* 4 KiB aligned, and so is size; ranges don't overlap */
    uint64_t size;
    uint32_t kind; /* enum boot_range_kind */
    uint32_t reserved;
};

/*
 * What a VM's memory holds at its first instruction: `size` bytes at hpa are copied to gpa, each
 * time that the VM is built. From there to mem_size it is zero, as fresh memory is.
 */
struct boot_segment {
    uint64_t hpa;
    uint64_t gpa;
    uint64_t size;
    uint64_t mem_size;
};

/* vCPU 0 at its first instruction. Segments are flat: CS, and one value for all the others. */
struct boot_start {
    uint64_t rip, rax, rbx, rsi;
    uint64_t cr0, cr3, cr4, efer;
    uint64_t gdt_base;
    uint32_t gdt_limit;
    uint16_t code_selector, data_selector;
    uint32_t code_access, data_access; /* bits as in struct vsegment, kernel/backend.h */
};

/*
 * CPUID leaves that a coursework VM offers (numbers from the manifest; 0: not offered):
 * EAX = exits in total; EBX:ECX = cycles in exits; by reason in ECX: EAX = exits; EBX:ECX = cycles.
 */
struct boot_course_leaves {
    uint32_t total_exits;
    uint32_t total_cycles;
    uint32_t exits_by_reason;
    uint32_t cycles_by_reason;
};

struct boot_vm {
    char name[BOOT_NAME_MAX];
    uint32_t kind;       /* enum boot_vm_kind */
    uint32_t restart;    /* enum boot_restart */
    uint32_t backing;    /* enum boot_backing */
    uint32_t apicv;      /* enum boot_switch: APIC virtualisation */
    uint32_t host_figures; /* 1: hypercalls tell it figures of the whole machine */
    uint32_t autostart;  /* 0: defined only, started by the monitor */
    uint32_t vcpu_count;
    uint32_t exclusive;  /* 1: cpus[] names a physical CPU for each vCPU, by index into bootinfo */
    uint16_t cpus[BOOT_VCPUS_MAX];
    uint64_t memory;     /* guest RAM in bytes, a multiple of 4 KiB */

    uint32_t range_count;
    uint32_t segment_count;
    struct boot_range ranges[BOOT_RANGES_MAX];
    struct boot_segment segments[BOOT_SEGMENTS_MAX];
    struct boot_start start;
    uint64_t tsc_hz_gpa; /* 8 bytes there get the TSC's rate, which the kernel finds out; 0: none */
    struct boot_course_leaves course;
};

struct boot_ioapic {
    uint64_t hpa;
    uint32_t gsi_base;
    uint32_t reserved;
};

struct boot_isa_irq {
    uint32_t gsi;
    uint16_t active_low, level; /* 1: so; 0: active high, edge-triggered */
};

/* What firmware's ACPI tables say of the board; what they don't say is the PC's usual value. */
struct boot_board {
    uint32_t ioapic_count; /* 0: no MADT */
    uint32_t pm_timer;     /* I/O port of the 3.579545 MHz counter; 0: none */
    uint64_t hpet;         /* registers; 0: none */
    struct boot_ioapic ioapics[BOOT_IOAPICS_MAX];
    struct boot_isa_irq isa[BOOT_ISA_IRQS];
};

struct bootinfo {
    uint64_t magic;
    uint32_t version;
    uint32_t size;         /* of this structure, so that a stale loader is noticed */

    uint64_t kernel_hpa;   /* where the kernel image lies, in the order of its link addresses */
    uint64_t kernel_size;
    uint64_t trampoline;   /* a free 4 KiB page below 1 MiB for starting the other CPUs */
    uint64_t tsc_at_entry; /* TSC when the loader started */
    uint64_t log_hpa;      /* log ring that survives a warm reset (type RESERVED); 0: none */
    uint64_t log_size;

    uint64_t mem_map;      /* array of struct boot_mem, sorted, without overlaps */
    uint32_t mem_count;
    uint32_t cpu_count;    /* cpus[0] is the boot CPU */
    struct boot_cpu cpus[BOOT_CPUS_MAX];
    uint32_t cpus_from_madt; /* 0: the list comes from the UEFI MP Services */
    uint32_t vm_count;
    uint64_t vms;          /* array of struct boot_vm */
    struct boot_board board;
    uint32_t bus_masters_stopped; /* PCI functions that could reach memory, and can't any more */
    struct boot_fb fb;
    char options[256];     /* boot options, words separated by blanks; see docs/manifest.md */
};

/* Log lines of a test on a real machine (boot option hwtest), which the loader of the next boot
 * looks for; the last of them is the end. */
#define BOOT_HWTEST_PREFIX "hwtest: "
#define BOOT_HWTEST_END "end of the report"

#endif
