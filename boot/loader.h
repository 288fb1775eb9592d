/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the UEFI application share. All of it runs before the hypervisor, on the boot
 * CPU, with boot services; only memmap.c and enter.S run after they have ended. An error is fatal:
 * say_fatal() leaves it on the screen.
 */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <efi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

#define PAGE UINT64_C(4096)
#define PAGE_2M (UINT64_C(2) << 20)
#define PAGES(bytes) (((bytes) + PAGE - 1) / PAGE)

/* Set once by efi_main. */
extern EFI_HANDLE loader_image;
extern EFI_SYSTEM_TABLE *loader_system;
#define BOOT_SERVICES (loader_system->BootServices)

/* --- say.c: the EFI console (firmware sends it to screen and serial line) --- */

/* newlib's printf is built without C99 formats here: no %z, %j, %t. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "mullion: loader error: ..."; waits for a key, then returns to firmware. */
void say_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Waits for a key, then returns to firmware. */
void say_end(EFI_STATUS status) __attribute__((noreturn));

/* An EFI status in words. */
const char *say_status(EFI_STATUS status);

/* --- memory.c --- */

/* Pages that the hypervisor keeps (type BOOT_MEM_LOADER), zeroed; align is a power of 2. Fatal
 * when there are none. */
void *memory_keep(uint64_t size, uint64_t align, const char *what);

/* The same, but not zeroed. */
void *memory_keep_raw(uint64_t size, uint64_t align, const char *what);

/* Pages that are free memory again when the hypervisor starts. */
void *memory_borrow(uint64_t size, const char *what);

/* One kept page at or below an address. */
uint64_t memory_keep_below(uint64_t limit, const char *what);

/* The memory map as things stand; the next call, and leaving boot services, change it. */
const struct boot_mem *memory_map(uint32_t *count);

/* Bytes that will be BOOT_MEM_USABLE, as things stand; *end: the end of the highest entry. */
uint64_t memory_usable(uint64_t *end);

/* Makes room for the final map; then, with boot services left, fills info's map from it. */
void memory_prepare_map(void);
void memory_leave_boot_services(struct bootinfo *info);

/* --- file.c: files of the ESP that this program came from --- */

struct file {
    uint8_t *data;
    uint64_t size;
};

void file_open_volume(void);

/* Reads a whole file. Kept files lie in memory for the hypervisor, 4 KiB or 2 MiB aligned. Returns
 * false if there is no such file; any other error is fatal. */
bool file_read(const char *path, bool keep, struct file *file);

/* Replaces a file; failure is reported and survived. */
void file_write(const char *path, const void *data, size_t size);

/* Is there such a file? And none any more. */
bool file_exists(const char *path);
void file_remove(const char *path);

/* --- the rest --- */

/* cpus.c: the CPU list, boot CPU first. */
struct acpi;
void cpus_find(struct bootinfo *info, const struct acpi *acpi);

/* firmware.c: ACPI root pointer (0: none) and frame buffer. */
uint64_t firmware_rsdp(void);
void firmware_find_framebuffer(struct bootinfo *info);

/* ramlog.c: the log area that survives a warm reset; what it holds goes to the ESP. */
void ramlog_open(struct bootinfo *info);
/* What it held: text of *size bytes, or NULL. */
const char *ramlog_last(size_t *size);

/* hwtest.c: in a test of a real machine (boot option hwtest) writes the report of the run that
 * has ended and stops; returns if there is none. */
void hwtest_gate(const struct bootinfo *info);

/* vms.c: manifest and guest images into info->vms. */
void vms_load(struct bootinfo *info);

/* kernel.c: the hypervisor's image; returns its entry, a link address. */
uint64_t kernel_load(struct bootinfo *info, uint64_t *link_base);

/* paging.c: tables as bootinfo.h describes them; returns CR3's value. */
uint64_t paging_build(const struct bootinfo *info, uint64_t link_base);

/* enter.S: CPUID, MSRs, the time stamp counter, CR4, ports; and the way into the hypervisor. */
struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};
void cpu_id(uint32_t leaf, uint32_t subleaf, struct cpuid_result *result);
uint64_t cpu_msr(uint32_t number);
uint64_t cpu_tsc(void);
uint64_t cpu_cr4(void);
uint32_t cpu_in32(uint16_t port);
void cpu_out32(uint16_t port, uint32_t value);
void cpu_out8(uint16_t port, uint8_t value);
void enter_kernel(uint64_t cr3, uint64_t stack_top, const struct bootinfo *info, uint64_t entry)
    __attribute__((noreturn));

#endif
