# Every target does its own set-up; it requires only make, git, a shell and Python 3.11 or later.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin

# Use the machine's certificates, so that an institution's proxy works.
CERTIFICATES := $(wildcard /etc/ssl/certs/ca-certificates.crt)
ifneq ($(CERTIFICATES),)
export REQUESTS_CA_BUNDLE ?= $(CERTIFICATES)
export NODE_EXTRA_CA_CERTS ?= $(CERTIFICATES)
endif

# Without a writable home directory, downloads are cached in the project.
ifeq ($(shell test -n "$$HOME" && test -d "$$HOME" && test -w "$$HOME" && echo yes),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

.PHONY: environment
environment: ## the Python environment in .venv, from uv.lock
	@infra/environment/setup.sh

.PHONY: demo
demo: environment ## one survivor's case, played over every service on real Kafka and PostgreSQL (ARGS=--json)
	@exec $(BIN)/handoff demo $(ARGS)

.PHONY: up
up: environment ## the same services, running until interrupted, with their addresses and tokens (ARGS=...)
	@exec $(BIN)/handoff up $(ARGS)

.PHONY: browser
browser:
	@infra/environment/browser.sh

.PHONY: promtool
promtool:
	@infra/environment/promtool.sh >/dev/null

.PHONY: node-packages
node-packages:
	@infra/environment/node_packages.sh tests/support/clients/typescript >/dev/null
	@infra/environment/node_packages.sh tests/support/linters >/dev/null

.PHONY: test
test: environment promtool node-packages ## the fast tests, on real Kafka and PostgreSQL (ARGS=tests/unit)
	@exec $(BIN)/pytest -q -n 2 --dist loadfile -m "not faults and not slow" $(ARGS)

.PHONY: slow
slow: environment browser ## tests of whole installations, outages and pages, which take long (ARGS=tests/attacks)
	@exec $(BIN)/pytest -q -n 2 --dist loadfile -m "slow and not faults" $(ARGS)

.PHONY: faults
faults: environment ## tests that kill processes and brokers under load; N faults in turn (N=200)
	@FAULTS=$(or $(N),20) exec $(BIN)/pytest -q -m faults $(ARGS)

.PHONY: nightly
nightly: environment ## the long gate: 200 faults, a record of 1,000,000 entries, the generated clients (some hours)
	@exec .ci/nightly

# In a separate environment: the peers require older versions of some libraries.
# A distribution's Python is built with profile-guided optimisation, an interpreter compiled on this machine often is not.
BENCH_PYTHON = $(firstword $(wildcard /usr/bin/python3.11) $(BIN)/python)

.PHONY: bench
bench: environment ## every benchmark, compared with the usual alternatives (ARGS="--only projection --quick")
	@UV_PROJECT_ENVIRONMENT=.cache/bench UV_SYSTEM_CERTS=1 $$(command -v uv || echo .cache/uv-tool-*/bin/uv) sync --quiet \
		--frozen --no-default-groups --group bench --python $(BENCH_PYTHON)
	@exec .cache/bench/bin/python -m bench $(ARGS)

.PHONY: check
check: environment ## static checks: format, lint, types, import contracts, generated files
	@$(MAKE) --keep-going format lint types imports contract

.PHONY: format
format: environment
	@echo "check: format" && $(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }

.PHONY: lint
lint: environment
	@echo "check: lint" && $(BIN)/ruff check --quiet .

.PHONY: types
types: environment
	@echo "check: types" && $(BIN)/mypy --no-error-summary

.PHONY: imports
imports: environment
	@echo "check: imports" && $(BIN)/lint-imports --no-logo 2>&1

.PHONY: contract
contract: environment
	@echo "check: events, AsyncAPI" && $(BIN)/python -m handoff.contract.published_files --check
	@echo "check: OpenAPI" && $(BIN)/python -m handoff.contract.openapi --check
	@echo "check: catalogues" && $(BIN)/python -m handoff.contract.catalogues --check
	@echo "check: state diagram" && $(BIN)/python -m handoff.contract.lifecycle_diagram --check
	@echo "check: metrics" && $(BIN)/python -m handoff.contract.metrics_page --check

	@echo "check: open attacks" && $(BIN)/python -m tests.support.probes.open_attacks --check

.PHONY: generate
generate: environment ## regenerate schemas/, the state diagram, the metrics and the catalogues
	@$(BIN)/python -m handoff.contract.published_files --write
	@$(BIN)/python -m handoff.contract.openapi --write
	@$(BIN)/python -m handoff.contract.catalogues --write
	@$(BIN)/python -m handoff.contract.lifecycle_diagram --write
	@$(BIN)/python -m tests.support.probes.open_attacks --write
	@$(BIN)/python -m handoff.contract.metrics_page --write

.PHONY: clean
clean: ## delete everything that was generated here
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
