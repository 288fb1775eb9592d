/* SPDX-License-Identifier: MIT */
/*
 * Attack: one CPU executes instructions that exit, the other one changes them, their operands, the
 * tables that map both and the descriptors meanwhile: what the hypervisor reads of an instruction
 * is not what the processor has read of it. A trial is what an exception's handler returns to, and
 * ends with the next exception. Without wild=1 nothing is ever put there that ends a VM: this one
 * gets faults and goes on. With it, it goes on until something does.
 */
#include "tests/guest/hostile-change/change.h"

#define STACK_SIZE 8192u
#define MSR_PV_EOI 0x4b564d04u
#define PORT 0xe0u
#define IOWIN 0x10u
#define START_VECTOR 0x30u
#define PATIENCE 32u /* times as many trials, where the host lets the CPUs run in turns */

static const struct change_plan plans[] = {
    { CHANGE_CODE, SET_DEVICE },
    { CHANGE_PAGES | CHANGE_DIRECTORY, SET_DEVICE },
    { CHANGE_CODE, SET_PORT },
    { CHANGE_CODE | CHANGE_PAGES | CHANGE_DIRECTORY | CHANGE_DATA, SET_PORT },
    { CHANGE_CODE | CHANGE_DATA | CHANGE_DESCRIPTORS | CHANGE_MESSAGES, SET_SYSTEM },
    { CHANGE_PAGES | CHANGE_DATA | CHANGE_DESCRIPTORS | CHANGE_MESSAGES, SET_DEVICE },
};

static uint8_t stacks[3][STACK_SIZE] __attribute__((aligned(16)));
static uint64_t cr0, cr4, limit, count_before, met, interrupts;
static uint64_t faults[32];
static bool wild;

static uint64_t below(uint64_t bound)
{
    return guest_random() % bound;
}

static void load_segments(uint32_t es)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = { sizeof(change_gdt) - 1, (uint64_t)(uintptr_t)change_gdt };

    __asm__ volatile("lgdt %0; movl %1, %%ds; movl %2, %%es"
                     :
                     : "m"(pointer), "r"(DATA_USER), "r"(es)
                     : "memory");
}

static void choose_registers(struct guest_frame *frame)
{
    static const struct {
        uint16_t cs, ss;
    } levels[] = {
        { CODE64, DATA_KERNEL }, { CODE64, DATA_KERNEL }, { CODE32, DATA_KERNEL },
        { CODE32, DATA_KERNEL }, { CODE64_USER, DATA_USER }, { CODE32_USER, DATA_USER },
        { CHANGING | 3, DATA_USER },
    };
    uint64_t i = below(ARRAY_SIZE(levels));

    frame->cs = levels[i].cs;
    frame->ss = levels[i].ss;
    frame->rflags = guest_random() & (RFLAGS_CF | RFLAGS_TF | RFLAGS_DF | RFLAGS_IF | RFLAGS_AC);
    frame->rax = cr0 | (guest_random() & (CR0_TS | CR0_CD));
    frame->rbx = cr4;
    frame->rcx = 1 + below(7);
    frame->rdx = PORT;
    frame->rdi = TO + (below(4) ? IOWIN : below(64)) + (frame->rflags & RFLAGS_DF ? 32 : 0);
    frame->rsi = FROM + (below(4) ? 64 + below(4096 - 128) : 4095);
    frame->rsp = FROM + 2048;
    frame->rip = CODE;
}

static void finish(void)
{
    change_plan.kinds = 0;
    guest_printf("%lu trials, %lu met one of %lu changes: %lu #PF, %lu #GP, %lu #UD, %lu #BP, "
                 "%lu interrupts, %lu NMIs\n", change_trials, met, change_count,
                 faults[VECTOR_PF], faults[VECTOR_GP], faults[VECTOR_UD], faults[VECTOR_BP],
                 interrupts, faults[VECTOR_NMI]);
    guest_check(met > limit / 256 && faults[VECTOR_PF] > limit / 16);
    guest_check(faults[VECTOR_GP] && faults[VECTOR_UD] && faults[VECTOR_BP] && interrupts);
    guest_exit(0);
}

static void choose_plan(void)
{
    uint64_t i = wild ? change_trials / 64 : change_trials * ARRAY_SIZE(plans) / limit;
    const struct change_plan *plan = &plans[i % ARRAY_SIZE(plans)];
    bool next = change_plan.kinds != plan->kinds;

    change_plan.set = plan->set;
    change_plan.kinds = plan->kinds;
    if (next || !(plan->kinds & CHANGE_CODE))
        change_put_code(change_instruction(plan->set, guest_random()));
    if (next || !(plan->kinds & (CHANGE_PAGES | CHANGE_DIRECTORY)))
        change_reset();
}

static void next_trial(struct guest_frame *frame)
{
    met += change_count != count_before;
    write_cr0(cr0);
    write_cr4(cr4);
    write_cr3(read_cr3());
    if (frame->vector < ARRAY_SIZE(faults))
        faults[frame->vector]++;
    if (!wild && change_trials >= limit &&
        (met > limit / 256 || change_trials >= limit * PATIENCE))
        finish();
    change_trials++;
    choose_plan();
    load_segments(below(8) ? DATA_USER : CHANGING | 3);
    choose_registers(frame);
    change_stuck = false;
    count_before = change_count;
}

static void on_nmi(struct guest_frame *frame)
{
    if (change_stuck && change_plan.kinds)
        next_trial(frame);
    else
        faults[VECTOR_NMI]++;
}

static void on_interrupt(struct guest_frame *frame)
{
    (void)frame;
    interrupts++;
    wrmsr(X2APIC_EOI, 0);
}

int guest_main(const struct mullion_flat_info *info)
{
    limit = guest_option(info, "trials", 6000);
    wild = guest_option(info, "wild", 0);
    cr0 = read_cr0();
    cr4 = read_cr4();
    guest_printf("attack\n");
    guest_x2apic_on();
    wrmsr(MSR_PV_EOI, (uint64_t)(uintptr_t)&change_eoi_word | 1);
    for (unsigned vector = 0; vector < 256; vector++) {
        guest_on_vector(vector, vector / 16 == INTERRUPT / 16 ? on_interrupt : next_trial);
        guest_use_stack(vector, 1, stacks[0] + STACK_SIZE);
    }
    guest_on_vector(VECTOR_NMI, on_nmi);
    guest_use_stack(VECTOR_NMI, 2, stacks[1] + STACK_SIZE);
    guest_gate(VECTOR_BP)[0] |= 0x6000ull << 32; /* DPL 3 */
    change_init(info);
    guest_start_cpu(1, change_run, stacks[2] + STACK_SIZE);
    __asm__ volatile("int %0" : : "i"(START_VECTOR) : "memory");
    return 1;
}
