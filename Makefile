# `make demo` and `make test` work on a fresh clone: they need Python 3.11+, git and make.
# Two environments' worth of packages live in .venv: what MetaGen needs, and what its tests need.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
# Threads that wait asleep leave the cores to the tests beside them.
export OMP_WAIT_POLICY ?= passive
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --editable
JOBS ?= auto
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup lint format test test-full coverage mutants demo paper docs bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "  %-10s %s\n", $$1, $$2 }'

$(VENV)/.runtime: pyproject.toml constraints.txt hatch_build.py
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on the PATH" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing MetaGen into $(VENV)"
	@$(INSTALL) .
	@touch $@

$(VENV)/.complete: $(VENV)/.runtime
	@echo "installing what the tests and documentation need (PyTorch among it)"
	@$(INSTALL) '.[test,docs]'
	@touch $@

setup: $(VENV)/.complete ## the whole development environment in .venv

lint: $(VENV)/.complete ## ruff: rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.complete ## let ruff repair what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: $(VENV)/.complete ## every part, example and door once (PYTEST_ARGS="-k ..." for a few)
	@$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

test-full: $(VENV)/.complete ## the whole matrix
	@$(BIN)/python -m pytest -n $(JOBS) -m "full or not full" $(PYTEST_ARGS)

coverage: $(VENV)/.complete ## which lines and branches of src/metagen the tests reach
	@$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term $(PYTEST_ARGS)

mutants: $(VENV)/.complete ## which changes of the code the tests would not notice (hours)
	@$(INSTALL) '.[mutants]'
	@mkdir -p mutants/src
	@ulimit -v 8000000; PYTHONPATH=$(CURDIR)/mutants/src $(BIN)/mutmut run
	@$(BIN)/python tests/survival/mutants.py

demo: $(VENV)/.runtime ## two example specifications become two repositories in outputs/
	@$(BIN)/metagen demo

paper: ## MetaGen's own paper, paper/main.pdf
	@$(MAKE) -C paper pdf

docs: $(VENV)/.complete ## regenerate the generated pages, then build the site into site/
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

bench: $(VENV)/.complete ## time the commands; the figures go into docs/performance.md
	@$(BIN)/python benchmarks/bench_cli.py --write

clean: ## remove what was built, the environment included
	@rm -rf $(VENV) build dist outputs site mutants .coverage* .pytest_cache .ruff_cache .hypothesis
