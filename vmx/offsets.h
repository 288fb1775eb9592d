/* SPDX-License-Identifier: MIT */
/* Offsets into struct vcpu that vmx/enter.S uses; vmx/run.c asserts them. */
#ifndef VMX_OFFSETS_H
#define VMX_OFFSETS_H

#define VCPU_GPR(number) (8 * (number))
#define VCPU_HOST_RSP 128
#define CPU_CURRENT 24

#endif
