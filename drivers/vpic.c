/* SPDX-License-Identifier: MIT */
/*
 * The PC's two cascaded 8259A controllers and their edge/level registers. Source: Intel ICH data
 * sheet, "8259 Interrupt Controllers", "ELCR1". They start as a PC's firmware leaves them: vectors
 * 08h and 70h, but all masked. Runs in root mode.
 */
#include "drivers/vpic.h"

#include <errno.h>
#include <stdio.h>

#include "drivers/bytewise.h"
#include "drivers/vlapic.h"
#include "drivers/vpic_chip.h"
#include "kernel/vdev.h"

#define MASTER 0
#define SLAVE 1

#define PORT_MASTER 0x20
#define PORT_SLAVE 0xA0
#define PORT_ELCR 0x4D0
#define ELCR_MASTER 0xF8u /* lines that may be level-triggered: not 0 (timer), 1, 2 */
#define ELCR_SLAVE 0xDEu  /* not 8 (clock), 13 (FPU) */
#define BASE_MASTER 0x08u
#define BASE_SLAVE 0x70u

struct vpic {
    struct pic pic[2];
    bool output;
    uint64_t acknowledged, spurious;
};

/* Carries the slave's request to the master and the master's to the processor. */
static void vpic_update(struct vdev *dev)
{
    struct vpic *vpic = dev->state;
    struct pic *master = &vpic->pic[MASTER];
    bool output;

    if (pic_pending(&vpic->pic[SLAVE]) >= 0)
        master->irr |= PIC_BIT(PIC_CASCADE);
    else
        master->irr &= (uint8_t)~PIC_BIT(PIC_CASCADE);
    output = pic_pending(master) >= 0;
    if (output == vpic->output)
        return;
    vpic->output = output;
    vlapic_extint(dev->vm, output);
}

static struct vdev *vpic_of(struct vm *vm)
{
    const struct intc_state *intc = vm->intc_state;

    return intc ? intc->pic : NULL;
}

void vpic_line(struct vm *vm, unsigned irq, bool level)
{
    struct vdev *dev = vpic_of(vm);
    struct vpic *vpic;

    if (!dev || irq >= VPIC_LINES || irq == PIC_CASCADE)
        return;
    vpic = dev->state;
    pic_set_line(&vpic->pic[irq / PIC_LINES], irq % PIC_LINES, level);
    vpic_update(dev);
}

/* One INTA sequence of a controller: the line that it puts on the bus. */
static unsigned pic_acknowledge(struct vpic *vpic, unsigned chip)
{
    struct pic *pic = &vpic->pic[chip];
    int line = pic_pending(pic);

    if (line < 0) {
        vpic->spurious++;
        return PIC_SPURIOUS;
    }
    pic_take(pic, line);
    return (unsigned)line;
}

int vpic_acknowledge(struct vm *vm)
{
    struct vdev *dev = vpic_of(vm);
    struct vpic *vpic;
    unsigned chip = MASTER, line;

    if (!dev)
        return -1;
    vpic = dev->state;
    line = pic_acknowledge(vpic, MASTER);
    if (line == PIC_CASCADE) {
        chip = SLAVE;
        line = pic_acknowledge(vpic, SLAVE);
    }
    vpic->acknowledged++;
    vpic_update(dev);
    return vpic->pic[chip].base | (int)line;
}

static uint64_t vpic_read(struct vdev *dev, unsigned chip, uint64_t offset)
{
    struct vpic *vpic = dev->state;
    uint8_t value = pic_read(&vpic->pic[chip], (unsigned)offset);

    vpic_update(dev);
    return value;
}

static void vpic_write(struct vdev *dev, unsigned chip, uint64_t offset, uint64_t value)
{
    struct vpic *vpic = dev->state;

    pic_write(&vpic->pic[chip], (unsigned)offset, (uint8_t)value);
    vpic_update(dev);
}

/* Wide accesses to command and data register at once have no meaning: the low byte counts. */
#define PIC_PORTS(name, chip)                                                                      \
    static uint64_t name##_read(struct vdev *dev, uint64_t offset, unsigned size)                  \
    {                                                                                              \
        (void)size;                                                                                \
        return vpic_read(dev, chip, offset);                                                       \
    }                                                                                              \
    static void name##_write(struct vdev *dev, uint64_t offset, unsigned size, uint64_t value)     \
    {                                                                                              \
        (void)size;                                                                                \
        vpic_write(dev, chip, offset, value);                                                      \
    }
PIC_PORTS(master, MASTER)
PIC_PORTS(slave, SLAVE)

static uint8_t elcr_read_byte(struct vdev *dev, unsigned reg)
{
    const struct vpic *vpic = dev->state;

    return vpic->pic[reg % 2].elcr;
}

static void elcr_write_byte(struct vdev *dev, unsigned reg, uint8_t value)
{
    struct vpic *vpic = dev->state;
    unsigned chip = reg % 2;

    pic_set_elcr(&vpic->pic[chip], value & (chip == MASTER ? ELCR_MASTER : ELCR_SLAVE));
    vpic_update(dev);
}

BYTEWISE_PORTS(elcr, elcr_read_byte, elcr_write_byte)

static int vpic_init(struct vdev *dev)
{
    struct vpic *vpic = dev->state;
    struct intc_state *intc = intc_state_get(dev->vm);
    int error;

    if (!intc)
        return -ENOMEM;
    intc->pic = dev;
    pic_init(&vpic->pic[MASTER], BASE_MASTER);
    pic_init(&vpic->pic[SLAVE], BASE_SLAVE);
    error = vdev_ports(dev, PORT_MASTER, 2, master_read, master_write);
    if (!error)
        error = vdev_ports(dev, PORT_SLAVE, 2, slave_read, slave_write);
    if (!error)
        error = vdev_ports(dev, PORT_ELCR, 2, elcr_read, elcr_write);
    return error;
}

static void vpic_describe(struct vdev *dev, char *buffer, size_t size)
{
    const struct vpic *vpic = dev->state;
    const struct pic *m = &vpic->pic[MASTER], *s = &vpic->pic[SLAVE];

    snprintf(buffer, size,
             "irr %02x/%02x isr %02x/%02x imr %02x/%02x vectors 0x%02x 0x%02x, %llu interrupts, "
             "%llu spurious",
             m->irr, s->irr, m->isr, s->isr, m->imr, s->imr, m->base, s->base,
             (unsigned long long)vpic->acknowledged, (unsigned long long)vpic->spurious);
}

static const struct vdev_type vpic = {
    .name = "pic",
    .machines = MACHINE_PC,
    .state_size = sizeof(struct vpic),
    .init = vpic_init,
    .describe = vpic_describe,
};
VDEV(vpic);
