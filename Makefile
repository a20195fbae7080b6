# Every target is safe to run twice: what is already done is skipped.
# Variables:  PYTHON=python3.12   the interpreter to make .venv from
#             ARGS="--help"       flags passed to `oddcall watch` by `make run`
#                                 or to `pytest` by `make test` (-n0: one test at a time)
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test lint notebooks

export PYTHON
BIN := .venv/bin
ROOMS := bpf models training sensor service

help: ## Say what can be typed
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup: ## Install what running needs: system packages, .venv, oddcall itself
	@scripts/setup run

setup-test: ## The same, and what the tests and checks need
	@scripts/setup test

run: setup ## Learn on this host, visibly, then watch it (as root)
	@scripts/as-root $(BIN)/oddcall watch $(ARGS)

# A worker for each core, up to four; tests/conftest.py says which gets what. One that hangs or
# dies ends the run.
WORKERS := -n logical --maxprocesses 4 --max-worker-restart 0 --no-loadscope-reorder

test: lint ## Set up, check the style, types and layering, then run every test
	@echo "==> pytest"
	@scripts/step "pytest" $(BIN)/pytest $(WORKERS) $(ARGS)

# Type checkers do not see import hooks: these links are how mypy finds `oddcall.*`.
lint: setup-test ## Style (ruff), types (mypy --strict), layering (import-linter)
	@mkdir -p .types/oddcall
	@for room in $(ROOMS); do ln -sfn ../../$$room .types/oddcall/$$room; done
	@echo "==> ruff check"
	@$(BIN)/ruff check
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check
	@echo "==> mypy --strict"
	@scripts/step "mypy" $(BIN)/mypy
	@echo "==> import-linter"
	@$(BIN)/lint-imports

notebooks: setup-test ## Execute the notebooks into build/notebooks, as pages and for Jupyter
	@scripts/notebooks
