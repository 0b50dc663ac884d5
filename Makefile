# Two ways in: `make demo` shows what this does, `make test` checks that it does it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-all check format clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/installed-agents  ## set up, then judge, train and report on real MiniHack (~10 minutes)
	$(BIN)/calm demo

test: check  ## set up, check format, lint, types and layers, and run the fast tests
	$(BIN)/pytest -n auto --dist worksteal

test-all: check  ## the same with the slow tests
	$(BIN)/pytest -n auto --dist worksteal -m "slow or not slow"

check: .venv/installed-dev  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev  ## format the code and mend what lint can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was set up and cached; runs/ stays
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || \
	  { echo "CALM needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed-%: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv (one to a few minutes, once) ..."
	$(PIP) -e '.[$*]'
	@touch $@
