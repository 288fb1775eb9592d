/* SPDX-License-Identifier: MIT */
/* Offsets into struct vcpu that vmx/enter.S uses; vmx/run.c asserts them. */
#ifndef VMX_OFFSETS_H
#define VMX_OFFSETS_H

#define VCPU_GPRS_SIZE 128
#define VCPU_HOST_RSP 128

#endif
