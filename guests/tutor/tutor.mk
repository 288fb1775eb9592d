# SPDX-License-Identifier: MIT
# Builds the teaching kernel build/guests/tutor.elf. Included by the top Makefile; alone, from the
# root of the tree: make -f guests/tutor/tutor.mk build/guests/tutor.elf (tutor-run, tutor-check)
TUTOR_CC ?= gcc
TUTOR_DIR := guests/tutor
TUTOR_ELF := build/guests/tutor.elf
TUTOR_OBJ := build/guests/tutor

# Any new .c or .S file of the folder takes part: a lab adds a file and edits no list.
TUTOR_SOURCES := $(wildcard $(TUTOR_DIR)/*.c $(TUTOR_DIR)/*.S)
TUTOR_OBJECTS := $(patsubst $(TUTOR_DIR)/%,$(TUTOR_OBJ)/%.o,$(TUTOR_SOURCES))

# No vector registers, since interrupt handlers don't save them; and no memset that calls itself.
TUTOR_CFLAGS := -m32 -march=i686 -std=c17 -O2 -g -ffreestanding -fno-pic -fno-stack-protector \
	-mgeneral-regs-only -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-builtin \
	-Wall -Wextra -Wshadow -Wconversion -Werror -I.
TUTOR_LDFLAGS := -m32 -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,--fatal-warnings

$(TUTOR_ELF): $(TUTOR_OBJECTS) $(TUTOR_DIR)/linker.ld
	@echo "LD $@"
	@$(TUTOR_CC) $(TUTOR_LDFLAGS) -T $(TUTOR_DIR)/linker.ld -o $@ $(TUTOR_OBJECTS)

$(TUTOR_OBJ)/%.o: $(TUTOR_DIR)/% $(TUTOR_DIR)/tutor.mk
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(TUTOR_CC) $(TUTOR_CFLAGS) -MMD -MP -c -o $@ $<

-include $(TUTOR_OBJECTS:.o=.d)

.PHONY: tutor-run tutor-check syntax
syntax::
	@$(CC) $(TUTOR_CFLAGS) -fsyntax-only $(filter %.c,$(TUTOR_SOURCES))

tutor-run: $(TUTOR_ELF)
	qemu-system-x86_64 -m 64M -kernel $< -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-display none -serial mon:stdio

tutor-check: $(TUTOR_ELF)
	$(TUTOR_DIR)/check.sh $<
