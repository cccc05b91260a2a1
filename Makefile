# The only door. `make` lists what is behind it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
MEMBERS := libs/contracts libs/runtime libs/testing services/lead-router services/compliance-gate services/pacer services/media-gateway services/disposition services/analytics services/console cli sim sim/world
PACKAGES := libs/contracts/outdial_contracts libs/runtime/outdial_runtime libs/testing/outdial_testing services/lead-router/lead_router services/compliance-gate/compliance_gate services/pacer/pacer services/media-gateway/media_gateway services/disposition/disposition services/analytics/analytics services/console/console cli/outdial_cli sim/outdial_sim sim/world/outdial_world tools
FAST := not stack and not peers and not storm and not slow
export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types imports contracts contracts-check manifests manifests-check fast simulate storm test-peers peers bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready  ## make .venv with every package and console script (Python 3.11 only)

.venv/.ready: requirements.lock requirements-uv.lock $(MEMBERS:%=%/pyproject.toml)
	@echo "setup: virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "outdial needs Python 3.11; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@echo "setup: third-party packages, pinned with hashes"
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock requirements-uv.lock
	@echo "setup: outdial's own packages"
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

demo: setup  ## run the main job: a real campaign, end to end (LEADS= CAMPAIGN= SCENARIO= SUPPRESSION= SECONDS=)
	@$(BIN)/outdial demo $(if $(LEADS),--leads $(LEADS)) $(if $(CAMPAIGN),--campaign $(CAMPAIGN)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(SUPPRESSION),--suppression $(SUPPRESSION)) $(if $(SECONDS),--seconds $(SECONDS))

check: setup lint types imports contracts-check manifests-check fast  ## everything that needs no broker

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "ruff format: run '$(BIN)/ruff format .'"; exit 1; }

types: setup
	@$(BIN)/mypy --no-error-summary $(PACKAGES)

imports: setup
	@$(BIN)/lint-imports --no-logo >.import-linter.log 2>&1 || { cat .import-linter.log; rm -f .import-linter.log; exit 1; }; rm -f .import-linter.log

contracts-check: setup
	@$(BIN)/python -m tools.contracts check

manifests-check: setup
	@$(BIN)/python -m tools.manifests check

fast: setup
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "$(FAST)"

test: setup  ## pass every test but those against peers; starts the stack they share
	@$(BIN)/pytest -q -m "not peers"

simulate: setup  ## seeded campaign-hours of all services in one process, held to docs/invariants.md (SEEDS=25)
	@$(BIN)/python -m outdial_world --seeds $(or $(SEEDS),25)

storm: setup  ## faults on the real stack, judged by counting at the carrier (RUNS=1 SEED=1 SECONDS=180)
	@$(BIN)/python -m tests.integration.storm --runs $(or $(RUNS),1) --seed $(or $(SEED),1) --seconds $(or $(SECONDS),180)

peers:
	@command -v sipp >/dev/null && test -x /usr/bin/chromium || { apt-get update -qq && apt-get install -y -qq sip-tester chromium >/dev/null; }

test-peers: setup peers  ## SIPp as an independent carrier, Chromium on the pages (installs both from Debian)
	@$(BIN)/pytest -q -m peers

manifests: setup  ## regenerate deploy/k8s/kafka from schemas/topics
	@$(BIN)/python -m tools.manifests generate

contracts: setup  ## regenerate what is made from schemas/ (release changed schemas with `python -m tools.contracts release`)
	@$(BIN)/python -m tools.contracts generate

bench: setup  ## paired measurements; results to bench/RESULTS.md by hand
	@$(BIN)/python -m bench

lock: setup  ## resolve requirements.in anew into requirements.lock
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 requirements.in -o requirements.lock

clean:  ## remove the virtual environment and .outdial
	@rm -rf .venv .outdial
