/* SPDX-License-Identifier: MIT */
/*
 * A tiny writer of AML, the byte code of ACPI tables: what our DSDT needs and no more
 * (ACPI 6.5, chapter 20, "ACPI Machine Language Specification"). Pure.
 *
 * Terms that hold others are opened and closed: aml_open_* ... aml_close, properly nested.
 */
#ifndef BOOT_AML_H
#define BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_DEPTH_MAX 6u

struct aml {
    uint8_t *bytes;
    size_t size, used;
    bool full;      /* something did not fit: the table is of no use */
    unsigned depth;
    size_t open[AML_DEPTH_MAX]; /* where the package lengths are to be filled in */
};

void aml_byte(struct aml *aml, uint8_t byte);
/* Names are one segment of four characters; `\` before it makes it absolute. */
void aml_name_string(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, uint32_t value);
void aml_string(struct aml *aml, const char *text);

void aml_open_scope(struct aml *aml, const char *name);
void aml_open_device(struct aml *aml, const char *name);
void aml_open_method(struct aml *aml, const char *name, unsigned arguments); /* serialized */
void aml_open_if_bit(struct aml *aml, const char *field, uint32_t bit);      /* If (field & bit) */
void aml_close(struct aml *aml);

/* Name (name, value) */
void aml_name_integer(struct aml *aml, const char *name, uint32_t value);
void aml_name_text(struct aml *aml, const char *name, const char *text);
void aml_name_eisa(struct aml *aml, const char *name, const char *id); /* "PNP0501" */
void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count);

/* OperationRegion (region, SystemIO, port, 1) with one field of 8 bits */
void aml_byte_port(struct aml *aml, const char *region, const char *field, uint16_t port);
void aml_notify(struct aml *aml, const char *object, uint8_t value);

/* Name (_CRS, ResourceTemplate () { IO (count ports; 0: none) Interrupt (edge, active high) }) */
void aml_resources(struct aml *aml, uint16_t port, uint8_t count, uint32_t gsi);

/* All devices of a Linux guest with so many CPUs, into the open scope \_SB (boot/dsdt.c). */
void dsdt_devices(struct aml *aml, uint32_t cpus);

#endif
