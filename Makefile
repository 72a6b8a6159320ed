# SPDX-License-Identifier: GPL-2.0-or-later
#
# Thin: every target is a script that does nothing when nothing is to be done.

LAYERS := unit qtest $(patsubst tests/%/run,%,$(wildcard tests/guest/run tests/rig/run))

.DEFAULT_GOAL := all
.PHONY: all san check check-style kernel clean help $(LAYERS:%=check-%)

build/config.mak:
	@./configure

all: build/config.mak
	@scripts/build-qemu

san: build/config.mak
	@scripts/build-qemu --san

check: build/config.mak
	@scripts/check $(LAYERS)

check-unit:
	@scripts/check unit

$(patsubst %,check-%,$(filter-out unit,$(LAYERS))): check-%: build/config.mak
	@scripts/check $*

check-style:
	@scripts/check-style

kernel:
	@scripts/build-kernel

ifneq ($(wildcard tests/rig/demo),)
.PHONY: demo
demo: all kernel
	@tests/rig/demo
endif

clean:
	rm -rf build

help:
	@echo 'make              build/qemu-system-x86_64: QEMU with this intel-iommu'
ifneq ($(wildcard tests/rig/demo),)
	@echo 'make demo         the whole path, told hop by hop, with a verdict'
endif
	@echo 'make check        all tests; one layer: $(LAYERS:%=check-%)'
	@echo 'make check-style  layout and first lines of the source files'
	@echo 'make kernel       build/kernel: the Linux kernel of the rig'
	@echo 'make san          a second build with sanitizers (see ./configure --help)'
	@echo 'make clean        remove build/; what was fetched stays in the cache'
	@echo './configure --help lists the options, among them --qemu-source=DIR'
