/* SPDX-License-Identifier: MIT */
/* Exceptions: the processor's own, and those around instructions that the hypervisor does. */
#include "guests/lib/guest.h"

#define NULL_PORT 0xe0
#define IOAPIC 0xfec00000ull
#define SELF_VECTOR 0x71
#define DR7_L0_EXECUTE 0x1ull
#define DR7_L1_WRITE4 (1ull << 2 | 1ull << 20 | 3ull << 22)

/* tests/guest/exceptions/steps.S: instructions between labels, and the table of them. */
struct step {
    const void *from, *to;
};
extern const struct step exceptions_steps[];
extern const uint64_t exceptions_step_count;
extern uint8_t exceptions_hypercall[]; /* VMCALL */
#define VMMCALL_LAST 0xd9
void exceptions_run_steps(void);
void exceptions_mov_ss(void);
void exceptions_sti(void);
void exceptions_breakpoint(void);
void exceptions_icebp(void);
extern const char after_mov_ss[], after_sti[], breakpoint_here[], breakpoint_next[], after_icebp[];

static volatile uint64_t traps, trap_rip[64], trap_dr6[64];

static void on_debug(struct guest_frame *frame)
{
    if (traps < ARRAY_SIZE(trap_rip)) {
        trap_rip[traps] = frame->rip;
        trap_dr6[traps] = read_dr6();
    }
    traps++;
    write_dr6(0xffff0ff0);
    if (trap_dr6[traps - 1] & 3) /* a breakpoint on an instruction: go past it */
        frame->rflags |= RFLAGS_RF;
}

/* Single steps over instructions that cause exits: #DB after each, with BS. */
static void check_single_step(void)
{
    if (guest_is_amd())
        exceptions_hypercall[2] = VMMCALL_LAST;
    traps = 0;
    exceptions_run_steps();
    for (uint64_t i = 0; i < exceptions_step_count; i++) {
        bool found = false;
        for (uint64_t t = 0; t < traps; t++) {
            if (trap_rip[t] == (uint64_t)(uintptr_t)exceptions_steps[i].to) {
                found = true;
                guest_check(trap_dr6[t] & DR6_BS);
            }
        }
        if (!found)
            guest_printf("step %lu: no #DB at 0x%p\n", i, exceptions_steps[i].to);
        guest_check(found);
    }
    guest_printf("%lu single steps\n", traps);
}

/* MOV SS holds #DB back for one instruction, which here is an exit. */
static void check_mov_ss(void)
{
    traps = 0;
    exceptions_mov_ss();
    guest_check(traps >= 1);
    guest_check_equal(trap_rip[0], (uint64_t)(uintptr_t)after_mov_ss);
}

static volatile uint64_t interrupt_rip;

static void on_self(struct guest_frame *frame)
{
    interrupt_rip = frame->rip;
    wrmsr(X2APIC_EOI, 0);
}

/* STI holds an interrupt back for one instruction, which here is an exit. */
static void check_sti(void)
{
    guest_on_vector(SELF_VECTOR, on_self);
    wrmsr(X2APIC_SELF_IPI, SELF_VECTOR);
    exceptions_sti();
    cli();
    guest_check_equal(interrupt_rip, (uint64_t)(uintptr_t)after_sti);
}

/* A breakpoint on an instruction that exits, and one on the next: RF must be gone by then. */
static void check_breakpoints(void)
{
    static volatile uint32_t watched;

    traps = 0;
    write_dr0((uint64_t)(uintptr_t)breakpoint_here);
    __asm__ volatile("mov %0, %%dr1" : : "r"(breakpoint_next));
    write_dr7(DR7_L0_EXECUTE | 4 | 0x400);
    exceptions_breakpoint();
    write_dr7(0x400);
    guest_check_equal(trap_rip[0], (uint64_t)(uintptr_t)breakpoint_here);
    guest_check_equal(trap_dr6[0] & 0xf, 1);
    guest_check_equal(traps, 2);
    guest_check_equal(trap_rip[1], (uint64_t)(uintptr_t)breakpoint_next);
    guest_check_equal(trap_dr6[1] & 0xf, 2);

    traps = 0;
    __asm__ volatile("mov %0, %%dr1" : : "r"(&watched));
    write_dr7(DR7_L1_WRITE4 | 0x400);
    watched = 1;
    write_dr7(0x400);
    guest_check_equal(traps, 1);
    guest_check_equal(trap_dr6[0] & 0xf, 2);
}

static void check_icebp(void)
{
    traps = 0;
    exceptions_icebp();
    guest_check_equal(traps, 1);
    guest_check_equal(trap_rip[0], (uint64_t)(uintptr_t)after_icebp);
}

#define RAISE(name, text)                                                                          \
    static void name(void *arg)                                                                    \
    {                                                                                              \
        __asm__ volatile(text : : "D"(arg) : "memory", "rax", "rcx", "rdx", "rbx");                \
    }
RAISE(divide, "xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx")
RAISE(breakpoint, "int3")
RAISE(undefined, "ud2")
RAISE(bad_selector, "movl $0x1238, %%eax; movl %%eax, %%ds")
RAISE(bad_canonical, "movabsq $0x0000900000000000, %%rax; movq (%%rax), %%rax")
RAISE(bad_stack, "movabsq $0x0000900000000000, %%rax; movq %%rax, %%rbx; xchgq %%rbx, %%rsp; "
                 "popq %%rax")
RAISE(read_it, "movl (%%rdi), %%eax")
RAISE(write_it, "movl %%eax, (%%rdi)")
RAISE(call_it, "call *%%rdi")
RAISE(x87, "fninit")
RAISE(unaligned, "pushfq; orl $0x40000, (%%rsp); popfq; movl 1(%%rdi), %%eax")
RAISE(rdpmc, "xorl %%ecx, %%ecx; rdpmc")
RAISE(monitor, "movq %%rdi, %%rax; xorl %%ecx, %%ecx; xorl %%edx, %%edx; monitor")
RAISE(mwait, "xorl %%eax, %%eax; xorl %%ecx, %%ecx; mwait")
/* CPUID does not offer WAITPKG, and these would sleep where we don't notice */
RAISE(umonitor, "xorl %%eax, %%eax; .byte 0xf3, 0x0f, 0xae, 0xf0")
RAISE(umwait, "xorl %%eax, %%eax; xorl %%edx, %%edx; .byte 0xf2, 0x0f, 0xae, 0xf0")
RAISE(tpause, "xorl %%eax, %%eax; xorl %%edx, %%edx; .byte 0x66, 0x0f, 0xae, 0xf0")
RAISE(wbinvd, "wbinvd")
RAISE(invd, "invd")
RAISE(hlt, "hlt")
RAISE(cpuid_it, "cpuid")
RAISE(invlpg_it, "invlpg (%%rdi)")
RAISE(cr8_it, "movl $16, %%eax; movq %%rax, %%cr8")

static void check_vector(void (*fn)(void *arg), void *arg, int vector, uint64_t error_code)
{
    struct guest_fault fault;

    guest_check_equal(guest_catch(fn, arg, &fault), vector);
    guest_check_equal(fault.error_code, error_code);
}

static void check_plain(void)
{
    uint8_t *code = (uint8_t *)0x700000;
    struct guest_fault fault;
    /* QEMU's TLB raises #GP for every address that is not canonical */
    unsigned bad_stack_vector = guest_in_qemu_tcg() ? VECTOR_GP : VECTOR_SS;

    check_vector(divide, NULL, VECTOR_DE, 0);
    check_vector(breakpoint, NULL, VECTOR_BP, 0);
    check_vector(undefined, NULL, VECTOR_UD, 0);
    check_vector(bad_selector, NULL, VECTOR_GP, 0x1238);
    check_vector(bad_canonical, NULL, VECTOR_GP, 0);
    guest_use_stack(bad_stack_vector, 1, (void *)0x780000);
    check_vector(bad_stack, NULL, (int)bad_stack_vector, 0);
    guest_use_stack(bad_stack_vector, 0, NULL);
    check_vector(rdpmc, NULL, VECTOR_GP, 0);
    check_vector(monitor, &fault, VECTOR_UD, 0);
    check_vector(mwait, NULL, VECTOR_UD, 0);
    check_vector(cr8_it, NULL, VECTOR_GP, 0);
    write_cr0(read_cr0() | CR0_TS);
    check_vector(x87, NULL, VECTOR_NM, 0);
    __asm__ volatile("clts");
    check_vector(x87, NULL, GUEST_NO_FAULT, 0);

    code[0] = 0xc3; /* ret */
    guest_map_to((uint64_t)(uintptr_t)code, (uint64_t)(uintptr_t)code, PTE_P | PTE_NX);
    write_cr0(read_cr0() | CR0_WP);
    check_vector(read_it, code, GUEST_NO_FAULT, 0);
    check_vector(write_it, code, VECTOR_PF, 3);
    guest_check_equal(guest_catch(call_it, code, &fault), VECTOR_PF);
    guest_check_equal(fault.error_code, 0x11);
    guest_check_equal(fault.address, (uint64_t)(uintptr_t)code);
    guest_check_equal(guest_catch_user(read_it, code, &fault), VECTOR_PF);
    guest_check_equal(fault.error_code, 5);
    write_cr0(read_cr0() & ~CR0_WP);
    guest_map_page((uint64_t)(uintptr_t)code, true);
}

static void check_waits(void)
{
    void (*const waits[])(void *arg) = { umonitor, umwait, tpause };

    for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
        if (guest_in_qemu_tcg()) /* which takes them for MFENCE */
            continue;
        check_vector(waits[i], NULL, VECTOR_UD, 0);
        guest_check_equal(guest_catch_user(waits[i], NULL, NULL), VECTOR_UD);
    }
}

/* Caches are shared: what is in them is neither written back nor lost. */
static void check_caches(void)
{
    static volatile uint64_t data;

    for (uint64_t i = 1; i < 100; i++) {
        data = i;
        check_vector(i % 2 ? invd : wbinvd, NULL, GUEST_NO_FAULT, 0);
        guest_check_equal(data, i);
    }
    guest_check_equal(guest_catch_user(invd, NULL, NULL), VECTOR_GP);
    guest_check_equal(guest_catch_user(wbinvd, NULL, NULL), VECTOR_GP);
}

static void check_user(void)
{
    static uint64_t data[2];

    guest_check_equal(guest_catch_user(hlt, NULL, NULL), VECTOR_GP);
    guest_check_equal(guest_catch_user(cpuid_it, NULL, NULL), GUEST_NO_FAULT);
    guest_check_equal(guest_catch_user(invlpg_it, data, NULL), VECTOR_GP);
    guest_check_equal(guest_catch_user(rdpmc, NULL, NULL), VECTOR_GP);
    guest_check_equal(guest_catch_user(unaligned, data, NULL), GUEST_NO_FAULT);
    write_cr0(read_cr0() | CR0_AM);
    if (!guest_in_qemu_tcg()) /* which has no alignment checks */
        guest_check_equal(guest_catch_user(unaligned, data, NULL), VECTOR_AC);
    write_cr0(read_cr0() & ~CR0_AM);
}

/* #UD with a stack that is not there: #PF while it is delivered, so #DF on its own stack. */
static void push_nowhere(void *arg)
{
    __asm__ volatile("movq %0, %%rsp; ud2" : : "r"(arg) : "memory");
    __builtin_unreachable();
}

static void check_double_fault(void)
{
    uint64_t hole = 0x600000;

    guest_use_stack(VECTOR_DF, 2, (void *)0x790000);
    guest_map_page(hole - 8, false);
    check_vector(push_nowhere, (void *)(uintptr_t)hole, VECTOR_DF, 0);
    guest_map_page(hole - 8, true);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    guest_x2apic_on();
    check_plain();
    check_user();
    check_waits();
    check_caches();
    check_double_fault();
    guest_on_vector(VECTOR_DB, on_debug);
    check_single_step();
    check_mov_ss();
    check_sti();
    check_breakpoints();
    if (!guest_in_qemu_tcg()) /* where INT1 raises #UD before version 8 */
        check_icebp();
    return 0;
}
