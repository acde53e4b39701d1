# Two commands are enough: `make run` and `make test`. CONTRIBUTING.md explains the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL := $(PIP) --require-hashes -r
OWN := $(PIP) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help run test setup check bench faults format lock clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/run.ok ## install and run Bise; the playground while no platform token is set
	@$(BIN)/python -m bots.start

test: $(VENV)/dev.ok ## the whole test suite
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

setup: $(VENV)/dev.ok ## only the installing

check: $(VENV)/dev.ok ## format, lint, types, import rules, tests: what CI runs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: $(VENV)/dev.ok ## speed and memory beside a bare loop, measured in one run
	@$(BIN)/python -m tests.bench

faults: $(VENV)/dev.ok ## the tests of lost, doubled and disordered answers, at full size
	@$(BIN)/python -m pytest tests/faults --full-size

format: $(VENV)/dev.ok ## put the code into its form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: ## pin the dependencies anew (needs uv)
	@deploy/locks/lock.sh

clean: ## forget what was installed and measured
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/run.ok: deploy/locks/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bise needs Python 3.11 or newer: make run PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Bise needs (a minute, once) …" >&2
	@$(INSTALL) deploy/locks/run.txt && $(OWN)
	@touch $@

$(VENV)/dev.ok: deploy/locks/dev.txt $(VENV)/run.ok
	@echo "Installing what its tests need …" >&2
	@$(INSTALL) deploy/locks/dev.txt
	@touch $@
