# Every target does the set-up that it needs, once; .ci/setup says what that is.
# `make PYTHON=python3.12 test` chooses the interpreter of a new environment.

VENV_PYTHON := .venv/bin/python
SET_UP := .venv/.set-up
PYTEST := $(VENV_PYTHON) -m pytest -n auto --maxprocesses=4

.PHONY: help demo test test-fast check format bench setup clean

help:
	@echo 'make demo       set up, then fit 73,421 ratings with three crossed factors'
	@echo 'make test       set up, then run all tests (slow ones last)'
	@echo 'make test-fast  set up, then run the tests that are not marked slow'
	@echo 'make check      set up, then lint, check the formatting and the types'
	@echo 'make format     set up, then mend lint and formatting'
	@echo 'make bench      set up, then run the benchmarks'
	@echo 'make clean      remove the virtual environment and the caches'

demo: setup
	$(VENV_PYTHON) -m mixedsparse.demo

test: setup
	$(PYTEST)

test-fast: setup
	$(PYTEST) -m 'not slow'

check: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

format: setup
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

bench: setup
	$(VENV_PYTHON) -m benchmarks.run

setup: $(SET_UP)

$(SET_UP): pyproject.toml .ci/setup
	@bash .ci/setup
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
