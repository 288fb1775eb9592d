# SPDX-License-Identifier: MIT
# BOOTX64.EFI, the UEFI loader. Included by the top Makefile;
# works alone too: make -f boot/boot.mk build/boot/BOOTX64.EFI

BUILD ?= build
CACHE ?= .cache
BOOT_OUT := $(BUILD)/boot
BOOT_LIBYAML := $(CACHE)/libyaml
BOOT_NEWLIB := $(CACHE)/newlib-efi

# Pure: tests and fuzzers compile them for the build host.
BOOT_PURE := manifest manifest_reader manifest_vm manifest_course manifest_value manifest_check \
             manifest_path guest_image bzimage multiboot elf64 memmap acpi acpi_board pci \
             machine machine_start machine_linux machine_pc machine_flat mptable acpi_build aml dsdt
BOOT_EFI_ONLY := main say memory file cpus firmware ramlog hwtest vms kernel paging libc
BOOT_YAML := api parser reader scanner loader

BOOT_OBJS := $(BOOT_PURE:%=$(BOOT_OUT)/%.o) $(BOOT_EFI_ONLY:%=$(BOOT_OUT)/%.o) \
             $(BOOT_OUT)/enter.o $(BOOT_YAML:%=$(BOOT_OUT)/yaml_%.o)

# Position independent; the ABI and the stack are the firmware's. newlib's headers, not the host's.
BOOT_CODEGEN := -O2 -g0 -fpic -fshort-wchar -mno-red-zone -fno-stack-protector \
                -fcf-protection=none -fno-ident -ffile-prefix-map=$(CURDIR)=.
BOOT_INCLUDES = -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
                -isystem $(BOOT_NEWLIB)/include -isystem /usr/include/efi \
                -isystem /usr/include/efi/x86_64 -isystem $(BOOT_LIBYAML)/include
BOOT_WARN := -Wall -Wextra -Wshadow -Wconversion -Werror
BOOT_DEFS := -DGNU_EFI_USE_MS_ABI -DYAML_DECLARE_STATIC
BOOT_YAML_DEFS := -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 \
                  -DYAML_VERSION_STRING='"0.2.5"' -DYAML_DECLARE_STATIC

# Every relocation must be the one kind that gnu-efi's start-up code applies.
BOOT_LDFLAGS := -nostdlib -shared -Bsymbolic -z nocombreloc -z nodynamic-undefined-weak -z noexecstack \
                --no-undefined --build-id=none -T /usr/lib/elf_x86_64_efi.lds

.DELETE_ON_ERROR:

$(BOOT_OUT)/%.o: boot/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) -std=c17 $(BOOT_CODEGEN) -I. $(BOOT_INCLUDES) $(BOOT_WARN) $(BOOT_DEFS) -MMD -MP -c $< -o $@

$(BOOT_OUT)/enter.o: boot/enter.S
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) -c $< -o $@

$(BOOT_OUT)/yaml_%.o: $(BOOT_LIBYAML)/src/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) -std=gnu17 $(BOOT_CODEGEN) $(BOOT_INCLUDES) -w $(BOOT_YAML_DEFS) -c $< -o $@

$(BOOT_OUT)/BOOTX64.so: $(BOOT_OBJS) $(BOOT_NEWLIB)/lib/libc.a
	@echo "LD $@"
	@ld $(BOOT_LDFLAGS) /usr/lib/crt0-efi-x86_64.o $(BOOT_OBJS) $(BOOT_NEWLIB)/lib/libc.a \
	    /usr/lib/libgnuefi.a -o $@
	@if readelf -rW $@ | awk '$$3 ~ /^R_X86_64_/ && $$3 != "R_X86_64_RELATIVE"' | grep .; then \
	    echo "$@: gnu-efi can't apply these relocations" >&2; exit 1; fi
	@if readelf -SW $@ | grep -E ' \.(init_array|ctors|set_)'; then \
	    echo "$@: nobody runs constructors or reads linker sets in an EFI program" >&2; exit 1; fi

$(BOOT_OUT)/BOOTX64.EFI: $(BOOT_OUT)/BOOTX64.so
	@echo "EFI $@"
	@objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j .rel.* -j .rela.* \
	    -j .reloc --target efi-app-x86_64 $< $@

.PHONY: syntax
syntax::
	@$(CC) -std=c17 $(BOOT_CODEGEN) -I. $(BOOT_INCLUDES) $(BOOT_WARN) $(BOOT_DEFS) -fsyntax-only boot/*.c

-include $(wildcard $(BOOT_OUT)/*.d)
