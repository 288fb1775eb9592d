/* SPDX-License-Identifier: MIT */
/* Attack: reserved and forbidden bits of control and debug registers, EFER and XCR0; each #GP. */
#include "guests/lib/guest.h"

#define DR7_RESET 0x400ull
#define CPUID_XSAVE (1u << 26)

static unsigned refused;

#define SETTER(name, text)                                                                         \
    static void name(void *arg)                                                                    \
    {                                                                                              \
        __asm__ volatile(text : : "a"(arg) : "memory", "rcx", "rdx");                              \
    }
SETTER(set_cr0, "movq %%rax, %%cr0")
SETTER(set_cr3, "movq %%rax, %%cr3")
SETTER(set_cr4, "movq %%rax, %%cr4")
SETTER(set_cr8, "movq %%rax, %%cr8")
SETTER(set_dr6, "movq %%rax, %%dr6")
SETTER(set_dr7, "movq %%rax, %%dr7")
SETTER(set_xcr0, "movq %%rax, %%rdx; shrq $32, %%rdx; xorl %%ecx, %%ecx; xsetbv")
SETTER(set_xcr1, "xorl %%edx, %%edx; movl $1, %%ecx; xsetbv")
SETTER(set_efer, "movq %%rax, %%rdx; shrq $32, %%rdx; movl $0xc0000080, %%ecx; wrmsr")

/* QEMU without KVM checks less than a processor where the hypervisor intercepts nothing. */
static bool excused(void (*set)(void *arg), uint64_t value)
{
    if (!guest_in_qemu_tcg())
        return false;
    if (set == set_cr3) /* it takes any value, and VMRUN then refuses it */
        return true;
    /* before version 8 it ignores the intercept of XSETBV: AVX without SSE, MPX and PKRU work */
    return set == set_xcr0 && (value & 1) && !(value & ~0x21dull);
}

static void refuse(const char *name, void (*set)(void *arg), uint64_t value)
{
    int vector;

    refused++;
    if (excused(set, value))
        return;
    vector = guest_catch(set, (void *)(uintptr_t)value, NULL);
    if (vector != VECTOR_GP)
        guest_printf("%s = 0x%lx: vector %d\n", name, value, vector);
    guest_check_equal(vector, VECTOR_GP);
}

static void attack_cr0(void)
{
    uint64_t cr0 = read_cr0();

    for (unsigned bit = 32; bit < 64; bit++)
        refuse("CR0", set_cr0, cr0 | 1ull << bit);
    refuse("CR0", set_cr0, cr0 & ~CR0_PE);
    refuse("CR0", set_cr0, cr0 & ~CR0_PG);
    refuse("CR0", set_cr0, (cr0 & ~CR0_CD) | CR0_NW);
    guest_check_equal(read_cr0(), cr0);
}

/* LA57, VMXE, SMXE, reserved, PKE, CET, PKS, UINTR and above. */
static void attack_cr4(void)
{
    uint64_t cr4 = read_cr4(), forbidden = 1ull << 12 | CR4_VMXE | 3ull << 14 | 1ull << 19;

    forbidden |= ~0ull << 22;
    forbidden &= ~(1ull << 15);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (forbidden >> bit & 1)
            refuse("CR4", set_cr4, cr4 | 1ull << bit);
    }
    refuse("CR4", set_cr4, cr4 & ~CR4_PAE);
    refuse("CR4", set_cr4, ~0ull);
    guest_check_equal(read_cr4(), cr4);
}

static void attack_efer(void)
{
    uint64_t efer = rdmsr(MSR_EFER);

    for (unsigned bit = 0; bit < 64; bit++) {
        if (!((EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) >> bit & 1))
            refuse("EFER", set_efer, efer | 1ull << bit);
    }
    refuse("EFER", set_efer, efer & ~EFER_LME);
    guest_check_equal(rdmsr(MSR_EFER), efer);
}

static void attack_xcr0(void)
{
    uint64_t offered = cpuid(0xd, 0).eax | (uint64_t)cpuid(0xd, 0).edx << 32;

    if (!(cpuid(1, 0).ecx & CPUID_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(offered >> bit & 1))
            refuse("XCR0", set_xcr0, 1 | 1ull << bit);
    }
    refuse("XCR0", set_xcr0, 0);
    refuse("XCR0", set_xcr0, 2);
    refuse("XCR0", set_xcr0, 5); /* AVX without SSE */
    refuse("XCR0", set_xcr0, ~0ull);
    refuse("XCR1", set_xcr1, 1);
    guest_check_equal(xgetbv(0), 1);
}

int guest_main(const struct mullion_flat_info *info)
{
    uint64_t cr3 = read_cr3();

    attack_cr0();
    for (unsigned bit = cpuid(0x80000008, 0).eax & 0xff; bit < 64; bit++)
        refuse("CR3", set_cr3, cr3 | 1ull << bit);
    guest_check_equal(read_cr3(), cr3);
    attack_cr4();
    attack_efer();
    attack_xcr0();
    for (unsigned bit = 4; bit < 64; bit++)
        refuse("CR8", set_cr8, 1ull << bit);
    for (unsigned bit = 32; bit < 64; bit++) {
        refuse("DR6", set_dr6, 0xffff0ff0 | 1ull << bit);
        refuse("DR7", set_dr7, DR7_RESET | 1ull << bit);
    }
    guest_printf("%u values refused\n", refused);
    guest_x2apic_on();
    guest_sleep(info->tsc_hz / 1000);
    return 0;
}
