# Each target sets up what it needs and can be run twice and in any order. Needed: Python 3.11 or newer and a package index.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# The FHIR server that the tests run against has an environment of its own, so that its pins and ours never meet.
FHIR_VENV := .venv-fhir

# Spark is large, so it has an environment of its own too; it needs Java 17 or newer.
SPARK_VENV := .venv-spark

.PHONY: run test test-spark bench-audit conformance lint format lock clean

run: $(VENV)/.runtime  ## start the service on HOST, PORT with WORKERS, until interrupted
	$(BIN)/cds-service serve --host $(HOST) --port $(PORT) --workers $(WORKERS)

test: $(VENV)/.dev $(FHIR_VENV)/.installed  ## run the whole test suite
	$(BIN)/python -m pytest

test-spark: $(SPARK_VENV)/.installed  ## compare the audit on Spark with the embedded one
	$(SPARK_VENV)/bin/python -m pytest --override-ini addopts=-ra tests/spark

bench-audit: $(VENV)/.dev $(SPARK_VENV)/.installed  ## measure the audit: speed, memory, growth
	$(BIN)/python -m tests.bench_audit --spark $(SPARK_VENV)/bin/python

conformance: $(VENV)/.dev  ## print what each sentence of the specification came to; fails where one is not met
	$(BIN)/python -m tests.conformance

lint: $(VENV)/.dev  ## ruff (rules and formatting) and mypy, strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: deploy/constraints.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r deploy/constraints.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: deploy/constraints-dev.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r deploy/constraints-dev.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(FHIR_VENV)/.installed: tests/fhir_server/constraints.txt
	$(PYTHON) -m venv $(FHIR_VENV)
	$(FHIR_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	touch $@

$(SPARK_VENV)/.installed: deploy/constraints-spark.txt pyproject.toml
	$(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	$(SPARK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	touch $@

UV := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url
lock:  ## pin every dependency again, with hashes and without index addresses (needs uv)
	$(UV) --extra build --output-file deploy/constraints.txt
	$(UV) --extra build --extra dev --extra audit --output-file deploy/constraints-dev.txt
	$(UV) --extra build --extra dev --extra audit --extra spark --output-file deploy/constraints-spark.txt
	echo sekmet-fhir | $(subst pyproject.toml,-,$(UV)) --no-annotate --output-file tests/fhir_server/constraints.txt

clean:
	rm -rf $(VENV) $(FHIR_VENV) $(SPARK_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
