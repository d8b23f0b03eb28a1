# Every target does the set-up that it needs, once; .ci/setup says what that is.
# `make PYTHON=python3.12 test` chooses the interpreter of a new environment.

VENV_PYTHON := .venv/bin/python
SET_UP := .venv/.set-up
PYTEST := $(VENV_PYTHON) -m pytest -n auto --maxprocesses=4 --dist worksteal

.PHONY: help demo test test-fast test-spark backends check format notebooks docs bench bench-quick bench-generalized bench-structured bench-report limits \
	agreement beyond coverage fuzz compare dist setup clean

help:
	@echo 'make demo       set up, then fit 73,421 ratings with three crossed factors'
	@echo 'make test       set up, then run all tests (slow ones last)'
	@echo 'make test-fast  set up, then run the tests that are not marked slow'
	@echo 'make test-spark set up, install PySpark (half a gigabyte; needs Java), then run the test on it'
	@echo 'make backends   set up, then write docs/backends.md: models on every back end of databases that is installed'
	@echo 'make check      set up, then lint, check the formatting and the types'
	@echo 'make format     set up, then mend lint and formatting'
	@echo 'make notebooks  set up, then execute all notebooks in place (`make notebooks NOTEBOOKS=01` those whose names begin so)'
	@echo 'make docs       set up, then build the site in docs/_build: texts, notebooks and the reference'
	@echo 'make bench      set up, then time all problems in all programs: hours; goes on after an interruption with'
	@echo '                `make bench BENCH=--resume`'
	@echo 'make bench-quick  set up, then the short calls of the benchmark: under five minutes once the programs are there'
	@echo 'make bench-generalized  set up, then time generalized models in all programs: half an hour'
	@echo 'make bench-structured  set up, then time structured covariances here and in R: ten minutes'
	@echo 'make bench-report  figures, tables of docs/benchmarks.md and README, and notebook 05 from the results of `make bench`'
	@echo 'make limits     set up, then time the engine beside the kernels that nothing exact avoids: a quarter of an hour'
	@echo 'make agreement  set up, then compare every figure of every bundled model with those of lme4 in R'
	@echo 'make coverage   set up, then simulate what intervals and tests hold, for the table in the docs: hours'
	@echo 'make beyond     set up, then time 1 to 256 million ratings and 100 million trials from Parquet: half an hour'
	@echo 'make fuzz       set up, then try random models, bad inputs, damaged files, threads and faults: a quarter of an hour'
	@echo 'make compare BASE=HEAD~1  set up, then compare the speed of the files as they are with that of a commit'
	@echo 'make dist       build the sdist and the wheel in dist, and try them in clean environments: every Python that is found'
	@echo '                (`make dist PYTHONS="python3.12 python3.14"` chooses), newest and oldest dependencies'
	@echo 'make clean      remove all that is made: virtual environments (those of the benchmark too), builds, caches'

demo: setup
	$(VENV_PYTHON) -m mixedsparse.demo

test: setup
	$(PYTEST)

test-fast: setup
	$(PYTEST) -m 'not slow'

test-spark: setup
	$(VENV_PYTHON) -m pip install 'ibis-framework[pyspark]'
	$(VENV_PYTHON) -m pytest -m slow tests/sources/test_backends.py tests/sources/test_every_back_end.py -k spark

backends: setup
	BACK_ENDS_TABLE=docs/backends.md $(VENV_PYTHON) -m pytest tests/sources/test_every_back_end.py -k fits_as_memory

check: setup
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

format: setup
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

notebooks: setup
	$(VENV_PYTHON) -m notebooks.build $(NOTEBOOKS)

docs: setup
	$(VENV_PYTHON) -m docs.build

bench: setup
	$(VENV_PYTHON) -m benchmarks.run $(BENCH)

bench-quick: setup
	$(VENV_PYTHON) -m benchmarks.run --quick $(BENCH)

bench-generalized: setup
	$(VENV_PYTHON) -m benchmarks.generalized $(BENCH)

bench-structured: setup
	$(VENV_PYTHON) -m benchmarks.structured $(BENCH)

bench-report: setup
	$(VENV_PYTHON) -m benchmarks.plots
	$(VENV_PYTHON) -m benchmarks.table
	$(VENV_PYTHON) -m notebooks.build 05

limits: setup
	$(VENV_PYTHON) -m benchmarks.limits

agreement: setup
	$(VENV_PYTHON) -m benchmarks.agreement

coverage: setup
	$(VENV_PYTHON) -m benchmarks.coverage $(COVERAGE)

beyond: setup
	$(VENV_PYTHON) -m benchmarks.beyond

fuzz: setup
	$(VENV_PYTHON) -m benchmarks.fuzz $(FUZZ)

compare: setup
	$(VENV_PYTHON) benchmarks/compare.py $(BASE)

dist: setup
	PYTHONS="$(PYTHONS)" bash .ci/dist

setup: $(SET_UP)

$(SET_UP): pyproject.toml .ci/setup
	@bash .ci/setup
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache build dist docs/_build *.egg-info benchmarks/.venvs benchmarks/results/quick.csv benchmarks/results/*.partial
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +
	find . \( -name '*.py[co]' -o -name '*.nb[ic]' \) -type f -delete
