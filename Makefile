# `make demo` and `make test` each work as the very first command on a fresh machine with Python 3.11.
# Everything is installed into .venv; nothing global is touched.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.complete

# One process per core, one thread per process: on small volumes torch's threads cost more than they give.
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
JOBS ?= $(shell n=$(CORES); echo $$(( n > 8 ? 8 : n )))
TESTS ?=

.PHONY: help demo test lint types pytest bench viewer docs constraints clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## train a small network on phantoms, explain it, print the path of the HTML page
	OMP_WAIT_POLICY=passive $(BIN)/voxplain demo $(ARGS)

test: lint pytest ## lint, types and all tests

pytest: $(READY) ## the tests alone; TESTS=tests/case for a part of them
	-@$(BIN)/python scripts/build_viewer.py  # without the npm registry, tests of the viewer are skipped
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

lint: $(READY) types ## style, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(READY)
	$(BIN)/mypy

bench: $(READY) ## every script in benchmarks/, one after the other
	@for script in benchmarks/*.py; do \
	  [ -e "$$script" ] || { echo "no benchmarks yet"; break; }; \
	  echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

docs: $(VENV)/.docs ## the documentation site: build/docs/index.html; runs every example, warnings are errors
	rm -rf build/docs docs/_made docs/_files docs/auto_gallery docs/auto_tutorials
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -n -q -b html docs build/docs
	$(BIN)/python scripts/check_site.py build/docs

constraints: ## pin what a fresh environment gets today (writes constraints.txt)
	@scripts/pin.sh

viewer: $(READY) ## build the viewer of reports again, where web/ has changed
	@$(BIN)/python scripts/build_viewer.py

$(VENV)/.docs: $(READY)
	@VENV=$(VENV) scripts/set_up.sh docs

$(READY): pyproject.toml constraints.txt scripts/set_up.sh scripts/peers.txt
	@VENV=$(VENV) scripts/set_up.sh

clean: ## remove .venv, caches and what the demo wrote
	rm -rf docs/_made docs/_files docs/repository docs/auto_gallery docs/auto_tutorials docs/api/rooms
	rm -rf web/node_modules src/voxplain/report/viewer/built
	rm -rf $(VENV) demo-out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
