# The front door. Every target installs what it misses (Debian and Ubuntu), builds and runs; `make help`.
SHELL := bash
.NOTPARALLEL:
.DEFAULT_GOAL := help

JOBS := $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS = $(if $(filter command% override,$(origin SECONDS)),$(SECONDS),20)
PREFIX ?= /usr/local
PYTHON := .venv/bin/python
PYTEST = M2_BUILD_DIR=$(CURDIR)/$(1) $(PYTHON) -m pytest -q tests -p no:cacheprovider \
  -o markers="slow: takes minutes, run by make test-slow"$$'\n'"asan: also run by make test-asan"$$'\n'"tsan: also run by make test-tsan"
CTEST := ctest --output-on-failure --no-tests=error -j $(JOBS)

.PHONY: help build train install demo test test-all test-asan test-tsan test-slow test-clients fuzz mutants check-bits lint format \
  clean bench bench-kernels bench-venv \
  build-packages training-packages test-packages client-packages browser-packages venv training-venv clients-venv build-tests

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: build-packages  ## the program, build/release/m2
	@tools/build.sh release

train: build-packages training-venv  ## the program with m2-train, build/release/m2-train; TORCH_PIP_ARGS="--index-url URL" for a CPU torch
	@M2_BUILD_TRAINING=ON tools/build.sh release

install: build  ## the program and the library for other programs, make install PREFIX=/usr/local
	cmake --install build/release --prefix "$(PREFIX)"

demo: build  ## embed the sample novels with a model of random weights
	@tools/demo.sh

test: build-tests venv  ## all that a change must pass: unit, golden, command line, format, ladder, link map
	$(CTEST) --test-dir build/release -LE slow
	$(call PYTEST,build/release) -m "not slow"
	tools/format.sh --check
	$(PYTHON) tools/check_ladder.py

test-all: test check-bits lint test-clients test-asan test-tsan fuzz test-slow mutants  ## test, and all that is slow; before a release

test-asan: test-packages venv  ## the tests under the address and undefined-behaviour sanitizers
	@M2_BUILD_TESTS=ON tools/build.sh asan
	$(CTEST) --test-dir build/asan -LE slow
	$(call PYTEST,build/asan) -m "asan and not slow" || [ $$? -eq 5 ]  # 5: none is marked

test-clients: build clients-venv client-packages  ## m2 serve under the official clients, and schemathesis on its OpenAPI document
	M2_BUILD_DIR=$(CURDIR)/build/release .venv-clients/bin/python -m pytest -q tests/clients -p no:cacheprovider

test-tsan: test-packages venv  ## the tests under the thread sanitizer
	@M2_BUILD_TESTS=ON tools/build.sh tsan
	$(CTEST) --test-dir build/tsan -LE slow
	$(call PYTEST,build/tsan) -m "tsan and not slow"

bench: build bench-venv  ## the program against its peers, on a model of random weights (an hour)
	@test -e build/bench-model/config.json || build/release/m2 init --preset m2-bert-80M --length 8192 \
	  --vocab examples/demo/vocab.txt build/bench-model
	build/release/m2 bench --model-id build/bench-model --lengths 512,2048,8192 --against all

bench-kernels: test-packages  ## each kernel by itself, and the long convolution against FFTW
	@tools/build.sh benchmarks m2_kernel_benches
	@for program in build/benchmarks/bench/kernels/*_bench; do echo; "$$program" || exit 1; done

check-bits: build  ## one hash from eight ways to embed the same texts, for each instruction set and contract
	@command -v python3 >/dev/null || tools/install_packages.sh tests
	@tools/check_bits.py

fuzz: build-packages  ## the fuzzers, make fuzz SECONDS=20 each
	@tools/install_packages.sh fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)

mutants: test-packages venv  ## one-line faults, each of which must turn a test red
	$(PYTHON) tools/run_mutants.py $(MUTANTS)

lint: build-tests venv  ## clang-tidy with the checks of .clang-tidy (minutes)
	@tools/lint.sh

test-slow: build-tests browser-packages venv  ## tests labelled slow
	ctest --output-on-failure --test-dir build/release -L slow
	$(call PYTEST,build/release) -m slow || [ $$? -eq 5 ]  # 5: none is marked

format: test-packages venv  ## clang-format over the sources
	@tools/format.sh

clean:  ## remove build/, .venv/ and what test-clients installs
	rm -rf build .venv .venv-clients tests/clients/node/node_modules

build-packages:
	@tools/install_packages.sh build

training-packages:
	@tools/install_packages.sh build training

browser-packages:
	@tools/install_packages.sh browser

test-packages:
	@tools/install_packages.sh build tests

venv: test-packages
	@tools/make_venv.sh

bench-venv: test-packages
	@tools/make_venv.sh bench/requirements.txt bench/.venv

training-venv: training-packages
	@tools/make_venv.sh tools/training-requirements.txt

clients-venv: test-packages
	@tools/make_venv.sh tests/requirements-clients.txt .venv-clients

# Packages of node from elsewhere bring their own npm, which Debian's does not go together with.
client-packages:
	@command -v npm >/dev/null || tools/install_packages.sh clients
	@cd tests/clients/node; [[ node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --no-audit --no-fund

build-tests: test-packages venv
	@M2_BUILD_TESTS=ON M2_BUILD_TRAINING=ON tools/build.sh release
