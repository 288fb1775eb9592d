/* SPDX-License-Identifier: MIT */
/* Bus mastering is switched off where nobody drives a function, and nowhere else (build host). */
/* sources: boot/pci.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/pci.h"

#define STATUS 0xf9000000u /* errors that a written 1 would clear */
#define MASTER 0x7u        /* I/O, memory, bus master */

/* What firmware left behind; what is not here answers with all ones. */
static struct function {
    unsigned bus, device, function;
    uint32_t class, header, command;
    uint32_t wanted; /* the command register after all */
    unsigned writes;
} functions[] = {
    {0, 0, 0, 0x060000, 0x00, MASTER, MASTER, 0},  /* host bridge */
    {0, 1, 0, 0x060400, 0x01, MASTER, MASTER, 0},  /* PCI bridge */
    {0, 2, 0, 0x030000, 0x00, MASTER, MASTER, 0},  /* display */
    {0, 3, 0, 0x010601, 0x00, MASTER, 0x3, 0},     /* disk */
    {0, 4, 0, 0x020000, 0x80, 0x3, 0x3, 0},        /* network, off already; several functions */
    {0, 4, 1, 0x0c0330, 0x80, 0x507, 0x503, 0},    /* USB: the other bits stay */
    {0, 4, 7, 0x0c0330, 0x80, MASTER, 0x3, 0},     /* functions may have gaps */
    {0, 5, 1, 0x0c0330, 0x00, MASTER, MASTER, 0},  /* without function 0 there is no device */
    {0, 6, 0, 0x040300, 0x00, MASTER, 0x3, 0},
    {0, 6, 1, 0x040300, 0x00, MASTER, MASTER, 0},  /* function 0 says that there is no other */
    {0, 7, 0, 0x060700, 0x02, MASTER, MASTER, 0},  /* CardBus bridge */
    {1, 0, 0, 0x010802, 0x00, MASTER, 0x3, 0},     /* behind a bridge */
    {255, 31, 7, 0x010802, 0x80, MASTER, 0x3, 0},  /* the last of all */
    {255, 31, 0, 0x088000, 0x80, 0, 0, 0},
    {0x80, 0x1f, 0, 0xff0000, 0x00, 0x4, 0, 0},    /* another root */
};
#define COUNT (sizeof(functions) / sizeof(functions[0]))

static struct function *find(uint32_t address)
{
    assert_int_equal(address & 0xff000003, 0x80000000);
    for (size_t i = 0; i < COUNT; i++) {
        const struct function *f = &functions[i];

        if ((address >> 8 & 0xffff) == (f->bus << 8 | f->device << 3 | f->function))
            return &functions[i];
    }
    return NULL;
}

static uint32_t fake_read(uint32_t address)
{
    const struct function *f = find(address);

    if (f == NULL)
        return ~0u;
    switch (address & 0xff) {
    case 0x00:
        return 0x12348086;
    case 0x04:
        return STATUS | f->command;
    case 0x08:
        return f->class << 8;
    case 0x0c:
        return f->header << 16 | 0xff00ffff;
    default:
        fail_msg("register %#x", address & 0xff);
        return 0;
    }
}

static void fake_write(uint32_t address, uint32_t value)
{
    struct function *f = find(address);

    assert_non_null(f);
    assert_int_equal(address & 0xff, 0x04);
    assert_int_equal(value >> 16, 0);
    f->command = value;
    f->writes++;
}

static void stops_endpoints_only(void **state)
{
    static const struct pci_config config = {fake_read, fake_write};

    (void)state;
    assert_int_equal(pci_stop_bus_masters(&config), 7);
    for (size_t i = 0; i < COUNT; i++) {
        if (functions[i].command != functions[i].wanted || functions[i].writes > 1)
            fail_msg("function %u: command %#x, %u writes", (unsigned)i, functions[i].command,
                     functions[i].writes);
    }
    assert_int_equal(pci_stop_bus_masters(&config), 0);
}

static uint32_t nothing(uint32_t address)
{
    (void)address;
    return ~0u;
}

static void no_pci(void **state)
{
    static const struct pci_config config = {nothing, fake_write};

    (void)state;
    assert_int_equal(pci_stop_bus_masters(&config), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_endpoints_only),
        cmocka_unit_test(no_pci),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
