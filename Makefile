# Two ways in: `make demo` shows what this does, `make test` checks that it does it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help install locked lock demo test test-all check docs bench-peers format clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed-toolkit  ## set up .venv with every command, and run nothing

locked: .venv/bin/python  ## set up .venv with the very packages of requirements.lock, checked by hash
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/installed-dev .venv/installed-toolkit

lock:  ## write requirements.lock anew, with the newest versions that fit (needs uv)
	uv --no-config pip compile pyproject.toml --extra dev -c constraints.txt --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --upgrade --quiet -o requirements.lock

demo: .venv/installed-toolkit  ## set up, then judge, train and report on real MiniHack (2 to 10 minutes)
	$(BIN)/calm demo

test: check  ## set up, check format, lint, types, layers and docs, and run the fast tests
	$(BIN)/pytest -n auto --dist worksteal

test-all: check  ## the same with the slow tests
	$(BIN)/pytest -n auto --dist worksteal -m "slow or not slow"

check: .venv/installed-dev  ## format, lint, types, layers, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

docs: .venv/installed-docs  ## build the site into site/, with warnings as errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html; for the search: $(BIN)/python -m http.server -d site"

# They don't resolve with our packages, so each has an environment of its own that sees ours behind its
# own. PufferLib 3.0.0 builds without its games and without CUDA, but for a name its setup forgets.
PEER_SITE = $$(echo .venv-peers/$(1)/lib/python3.*/site-packages)
bench-peers: .venv/installed-agents  ## install Sample Factory and PufferLib for `calm bench train`
	for peer in sample-factory pufferlib; do \
	  $(BIN)/python -m venv .venv-peers/$$peer && \
	  echo $$(pwd)/.venv/lib/python3.*/site-packages > \
	    $$(echo .venv-peers/$$peer/lib/python3.*/site-packages)/ours.pth || exit 1; \
	done
	.venv-peers/sample-factory/bin/pip install --quiet --no-deps sample-factory==2.1.1 "numpy<2" \
	  colorlog signal-slot-mp faster-fifo tensorboardX huggingface-hub filelock threadpoolctl \
	  opencv-python-headless psutil "pyglet<2"
	.venv-peers/pufferlib/bin/pip install --quiet --no-deps wheel "setuptools>=77.0.3,<82" Cython \
	  pybind11 gym==0.23.0 gym-notices pettingzoo shimmy imageio nvidia-ml-py rich_argparse \
	  heavyball psutil cloudpickle pyro-ppl pyro-api opt-einsum tqdm
	echo "import builtins; builtins.c_extension_paths = []" > $(call PEER_SITE,pufferlib)/forgotten.pth
	PATH=$$(pwd)/.venv-peers/pufferlib/bin:/usr/bin:/bin NO_OCEAN=1 \
	  .venv-peers/pufferlib/bin/pip install --quiet --no-deps --no-build-isolation pufferlib==3.0.0
	rm $(call PEER_SITE,pufferlib)/forgotten.pth

format: .venv/installed-dev  ## format the code and mend what lint can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was set up and cached; runs/ stays
	rm -rf .venv .venv-peers build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || \
	  { echo "CALM needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed-%: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv (one to a few minutes, once) ..."
	$(PIP) -e '.[$*]'
	@touch $@
