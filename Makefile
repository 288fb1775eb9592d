# SPDX-License-Identifier: MIT
# Mullion's commands; "make" alone lists them. Each one first runs the set-up, which is quick when
# all is there, and then builds in a second make, since what the set-up brings is not there before.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export HEADLESS TIMEOUT OUT MANIFEST EMU CPUS RAM OPTIONS BOCHS_CPU QEMU_CPU ONLY EXIT GDB GDB_PORT
PYTHON := /usr/bin/python3
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
# The emulator's and the libraries' own makefiles have no use for our flags and variables.
SETUP := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL bash scripts/setup.sh
# Bochs has its stub for gdb in a second build; QEMU's is always there.
DEBUG_READY = $(READY) $(if $(filter qemu-%,$(EMU)),,&& $(SETUP) bochs-debug)
# An image needs no emulator.
IMAGE_READY = $(SETUP) base && $(MAKE_ALL)
READY = $(SETUP) && $(MAKE_ALL)
MAKE_ALL = $(MAKE) --no-print-directory $(JOBS) build

.PHONY: help run run-really test bench compare image debug explain fuzz hwtest grade setup build clean

help:
	@echo 'make run      boot the demo: Debian and a teaching kernel, side by side'
	@echo '                MANIFEST=file.yaml CPUS=2 RAM=1G EMU=bochs|qemu-kvm|qemu-tcg OPTIONS="words"'
	@echo '                HEADLESS=1 TIMEOUT=120 OUT=dir: no terminal; status 0, 1, 2 or, at the time-out, 124'
	@echo '                  EMU=qemu-tcg builds no emulator and starts fastest; without EMU one is chosen'
	@echo 'make test     all tests; ONLY=pattern takes those whose name holds it; EMU=name one emulator'
	@echo 'make bench    measure, and compare with the goals'
	@echo 'make image    OUT=disk.img MANIFEST=file.yaml: an image for a USB stick or another emulator'
	@echo 'make debug    boot halted, with gdb attached and symbols loaded'
	@echo 'make explain  EXIT=cpuid: the path of one exit through the files'
	@echo 'make fuzz     run the fuzzers, each for TIMEOUT=60 seconds; ONLY=pattern'
	@echo 'make hwtest   an image that tests itself on a real machine'
	@echo 'make grade    LAB=device FILE=mine.c: grade a solution of a lab, see docs/labs/'
	@echo 'make setup    packages, emulator, libraries and the Linux guest, into .cache/'
	@echo 'make clean    remove build/'

# Make itself ends with 0 or 2; the interface of headless runs has 0, 1, 2 and 124, and its
# result.json is never one of an earlier run, and says why, even where nothing can be built.
READY_TO_RUN = $(if $(filter-out 0,$(HEADLESS)),bash scripts/ready.sh "$${OUT:-build/run}" \
	'$(READY)',$(READY))
end_with = $(if $(filter-out 0,$1),$(eval load build/make-status.so(make_status_setup))$(exit-with $1))

run: run-really
	$(call end_with,$(shell cat build/status.$$PPID; rm -f build/status.$$PPID))

run-really:
	@+$(READY_TO_RUN) && { $(PYTHON) scripts/run.py; echo $$? >build/status.$$PPID; }

test:
	@+$(DEBUG_READY) && $(MAKE) --no-print-directory $(JOBS) -f kernel/kernel.mk BUILD=build/checked \
		DEBUG=1 build/checked/mullion.elf && \
		MULLION_KERNEL=build/checked/mullion.elf $(PYTHON) tests/run.py

bench:
	@+$(READY) && $(PYTHON) scripts/bench.py

image:
	@+$(IMAGE_READY) && $(PYTHON) scripts/image.py --options "$(OPTIONS)" \
		$(or $(MANIFEST),build/demo/manifest.yaml) $(or $(OUT),build/mullion.img)

debug:
	@+$(DEBUG_READY) && $(PYTHON) scripts/debug.py

explain:
	@+$(SETUP) packages && $(PYTHON) scripts/explain.py --check $(or $(EXIT),cpuid) && \
		$(DEBUG_READY) && $(PYTHON) scripts/explain.py $(or $(EXIT),cpuid)

fuzz:
	@+$(IMAGE_READY) && $(PYTHON) tests/fuzz.py

hwtest:
	@+$(IMAGE_READY) && $(PYTHON) scripts/hwtest.py

GRADE = $(PYTHON) scripts/grade.py "$(LAB)" "$(FILE)" $(if $(TESTS),--tests $(TESTS)) \
	$(if $(filter 0,$(BOOT)),--no-boot)
grade:
	@+$(SETUP) packages && $(GRADE) --check && $(READY) && $(GRADE)

compare:
	@echo 'make compare: the comparison with other container runtimes is not part of this version' >&2
	@exit 1

setup:
	@$(SETUP)

clean:
	rm -rf build

# What follows is for the second make.

-include boot/boot.mk kernel/kernel.mk guests/tutor/tutor.mk guests/guests.mk

DEMO_FILES := manifest.yaml vmlinuz initrd.img tutor.elf env.txt
build: build/boot/BOOTX64.EFI build/mullion.elf $(DEMO_FILES:%=build/demo/%) build/make-status.so \
	$(GUEST_BINS)
	@:

# The demo's manifest names its files beside itself.
build/demo/manifest.yaml: SOURCE = guests/demo.yaml
build/demo/vmlinuz: SOURCE = .cache/linux/vmlinuz
build/demo/initrd.img: SOURCE = .cache/linux/initrd.img
build/demo/env.txt: SOURCE = guests/env.txt
build/demo/tutor.elf: SOURCE = build/guests/tutor.elf
build/demo/tutor.elf: build/guests/tutor.elf
$(DEMO_FILES:%=build/demo/%):
	@mkdir -p $(@D)
	@ln -sfn ../../$(SOURCE) $@

build/make-status.so: scripts/make-status.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@gcc -std=c17 -Wall -Wextra -Werror -shared -fPIC -o $@ $<
