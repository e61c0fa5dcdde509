# Everything runs from .venv, which `make env` builds from the hashed lock files.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
MAKEFLAGS += --no-print-directory
LOCK := $(or $(UV),uv) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate \
	--group pyproject.toml:build

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env run test check format-check lint types layering fresh documents format \
	bench retrace lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '%-22s %s\n' "$$name" "$$text"; done

env: .venv/.stamp  ## build .venv from requirements-dev.lock, with this project in it

.venv/.deps: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "holezero needs Python 3.11 or newer: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv or ensurepip module (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "env: making .venv"
	@$(PYTHON) -m venv .venv
	@echo "env: installing requirements-dev.lock"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.stamp: .venv/.deps pyproject.toml
	@echo "env: installing holezero itself, editable"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

run: env  ## run the main job: recorded programs under four variants, side by side
	$(BIN)/holezero compare main-job
	$(BIN)/holezero compare git-repack

test: env  ## run the tests
	$(BIN)/python -m pytest

# One step after the other, whatever -j says; the tests last, so that their summary ends the output.
check: env  ## run every check that must pass, the tests last
	@$(MAKE) format-check
	@$(MAKE) lint
	@$(MAKE) types
	@$(MAKE) layering
	@$(MAKE) fresh
	@$(MAKE) test

format-check: env  ## check that the formatter would change nothing
	$(BIN)/ruff format --check .

lint: env  ## lint
	$(BIN)/ruff check .

types: env  ## check the types
	$(BIN)/mypy

layering: env  ## check which package imports which
	$(BIN)/lint-imports --no-logo

fresh: env  ## check that rendered documents are up to date
	$(BIN)/python -m cluster.documents --check

documents: env  ## render the documents that are made from the code
	$(BIN)/python -m cluster.documents

format: env  ## format the code and apply the linter's safe fixes
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

bench: env  ## measure
	$(BIN)/python tests/bench/inline.py

retrace: env  ## record the kept traces anew
	$(BIN)/python -m cluster.live.retrace tests/traces/*.trace

lock:  ## write the lock files anew (maintainers; needs uv: UV=/path/to/uv; UPGRADE=1 takes newer releases)
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra dev -o requirements-dev.lock pyproject.toml
	$(LOCK) $(if $(UPGRADE),--upgrade) -c requirements-dev.lock -o requirements.lock pyproject.toml

clean:  ## remove .venv, caches and build products
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
