# Everything a developer runs. `make` lists it; nothing here needs to be run in an order.

SHELL := /bin/bash
# pyright comes whole with its wheel; it need not ask for a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Without what was compiled before, every command and every process of a test takes five seconds more to start.
unexport PYTHONDONTWRITEBYTECODE
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
BUNDLE := core/bedside_core/web
RECORD := build/rulebook.json
# A plugin as a partner ships one; the tests have it installed.
PARTNER := examples/bedside-vitals
# A second reader of calendars, with which the tests read ours.
READER  := tests/plugins/scheduling/second

# Locked and hash-checked: the installer, what runs, what developers run besides, and what builds.
PIP_LOCK := requirements-uv.lock
COMPILE  := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
SYNC     := $(UV) pip sync --quiet --python $(BIN)/python --require-hashes
PROJECT  := $(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-dev.lock --require-build-hashes -e .

# A stamp is newer than everything its step read, so a second `make` does nothing.
HAS_UV      := $(VENV)/.has-uv
HAS_RUNTIME := $(VENV)/.has-runtime
HAS_DEV     := $(VENV)/.has-dev
HAS_BUNDLE  := web/node_modules/.bedside-bundle
HAS_READER  := $(READER)/node_modules/.bedside-reader
# As web/package.json says in `engines`.
NODE_FITS   := v20.19.*|v20.[2-9][0-9].*|v22.1[2-9].*|v22.[2-9][0-9].*|v2[3-9].*|v[3-9][0-9].*
WEB_SOURCES := $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)

# The demo needs no developers' tools; where they are installed already they stay.
ENVIRONMENT := $(if $(wildcard $(HAS_DEV)),$(HAS_DEV),$(HAS_RUNTIME))

ifeq ($(wildcard $(BUNDLE)/*),)
.PHONY: $(HAS_BUNDLE)                    # built once, but its output was removed
endif

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo 'ARGS="…" is passed on to demo, serve, test, promises, bench and lock.'

# --- environment and client bundle ---------------------------------------------------------------

.PHONY: install
install: $(HAS_DEV) $(HAS_BUNDLE)  ## environment (.venv) and client bundle

$(HAS_UV): $(PIP_LOCK)
	@test -n "$(PYTHON)" || { echo "Bedside needs Python 3.11 or newer, and there is none on the PATH." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) could not make $(VENV); on Debian and Ubuntu install python3-venv." >&2; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(PIP_LOCK)
	@touch $@

$(HAS_RUNTIME): $(HAS_UV) requirements.lock requirements-dev.lock pyproject.toml
	@rm -f $(HAS_DEV)
	$(SYNC) requirements.lock
	$(PROJECT)
	@touch $@

$(HAS_DEV): $(HAS_UV) requirements-dev.lock pyproject.toml $(PARTNER)/pyproject.toml
	$(SYNC) requirements-dev.lock
	$(PROJECT) -e $(PARTNER)
	@touch $@

$(HAS_BUNDLE): $(WEB_SOURCES)
	@case "$$(node --version 2>/dev/null)" in $(NODE_FITS)) ;; *) \
		echo "The client bundle is built with Node 20.19 or later of 20, or 22.12 or newer; on the PATH is $$(node --version 2>/dev/null || echo none)." >&2; exit 1;; esac
	@command -v npm >/dev/null || { echo "The client bundle is built with Node's npm, and there is none on the PATH." >&2; exit 1; }
	npm --prefix web ci --no-audit --no-fund
	npm --prefix web run build
	@test -n "$$(ls $(BUNDLE) 2>/dev/null)" || { echo "web/ was built, but nothing arrived in $(BUNDLE)." >&2; exit 1; }
	@touch $@

$(HAS_READER): $(READER)/package-lock.json | $(HAS_BUNDLE)
	npm --prefix $(READER) ci --no-audit --no-fund
	@touch $@

# --- running -------------------------------------------------------------------------------------

.PHONY: demo
demo: $(ENVIRONMENT) $(HAS_BUNDLE)  ## a seeded practice on 127.0.0.1:8000, with a table of sign-ins
	@$(BIN)/bedside demo $(ARGS)

.PHONY: serve
serve: $(ENVIRONMENT) $(HAS_BUNDLE)  ## the server as configured by BEDSIDE_* variables
	@$(BIN)/bedside serve $(ARGS)

# --- showing that it holds -----------------------------------------------------------------------

.PHONY: test
test: $(HAS_DEV) $(HAS_BUNDLE) $(HAS_READER)  ## all tests (ARGS="tests/core -k scope" for some)
	$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),--numprocesses=2 --dist=loadfile --rulebook=$(RECORD))

.PHONY: check
check: $(HAS_DEV) $(HAS_BUNDLE)  ## lint, format, types (strict), imports, layout, client, SDL and what breaks it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --quiet tests/test_layout.py
	$(BIN)/pyright
	npm --prefix web run check
	$(BIN)/bedside schema --check
	$(BIN)/bedside schema --breaking

.PHONY: rules
rules: $(RECORD)  ## rules and promises without a passing test, by the last whole `make test`
	@$(BIN)/python tests/rulebook.py $(RECORD)

$(RECORD): | $(HAS_DEV) $(HAS_BUNDLE) $(HAS_READER)
	-$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=loadfile --rulebook=$(RECORD)

.PHONY: promises
promises: $(HAS_DEV) $(HAS_BUNDLE) $(HAS_READER)  ## promises at the sizes and figures of docs/promises.md (within an hour)
	BEDSIDE_FULL=1 $(BIN)/python -m pytest -m promise --timeout=3600 $(ARGS)

.PHONY: bench
bench: $(HAS_DEV) $(HAS_BUNDLE)  ## what performance claims rest on, against peers (ARGS=query, startup or limits; with --quick)
	$(BIN)/python -m benchmarks $(or $(ARGS),all)

# --- releasing -----------------------------------------------------------------------------------

.PHONY: lock
lock: $(HAS_UV)  ## write the locks anew from pyproject.toml (ARGS=--upgrade, UV_VERSION=… for newer versions)
	echo "uv==$(or $(UV_VERSION),$$($(UV) --version | cut -d' ' -f2))" | $(COMPILE) - -o $(PIP_LOCK)
	$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) pyproject.toml --group dev --constraints requirements.lock -o requirements-dev.lock

.PHONY: build
build: $(HAS_DEV) $(HAS_BUNDLE)  ## wheel and source distribution into dist/
	rm -rf dist
	$(BIN)/hatchling build -d dist -t sdist -t wheel

.PHONY: clean
clean:  ## remove what building and testing left (not .venv and node_modules)
	rm -rf dist build $(BUNDLE) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . \( -name .venv -o -name node_modules -o -name .git \) -prune -o -name __pycache__ -type d -print0 | xargs -0r rm -rf
