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
#define BOOTINFO_VERSION 1

#define BOOT_NAME_MAX 32     /* VM name with its final NUL */
#define BOOT_CMDLINE_MAX 1024
#define BOOT_SEGMENTS_MAX 8
#define BOOT_MODULES_MAX 8
#define BOOT_MODULE_NAME_MAX 64
#define BOOT_VCPUS_MAX 16    /* vCPUs of one VM */
#define BOOT_CPUS_MAX 64     /* physical CPUs that are used; more are reported and left alone */
#define BOOT_VMS_MAX 32

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

/* A part of a guest image: `size` bytes at hpa are copied to gpa; up to mem_size bytes are zero. */
struct boot_segment {
    uint64_t hpa;
    uint64_t gpa;
    uint64_t size;
    uint64_t mem_size;
};

struct boot_module {
    uint64_t hpa;
    uint64_t size;
    char name[BOOT_MODULE_NAME_MAX]; /* the manifest's path; a Multiboot module's string */
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
    uint32_t autostart;  /* 0: defined only, started by the monitor */
    uint32_t vcpu_count;
    uint32_t exclusive;  /* 1: cpus[] names a physical CPU for each vCPU, by index into bootinfo */
    uint16_t cpus[BOOT_VCPUS_MAX];
    uint64_t memory;     /* guest RAM in bytes, a multiple of 4 KiB */

    uint64_t entry;      /* guest-physical address of the first instruction */
    uint32_t segment_count;
    struct boot_segment segments[BOOT_SEGMENTS_MAX];
    /* linux: the setup header, bytes 0x1f1 and up of the bzImage, to be copied to the zero page */
    uint64_t setup_header_hpa;
    uint64_t setup_header_size;
    struct boot_module initrd; /* linux; size 0: none */
    uint32_t module_count;     /* multiboot */
    struct boot_module modules[BOOT_MODULES_MAX];
    char cmdline[BOOT_CMDLINE_MAX];
    struct boot_course_leaves course;
};

struct bootinfo {
    uint64_t magic;
    uint32_t version;
    uint32_t size;         /* of this structure, so that a stale loader is noticed */

    uint64_t kernel_hpa;   /* where the kernel image lies, in the order of its link addresses */
    uint64_t kernel_size;
    uint64_t trampoline;   /* a free 4 KiB page below 1 MiB for starting the other CPUs */
    uint64_t rsdp;         /* ACPI root pointer; 0: firmware has none */
    uint64_t tsc_at_entry; /* TSC when the loader started */
    uint64_t tsc_at_exit;  /* TSC when boot services were left */
    uint64_t log_hpa;      /* log ring that survives a warm reset (type RESERVED); 0: none */
    uint64_t log_size;

    uint64_t mem_map;      /* array of struct boot_mem, sorted, without overlaps */
    uint32_t mem_count;
    uint32_t cpu_count;    /* cpus[0] is the boot CPU */
    struct boot_cpu cpus[BOOT_CPUS_MAX];
    uint32_t cpus_from_madt; /* 0: the list comes from the UEFI MP Services */
    uint32_t vm_count;
    uint64_t vms;          /* array of struct boot_vm */
    struct boot_fb fb;
    char options[256];     /* boot options, words separated by blanks; see docs/manifest.md */
};

/* Log lines of a test on a real machine (boot option hwtest), which the loader of the next boot
 * looks for; the last of them is the end. */
#define BOOT_HWTEST_PREFIX "hwtest: "
#define BOOT_HWTEST_END "end of the report"

#endif
