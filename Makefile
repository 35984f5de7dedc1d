# Everything that is done with this repository. `make help` lists it.

PYTHON ?= python3
ARGS ?=
ONLY ?=
# Tests run in this many processes, two for each processor unless told, since most of them wait
# for servers half of their time; 0 is this one. They start hundreds of servers, each sooner where
# compiled modules may be kept.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(16, 2 * (os.cpu_count() or 1)))')

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLIENTS := tests/clients
CLIENTS_STAMP := $(CLIENTS)/node_modules/.installed
RUFF_PATHS := $(wildcard turnlog tests benchmarks examples)

.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench chaos model node-clients clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## create .venv and install what pyproject.toml names
	@:

run: setup ## start the server: make run ARGS="--port 9000"
	@if [ -z "$$TURNLOG_WORKSPACE" ] && ! grep -qs '^ *TURNLOG_WORKSPACE=' .env; then \
	  export TURNLOG_WORKSPACE=examples/workspace; fi; \
	exec $(BIN)/turnlog serve $(ARGS)

test: setup node-clients ## run the tests: make test ARGS="-k cancelled"
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest $(if $(filter-out 0,$(WORKERS)),-n $(WORKERS) --dist worksteal) $(ARGS)

check: setup ## what CI asks beside the tests: format, lint, types, rooms
	@$(BIN)/ruff format --check $(RUFF_PATHS)
	@$(BIN)/ruff check $(RUFF_PATHS)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## format, and repair what the linter can
	@$(BIN)/ruff format --quiet $(RUFF_PATHS)
	@$(BIN)/ruff check --fix $(RUFF_PATHS)
	@$(BIN)/ruff format $(RUFF_PATHS)

bench: setup ## measure every figure that the documents state: make bench ONLY=fanout
	@$(BIN)/python -m benchmarks $(ONLY) $(ARGS)

chaos: setup ## break everything at random and check the log: make chaos ARGS="--seconds 300"
	@$(BIN)/python -m tests.chaos $(ARGS)

model: ## search every order of a takeover for one that goes wrong; needs spin and gcc
	@tests/model/check.sh

clean: ## remove what was generated, .venv too
	@rm -rf $(VENV) $(CLIENTS)/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "turnlog needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11" >&2; exit 1; }
	@if [ ! -x $(BIN)/pip ]; then \
	  echo "setup: creating $(VENV) ..."; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "setup: installing packages (the first time takes a minute) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,mcp]'
	@touch $@
	@echo "setup: done"

# Some tests need npm's `eventsource` and `server-everything`; without Node they are skipped.
node-clients:
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory -s $(CLIENTS_STAMP); fi

$(CLIENTS_STAMP): $(CLIENTS)/package.json
	@echo "setup: installing the Node client of the tests ..."
	@cd $(CLIENTS) && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@
