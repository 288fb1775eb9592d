/* SPDX-License-Identifier: MIT */
/*
 * Attack: the instructions of hypervisors, at CPL 0 and CPL 3. All raise #UD, as without VMX. Those
 * of AMD-V may raise #GP at CPL 3: a guest's EFER.SVME is 1 for VMRUN's sake, and the check of CPL
 * comes before the intercept (APM 2, "Instruction Intercepts").
 */
#include "guests/lib/guest.h"

static uint8_t page[4096] __attribute__((aligned(4096)));
static unsigned executed;

#define ATTACK(name, text)                                                                         \
    static void name(void *arg)                                                                    \
    {                                                                                              \
        (*(volatile unsigned *)&executed)++;                                                       \
        __asm__ volatile(text : : "D"(arg), "a"(arg), "b"(0), "c"(0), "d"(0) : "memory", "cc");    \
    }
ATTACK(vmxon, "vmxon (%%rdi)")
ATTACK(vmxoff, "vmxoff")
ATTACK(vmptrld, "vmptrld (%%rdi)")
ATTACK(vmptrst, "vmptrst (%%rdi)")
ATTACK(vmclear, "vmclear (%%rdi)")
ATTACK(vmlaunch, "vmlaunch")
ATTACK(vmresume, "vmresume")
ATTACK(vmread, "vmread %%rcx, %%rdx")
ATTACK(vmread_memory, "vmread %%rcx, (%%rdi)")
ATTACK(vmwrite, "vmwrite %%rcx, %%rdx")
ATTACK(invept, "invept (%%rdi), %%rcx")
ATTACK(invvpid, "invvpid (%%rdi), %%rcx")
ATTACK(vmfunc, "xorl %%eax, %%eax; vmfunc")
ATTACK(getsec, "xorl %%eax, %%eax; getsec")
ATTACK(encls, "xorl %%eax, %%eax; .byte 0x0f, 0x01, 0xcf")
ATTACK(enclv, "xorl %%eax, %%eax; .byte 0x0f, 0x01, 0xc0")
ATTACK(pconfig, "xorl %%eax, %%eax; .byte 0x0f, 0x01, 0xc5")
ATTACK(seamcall, ".byte 0x66, 0x0f, 0x01, 0xcf")
ATTACK(tdcall, ".byte 0x66, 0x0f, 0x01, 0xcc")
ATTACK(rsm, "rsm")
ATTACK(vmrun, "vmrun")
ATTACK(vmload, "vmload")
ATTACK(vmsave, "vmsave")
ATTACK(stgi, "stgi")
ATTACK(clgi, "clgi")
ATTACK(skinit, "skinit")
ATTACK(invlpga, "invlpga")

static const struct {
    const char *name;
    void (*fn)(void *arg);
    bool amd;
} attacks[] = {
#define ROW(name) { #name, name, false }
#define AMD(name) { #name, name, true }
    ROW(vmxon), ROW(vmxoff), ROW(vmptrld), ROW(vmptrst), ROW(vmclear), ROW(vmlaunch),
    ROW(vmresume), ROW(vmread), ROW(vmread_memory), ROW(vmwrite), ROW(invept), ROW(invvpid),
    ROW(vmfunc), ROW(getsec), ROW(encls), ROW(enclv), ROW(pconfig), ROW(seamcall), ROW(tdcall),
    ROW(rsm), AMD(vmrun), AMD(vmload), AMD(vmsave), AMD(stgi), AMD(clgi), AMD(skinit),
    AMD(invlpga),
};

static void expect_undefined(const char *name, unsigned cpl, int vector)
{
    if (vector != VECTOR_UD)
        guest_printf("%s at CPL %u: vector %d\n", name, cpl, vector);
    guest_check_equal(vector, VECTOR_UD);
}

int guest_main(const struct mullion_flat_info *info)
{
    (void)info;
    for (size_t i = 0; i < ARRAY_SIZE(attacks); i++) {
        expect_undefined(attacks[i].name, 0, guest_catch(attacks[i].fn, page, NULL));
        int vector = guest_catch_user(attacks[i].fn, page, NULL);
        if (vector != VECTOR_GP || !attacks[i].amd || !guest_is_amd())
            expect_undefined(attacks[i].name, 3, vector);
    }
    guest_check_equal(executed, 2 * ARRAY_SIZE(attacks));
    guest_printf("%u instructions, each #UD\n", executed);
    return 0;
}
