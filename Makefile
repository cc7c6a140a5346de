# Everything runs in .venv, made here from a Python >= 3.11: `make demo` and `make test` need nothing else.
# Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install -q -q -c constraints.txt
DEMO_READY := $(VENV)/.demo-ready
TEST_READY := $(VENV)/.test-ready
WEB_READY := $(VENV)/.web-ready
PYTEST := $(BIN)/python -m pytest

# Two processes share the cores: one thread each for the linear algebra.
test test-all docs: export OMP_NUM_THREADS := 1
test test-all docs: export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-web test-gpu bench bench-quick lint format docs clean

help:
	@sed -n 's/^## //p' Makefile

## make demo      train on handwritten digits, and write the model and its pictures to demo/
demo: $(DEMO_READY)
	$(BIN)/ckn train digits --out demo

## make test      all checks: lint, tests, documentation
test: lint
	$(PYTEST) -n 2
	@$(MAKE) --no-print-directory docs

## make test-all  the same with the tests that take minutes or gigabytes
test-all: lint
	$(PYTEST) -n 2 -m "not web"
	@$(MAKE) --no-print-directory docs

## make test-web  the site in a browser: links, formulas, search, narrow screens, contrast
test-web: $(WEB_READY) docs
	$(PYTEST) -m web tests/web

## make test-gpu  the tests that need a CUDA device; each skip says why
test-gpu: export JAX_PLATFORMS :=
test-gpu: export XLA_PYTHON_CLIENT_PREALLOCATE := false
test-gpu: $(TEST_READY)
	$(PYTEST) -m "cuda and not heavy" -rs tests

## make bench     time, memory and accuracy beside other libraries; benchmarks/results.json, tables and pictures
bench: $(TEST_READY)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/bench.py --write-docs

## make bench-quick  the lines of seconds, in three minutes at most; the others as they were last measured
bench-quick: $(TEST_READY)
	$(BIN)/python benchmarks/bench.py --quick

## make lint      ruff, mypy, import-linter
lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

## make format    rewrite the code as `make lint` wants it
format: $(TEST_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## make docs      the documentation in docs/_build/html; its code is run, a warning is an error
docs: $(TEST_READY)
	$(BIN)/sphinx-build -j 2 -q -W --keep-going -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

## make clean     remove what the targets made, .venv too
clean:
	rm -rf $(VENV) demo build dist docs/_build docs/jupyter_execute .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip and not python is the target: where the operating system splits venv off, a first try leaves a Python without pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kerneltools needs Python >= 3.11, and $(PYTHON) is not one: say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_READY): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what the demo needs into $(VENV) ..."
	@$(INSTALL) -e '.[cli]'
	@touch $@

# A browser is downloaded where there is none.
$(WEB_READY): $(TEST_READY)
	@echo "Installing Playwright and axe into $(VENV) ..."
	@$(INSTALL) -e '.[web]'
	@command -v chromium > /dev/null || \
	  { echo "There is no chromium: downloading one (half a gigabyte) ..."; $(BIN)/playwright install chromium; }
	@touch $@

# The tests' packages contain the demo's, so this makes the demo ready too.
$(TEST_READY): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what the checks need into $(VENV) (minutes, the first time) ..."
	@$(INSTALL) -e '.[test]'
	@touch $(DEMO_READY) $@
