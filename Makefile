# Two commands matter: `make demo` and `make test`. Each sets up what it needs, once.
#
# Other Pythons: make test PYTHON=python3.13

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
KOISHI := tests/e2e/koishi tests/e2e/koishi5
CODE := onebridge tests tools benchmarks examples

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test chaos lint format bench docs clean

# Of `make chaos`.
FAULTS := 300
SEEDS := 1
MODES := websocket,webhook,both

help:
	@echo "make demo    try the bridge: simulated QQ, a sample bot and a chat page; no account needed"
	@echo "make test    format, lint, types, import contracts and every test"
	@echo "make chaos   long runs of faults at random instants (FAULTS, SEEDS, MODES)"
	@echo "make lint    the same without the tests"
	@echo "make format  put the code into its format"
	@echo "make docs    write the generated pages of docs/reference anew"
	@echo "make bench   measure events and sends beside a plain relay and a bare client"
	@echo "make clean   remove what the others made"

demo: $(VENV)/.installed
	$(BIN)/onebridge demo

test: lint $(KOISHI:%=%/node_modules/.installed)
	$(BIN)/pytest --numprocesses auto --dist loadgroup

chaos: $(VENV)/.installed-dev
	CHAOS_FAULTS="$(FAULTS)" CHAOS_SEEDS="$(SEEDS)" CHAOS_MODES="$(MODES)" \
		$(BIN)/pytest tests/e2e/test_faults.py --capture=no

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

docs: $(VENV)/.installed-dev
	$(BIN)/python -m tools.reference

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/ingress.py
	$(BIN)/python -m benchmarks.actions

clean:
	rm -rf $(VENV) $(KOISHI:%=%/node_modules) build dist .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache

$(BIN)/python:
	PYTHON="$(PYTHON)" sh tools/setup.sh venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(VENV)/.installed $@

%/node_modules/.installed: %/package.json %/package-lock.json
	sh tools/setup.sh node
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
