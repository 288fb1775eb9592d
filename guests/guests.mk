# SPDX-License-Identifier: MIT
# Flat guests: each folder tests/guest/<name>/ with a main.c becomes build/guests/<name>.bin, made of
# all sources there and the library guests/lib/. The benchmark's are tests/bench/<name>/.

BUILD ?= build
FLAT_DIRS := $(patsubst %/main.c,%,$(wildcard tests/guest/*/main.c tests/bench/*/main.c))
GUEST_BINS := $(foreach dir,$(FLAT_DIRS),$(BUILD)/guests/$(notdir $(dir)).bin)
FLAT_OBJ := $(BUILD)/obj/flat
FLAT_LIB := $(patsubst %,$(FLAT_OBJ)/%.o,$(basename $(wildcard guests/lib/*.c guests/lib/*.S)))
FLAT_CFLAGS := -std=c17 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
    -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
    -fno-delete-null-pointer-checks -Wall -Wextra -Wshadow -Wconversion -Werror -I.

.PHONY: syntax
syntax::
	@$(CC) $(FLAT_CFLAGS) -fsyntax-only $(wildcard guests/lib/*.c $(addsuffix /*.c,$(FLAT_DIRS)))

.PHONY: flat-guests
flat-guests: $(GUEST_BINS)

$(FLAT_OBJ)/%.o: %.c guests/guests.mk
	@mkdir -p $(@D)
	@$(CC) $(FLAT_CFLAGS) -MMD -MP -c -o $@ $<

$(FLAT_OBJ)/%.o: %.S guests/guests.mk
	@mkdir -p $(@D)
	@$(CC) $(FLAT_CFLAGS) -MMD -MP -c -o $@ $<

# $1: a guest's folder
define FLAT_GUEST
$(BUILD)/guests/$(notdir $1).bin: $(FLAT_LIB) guests/lib/flat.ld \
    $(patsubst %,$(FLAT_OBJ)/%.o,$(basename $(wildcard $1/*.c $1/*.S)))
	@mkdir -p $$(@D)
	@echo "GUEST $(notdir $1)"
	@$(LD) -nostdlib -static -z noexecstack --no-warn-rwx-segments -T guests/lib/flat.ld \
	    -o $$(@:.bin=.elf) $$(filter %.o,$$^)
	@objcopy -O binary $$(@:.bin=.elf) $$@
endef
$(foreach dir,$(FLAT_DIRS),$(eval $(call FLAT_GUEST,$(dir))))

.SECONDARY:
-include $(FLAT_LIB:.o=.d) $(wildcard $(FLAT_OBJ)/tests/guest/*/*.d $(FLAT_OBJ)/tests/bench/*/*.d)

# Linux on the machine itself, for the benchmark: an image that the loader takes for the hypervisor.
$(BUILD)/native.elf: tests/bench/native/native.c kernel/start.S linker.ld boot/bootinfo.h
	@echo "LD $@"
	@$(CC) $(FLAT_CFLAGS) -mcmodel=kernel -nostdlib -static -Wl,-z,max-page-size=4096 \
	    -Wl,--build-id=none -Wl,-z,noexecstack -T linker.ld -o $@ \
	    tests/bench/native/native.c kernel/start.S
$(BUILD)/native-init: tests/bench/native/init.S
	@mkdir -p $(@D)
	@$(CC) -nostdlib -static -Wl,-z,noexecstack -Wl,--build-id=none -s -o $@ $<
GUEST_BINS += $(BUILD)/native.elf $(BUILD)/native-init
