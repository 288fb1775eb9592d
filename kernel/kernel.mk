# SPDX-License-Identifier: MIT
# The hypervisor's image, build/mullion.elf. Make fragment, run from the root of the tree:
#   make -f kernel/kernel.mk [DEBUG=1]
# DEBUG=1 checks the order of locks; "make test" boots such a build, build/checked/.
# Objects are linked directly, never through an archive, so that linker sets are complete.

BUILD ?= build
CACHE ?= .cache
DEBUG ?= 0
KERNEL_ELF := $(BUILD)/mullion.elf
KERNEL_OBJ := $(BUILD)/obj
KERNEL_FOLDERS ?= kernel vmx svm drivers
KERNEL_SOURCES ?= $(wildcard $(foreach folder,$(KERNEL_FOLDERS),$(folder)/*.c $(folder)/*.S))
KERNEL_OBJECTS := $(addprefix $(KERNEL_OBJ)/,$(addsuffix .o,$(KERNEL_SOURCES)))
KERNEL_LD ?= linker.ld
KERNEL_LIBC := $(CACHE)/newlib-kernel

# Without SSE nothing on the stack wants 16 bytes: functions need not pad their frames.
STACK_WORDS := $(if $(findstring clang,$(shell $(CC) --version)),-mstack-alignment=8,\
    -mpreferred-stack-boundary=3)

# No frame pointers: stack traces find return addresses without them (kernel/stacktrace.c).
KERNEL_CFLAGS := -std=c17 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
    $(STACK_WORDS) \
    -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
    -fno-strict-aliasing -fno-common -Wall -Wextra -Wshadow -Wconversion -Werror \
    -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(KERNEL_LIBC)/include \
    -I. -D_DEFAULT_SOURCE -DLOCK_CHECKED=$(DEBUG)
# newlib's snprintf is made for floating point, which root mode has not: it gets the integer kind.
KERNEL_LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
    --fatal-warnings --defsym=_svfprintf_r=_svfiprintf_r -T $(KERNEL_LD)

$(KERNEL_OBJ)/%.c.o: %.c kernel/kernel.mk
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

$(KERNEL_OBJ)/%.S.o: %.S kernel/kernel.mk
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

# Two links: the first tells where the functions are, the second adds their names. Code comes first
# in the image, so that the table moves no function.
$(KERNEL_ELF): $(KERNEL_OBJECTS) $(KERNEL_LD) kernel/symbols.awk $(KERNEL_LIBC)/lib/libk.a
	@echo "LD $@"
	@$(LD) $(KERNEL_LDFLAGS) -o $(KERNEL_OBJ)/nosymbols.elf $(KERNEL_OBJECTS) $(KERNEL_LIBC)/lib/libk.a
	@nm -n $(KERNEL_OBJ)/nosymbols.elf | awk -f kernel/symbols.awk >$(KERNEL_OBJ)/symbols.S
	@$(CC) -c -o $(KERNEL_OBJ)/symbols.o $(KERNEL_OBJ)/symbols.S
	@$(LD) $(KERNEL_LDFLAGS) -o $@ $(KERNEL_OBJECTS) $(KERNEL_OBJ)/symbols.o \
	    $(KERNEL_LIBC)/lib/libk.a

# The console font is the VGA's: 256 glyphs of 16 bytes, found in the video BIOS by glyph 1.
VGA_ROM ?= /usr/share/seabios/vgabios-stdvga.bin
VGA_GLYPH1 := \x00\x00\x7e\x81\xa5\x81\x81\xbd\x99\x81\x81\x7e\x00\x00\x00\x00
$(BUILD)/font8x16.bin: $(VGA_ROM)
	@mkdir -p $(@D)
	@at=$$(LC_ALL=C grep -obUaP '$(VGA_GLYPH1)' $< | tr -d '\0' | head -n 1 | cut -d: -f1) && \
	    tail -c +$$((at - 15)) $< | head -c 4096 >$@
$(KERNEL_OBJ)/drivers/font.S.o: KERNEL_CFLAGS += -DFONT_FILE='"$(BUILD)/font8x16.bin"'
$(KERNEL_OBJ)/drivers/font.S.o: $(BUILD)/font8x16.bin

# For another compiler's warnings: "make CC=clang syntax" reads all sources and builds nothing.
.PHONY: syntax
syntax::
	@$(CC) $(KERNEL_CFLAGS) -fsyntax-only $(filter %.c,$(KERNEL_SOURCES))

-include $(KERNEL_OBJECTS:.o=.d)
