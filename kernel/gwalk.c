/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables, walked as the processor would (root mode): rights, reserved bits,
 * accessed and dirty bits, #PF error codes. Source: SDM 3A, "Paging", 4.3 to 4.7.
 */
#include <errno.h>
#include <string.h>

#include "kernel/gmem.h"
#include "kernel/policy.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "kernel/x86.h"

struct mode {
    unsigned levels;      /* 0: no paging */
    unsigned index_bits;
    unsigned entry_size;
    bool nx, wp, smep, pse;
    uint64_t address_mask; /* physical address bits */
};

struct walk {
    struct vcpu *vcpu;
    struct mode mode;
    unsigned access;
    uint32_t error;
};

#define PAE_LEVELS 3u
#define LONG_LEVELS 4u
#define MARK_TRIES 8u

static struct mode mode_of(struct vcpu *v)
{
    uint64_t cr0 = vcpu_get(v, VREG_CR0), cr4 = vcpu_get(v, VREG_CR4);
    uint64_t efer = vcpu_get(v, VREG_EFER);
    struct mode m = { .wp = cr0 & CR0_WP, .smep = cr4 & CR4_SMEP, .pse = true };

    if (!(cr0 & CR0_PG))
        return m;
    m.address_mask = policy_address_mask();
    if (efer & EFER_LMA || cr4 & CR4_PAE) {
        m.nx = efer & EFER_NXE;
        m.levels = efer & EFER_LMA ? LONG_LEVELS : PAE_LEVELS;
        m.index_bits = 9;
        m.entry_size = 8;
        return m;
    }
    m.levels = 2;
    m.index_bits = 10;
    m.entry_size = 4;
    m.pse = cr4 & CR4_PSE;
    return m;
}

static int fault(struct walk *w, uint32_t cause)
{
    cause |= w->access & PT_W ? (uint32_t)PF_ERROR_W : 0;
    cause |= w->access & PT_USER ? (uint32_t)PF_ERROR_U : 0;
    cause |= (w->access & PT_X) && (w->mode.nx || w->mode.smep) ? (uint32_t)PF_ERROR_I : 0;
    w->error = cause;
    return -EFAULT;
}

/* `all` is the AND of the entries' W and U bits, with NX ORed in. */
static bool allowed(const struct walk *w, uint64_t all)
{
    bool user = w->access & PT_USER;

    if (user ? !(all & PTE_U) : (w->access & GWALK_NOT_USERS) && (all & PTE_U))
        return false;
    if ((w->access & PT_W) && !(all & PTE_W) && (user || w->mode.wp))
        return false;
    if ((w->access & PT_X) && ((all & PTE_NX) || (!user && w->mode.smep && (all & PTE_U))))
        return false;
    return true;
}

#define LARGE_PAT PTE_PAT_LARGE
#define ENTRY_IGNORED (0x7ffull << 52) /* in 4-level paging, without protection keys */
#define PSE36_RESERVED BIT(21)
#define PSE36_ADDRESS 0x1fe000u

/* Bits that must be 0 (SDM 3A, 4.3 to 4.5, the tables of each paging-structure entry). Those of
 * PDPTEs in PAE paging are checked where CR3 is loaded. */
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool large, uint64_t entry)
{
    const struct mode *m = &w->mode;
    uint64_t beyond = ~(m->address_mask | (PAGE_SIZE - 1)) & ~PTE_NX;
    unsigned shift = PAGE_SHIFT + (level - 1) * m->index_bits;

    if (m->entry_size == 4) {
        beyond = m->address_mask >> 32 & 0xff;
        return large ? PSE36_RESERVED | (PSE36_ADDRESS & ~(beyond << 13)) : 0;
    }
    if (m->levels == PAE_LEVELS && level == PAE_LEVELS)
        return 0;
    if (m->levels == LONG_LEVELS)
        beyond &= ~ENTRY_IGNORED;
    if (large)
        beyond |= (BIT(shift) - 1) & ~(uint64_t)(PAGE_SIZE - 1) & ~(uint64_t)LARGE_PAT;
    if ((entry & PTE_PS) &&
        (level == LONG_LEVELS || (level == 3 && !(cpuid_of(w->vcpu, CPUID_EXT_FEATURES_AMD, 0).edx &
                                                  CPUID_80000001_EDX_PAGE1GB))))
        beyond |= PTE_PS;
    return beyond | (m->nx ? 0 : PTE_NX);
}

static uint64_t read_entry(const struct walk *w, const void *entry)
{
    return w->mode.entry_size == 8 ? __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED)
                                   : __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

/* A on the way, D where it writes, as the processor does: into the entry that was judged and no
 * other. False: a sibling has changed it meanwhile. */
static bool mark(const struct walk *w, void *slot, uint64_t entry, uint64_t bits)
{
    uint32_t small = (uint32_t)entry;

    if ((entry & bits) == bits)
        return true;
    if (w->mode.entry_size == 8)
        return __atomic_compare_exchange_n((uint64_t *)slot, &entry, entry | bits, false,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((uint32_t *)slot, &small, (uint32_t)(small | bits), false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static gpa_t leaf_address(const struct walk *w, uint64_t entry, gva_t gva, unsigned shift)
{
    uint64_t mask = BIT(shift) - 1;
    uint64_t base = entry & PTE_ADDRESS & ~mask;

    if (w->mode.entry_size == 4 && shift > PAGE_SHIFT) /* bits 20:13 are address bits 39:32 */
        base = (entry & 0xffc00000u) | (entry & PSE36_ADDRESS) << (32 - 13);
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
        uint64_t entry = slot ? read_entry(w, slot) : 0;
        bool large = level > 1 && level < LONG_LEVELS && !pdpte && m->pse && (entry & PTE_PS);

        if (pdpte && backend->pdpte_registers) /* checked where CR3 was loaded */
            entry = vcpu_get(w->vcpu, (enum vreg)(VREG_PDPTE0 + index));
        if (!(entry & PTE_P))
            return fault(w, 0);
        if (entry & reserved_bits(w, level, large, level > 1 ? entry : 0))
            return fault(w, PF_ERROR_P | PF_ERROR_RSVD);
        if (!pdpte) /* PDPTEs of PAE paging have no rights and no A bit */
            all = (all & entry & (PTE_W | PTE_U)) | ((all | (m->nx ? entry : 0)) & PTE_NX);
        if (level == 1 || large) {
            if (!allowed(w, all))
                return fault(w, PF_ERROR_P);
            *gpa = leaf_address(w, entry, gva, shift);
            return mark(w, slot, entry, PTE_A | (w->access & PT_W ? PTE_D : 0)) ? 0 : -EAGAIN;
        }
        if (!pdpte && !mark(w, slot, entry, PTE_A))
            return -EAGAIN;
        table = entry & PTE_ADDRESS;
    }
    return fault(w, 0);
}

int gwalk(struct vcpu *v, gva_t gva, unsigned access, gpa_t *gpa, uint32_t *error)
{
    struct walk w = { .vcpu = v, .mode = mode_of(v), .access = access };
    int err = -EAGAIN;
    uint64_t root;

    if (!w.mode.levels) {
        *gpa = gva & UINT32_MAX;
        return 0;
    }
    root = vcpu_get(v, VREG_CR3) &
           (w.mode.levels == PAE_LEVELS ? CR3_PAE_ROOT : (uint64_t)PTE_ADDRESS);
    if (w.mode.levels != LONG_LEVELS)
        gva &= UINT32_MAX;
    else if (!gva_canonical(gva))
        err = fault(&w, 0);
    /* a guest that keeps changing its tables does not keep us here: to it, the page is gone */
    for (unsigned i = 0; err == -EAGAIN && i < MARK_TRIES; i++)
        err = walk_tables(&w, gva, root, gpa);
    if (err == -EAGAIN)
        err = fault(&w, 0);
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
        if (err)
            return err;
        if (write ? gmem_write(v->vm, gpa, bytes + done, length)
                  : gmem_read(v->vm, gpa, bytes + done, length))
            return -ENXIO;
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
