# Plain `make` prints help. Each target makes its virtual environment itself, from the lock file, with pip alone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The targets share one virtual environment, and `check` runs from quick to slow.
.NOTPARALLEL:
# The tests start hundreds of processes, and compiling everything anew is half of what a short one does.
export PYTHONDONTWRITEBYTECODE :=

# The first of these that really runs and is new enough; `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
# More words for the command, for example: make test ARGS="-k lease -x"
ARGS ?=
# Processes that share the tests; those of one file stay together, and the longest files begin. Twice two cores: many
# tests wait for a clock or a server.
JOBS ?= 4

# Schedules that `nightly` plays in the simulator.
SEEDS ?= 20000

# The lock file is made with one release of pip-tools, so that it does not change by itself.
PIP_TOOLS := pip-tools==7.6.2
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
RUNTIME := $(VENV)/.installed-runtime
SERVICE := $(VENV)/.installed-service
DEV := $(VENV)/.installed-dev
MUTMUT := mutmut==3.8.1
MUTATION := $(VENV)-mutation/.installed
CYCLONEDX := cyclonedx-bom==7.5.0
RELEASE := $(VENV)-release/.installed
VERSION ?=
SCRIPTS := $(wildcard benchmarks examples)

.PHONY: help demo test slow check nightly bench mutation format format-check lint types docs docs-check reference screenshots smoke release lock clean

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) $(if $(findstring --serve,$(ARGS)),$(SERVICE)) ## Show the night of 3 February 2026: the old hand-off and Phasegate, side by side
	$(BIN)/nba-props demo $(ARGS)

test: $(DEV) ## Run the tests, the doctests and the docs' code blocks, but for the slow tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m 'not slow' $(ARGS)

slow: $(DEV) ## Run the slow tests: many real dates, storms, a stand-in of BigQuery
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m slow $(ARGS)

check: format-check lint types smoke docs test slow ## Run all that must pass before a merge

# All of it runs, whatever fails; each night plays other seeds.
nightly: $(DEV) ## Run what takes hours: BigQuery's whole contract, 20,000 seeds, weeks on Google's services
	@failed=0; \
	for run in \
		'-m pytest -q tests/warehouses/test_bigquery.py' \
		"-m benchmarks.simulator --seeds $(SEEDS) --start $$(($$(date +%s) / 86400 * $(SEEDS)))" \
		'-m benchmarks google' \
		'-m benchmarks google --push' \
		'-m benchmarks night'; \
	do \
		echo "== python $$run"; \
		BIGQUERY_CONTRACT=all nice $(BIN)/python $$run || { echo "FAILED: python $$run"; failed=1; }; \
	done; \
	exit $$failed

bench: $(DEV) ## Run the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

mutation: $(MUTATION) ## Change the code, one small change at a time, and list what no test notices
	$(VENV)-mutation/bin/python tools/mutation.py $(ARGS)

format: $(DEV) ## Format the code, and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

format-check: $(DEV)
	$(BIN)/ruff format --check .

lint: $(DEV) ## Check style and imports between layers
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

types: $(DEV) ## Check types, strictly
	$(BIN)/mypy src tests tools docs $(SCRIPTS)

docs: $(DEV) ## Write the documentation as a site, with a search, to `site/`
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -d build/doctrees docs site

docs-check: $(DEV) ## Run the docs' code blocks and check their links (a part of `test`)
	$(BIN)/python -m pytest tests/test_docs.py $(ARGS)

reference: $(DEV) ## Write the pages that are generated: Python, and the schemas
	$(BIN)/python tools/reference.py

screenshots: $(DEV) ## Take a picture of each page of `phasegate serve`, to `build/screenshots/`
	$(BIN)/python tools/screenshots.py $(ARGS)

smoke: $(DEV) ## Build the wheel and use it in a bare environment
	$(BIN)/python tools/smoke.py

release: $(RELEASE) ## Make a release, in two steps: make release VERSION=0.2.0
	$(BIN)/python tools/release.py '$(VERSION)' --cyclonedx $(VENV)-release/bin/cyclonedx-py $(ARGS)

lock: ## Pin every dependency anew in requirements.lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --disable-pip-version-check install --quiet '$(PIP_TOOLS)'
	CUSTOM_COMPILE_COMMAND='make lock' $(VENV)-lock/bin/pip-compile --quiet --upgrade --extra dev --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

clean: ## Remove the environments, the builds and the caches
	rm -rf $(VENV) $(VENV)-lock $(VENV)-mutation $(VENV)-release mutants
	rm -rf build dist site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests tools $(SCRIPTS) -name __pycache__ -prune -exec rm -rf {} +

# Two steps into one environment: `demo` needs a tenth of what `check` needs.
$(RUNTIME): requirements.lock pyproject.toml
	@$(if $(PYTHON),,echo 'Phasegate needs Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint requirements.lock hatchling
	$(PIP) --constraint requirements.lock --no-build-isolation --editable .
	@touch $@

# What `make demo ARGS=--serve` needs besides.
$(SERVICE): $(RUNTIME)
	$(PIP) --constraint requirements.lock --no-build-isolation --editable '.[service]'
	@touch $@

$(DEV): $(RUNTIME)
	$(PIP) --requirement requirements.lock
	@touch $@

# An environment of its own: mutmut needs a terminal interface and a parser that nothing else here needs. Phasegate is
# not installed in it, so that its tests cannot run any other code than the changed one.
$(MUTATION): requirements.lock
	$(PYTHON) -m venv $(VENV)-mutation
	$(VENV)-mutation/bin/python -m pip --disable-pip-version-check install --quiet \
		--requirement requirements.lock '$(MUTMUT)'
	@touch $@

$(RELEASE): $(DEV)
	$(PYTHON) -m venv $(VENV)-release
	$(VENV)-release/bin/python -m pip --disable-pip-version-check install --quiet '$(CYCLONEDX)'
	@touch $@
