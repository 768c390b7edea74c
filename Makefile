# The commands everyone knows. Each works from a bare checkout: what it needs is installed or built first, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
SEEDS ?= 300
FIRST ?= 0
PROFILE ?= swarm
REGISTRY ?= localhost
export PYTHONPATH := crds:operator:node-agent:cli:dev:tests

help: ## this list, with how long each takes on two cores (1 s)
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/ready: constraints.txt pyproject.toml
	@test -x $(PY) || python3 -m venv $(VENV)
	@echo "installing Python packages into $(VENV)"
	@$(VENV)/bin/pip install --quiet --require-hashes -r constraints.txt
	@$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/ready ## Python environment in .venv (1 minute)

system: $(VENV)/ready ## Debian packages, control plane and machine image (root; the first time 15 minutes)
	@$(PY) -m backstay_dev.lab.prerequisites

check: $(VENV)/ready ## formatting, lint, types, import contracts, generated is committed (20 s)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) -m backstay_api.generate --check
	$(PY) -m backstay_dev.diagrams --check

test: check models system ## everything a change must pass, on real hosts too (root; 35 minutes)
	$(VENV)/bin/pytest -q tests -m "not hosts" -n 2 --dist loadfile --durations=10
	$(VENV)/bin/pytest -q tests -m hosts -n 2 --dist loadfile --durations=15

unit: $(VENV)/ready ## the tests that need nothing but Python (10 minutes; tests/unit alone: 2)
	$(VENV)/bin/pytest -q tests -m "not api and not hosts" -n auto --dist loadfile

api: $(VENV)/ready ## the tests on a real API server, as any user (5 minutes; the first time it builds one, 10 more)
	$(VENV)/bin/pytest -q tests -m "api and not hosts" -n auto --dist loadfile

demo: system ## every promise shown on real machines, with measured times (root; 1.5 minutes)
	@$(PY) -m backstay_dev.demo

lab: system ## control plane and hosts to play with (root; 10 s until it stands)
	@$(PY) -m backstay_dev.lab.__main__

bench: system ## every performance figure, with 200 hosts and 2,000 services on a real API server (root; 25 minutes)
	@$(PY) -m backstay_dev.bench

test-cluster: system ## the chart in Pods of a real one-node Kubernetes, fresh hosts from the packages, figures as JSON (root; 5 minutes, the first time 25)
	@$(PY) -m backstay_dev.cluster

simulate: $(VENV)/ready ## the safety core under faults: make simulate SEEDS=300 FIRST=0 PROFILE=swarm (4 minutes)
	@$(PY) -m backstay_dev.simulate --seeds $(SEEDS) --first $(FIRST) --profile $(PROFILE)

mutants: $(VENV)/ready ## broken variants of our own code, each of which our tests or the simulator must find (2 hours)
	@$(PY) -m backstay_dev.mutants

models: $(VENV)/ready $(patsubst %,build/models/%.passed,claims giving_back passed_over machines units lease_timing epochs failsafe protocol) ## the model checkers behind docs/protocol.md: every variant of it (3 minutes; nothing if unchanged)

build/models/%.passed: models/%.py models/explore.py
	@mkdir -p $(@D) && echo "models/$*.py" && $(PY) $< && touch $@

build/models/%.passed: models/%.cpp models/search.h
	@command -v g++ >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q g++; } >/dev/null
	@mkdir -p $(@D) && echo "models/$*.cpp" && g++ -std=c++17 -O2 -pthread $< -o build/models/$* && build/models/$* && touch $@

package: $(VENV)/ready ## chart, packages for hosts and people, checksums and bill of materials, in dist/ (1 minute)
	@$(PY) -m backstay_dev.package

images: $(VENV)/ready ## images of operator and fencer: make images REGISTRY=registry.example (docker, podman or buildah; 4 minutes)
	@$(PY) -m backstay_dev.package.images --registry "$(REGISTRY)" $(BUILD_ARGS)

changelog: $(VENV)/ready ## what the next release will say, from newsfragments/ (1 s)
	@$(VENV)/bin/towncrier build --draft --version next

generate: $(VENV)/ready ## CRDs, plain classes and reference from the models, diagrams from the tables (4 s)
	$(PY) -m backstay_api.generate
	$(PY) -m backstay_dev.diagrams

constraints: ## pin every dependency again, with hashes (1 minute)
	$(VENV)/bin/pip install --quiet pip-tools
	$(VENV)/bin/pip-compile -q --generate-hashes --all-extras --allow-unsafe --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate -o constraints.txt pyproject.toml
	@sed -i -E '/^#/d; /^backstay @/d' constraints.txt
	@$(PY) -m backstay_dev.package.requirements

.PHONY: help install system check test test-cluster unit api demo lab bench simulate mutants models package images changelog generate constraints
