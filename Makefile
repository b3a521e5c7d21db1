# The one way to set up, run and check this project.
# Needed: make and Python 3.11 or later with venv and pip. Where uv is installed, it is used: quicker.
#
#   make test PYTHON=python3.13 VENV=.venv-3.13     another Python, in an environment beside the first
#   make test ARGS="-k migrations"                  more arguments for pytest, or for the demo

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
# Run, not looked for: a version manager's shim may stand on PATH with nothing behind it.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)

ifdef UV
create_venv = uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
install = uv pip install --quiet --python $(BIN)/python
else
create_venv = $(PYTHON) -m venv $(VENV)
install = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: help demo test soak retention-trial alert-trial benchmark lint types build sbom site dev requirements clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "make %-16s %s\n", $$1, $$2 }'

demo: $(VENV)/.project ## the whole pipeline on sample data, in an embedded Postgres
	$(BIN)/queue-worker demo $(ARGS)

test: $(VENV)/.project ## all tests: on an embedded Postgres 18, on TEST_POSTGRES=15, or on DATABASE_URL
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

soak: $(VENV)/.project ## the fault suite for as long as one likes, for example ARGS="--minutes 60"
	$(BIN)/python -m tests.faults.soak $(ARGS)

retention-trial: $(VENV)/.project ## retention of ten million events beside a writer, killed five times
	$(BIN)/python -m tests.support.retention_trial $(ARGS)

alert-trial: $(VENV)/.project ## ten thousand failures on four workers, with alerts and without
	$(BIN)/python -m tests.support.alert_trial $(ARGS)

benchmark: $(VENV)/.benchmark ## measure it beside other queues, for example ARGS="drain --rounds 5 --json figures.json"
	$(BIN)/python -m tests.benchmarks $(ARGS)

lint: $(VENV)/.dev ## style, formatting, and the layers that imports must respect
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev ## the strict type check
	$(BIN)/mypy

build: $(VENV)/.dev ## the source archive and the wheel, into dist/: the same bytes for the same commit
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || date +%s) $(BIN)/python -m build --no-isolation

sbom: $(VENV)/.dev ## what an installed worker consists of, as CycloneDX, into dist/
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/image.txt --pyproject pyproject.toml \
		--mc-type application --output-reproducible --spec-version 1.6 --output-file dist/sbom.cdx.json

site: $(VENV)/.dev ## the documentation as a site, into dist-site/: every warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --conf-dir docs/site docs dist-site $(ARGS)

dev: $(VENV)/.dev ## only set up the environment, with the development tools

# Pins are kept where they still fit; ARGS=--upgrade takes the newest. The versions are chosen once,
# for development; run and test are parts of that choice, and benchmark only adds to it. No index or
# local folder is named.
compile = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --annotation-style line \
	--custom-compile-command "make requirements" pyproject.toml

requirements: $(VENV)/.dev ## pin the dependencies anew after a change in pyproject.toml
	$(compile) --extra embedded --group dev --output-file requirements/dev.txt $(ARGS)
	$(compile) --extra embedded --group test --constraint requirements/dev.txt --output-file requirements/test.txt
	$(compile) --extra embedded --constraint requirements/dev.txt --output-file requirements/run.txt
	$(compile) --extra embedded --group docs --constraint requirements/dev.txt --output-file requirements/docs.txt
	$(compile) --extra uvloop --constraint requirements/dev.txt --output-file requirements/image.txt
	$(compile) --extra embedded --group benchmark --constraint requirements/dev.txt --output-file requirements/benchmark.txt $(ARGS)

clean: ## remove the environment, caches, builds and the demo's database
	rm -rf $(VENV) .demo build dist dist-site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find queue_worker tests -name __pycache__ -prune -exec rm -rf {} +

# A pin that left the file must leave the environment too: so it is made anew, not updated.
$(VENV)/.requirements: requirements/test.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or later is needed, and '$(PYTHON)' is not that." \
		     "Name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV) with $(if $(UV),uv,pip) ..."
	@rm -rf $(VENV)
	@$(create_venv)
	@$(install) --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/.project: $(VENV)/.requirements pyproject.toml
	@$(install) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.project requirements/dev.txt
	@$(install) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.benchmark: $(VENV)/.project requirements/benchmark.txt
	@$(install) --require-hashes -r requirements/benchmark.txt
	@touch $@
