# The commands of the project: `make` lists them. Each works as the first one ever typed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# make run CONFIG=other.yaml · make test ARGS="-k quota" · make setup PYTHON=python3.12
CONFIG ?= config.yaml
ARGS ?=
export PYTHON

BIN := .venv/bin
# Without PYTHON any .venv that works will do; with it, one of that Python's version.
STAMP := .venv/.set-up$(subst /,-,$(PYTHON))

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(STAMP) ## make .venv, or bring it up to date; nothing to do when nothing changed

$(STAMP): requirements.lock pyproject.toml tools/setup.sh tools/virtualenv.lock
	@sh tools/setup.sh
	@touch $@

# A .venv whose Python is gone, as after an upgrade of the system, is made anew.
ifeq ($(shell test -x $(BIN)/python && echo found),)
.PHONY: $(STAMP)
endif

.PHONY: run
run: setup ## serve config.yaml, or CONFIG=..., with the weights it needs
	@$(BIN)/dynagate models pull --needed --config "$(CONFIG)" || echo "going on without them"
	@exec $(BIN)/dynagate serve --config "$(CONFIG)"

.PHONY: test
test: setup ## run the tests, all but the slow ones
	$(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

.PHONY: test-all
test-all: setup ## run every test, and ask for the coverage that pyproject.toml names
	$(BIN)/python -m pytest -n auto --cov --cov-report=term $(ARGS)

.PHONY: test-browser
test-browser: setup ## read the feeds in Debian's Chromium, or the one that CHROMIUM names
	$(BIN)/python -m pytest $(ARGS) tests/browser

.PHONY: lint
lint: setup ## check style, format, types, layers and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

.PHONY: bench
bench: setup ## measure the gateway against a bare proxy
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: faults
faults: setup ## break, starve and kill the gateway, and say what came of it
	$(BIN)/python -m tests.faults $(ARGS)

.PHONY: soak
soak: setup ## ten minutes of mixed traffic: does memory grow, is the loop held? ARGS="--minutes 2" is shorter
	$(BIN)/python -m tests.faults --only L08 --minutes 10 $(ARGS)

.PHONY: lock
lock: ## write requirements.lock anew; ARGS=--upgrade moves the pins
	@sh tools/lock.sh $(ARGS)

.PHONY: clean
clean: ## remove .venv, caches and build results
	rm -rf .venv .coverage .coverage.* coverage.xml htmlcov build dist
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
