/* SPDX-License-Identifier: MIT */
/* Guest memory for the hypervisor itself; devices use the copies in kernel/vdev.h. */
#ifndef KERNEL_GMEM_H
#define KERNEL_GMEM_H

#include "kernel/types.h"
#include "kernel/vdev.h"

struct vcpu;

/* Gives the VM all RAM of its map (backing: eager), in the largest pages possible. -ENOMEM: what
 * was given stays until gmem_take_all. */
int gmem_give_all(struct vm *vm);
/* Takes all RAM back. No vCPU may run, and no CPU may hold translations. */
void gmem_take_all(struct vm *vm);

/* Gives a demand-backed VM the page at gpa. -EFAULT: no RAM there; -ENOMEM. VM lock held. */
int gmem_demand(struct vm *vm, gpa_t gpa);

/* The same for a page that the guest executes: a large one that may not be is split, and every CPU
 * forgets it. */
int gmem_fetch(struct vm *vm, gpa_t gpa);

/* The page of guest RAM at gpa, as a pointer to that byte; valid up to the page's end, in this
 * exit only. NULL: no RAM there. */
void *gmem_page(struct vm *vm, gpa_t gpa);

/* In 64-bit mode: bits 63:47 are alike. */
static inline bool gva_canonical(gva_t gva)
{
    return (gva_t)((int64_t)(gva << 16) >> 16) == gva;
}

/* Beside enum pt_rights: a supervisor's access while SMAP forbids pages that are the user's. */
#define GWALK_NOT_USERS 16u

/* A guest-virtual address through the guest's own page tables. 0; -EFAULT with *error_code set
 * as for #PF. `access`: mask of enum pt_rights (PT_USER: as from CPL 3) and GWALK_NOT_USERS. */
int gwalk(struct vcpu *vcpu, gva_t gva, unsigned access, gpa_t *gpa, uint32_t *error_code);
/* Copies from guest-virtual memory. 0; -EFAULT (and which address in *fault); -ENXIO: no RAM. */
int gwalk_read(struct vcpu *vcpu, gva_t gva, void *to, size_t size, unsigned access, gva_t *fault,
               uint32_t *error_code);
int gwalk_write(struct vcpu *vcpu, gva_t gva, const void *from, size_t size, unsigned access,
                gva_t *fault, uint32_t *error_code);

#endif
