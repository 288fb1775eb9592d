/* SPDX-License-Identifier: MIT */
/* See tests/unit/fake_platform.h (build host). */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/unit/fake_platform.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "drivers/vpic.h"
#include "kernel/page.h"
#include "kernel/time.h"
#include "tests/unit/host_stubs.h"

#define FAKE_HZ 1000000000ull

struct fake fake;
uint64_t fake_tsc;

void vcpu_request(struct vcpu *vcpu, uint32_t requests)
{
    fake.kicks++;
    __atomic_fetch_or(&vcpu->requests, requests, __ATOMIC_SEQ_CST);
}

void apicv_set(struct vcpu *vcpu, void *page, uint8_t in_service)
{
    struct fake_apicv *apicv = &fake.apicv[vcpu->id];

    assert_true(fake.vm.apicv);
    *apicv = (struct fake_apicv){ .page = page, .in_service = in_service,
                                  .changes = apicv->changes + 1 };
}

void apicv_raise(struct vcpu *vcpu, uint8_t vector)
{
    struct fake_apicv *apicv = &fake.apicv[vcpu->id];

    assert_non_null(apicv->page);
    apicv->requested = MAX(apicv->requested, vector);
}

void apicv_eoi_exits(struct vcpu *vcpu, const uint64_t vectors[APICV_WORDS])
{
    struct fake_apicv *apicv = &fake.apicv[vcpu->id];

    assert_non_null(apicv->page);
    memcpy(apicv->eoi_exits, vectors, sizeof(apicv->eoi_exits));
}

uint64_t time_tsc(void)
{
    return fake_tsc;
}

uint64_t time_tsc_hz(void)
{
    return FAKE_HZ;
}

uint64_t time_ns_to_ticks(uint64_t ns)
{
    return ns;
}

void vtimer_init(struct vtimer *timer, struct vcpu *vcpu, void (*fn)(struct vtimer *), void *owner)
{
    *timer = (struct vtimer){ VTIMER_OFF, fn, owner, vcpu, vcpu->timers, false };
    vcpu->timers = timer;
}

void vtimer_set(struct vtimer *timer, uint64_t deadline)
{
    timer->deadline = deadline;
}

void fake_advance(uint64_t ticks)
{
    fake_tsc += ticks;
    for (unsigned i = 0; i < fake.vm.vcpu_count; i++) {
        for (struct vtimer *t = fake.vcpus[i].timers; t; t = t->next) {
            if (t->deadline > fake_tsc)
                continue;
            t->deadline = VTIMER_OFF;
            lock_acquire(&fake.vm.lock);
            t->fn(t);
            lock_release(&fake.vm.lock);
        }
    }
}

void *vm_alloc(struct vm *vm, size_t size)
{
    void *object = page_zalloc();

    (void)vm;
    assert_true(size <= PAGE_SIZE);
    return object;
}

void *vm_page_alloc(void)
{
    return page_zalloc();
}

void vm_page_free(void *page)
{
    page_zfree(page);
}

int vm_map_add(struct vm *vm, gpa_t base, uint64_t size, uint32_t type)
{
    assert_true(vm->map_count < BOOT_RANGES_MAX);
    assert_true(size > 0 && (base | size) % PAGE_SIZE == 0);
    vm->map[vm->map_count++] = (struct gp_region){ base, size, type };
    return 0;
}

const struct gp_region *vm_map_find(const struct vm *vm, gpa_t gpa)
{
    for (uint32_t i = 0; i < vm->map_count; i++)
        if (gpa - vm->map[i].base < vm->map[i].size)
            return &vm->map[i];
    return NULL;
}

static bool in_ram(struct vm *vm, gpa_t gpa, size_t size)
{
    for (size_t i = 0; i < size; i += PAGE_SIZE) {
        const struct gp_region *region = vm_map_find(vm, gpa + i);
        if (!region || region->type == GP_MMIO)
            return false;
    }
    return size == 0 || vm_map_find(vm, gpa + size - 1);
}

int gmem_read(struct vm *vm, gpa_t gpa, void *to, size_t size)
{
    if (!in_ram(vm, gpa, size))
        return -EFAULT;
    memcpy(to, fake.ram + gpa, size);
    return 0;
}

int gmem_write(struct vm *vm, gpa_t gpa, const void *from, size_t size)
{
    if (!in_ram(vm, gpa, size))
        return -EFAULT;
    memcpy(fake.ram + gpa, from, size);
    return 0;
}

void vpic_line(struct vm *vm, unsigned irq, bool level)
{
    (void)vm;
    fake.pic_lines = level ? fake.pic_lines | 1u << irq : fake.pic_lines & ~(1u << irq);
}

int vpic_acknowledge(struct vm *vm)
{
    assert_true(lock_held(&vm->lock));
    return fake.pic_vector;
}

void fake_create(enum boot_vm_kind kind, uint32_t vcpus, uint64_t memory)
{
    fake_destroy();
    host_pages_init(PAGE_2M, FAKE_PAGES_SIZE);
    while (page_scrub_step())
        ;
    fake.ram = mmap(NULL, FAKE_RAM_MAX, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(fake.ram != MAP_FAILED);
    fake.config = (struct boot_vm){ .name = "test", .kind = kind, .vcpu_count = vcpus,
                                    .memory = memory };
    fake.vm.config = &fake.config;
    memcpy(fake.vm.name, "test", sizeof("test"));
    fake.vm.memory = memory;
    fake.vm.vcpu_count = vcpus;
    fake.pic_vector = -1;
    lock_init(&fake.vm.lock, LOCK_RANK_VM, "vm");
    for (uint32_t i = 0; i < vcpus; i++) {
        fake.vcpus[i] = (struct vcpu){ .vm = &fake.vm, .id = i, .apic_id = i };
        fake.vm.vcpus[i] = &fake.vcpus[i];
    }
    this_cpu()->current = &fake.vcpus[0];
    fake_tsc = 1000000;
}

void fake_devices(void)
{
    SET_FOREACH(p, vdev) {
        struct vdev *dev = &fake.devices[fake.device_count++];
        *dev = (struct vdev){ .type = *p, .vm = &fake.vm };
        if ((*p)->state_size)
            dev->state = vm_alloc(&fake.vm, (*p)->state_size);
        assert_int_equal((*p)->init(dev), 0);
    }
    for (unsigned i = 0; i < fake.vm.vcpu_count; i++)
        fake_requests(i);
}

void fake_destroy(void)
{
    for (unsigned i = 0; i < fake.device_count; i++)
        if (fake.devices[i].type->fini)
            fake.devices[i].type->fini(&fake.devices[i]);
    if (fake.ram)
        munmap(fake.ram, FAKE_RAM_MAX);
    memset(&fake, 0, sizeof(fake));
}

uint32_t fake_requests(unsigned vcpu)
{
    return __atomic_exchange_n(&fake.vcpus[vcpu].requests, 0, __ATOMIC_SEQ_CST);
}

static const struct io_range *mmio(unsigned vcpu, gpa_t gpa, unsigned size)
{
    const struct io_range *range = iobus_find(&fake.vm.mmio, gpa, size);

    assert_non_null(range);
    this_cpu()->current = &fake.vcpus[vcpu];
    lock_acquire(&fake.vm.lock);
    return range;
}

uint64_t fake_mmio_read(unsigned vcpu, gpa_t gpa, unsigned size)
{
    const struct io_range *range = mmio(vcpu, gpa, size);
    uint64_t value = range->read(range->dev, gpa - range->base, size);

    lock_release(&fake.vm.lock);
    return value;
}

void fake_mmio_write(unsigned vcpu, gpa_t gpa, unsigned size, uint64_t value)
{
    const struct io_range *range = mmio(vcpu, gpa, size);

    range->write(range->dev, gpa - range->base, size, value);
    lock_release(&fake.vm.lock);
}
