/* SPDX-License-Identifier: MIT */
/* Start-up of root mode: the table of contents. */
#include "boot/bootinfo.h"
#include "kernel/backend.h"
#include "kernel/cpu.h"
#include "kernel/desc.h"
#include "kernel/exit.h"
#include "kernel/hostcon.h"
#include "kernel/hostmap.h"
#include "kernel/housekeeping.h"
#include "kernel/hypercall.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/manifest.h"
#include "kernel/mce.h"
#include "kernel/mitigate.h"
#include "kernel/option.h"
#include "kernel/rtc.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/speculation.h"
#include "kernel/time.h"
#include "kernel/trap.h"
#include "kernel/tsc_sync.h"

void kernel_main(hpa_t bootinfo); /* kernel/start.S */
void stack_switch(void *top, void (*fn)(void *arg), void *arg) __attribute__((noreturn));

static void check_contract(const struct bootinfo *boot)
{
    if (boot->magic != BOOTINFO_MAGIC || boot->version != BOOTINFO_VERSION ||
        boot->size != sizeof *boot)
        panic("the loader does not fit: bootinfo version %u, %u bytes; want version %u, %lu bytes",
              boot->version, boot->size, BOOTINFO_VERSION, sizeof *boot);
}

static void print_banner(const struct bootinfo *boot)
{
    log_printf("Mullion: %u of %u CPUs, TSC %lu.%03lu MHz, warp %lu\n", smp_online(), cpu_count(),
               time_tsc_hz() / 1000000, time_tsc_hz() / 1000 % 1000, tsc_sync_warp());
    if (tsc_sync_warp())
        log_printf("warning: the CPUs' TSCs differ: guests are told not to rely on theirs\n");
    log_printf("PCI: %u bus masters switched off\n", boot->bus_masters_stopped);
}

static void start_virtualisation(void)
{
    mitigate_init();
    speculation_init();
    exit_init();
    hypercall_init();
    if (backend_select() || backend_start())
        log_printf("Mullion: this machine can't run guests; the reasons are above\n");
}

/* On the boot CPU's own stack, in our own address space. */
static void kernel_start(void *arg)
{
    const struct bootinfo *boot = arg;

    desc_load(this_cpu(), true); /* interrupt stacks */
    mce_init_cpu();              /* machine checks */
    irq_init(&boot->board);      /* interrupt controllers */
    time_init_timer();           /* one-shot timer */
    rtc_init();                  /* date */
    hostcon_set_fb(&boot->fb);
    hostcon_probe(false);        /* frame buffer, keyboard */
    smp_start(boot);             /* other CPUs */
    hostmap_check();             /* W^X */
    hostcon_start();             /* queued output */
    print_banner(boot);
    start_virtualisation();      /* backend, exits */
    manifest_init(boot);         /* guests */
    smp_release();               /* let go */
    manifest_start();
    housekeeping_init();
    sched_loop();
}

void kernel_main(hpa_t bootinfo)
{
    struct cpu *cpu = smp_boot_cpu(); /* own identity */

    desc_load(cpu, false);       /* own segments */
    trap_init();                 /* exceptions */
    trap_load();
    hostcon_probe(true);         /* serial port */
    const struct bootinfo *boot = hostmap_early(bootinfo); /* reach memory */
    check_contract(boot);
    log_init(boot);              /* lasting log */
    option_init(boot);           /* boot options */
    smp_init(boot);              /* CPU records */
    time_init(&boot->board);     /* TSC rate */
    hostmap_init(boot);          /* own tables */
    hostmap_activate();
    smp_setup_cpu();             /* control registers */

    void *top = hostmap_stack(0);
    if (!top)
        panic("no memory for the stack of CPU 0");
    cpu->rsp_top = (uint64_t)(uintptr_t)top;
    stack_switch(top, kernel_start, (void *)(uintptr_t)boot); /* guard pages */
}
