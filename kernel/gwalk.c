/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables, walked as the processor would (root mode): rights, accessed and
 * dirty bits, #PF error codes. Source: SDM 3A, "Paging", 4.3 to 4.6.
 */
#include <errno.h>
#include <string.h>

#include "kernel/gmem.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

struct mode {
    unsigned levels;      /* 0: no paging */
    unsigned index_bits;
    unsigned entry_size;
    bool nx, wp, smep, pse;
};

struct walk {
    struct vcpu *vcpu;
    struct mode mode;
    unsigned access;
    uint32_t error;
};

#define PAE_ROOT_ADDRESS 0xffffffe0ull
#define PAE_LEVELS 3u

static struct mode mode_of(struct vcpu *v)
{
    uint64_t cr0 = vcpu_get(v, VREG_CR0), cr4 = vcpu_get(v, VREG_CR4);
    uint64_t efer = vcpu_get(v, VREG_EFER);
    struct mode m = { .wp = cr0 & CR0_WP, .smep = cr4 & CR4_SMEP, .pse = true };

    if (!(cr0 & CR0_PG))
        return m;
    m.nx = efer & EFER_NXE;
    if (efer & EFER_LMA || cr4 & CR4_PAE) {
        m.levels = efer & EFER_LMA ? 4 : PAE_LEVELS;
        m.index_bits = 9;
        m.entry_size = 8;
        return m;
    }
    m.levels = 2;
    m.index_bits = 10;
    m.entry_size = 4;
    m.nx = false;
    m.pse = cr4 & CR4_PSE;
    return m;
}

static uint32_t error_code(const struct walk *w, bool present)
{
    uint32_t code = present ? (uint32_t)PF_ERROR_P : 0;

    code |= w->access & PT_W ? (uint32_t)PF_ERROR_W : 0;
    code |= w->access & PT_USER ? (uint32_t)PF_ERROR_U : 0;
    code |= (w->access & PT_X) && (w->mode.nx || w->mode.smep) ? (uint32_t)PF_ERROR_I : 0;
    return code;
}

static int fault(struct walk *w, bool present)
{
    w->error = error_code(w, present);
    return -EFAULT;
}

/* `all` is the AND of the entries' W and U bits, with NX ORed in. */
static bool allowed(const struct walk *w, uint64_t all)
{
    bool user = w->access & PT_USER;

    if (user && !(all & PTE_U))
        return false;
    if ((w->access & PT_W) && !(all & PTE_W) && (user || w->mode.wp))
        return false;
    if ((w->access & PT_X) && ((all & PTE_NX) || (!user && w->mode.smep && (all & PTE_U))))
        return false;
    return true;
}

static uint64_t read_entry(const struct walk *w, const void *entry)
{
    return w->mode.entry_size == 8 ? __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED)
                                   : __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

/* As the processor does: A on the way, D where it writes. */
static void mark(void *entry, uint64_t bits)
{
    __atomic_fetch_or((uint8_t *)entry, (uint8_t)bits, __ATOMIC_RELAXED);
}

static gpa_t large_address(const struct walk *w, uint64_t entry, gva_t gva, unsigned shift)
{
    uint64_t mask = BIT(shift) - 1;
    uint64_t base = entry & PTE_ADDRESS & ~mask;

    if (w->mode.entry_size == 4) /* PSE-36: bits 20:13 are address bits 39:32 */
        base = (entry & 0xffc00000u) | (entry >> 13 & 0xff) << 32;
    return base | (gva & mask);
}

static int walk_tables(struct walk *w, gva_t gva, gpa_t table, gpa_t *gpa)
{
    const struct mode *m = &w->mode;
    uint64_t all = PTE_W | PTE_U;

    for (unsigned level = m->levels; level > 0; level--) {
        unsigned shift = PAGE_SHIFT + (level - 1) * m->index_bits;
        uint64_t index = gva >> shift & (BIT(m->index_bits) - 1);
        bool pdpte = m->levels == PAE_LEVELS && level == PAE_LEVELS;
        void *slot = gmem_page(w->vcpu->vm, table + index * m->entry_size);
        uint64_t entry;
        bool large;

        if (!slot)
            return fault(w, false);
        entry = read_entry(w, slot);
        if (!(entry & PTE_P))
            return fault(w, false);
        if (!pdpte) /* PDPTEs of PAE paging have no rights and no A bit */
            all = (all & entry & (PTE_W | PTE_U)) | ((all | (m->nx ? entry : 0)) & PTE_NX);
        large = level > 1 && !pdpte && m->pse && (entry & PTE_PS);
        if (level == 1 || large) {
            if (!allowed(w, all))
                return fault(w, true);
            mark(slot, PTE_A | (w->access & PT_W ? PTE_D : 0));
            *gpa = large ? large_address(w, entry, gva, shift)
                         : (entry & PTE_ADDRESS) | (gva & (PAGE_SIZE - 1));
            return 0;
        }
        if (!pdpte)
            mark(slot, PTE_A);
        table = entry & PTE_ADDRESS;
    }
    return fault(w, false);
}

int gwalk(struct vcpu *v, gva_t gva, unsigned access, gpa_t *gpa, uint32_t *error)
{
    struct walk w = { .vcpu = v, .mode = mode_of(v), .access = access };
    uint64_t cr3;
    int err;

    if (!w.mode.levels) {
        *gpa = gva & UINT32_MAX;
        return 0;
    }
    if (w.mode.levels <= PAE_LEVELS)
        gva &= UINT32_MAX;
    cr3 = vcpu_get(v, VREG_CR3);
    err = walk_tables(&w, gva, w.mode.levels == PAE_LEVELS ? cr3 & PAE_ROOT_ADDRESS
                                                            : cr3 & PTE_ADDRESS, gpa);
    *error = w.error;
    return err;
}

static int transfer(struct vcpu *v, gva_t gva, void *buffer, size_t size, unsigned access,
                    bool write, gva_t *where, uint32_t *error)
{
    uint8_t *bytes = buffer;

    for (size_t done = 0; done < size;) {
        size_t left = PAGE_SIZE - ((gva + done) & (PAGE_SIZE - 1));
        size_t length = MIN(left, size - done);
        gpa_t gpa;
        int err;

        *where = gva + done;
        err = gwalk(v, gva + done, access, &gpa, error);
        if (!err)
            err = write ? gmem_write(v->vm, gpa, bytes + done, length)
                        : gmem_read(v->vm, gpa, bytes + done, length);
        if (err)
            return err;
        done += length;
    }
    return 0;
}

int gwalk_read(struct vcpu *v, gva_t gva, void *to, size_t size, unsigned access, gva_t *where,
               uint32_t *error)
{
    return transfer(v, gva, to, size, access, false, where, error);
}

int gwalk_write(struct vcpu *v, gva_t gva, const void *from, size_t size, unsigned access,
                gva_t *where, uint32_t *error)
{
    return transfer(v, gva, (void *)(uintptr_t)from, size, access | PT_W, true, where, error);
}
