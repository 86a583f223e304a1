.DEFAULT_GOAL := help
PY := .venv/bin/python
UV := .venv/bin/uv
PYTHON ?= python3
WORKERS ?= 4

.venv/.ready: requirements-dev.lock pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@test -x $(UV) || $(PY) -m pip install --quiet --disable-pip-version-check --no-deps "$$(grep -oE '^uv==[0-9.]+' requirements-dev.lock)"
	@$(UV) pip sync --quiet --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help setup demo up test check protos fmt bench nightly mutants lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: .venv/.ready ## only the environment, from the hashed lock

demo: setup ## the whole mesh on loopback copies simulated leaders and proves its books; exits 0 only if nothing is off
	@.venv/bin/polycopy demo --json run/demo.json

up: setup ## the mesh until Ctrl-C, paper trading against the local venue
	@.venv/bin/polycopy up

test: setup ## the whole test suite against real MongoDB, Valkey and EVM
	@$(PY) -m pytest --numprocesses $(WORKERS) --dist loadgroup

check: setup ## ruff, pyright, import contracts, buf lint, format and breaking, drift of generated code
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports
	@$(PY) -m tools.protos --check

protos: setup ## compile proto/ into gen/
	@$(PY) -m tools.protos

fmt: setup ## format and fix what can be fixed
	@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format --quiet .

bench: setup ## the figures that README.md quotes, measured here
	@$(PY) -m bench

nightly: setup ## the long tests
	@$(PY) -m pytest --numprocesses $(WORKERS) --dist loadgroup -m "nightly or not nightly"

mutants: setup ## change the code that decides in every small way: a test notices each, or docs/mutants.md says why none can
	@$(PY) -m tools.mutants

lock: ## pin every dependency by hash; names no host
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate pyproject.toml --output-file requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate --all-extras --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean: ## remove what the verbs above have made
	@rm -rf .venv run mutants .coverage third_party .pytest_cache .ruff_cache .import_linter_cache .hypothesis
