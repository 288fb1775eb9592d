/* SPDX-License-Identifier: MIT */
/* sources: drivers/vnull.c drivers/vuart.c drivers/vdebugexit.c drivers/vacpi.c
 * drivers/vreset.c drivers/vrtc.c drivers/vrtc_events.c drivers/vrtc_calendar.c drivers/vpic.c
 * drivers/vpic_chip.c drivers/vpit.c drivers/vpit_channel.c drivers/vi8042.c
 * drivers/vkeyboard.c drivers/vvga.c drivers/vvga_screen.c kernel/iobus.c tests/unit/fake_vm.c */
/*
 * All devices of a machine together under random accesses of every size, with time, interrupts
 * and input between them, under sanitizers: whatever a guest does, only it suffers (build host).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/vpic.h"
#include "tests/unit/fake_vm.h"

#define ROUNDS 300000u
#define DEVICES_LINUX 6u
#define DEVICES_PC 10u
#define DEVICES_FLAT 3u
#define TIMER_CALLS_PER_S 40000u /* of all devices together, at their fastest */

static uint64_t random_state;
static char screen[2048];

/* xorshift64* by Marsaglia and Vigna; the multiplication is meant to wrap. */
static uint64_t random64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(random64() >> 32) % limit;
}

/* A time step: mostly short, now and then long enough for every counter to have wrapped. */
static uint64_t random_step(void)
{
    switch (below(8)) {
    case 0:
        return random64() % (10 * NS_PER_MS);
    case 1:
        return below(64) ? 0 : random64() % (100 * NS_PER_MS);
    default:
        return random64() % (20 * NS_PER_US);
    }
}

static void access_some_port(void)
{
    const struct io_range *range = &fake.vm.pio.ranges[below(fake.vm.pio.count)];
    uint16_t port = (uint16_t)(range->base + below((unsigned)range->size));
    unsigned size = 1u << (below(4) ? 0 : below(3));

    if (below(2))
        fake_out(port, size, random64());
    else
        (void)fake_in(port, size);
}

static void disturb(void)
{
    switch (below(6)) {
    case 0:
        (void)fake.input(fake.input_dev, (uint8_t)random64());
        break;
    case 1:
        if (fake.key)
            (void)fake.key(fake.key_dev, (char)random64());
        break;
    case 2:
        if (fake.press)
            (void)fake.press(fake.press_dev);
        break;
    case 3:
        vpic_line(&fake.vm, below(32), below(2));
        break;
    case 4:
        if (fake.extint || !below(8))
            assert_in_range(vpic_acknowledge(&fake.vm) + 1, 0, 256);
        break;
    case 5:
        if (fake.snapshot && !below(64))
            fake.snapshot(fake.snapshot_dev, screen, 1 + below(sizeof(screen)));
        break;
    }
}

static void fuzz(enum machine machine)
{
    uint64_t seconds;

    random_state = 0x4d756c6c696f6eull + (uint64_t)machine;
    fake_create(machine, 1u << 20);
    if (fake_device("pic"))
        fake.line_hook = vpic_line;
    for (unsigned i = 0; i < ROUNDS; i++) {
        access_some_port();
        if (!below(4))
            disturb();
        if (!below(16))
            fake_advance(random_step());
    }
    seconds = fake.now_ns / NS_PER_S + 1;
    assert_true(fake.timer_calls < seconds * TIMER_CALLS_PER_S);
    for (struct vdev *dev = fake.vm.devices; dev; dev = dev->next)
        (void)fake_describe(dev->type->name);
    fake_destroy();
}

static void linux_stands_random_accesses(void **state)
{
    (void)state;
    fuzz(MACHINE_LINUX);
}

static void pc_stands_random_accesses(void **state)
{
    (void)state;
    fuzz(MACHINE_PC);
}

static void flat_stands_random_accesses(void **state)
{
    (void)state;
    fuzz(MACHINE_FLAT);
}

static unsigned count_devices(enum machine machine)
{
    unsigned count = 0;

    fake_create(machine, 1u << 20);
    for (struct vdev *dev = fake.vm.devices; dev; dev = dev->next) {
        assert_ptr_equal(fake_device(dev->type->name), dev); /* names are unique */
        count++;
    }
    fake_destroy();
    return count;
}

static void every_device_is_registered(void **state)
{
    (void)state;
    assert_int_equal(count_devices(MACHINE_LINUX), DEVICES_LINUX);
    assert_int_equal(count_devices(MACHINE_PC), DEVICES_PC);
    assert_int_equal(count_devices(MACHINE_FLAT), DEVICES_FLAT);
}

/* Time can run for years: no counter of nanoseconds may overflow on the way to ticks. */
static void devices_stand_a_long_life(void **state)
{
    (void)state;
    fake_create(MACHINE_PC, 1u << 20);
    fake.now_ns = 100ull * 365 * 86400 * NS_PER_S;
    random_state = 1;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        access_some_port();
        if (!below(16))
            fake_advance(random_step());
    }
    fake_destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_device_is_registered),
        cmocka_unit_test(linux_stands_random_accesses),
        cmocka_unit_test(pc_stands_random_accesses),
        cmocka_unit_test(flat_stands_random_accesses),
        cmocka_unit_test(devices_stand_a_long_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
