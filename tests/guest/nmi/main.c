/* SPDX-License-Identifier: MIT */
/*
 * NMIs that wait for the IRET of one before (guest): with what an earlier #DB has left in DR6, and
 * with an IRET that faults. Nobody may see how the hypervisor waits for the end of IRET.
 */
#include "guests/lib/guest.h"

#define DR6_STALE 0xffff4ff3ull /* BS, B0, B1 */
#define SELECTOR_BAD 0xff8ull   /* beyond the GDT's limit */

static volatile unsigned nmis, faults, traps;
static uint64_t good_ss;
static bool bad_return;

static void send_nmi(void)
{
    wrmsr(X2APIC_ICR, ICR_NMI); /* to APIC id 0 */
}

static void on_nmi(struct guest_frame *frame)
{
    guest_check_equal(frame->rflags & RFLAGS_TF, 0);
    if (nmis++ != 0)
        return;
    send_nmi();
    guest_check_equal(nmis, 1);
    good_ss = frame->ss;
    if (bad_return)
        frame->ss = SELECTOR_BAD;
}

/* IRET of the handler above: its frame is where our RSP was. */
static void on_fault(struct guest_frame *frame)
{
    uint64_t *iret_frame = (uint64_t *)(uintptr_t)frame->rsp;

    faults++;
    guest_check_equal(frame->error_code, SELECTOR_BAD);
    guest_check_equal(frame->rflags & RFLAGS_TF, 0);
    guest_check_equal(iret_frame[4], SELECTOR_BAD);
    iret_frame[4] = good_ss;
}

static void on_trap(struct guest_frame *frame)
{
    (void)frame;
    traps++;
}

static void round(uint64_t dr6, bool bad, uint64_t patience)
{
    uint64_t end = rdtsc() + patience;

    nmis = faults = traps = 0;
    bad_return = bad;
    write_dr6(dr6);
    send_nmi();
    while (nmis < 2 && rdtsc() < end)
        ;
    guest_check_equal(nmis, 2);
    guest_check_equal(faults, bad);
    guest_check_equal(traps, 0);
    guest_check_equal(read_dr6(), dr6);
}

int guest_main(const struct mullion_flat_info *info)
{
    guest_x2apic_on();
    guest_on_vector(VECTOR_NMI, on_nmi);
    guest_on_vector(VECTOR_DB, on_trap);
    guest_on_vector(VECTOR_GP, on_fault);
    for (unsigned i = 0; i < 10; i++) {
        round(0xffff0ff0, false, info->tsc_hz);
        round(DR6_STALE, false, info->tsc_hz);
        round(0xffff0ff0, true, info->tsc_hz);
        round(DR6_STALE, true, info->tsc_hz);
    }
    return 0;
}
