/* SPDX-License-Identifier: MIT */
/*
 * The instruction that caused an exit, read from the guest's memory and decoded (root mode).
 *
 * The processor has fetched it a moment ago with all checks, so in 64-bit mode nothing is checked
 * again but that it is there. A sibling vCPU may have changed tables or code in between, and may do
 * so without any exit; then what is there now counts, as if this CPU's TLB had been empty, and if
 * nothing is, the guest gets the page fault. So nothing of the guest's is believed from an earlier
 * exit: struct vcpu_fetched saves the way to the tables and the decoding, not the look at them.
 */
#include <errno.h>

#include "kernel/gmem.h"
#include "kernel/insn.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

#define LEVELS 4u

static inline uint64_t entry_now(const uint64_t *slot)
{
    return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

/* Walks the four levels. False: not mapped, or not to RAM. */
static bool walk(struct vm *vm, gva_t rip, uint64_t cr3, struct vcpu_fetched *f)
{
    uint64_t entry = cr3, mask;
    unsigned shift = PAGE_SHIFT + LEVELS * 9, level = 0;

    *f = (struct vcpu_fetched){ .rip = rip, .cr3 = cr3 };
    do {
        shift -= 9;
        f->slots[level] = gmem_page(vm, (entry & PTE_ADDRESS) | (rip >> shift & 511) * 8);
        if (!f->slots[level])
            return false;
        entry = f->entries[level] = entry_now(f->slots[level]);
        if (!(entry & PTE_P))
            return false;
        level++;
    } while (shift > PAGE_SHIFT && !(entry & PTE_PS));
    for (; level < LEVELS; level++) {
        f->slots[level] = f->slots[level - 1];
        f->entries[level] = f->entries[level - 1];
    }
    mask = BIT(shift) - 1;
    f->code = gmem_page(vm, (entry & PTE_ADDRESS & ~mask) | (rip & mask));
    return f->code;
}

/* Would the walk take the same way again? Each entry tells where the next one is. */
static inline bool walks_there(const struct vcpu_fetched *f, gva_t rip, uint64_t cr3)
{
    return f->rip == rip && f->cr3 == cr3 && f->code && entry_now(f->slots[0]) == f->entries[0] &&
           entry_now(f->slots[1]) == f->entries[1] && entry_now(f->slots[2]) == f->entries[2] &&
           entry_now(f->slots[3]) == f->entries[3];
}

/* With all checks: on to the page's end, or to the longest instruction. */
static int read_code(struct vcpu *v, gva_t gva, struct insn_code *code)
{
    unsigned access = PT_X | (vcpu_cpl(v) == 3 ? PT_USER : 0);
    size_t size = MIN((size_t)(PAGE_SIZE - gva % PAGE_SIZE), (size_t)INSN_MAX - code->count);
    uint32_t error;
    gva_t where;
    int err = gwalk_read(v, gva, &code->bytes[code->count], size, access, &where, &error);

    code->count += size;
    if (err == -EFAULT) {
        backend->set(v, VREG_CR2, where);
        vcpu_inject_error(v, VECTOR_PF, error);
    }
    return err;
}

static int read_and_decode(struct vcpu *v, gva_t rip, enum insn_mode mode, struct insn *out)
{
    struct insn_code code = { .count = 0 };
    struct vsegment cs;
    int err;

    if (mode != INSN_64) {
        backend->get_segment(v, VSEG_CS, &cs);
        rip = (uint32_t)(rip + cs.base);
    }
    err = read_code(v, rip, &code);
    if (err || (err = insn_decode(&code, mode, out)) != -ENODATA || code.count == INSN_MAX)
        return err;
    err = read_code(v, mode == INSN_64 ? rip + code.count : (uint32_t)(rip + code.count), &code);
    return err ? err : insn_decode(&code, mode, out);
}

/* Outside of IA-32e mode L is reserved (SDM 3A, "Code-Segment Descriptor in 64-bit mode"): a guest
 * that sets it there all the same gets what 64-bit mode would do, in its own memory. */
static enum insn_mode mode_of(const struct vcode *at)
{
    if (at->cs_access & SEGMENT_ACCESS_L)
        return INSN_64;
    return at->cs_access & SEGMENT_ACCESS_DB ? INSN_32 : INSN_16;
}

/* In 64-bit mode, where the longest instruction does not leave the page. */
static int fetch_quickly(struct vcpu *v, const struct vcode *at, const struct insn **out)
{
    struct vcpu_fetched *f = &v->fetched[v->rip / 4 % VCPU_FETCHED];
    struct insn_code code = { .count = INSN_MAX };
    uint64_t bytes[2];
    int err;

    if (unlikely(!walks_there(f, v->rip, at->cr3)) && !walk(v->vm, v->rip, at->cr3, f)) {
        f->code = NULL;
        return -EFAULT;
    }
    __builtin_memcpy(bytes, f->code, VCPU_FETCHED_SIZE);
    *out = &f->insn;
    if (likely(bytes[0] == f->bytes[0] && bytes[1] == f->bytes[1] && f->insn.length))
        return 0;
    __builtin_memcpy(f->bytes, bytes, VCPU_FETCHED_SIZE);
    __builtin_memcpy(code.bytes, bytes, VCPU_FETCHED_SIZE);
    err = insn_decode(&code, INSN_64, &f->insn);
    if (err)
        f->insn.length = 0;
    return err;
}

#define MISFITS_MAX 255u

bool insn_misfit(struct vcpu *v)
{
    return ++v->misfits < MISFITS_MAX;
}

int insn_fetch(struct vcpu *v, const struct insn **out)
{
    enum insn_mode mode;
    struct vcode at;
    int err;

    backend->code(v, &at);
    mode = mode_of(&at);
    if (likely(mode == INSN_64 && v->rip % PAGE_SIZE <= PAGE_SIZE - VCPU_FETCHED_SIZE)) {
        err = fetch_quickly(v, &at, out);
        if (likely(err != -EFAULT))
            return err;
    }
    *out = &v->fetched[0].insn;
    v->fetched[0].code = NULL;
    return read_and_decode(v, v->rip, mode, &v->fetched[0].insn);
}
