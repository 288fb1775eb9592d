/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine: guest-physical memory, vCPUs, buses, devices, a console, a life cycle:
 *
 *   vm_create -> READY -> vm_start -> RUNNING -> (guest ends, fails or is killed) -> ENDED
 *   -> vm_start builds it anew, or vm_destroy removes it.
 *
 * vm_create makes, in this order: the map and its RAM, vCPUs, devices (their init sees
 * vm->vcpus), and loads the guest (kernel/vm_load.c).
 *
 * When a VM ends, its memory, vCPUs and devices are given back at once; the record with its
 * status and statistics stays until vm_destroy. Life-cycle calls run on CPU 0.
 */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "boot/bootinfo.h"
#include "kernel/iobus.h"
#include "kernel/lock.h"
#include "kernel/pt.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"

enum vm_state { VM_ABSENT = 0, VM_READY, VM_RUNNING, VM_STOPPING, VM_ENDED };

enum vm_end {
    VM_END_NONE = 0,
    VM_END_EXIT,     /* the guest asked for it: power-off, debug-exit, hypercall */
    VM_END_RESET,    /* the guest asked for a reset (carried out when `restart` says so) */
    VM_END_FAILED,   /* stopped by us: triple fault, unknown exit, refused entry state */
    VM_END_KILLED,   /* by the monitor */
};

/* One region of guest-physical space, from the loader's map (struct boot_range), which is the
 * single source for the guest's tables, the nested tables and the decoder. */
enum gp_type {
    GP_RAM = BOOT_RANGE_RAM,
    GP_RESERVED_RAM = BOOT_RANGE_FIRMWARE,
    GP_MMIO = BOOT_RANGE_DEVICES,
};
struct gp_region {
    gpa_t base;
    uint64_t size;
    uint32_t type; /* enum gp_type */
};

/*
 * The controller that a vCPU's interrupts come from; set by drivers/vlapic.c, which is created
 * after the vCPUs and fills vcpu->lapic. It sets VCPU_REQ_IRQ whenever the answer of has() may
 * have become true (a new interrupt, EOI, a lower TPR), so that without the request nobody asks:
 *
 *   if (requests & VCPU_REQ_IRQ)            the request is cleared first
 *       interruptible and no event waits:   vector = take(); -1: nothing; else inject it
 *       else, if has():                     open the interrupt window; ask again when it opens
 *
 * All but line() are called on the vCPU's own CPU, without the VM's lock.
 */
enum intc_handoff {
    INTC_HANDOFF_X2APIC,       /* x2APIC mode on (every vCPU), everything masked */
    INTC_HANDOFF_VIRTUAL_WIRE, /* xAPIC enabled, LINT0 = ExtINT (PIC), LINT1 = NMI */
};
struct intc_ops {
    /* Is there an interrupt to be injected, which priorities let through? */
    bool (*has)(struct vcpu *vcpu);
    /* The same, or the processor will deliver one by itself (vm->apicv): for HLT. */
    bool (*wakes)(struct vcpu *vcpu);
    /* Takes it: in service now, the caller must inject it. Its vector, or -1: none. */
    int (*take)(struct vcpu *vcpu);
    /* An interrupt line (global system interrupt) changed. VM lock held; any CPU. */
    void (*line)(struct vm *vm, unsigned gsi, bool level);
    /* IA32_APIC_BASE, IA32_TSC_DEADLINE, MSRs 0x800..0x8ff. 0, or -EINVAL: #GP. */
    int (*msr_read)(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
    int (*msr_write)(struct vcpu *vcpu, uint32_t msr, uint64_t value);
    /* MSR_KVM_PV_EOI_EN. 0, or -EINVAL: #GP. */
    int (*pv_eoi_msr)(struct vcpu *vcpu, uint64_t value);
    /* CR8. The write gives 0, or -EINVAL: #GP (reserved bits). */
    uint64_t (*cr8_read)(struct vcpu *vcpu);
    int (*cr8_write)(struct vcpu *vcpu, uint64_t value);
    /* The vCPU got INIT (IA32_APIC_BASE and so the x2APIC mode stay). Not called at creation. */
    void (*reset)(struct vcpu *vcpu);
    /* Leaves the controller as firmware would; for vm_load, before the vCPU ever ran. */
    void (*handoff)(struct vcpu *vcpu, enum intc_handoff how);
    /* APIC virtualisation: EOI of a level-triggered vector; register at `offset` was written. */
    void (*eoi_exit)(struct vcpu *vcpu, uint8_t vector);
    void (*write_exit)(struct vcpu *vcpu, uint32_t offset);
};

#define VM_UNKNOWN_LOGGED 8u

struct vm {
    char name[BOOT_NAME_MAX];
    uint32_t id;                   /* index into the table of VMs; console number */
    uint64_t serial;               /* never used twice */
    const struct boot_vm *config;  /* from the loader; never freed */
    volatile uint32_t state;       /* enum vm_state */
    uint32_t end;                  /* enum vm_end, when ENDED or STOPPING */
    int32_t exit_status;           /* valid with VM_END_EXIT; else 128 + enum vm_end */
    char reason[120];              /* one line for people */

    struct lock lock;              /* devices, buses, map; rank LOCK_RANK_VM */
    struct pt nested;
    struct gp_region map[BOOT_RANGES_MAX];
    uint32_t map_count;
    uint64_t memory;               /* RAM in bytes */
    hpa_t spare;                   /* clean pages at hand for its next faults; kernel/gmem.c */
    uint32_t spares;
    struct iobus pio, mmio;
    struct vdev *devices;
    const struct intc_ops *intc;
    bool apicv;                    /* kernel/apicv.h */
    void *intc_state;              /* struct intc_state of drivers/vlapic.h */
    struct vconsole *console;
    void *backend;                 /* the backend's own */
    uint64_t tsc_offset;           /* guest TSC = host TSC + this */
    uint64_t start_tsc, end_tsc;   /* host TSC at vm_start and at the end */
    uint64_t create_ticks;         /* vm_create's first step to the first guest instruction */

    uint32_t vcpu_count;
    struct vcpu *vcpus[BOOT_VCPUS_MAX];
    volatile uint32_t vcpus_out;   /* of a stopping VM: that will not run again */
    struct work finish_work;       /* queued for CPU 0 by the last of them */
    struct vcpu_stats *total;      /* summed over vCPUs when the VM ended */

    struct arena {                 /* small objects of this VM, freed as a whole */
        void *pages;
        size_t used;
    } arena;
    uint64_t arena_pages;
    uint32_t launches;             /* how often it was started */
    uint32_t logged;               /* lines that the guest caused in this run */
    uint32_t unknown_ports;        /* accesses that met no device; the first few are logged */
    uint32_t unknown_msrs;
};

/* May this VM cause another line in the log? A limit for each run, so that no guest fills it. */
#define VM_LOG_MAX 256u
static inline bool vm_may_log(struct vm *vm)
{
    return vm->logged++ < VM_LOG_MAX;
}

/* The VM in slot `id`, or NULL. */
struct vm *vm_get(uint32_t id);
struct vm *vm_find(const char *name);
#define VM_MAX BOOT_VMS_MAX

/* -ENOMEM, -ENODEV (CPU not there), -EEXIST (name), and what loaders say. Logs the reason. */
int vm_create(const struct boot_vm *config, struct vm **out);
int vm_start(struct vm *vm);
/* Presses the power button; after timeout_ms without an end the VM is killed. */
int vm_stop_request(struct vm *vm, unsigned timeout_ms);
int vm_kill(struct vm *vm);
int vm_destroy(struct vm *vm);

/* Parts of the above, for kernel/vm_life.c: gives the VM all that it runs on, takes it back. */
int vm_build(struct vm *vm);
void vm_unbuild(struct vm *vm);
/* kernel/vm_load.c: before RAM is given, the map and vm->memory; after RAM, vCPUs and devices
 * exist, the guest and vCPU 0's registers (on vCPU 0's CPU; vm_start makes it runnable, the others
 * wait for SIPI). -EINVAL, -EFAULT, -ENOMEM; the reason is in the log. */
int vm_load_map(struct vm *vm);
int vm_load(struct vm *vm);
/* A vCPU of a stopping VM has left its loop for good. On its CPU; the last one ends the VM. */
void vm_vcpu_left(struct vcpu *vcpu);

/* Ends a VM from inside (exit handlers, devices): returns at once, the vCPUs leave soon. The
 * first call decides; later ones are ignored. From any CPU. */
void vm_exit(struct vm *vm, int32_t status, const char *reason);
void vm_reset(struct vm *vm, const char *reason);
/* Stopped by us: logs registers, last exits and a stack trace of the vCPU (may be NULL). */
void vm_fail(struct vm *vm, struct vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Seconds since 1970 when this VM's time was 0. */
uint64_t vm_boot_wallclock(const struct vm *vm);

/* Logs a guest's mark with the time and exits since its start (guests/abi.h). */
void vm_mark(struct vm *vm, uint64_t number);

/* Zeroed memory of the VM, 16-byte aligned, at most 4 KiB; freed with the VM. NULL: none left. */
void *vm_alloc(struct vm *vm, size_t size);
/* A zeroed page for a device, page-aligned; its fini gives it back. NULL: none left. */
void *vm_page_alloc(void);
void vm_page_free(void *page);

/* Adds a region; -EINVAL when it overlaps another, is misaligned or of no known type. */
int vm_map_add(struct vm *vm, gpa_t base, uint64_t size, uint32_t type);
const struct gp_region *vm_map_find(const struct vm *vm, gpa_t gpa);
/* Gives back what vm_alloc gave, as a whole. */
void vm_arena_free(struct vm *vm);

#endif
