# One entry point for everything. `make` alone lists the targets.
#
# Every target says in plain words what it does and ends with what one can do next. Whatever needs
# the Python environment depends on `venv`, which costs nothing when it is up to date.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Extra arguments for pytest: make system ARGS="-k restart -x"
ARGS ?=
# RECORD=1: note what tests show of the requirements (docs/results), for docs/status.md: make test RECORD=1
RECORD ?=
rows = $(if $(RECORD),--record-rows docs/results/$(1).json)
# A demo of several hosts: make demo HOSTS=3
HOSTS ?=
# The machine with a kernel of its own has one processor, which must not wait for what runs beside it.
PREFERRED := nice -n -5
SAY := printf '\n== %s\n'

.PHONY: help setup status venv demo demo-clean test test-full lint format types imports unit contract functional \
	system cluster kernel long matrix survival bench docs generate clean

help:  ## this list
	@printf 'ovsnet: Docker networks on Open vSwitch. Two commands are enough to begin: make demo, make test.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install the Debian packages the tests need (root; starts no service)
	@scripts/setup-machine tests

venv:  ## build .venv from the locked requirements; gives .venv/bin/ovsnet
	@scripts/make-venv

demo:  ## see it work on this machine; HOSTS=3: a cluster of so many throw-away hosts
	@if [ -n "$(HOSTS)" ]; then scripts/demo-cluster $(HOSTS); else scripts/demo; fi

install:  ## put ovsnet on this machine for good: command, Docker plugin, systemd units (root)
	@scripts/install

uninstall:  ## take away what `make install` put there, and everything of ours on the switch
	@scripts/install remove

demo-clean:  ## take away everything the demos made
	@scripts/demo-cluster clean
	@scripts/demo clean

status: venv  ## run the functional, system, cluster, kernel and long tests and write what they showed into docs/status.md (root)
	@result=0; for stage in functional system cluster kernel long; do $(MAKE) $$stage RECORD=1 || result=$$?; done; \
	$(BIN)/python scripts/generate_status.py; exit $$result

test: setup venv  ## everything CI runs, under 30 minutes: style, types, imports, and all tests on real parts
	@scripts/run-tests lint types imports unit contract +kernel,functional +cluster system docs

test-full: setup venv  ## `make test`, then the long matrices: engine and OVS versions, soak (hours)
	@scripts/setup-machine matrix
	@scripts/run-tests lint types imports unit contract +kernel,functional +cluster system long docs matrix

lint: venv  ## style of the code: ruff, and the formatting
	@$(SAY) "style"
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check src tests

format: venv  ## put the code into the one format and repair what ruff can repair
	@$(BIN)/ruff check --fix --quiet src tests || true
	@$(BIN)/ruff format src tests

types: venv  ## mypy --strict on the package and on the tests
	@$(SAY) "types"
	@$(BIN)/mypy

imports: venv  ## the structure: layers, purity, sizes, names, systemd units, locks
	@$(SAY) "structure"
	@$(PYTEST) tests/test_architecture.py tests/test_packaging.py tests/test_no_sleeps.py $(ARGS)

unit: venv  ## values in, values out: no sockets, no real time, seconds
	@$(SAY) "unit tests"
	@$(PYTEST) tests/unit $(ARGS)

contract: venv  ## one suite per protocol, run on its fake and on the real thing
	@$(SAY) "contract tests"
	@$(PYTEST) tests/contract $(ARGS)

functional: venv  ## our parts against a real ovsdb-server and ovs-vswitchd (root)
	@$(SAY) "functional tests"
	@$(PYTEST) tests/functional -m "not long" $(call rows,userspace) $(ARGS)

system: venv  ## throw-away hosts, each with its own Docker Engine and Open vSwitch (root)
	@$(SAY) "system tests: hosts with real engines"
	@$(PYTEST) tests/rig tests/system -m "not cluster and not kernel and not matrix and not long" --durations=30 \
		$(call rows,userspace) $(ARGS)

cluster: venv  ## the same with several hosts that are one cluster (root)
	@$(SAY) "system tests: clusters"
	@$(PYTEST) tests/rig tests/system -m "cluster and not kernel and not matrix and not long" --durations=30 \
		$(call rows,userspace) $(ARGS)

kernel: venv  ## a machine with a kernel of its own: the Open vSwitch kernel datapath (root)
	@$(SAY) "kernel datapath tests"
	@$(PREFERRED) $(PYTEST) tests/rig tests/system -m "kernel and not matrix and not long" --durations=10 $(call rows,kernel) $(ARGS)

long: venv  ## what `make test` leaves out for its time: rare faults, machines with the kernel datapath as a cluster
	@$(SAY) "long tests"
	@result=0; $(PYTEST) tests/functional tests/rig tests/system -m "long and not kernel and not matrix" --durations=10 \
		$(call rows,userspace) $(ARGS) || result=$$?; \
	$(PYTEST) tests/rig tests/system -m "long and kernel and not matrix" --durations=10 $(call rows,kernel) $(ARGS) \
		|| result=$$?; exit $$result

matrix: venv  ## only the long matrices of `make test-full`
	@$(SAY) "matrices: engine and OVS versions, soak"
	@$(PYTEST) tests/rig tests/system -m matrix --record-rows docs/results/matrix.json $(ARGS); result=$$?; \
	$(BIN)/python scripts/generate_matrix.py; exit $$result

survival: venv  ## what containers notice of whatever may happen to a host; writes docs/survival.md (root, half an hour)
	@scripts/setup-machine matrix
	@$(SAY) "survival"
	@result=0; each() { $(PYTEST) tests/system/test_survival.py -m "$$1" --record-rows docs/results/survival-$$2.json $(ARGS) || result=$$?; }; \
	each "not kernel and not matrix" userspace; each kernel kernel; each matrix newest; \
	$(BIN)/python scripts/generate_survival.py; $(BIN)/python scripts/generate_status.py; exit $$result

bench: venv  ## measure everything, against other networks (root, two hours); ARGS=--quick: see that it works
	@scripts/setup-machine bench
	@scripts/bench $(ARGS)

docs: venv  ## documents against code: tables, options, verbs, errors
	@$(if $(RECORD),$(BIN)/python scripts/generate_status.py)
	@$(SAY) "documents"
	@$(PYTEST) tests/test_docs*.py $(ARGS)

generate: venv  ## write the generated documents again
	@$(BIN)/python scripts/generate_docs.py
	@$(BIN)/python scripts/generate_benchmarks.py
	@$(BIN)/python scripts/generate_faults.py
	@$(BIN)/python scripts/generate_survival.py

clean:  ## remove what building and testing left in this folder and on this machine
	@tests/rig/hosts reap; rm -rf /tmp/ovsnet-rig/images
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis src/*.egg-info
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean. Next: make venv builds the Python environment again."

