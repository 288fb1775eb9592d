# SPDX-License-Identifier: MIT
# What a grader builds besides the unit tests (scripts/grade.py), from the root of the tree:
#   make -f tests/labs/labs.mk LAB=name FILE=/path/of/the/solution.c REPLACES=file TESTS=folder TARGET
# Targets: hypervisor (Mullion with FILE linked in, instead of REPLACES), guest (the lab's flat
# guest), teaching-kernel (guests/tutor with FILE).

include kernel/kernel.mk guests/guests.mk guests/tutor/tutor.mk
.DELETE_ON_ERROR:
GRADE := build/grade/$(LAB)
.PHONY: hypervisor guest teaching-kernel student.o

student.o: # whose file it is changes from call to call
	@mkdir -p $(GRADE)
	@$(CC) $(KERNEL_CFLAGS) -c -o $(GRADE)/student.o $(FILE)

OTHERS := $(filter-out $(KERNEL_OBJ)/$(REPLACES).o,$(KERNEL_OBJECTS))
LINK = $(LD) $(KERNEL_LDFLAGS)
hypervisor: $(OTHERS) $(KERNEL_LD) student.o
	@$(LINK) -o $(GRADE)/nosymbols.elf $(OTHERS) $(GRADE)/student.o $(KERNEL_LIBC)/lib/libk.a
	@nm -n $(GRADE)/nosymbols.elf | awk -f kernel/symbols.awk >$(GRADE)/symbols.S
	@$(CC) -c -o $(GRADE)/symbols.o $(GRADE)/symbols.S
	@$(LINK) -o $(GRADE)/mullion.elf $(OTHERS) $(GRADE)/student.o $(GRADE)/symbols.o \
	    $(KERNEL_LIBC)/lib/libk.a

guest: $(FLAT_LIB)
	@mkdir -p $(GRADE)
	@$(CC) $(FLAT_CFLAGS) -c -o $(GRADE)/guest.o $(TESTS)/guest/main.c
	@$(LD) -nostdlib -static -z noexecstack --build-id=none -T guests/lib/flat.ld \
	    -o $(GRADE)/guest.elf $(FLAT_LIB) $(GRADE)/guest.o
	@objcopy -O binary $(GRADE)/guest.elf $(GRADE)/guest.bin

teaching-kernel: $(TUTOR_OBJECTS)
	@mkdir -p $(GRADE)
	@$(TUTOR_CC) $(TUTOR_CFLAGS) -c -o $(GRADE)/student.o $(FILE)
	@$(TUTOR_CC) $(TUTOR_LDFLAGS) -T $(TUTOR_DIR)/linker.ld -o $(GRADE)/tutor.elf \
	    $(TUTOR_OBJECTS) $(GRADE)/student.o
