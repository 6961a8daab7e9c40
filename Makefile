# Each target sets up what it needs and can be run twice and in any order. Needed: Python 3.11 or newer and a package index.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1
CDS_MODE ?= development

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# The FHIR server that the tests run against, and HealthChain, which reads what the service answers, have an environment of
# their own, so that their pins and ours never meet.
FHIR_VENV := .venv-fhir

# HealthChain, a peer of `make bench`, and its pins, which are not ours.
PEER_VENV := .venv-peer

# Spark is large, so it has an environment of its own too; it needs Java 17 or newer.
SPARK_VENV := .venv-spark

.PHONY: help docs messages screenshot install run image test test-rest test-order fuzz soak test-spark test-image image-tools java browser bench bench-peer bench-audit blur every-code mutants mutants-all conformance lint format lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.runtime  ## set up the virtual environment that the service runs in

run: $(VENV)/.runtime  ## start the service on HOST, PORT with WORKERS, until interrupted; anyone on this machine may call
	CDS_MODE=$(CDS_MODE) $(BIN)/cds-service serve --host $(HOST) --port $(PORT) --workers $(WORKERS)

# One more than there are cores: some tests wait, for a clock or for another process. Files are taken by name, since those of
# few tests are often the slow ones, and would come last.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
TESTED := $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
test: $(VENV)/.dev $(FHIR_VENV)/.installed browser  ## run the tests: of laws that many examples show, with some of these
	$(TESTED) --examples some

test-rest: $(VENV)/.dev $(FHIR_VENV)/.installed browser  ## run the tests with the other examples, and those that look at everything
	$(TESTED) --examples rest

SEEDS ?= 1 2 3 4 5 6 7 8 9 10
test-order: $(VENV)/.dev $(FHIR_VENV)/.installed browser  ## run the tests of `make test` in an order of each of SEEDS; four minutes each
	for seed in $(SEEDS); do $(TESTED) --examples some -p randomly --randomly-seed=$$seed || exit 1; done

BASE ?= python:3.11-slim-bookworm
IMAGE ?= contrast-echo-cds
IMAGE_OPTIONS ?=
BUILDER ?= $(firstword $(foreach name,docker podman buildah,$(if $(shell command -v $(name)),$(name))))
image:  ## build the image IMAGE from BASE, with docker, podman or buildah and with IMAGE_OPTIONS
	@test -n "$(BUILDER)" || { echo "an image needs docker, podman or buildah: install one of them" >&2; exit 1; }
	$(BUILDER) build --build-arg BASE=$(BASE) $(IMAGE_OPTIONS) $(if $(filter docker,$(notdir $(BUILDER))),,--ignorefile deploy/Dockerfile.dockerignore) \
	  --file deploy/Dockerfile --tag $(IMAGE) .

REQUESTS ?= 100000
SEED ?= 1
fuzz: $(VENV)/.dev  ## send REQUESTS damaged requests, made of SEED, to the service and judge each answer; some six minutes
	$(BIN)/python -m tests.fuzz --requests $(REQUESTS) --seed $(SEED)

blur: $(VENV)/.dev  ## blur every record of every case in every way, and leave out what a person may leave out; some five minutes
	BLUR=all $(BIN)/python -m pytest --numprocesses auto tests/rules/test_blur.py tests/rules/test_questions.py

every-code: $(VENV)/.dev  ## judge 10,000 sound claims of any specialty and 10,000 broken ones, with every code checked; some fifteen minutes
	EVERY_CODE=10000 $(BIN)/python -m pytest tests/audit/test_every_code.py

MUTANTS ?=
mutants: $(VENV)/.dev  ## judge a sample of small wrong changes by the tests; fails below a target; MUTANTS="--part core --seed 2" chooses
	$(BIN)/python -m tests.mutants $(MUTANTS)

mutants-all: $(VENV)/.dev  ## judge every such change: some hours
	$(BIN)/python -m tests.mutants --all $(MUTANTS)

test-spark: $(SPARK_VENV)/.installed java  ## compare the audit on Spark with the embedded one
	$(SPARK_VENV)/bin/python -m pytest --override-ini addopts="-ra -p no:randomly" tests/audit/spark

test-image: $(VENV)/.dev image-tools  ## build the image on Debian, run it without rights, send it the samples; some two minutes, as root
	$(BIN)/python -m pytest --override-ini addopts="-ra -p no:randomly" tests/image

image-tools:  ## install Debian's tools for images, as root and where they are missing
	@for name in mmdebstrap buildah podman runc; do command -v $$name >/dev/null || missing=1; done; test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap buildah podman runc; fi

bench-audit: $(VENV)/.dev $(SPARK_VENV)/.installed  ## measure the audit: speed, memory, growth
	$(BIN)/python -m tests.bench.audit --spark $(SPARK_VENV)/bin/python

java:  ## install Debian's Java, as root and where it is missing: Spark runs on it
	@command -v java >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; fi

# The fonts are for pages in Arabic, Chinese and Korean, also where a browser is there already.
browser:  ## install Debian's Chromium and fonts, as root and where missing; without a browser its tests are left out
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name >/dev/null && found=1; done; \
	packages=; test -n "$$found" || packages=chromium-headless-shell; \
	fc-list 2>/dev/null | grep -q NotoSansArabic || packages="$$packages fontconfig fonts-noto-core"; \
	fc-list 2>/dev/null | grep -q NotoSansCJK || packages="$$packages fonts-noto-cjk"; \
	test -n "$$packages" || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq; \
	  apt-cache show chromium-headless-shell >/dev/null 2>&1 || packages="$$(echo "$$packages" | sed s/chromium-headless-shell/chromium/)"; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; fi

MINUTES ?= 3
soak: $(VENV)/.dev  ## load the service for MINUTES with faults among the calls; fails where memory or handles grow
	$(BIN)/python -m tests.fuzz.soak --minutes $(MINUTES)

conformance: $(VENV)/.dev  ## print what each sentence of the specification came to; fails where one is not met
	$(BIN)/python -m tests.conformance

bench: $(VENV)/.dev  ## measure speed against the baseline, in some fifteen minutes; BENCH=--quick for a first look
	$(BIN)/python -m tests.bench $(BENCH)

bench-peer: $(PEER_VENV)/.installed  ## install HealthChain, so that `make bench` measures it too

lint: $(VENV)/.dev  ## ruff (rules and formatting), mypy (strict), and the linters of deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/yamllint --strict --config-file deploy/yamllint.yaml deploy
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml

format: $(VENV)/.dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(VENV)/.dev  ## bring the catalogs of translations up to date with the messages, and compile them
	$(BIN)/python -m tests.documents.messages

docs: $(VENV)/.dev  ## write what is generated: the table of rules, an output, the settings, the published texts to approve
	$(BIN)/python -m tests.documents.generate
	$(BIN)/python -m tests.unit.published

screenshot: $(VENV)/.dev browser  ## take the README's picture of a card from the running page
	$(BIN)/python -m tests.browser.screenshot deploy/card.png

$(BIN)/python:
	@echo "Creating a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: deploy/constraints.txt pyproject.toml | $(BIN)/python
	@echo "Installing the service's pinned dependencies (about a minute)"
	@$(PIP) --require-hashes -r deploy/constraints.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: deploy/constraints-dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the pinned dependencies for tests (about two minutes)"
	@$(PIP) --require-hashes -r deploy/constraints-dev.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(FHIR_VENV)/.installed: tests/support/fhir_server/constraints.txt
	@echo "Installing a FHIR server and HealthChain for the tests in $(FHIR_VENV)"
	@$(PYTHON) -m venv $(FHIR_VENV)
	@$(FHIR_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	touch $@

$(PEER_VENV)/.installed:
	$(PYTHON) -m venv $(PEER_VENV)
	$(PEER_VENV)/bin/python -m pip --disable-pip-version-check install --quiet healthchain==0.16.1 uvicorn
$(SPARK_VENV)/.installed: deploy/constraints-spark.txt pyproject.toml
	$(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	$(SPARK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	touch $@

UV := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url
lock:  ## pin every dependency again, with hashes and without index addresses (needs uv)
	$(UV) --extra build --output-file deploy/constraints.txt
	$(UV) --extra build --extra otel --output-file deploy/constraints-otel.txt
	$(UV) --extra build --extra mcp --output-file deploy/constraints-mcp.txt
	$(UV) --extra build --extra otel --extra mcp --extra dev --extra audit --output-file deploy/constraints-dev.txt
	$(UV) --extra build --extra otel --extra mcp --extra dev --extra audit --extra spark --output-file deploy/constraints-spark.txt
	printf '%s\n' healthchain sekmet-fhir | $(subst pyproject.toml,-,$(UV)) --no-annotate --output-file tests/support/fhir_server/constraints.txt

clean:
	rm -rf $(VENV) $(FHIR_VENV) $(PEER_VENV) $(SPARK_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
