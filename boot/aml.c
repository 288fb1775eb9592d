/* SPDX-License-Identifier: MIT */
/* The AML writer; see aml.h. */
#include "boot/aml.h"

#include <string.h>

/* ACPI 6.5, table 20.2 (AML byte stream byte values) */
#define AML_ZERO_OP 0x00
#define AML_NAME_OP 0x08
#define AML_BYTE_PREFIX 0x0a
#define AML_WORD_PREFIX 0x0b
#define AML_DWORD_PREFIX 0x0c
#define AML_STRING_PREFIX 0x0d
#define AML_SCOPE_OP 0x10
#define AML_BUFFER_OP 0x11
#define AML_PACKAGE_OP 0x12
#define AML_METHOD_OP 0x14
#define AML_EXT_PREFIX 0x5b
#define AML_EXT_REGION 0x80
#define AML_EXT_FIELD 0x81
#define AML_EXT_DEVICE 0x82
#define AML_AND_OP 0x7b
#define AML_NOTIFY_OP 0x86
#define AML_IF_OP 0xa0

#define AML_METHOD_SERIALIZED 0x08u
#define AML_SPACE_IO 1u
#define AML_FIELD_BYTE_ACCESS 1u
#define AML_FIELD_BITS 8u

/* Resource descriptors (ACPI 6.5, 6.4.2.5 I/O Port, 6.4.3.6 Extended Interrupt, 6.4.2.9 End Tag) */
#define RES_IO 0x47
#define RES_IO_DECODE16 1u
#define RES_IO_SIZE 8u
#define RES_INTERRUPT 0x89
#define RES_INTERRUPT_SIZE 9u /* with the header of 3 bytes */
#define RES_INTERRUPT_CONSUMER 0x01u
#define RES_INTERRUPT_EDGE 0x02u
#define RES_END 0x79
#define RES_END_SIZE 2u

/* PkgLength in its two-byte form: 12 bits (ACPI 6.5, 20.2.4). */
#define PKG_LENGTH_SIZE 2u
#define PKG_LENGTH_FOLLOWS 0x40u

void aml_byte(struct aml *aml, uint8_t byte)
{
    if (aml->used < aml->size)
        aml->bytes[aml->used++] = byte;
    else
        aml->full = true;
}

static void aml_word(struct aml *aml, uint16_t word)
{
    aml_byte(aml, (uint8_t)word);
    aml_byte(aml, (uint8_t)(word >> 8));
}

void aml_name_string(struct aml *aml, const char *name)
{
    while (*name)
        aml_byte(aml, (uint8_t)*name++);
}

void aml_integer(struct aml *aml, uint32_t value)
{
    if (value <= 0xff) {
        aml_byte(aml, AML_BYTE_PREFIX);
        aml_byte(aml, (uint8_t)value);
    } else if (value <= 0xffff) {
        aml_byte(aml, AML_WORD_PREFIX);
        aml_word(aml, (uint16_t)value);
    } else {
        aml_byte(aml, AML_DWORD_PREFIX);
        aml_word(aml, (uint16_t)value);
        aml_word(aml, (uint16_t)(value >> 16));
    }
}

void aml_string(struct aml *aml, const char *text)
{
    aml_byte(aml, AML_STRING_PREFIX);
    aml_name_string(aml, text);
    aml_byte(aml, 0);
}

static void open_package(struct aml *aml)
{
    if (aml->depth == AML_DEPTH_MAX) {
        aml->full = true;
        return;
    }
    aml->open[aml->depth++] = aml->used;
    aml_word(aml, 0);
}

void aml_close(struct aml *aml)
{
    size_t at;
    size_t length;

    if (aml->full || !aml->depth)
        return;
    at = aml->open[--aml->depth];
    length = aml->used - at;
    if (length >> 12) {
        aml->full = true;
        return;
    }
    aml->bytes[at] = (uint8_t)(PKG_LENGTH_FOLLOWS | (length & 0xf));
    aml->bytes[at + 1] = (uint8_t)(length >> 4);
}

void aml_open_scope(struct aml *aml, const char *name)
{
    aml_byte(aml, AML_SCOPE_OP);
    open_package(aml);
    aml_name_string(aml, name);
}

void aml_open_device(struct aml *aml, const char *name)
{
    aml_byte(aml, AML_EXT_PREFIX);
    aml_byte(aml, AML_EXT_DEVICE);
    open_package(aml);
    aml_name_string(aml, name);
}

void aml_open_method(struct aml *aml, const char *name, unsigned arguments)
{
    aml_byte(aml, AML_METHOD_OP);
    open_package(aml);
    aml_name_string(aml, name);
    aml_byte(aml, (uint8_t)(AML_METHOD_SERIALIZED | arguments));
}

void aml_open_if_bit(struct aml *aml, const char *field, uint32_t bit)
{
    aml_byte(aml, AML_IF_OP);
    open_package(aml);
    aml_byte(aml, AML_AND_OP);
    aml_name_string(aml, field);
    aml_integer(aml, bit);
    aml_byte(aml, AML_ZERO_OP); /* the result is stored nowhere */
}

static void begin_name(struct aml *aml, const char *name)
{
    aml_byte(aml, AML_NAME_OP);
    aml_name_string(aml, name);
}

void aml_name_integer(struct aml *aml, const char *name, uint32_t value)
{
    begin_name(aml, name);
    aml_integer(aml, value);
}

void aml_name_text(struct aml *aml, const char *name, const char *text)
{
    begin_name(aml, name);
    aml_string(aml, text);
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hexadecimal digits, most significant byte first
 * (ACPI 6.5, 19.6.36 EISAID). */
void aml_name_eisa(struct aml *aml, const char *name, const char *id)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 3; i++)
        value = value << 5 | ((uint32_t)id[i] & 0x1f);
    for (unsigned i = 3; i < 7; i++)
        value = value << 4 | hex_digit(id[i]);
    aml_name_integer(aml, name, __builtin_bswap32(value));
}

void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count)
{
    begin_name(aml, name);
    aml_byte(aml, AML_PACKAGE_OP);
    open_package(aml);
    aml_byte(aml, count);
    for (uint8_t i = 0; i < count; i++)
        aml_integer(aml, values[i]);
    aml_close(aml);
}

void aml_byte_port(struct aml *aml, const char *region, const char *field, uint16_t port)
{
    aml_byte(aml, AML_EXT_PREFIX);
    aml_byte(aml, AML_EXT_REGION);
    aml_name_string(aml, region);
    aml_byte(aml, AML_SPACE_IO);
    aml_integer(aml, port);
    aml_integer(aml, 1);
    aml_byte(aml, AML_EXT_PREFIX);
    aml_byte(aml, AML_EXT_FIELD);
    open_package(aml);
    aml_name_string(aml, region);
    aml_byte(aml, AML_FIELD_BYTE_ACCESS);
    aml_name_string(aml, field);
    aml_byte(aml, AML_FIELD_BITS);
    aml_close(aml);
}

void aml_notify(struct aml *aml, const char *object, uint8_t value)
{
    aml_byte(aml, AML_NOTIFY_OP);
    aml_name_string(aml, object);
    aml_integer(aml, value);
}

void aml_resources(struct aml *aml, uint16_t port, uint8_t count, uint32_t gsi)
{
    size_t size = (count ? RES_IO_SIZE : 0) + RES_INTERRUPT_SIZE + RES_END_SIZE;

    begin_name(aml, "_CRS");
    aml_byte(aml, AML_BUFFER_OP);
    open_package(aml);
    aml_integer(aml, (uint32_t)size);
    if (count) {
        aml_byte(aml, RES_IO);
        aml_byte(aml, RES_IO_DECODE16);
        aml_word(aml, port);
        aml_word(aml, port);
        aml_byte(aml, 1); /* alignment */
        aml_byte(aml, count);
    }
    aml_byte(aml, RES_INTERRUPT);
    aml_word(aml, RES_INTERRUPT_SIZE - 3);
    aml_byte(aml, RES_INTERRUPT_CONSUMER | RES_INTERRUPT_EDGE);
    aml_byte(aml, 1); /* one interrupt */
    aml_word(aml, (uint16_t)gsi);
    aml_word(aml, (uint16_t)(gsi >> 16));
    aml_byte(aml, RES_END);
    aml_byte(aml, 0); /* no checksum */
    aml_close(aml);
}
