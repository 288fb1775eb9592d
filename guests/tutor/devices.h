/* SPDX-License-Identifier: MIT */
/* The devices of the small PC, one .c file each. */
#ifndef TUTOR_DEVICES_H
#define TUTOR_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

/* pic.c: two 8259 interrupt controllers; line n arrives as vector PIC_VECTOR_BASE + n */
#define PIC_VECTOR_BASE 32
#define PIC_LINES 16
void pic_init(void);
void pic_unmask(unsigned line);
bool pic_is_spurious(unsigned line);
void pic_end_of_interrupt(unsigned line);

/* pit.c: 8254 timer */
#define PIT_HZ 100u
void pit_init(void);
uint32_t pit_ticks(void);

/* uart.c: 16550 serial port COM1, 115200 baud, 8 data bits, no parity, 1 stop bit */
void uart_init(void);
void uart_put(char c);
void uart_enable_input(void);

/* vga.c: text page of 80 x 25 characters; understands \n, \r and \b */
void vga_init(void);
void vga_put(char c);
void vga_show_cursor(void);

/* keyboard.c: i8042 controller with a US keyboard */
void keyboard_init(void);

/* rtc.c: battery clock; -EIO when it never gets ready */
struct rtc_time {
    unsigned year, month, day, hour, minute, second;
};
int rtc_read(struct rtc_time *time);

#endif
