# Turnout's one menu: `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/turnout
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
RUN := $(UV) run --no-sync
# Some images forbid it, and then every process that a test starts compiles all of its imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: uv-path
uv-path: ## Print the uv that is used
	@echo $(UV)

$(CACHE)/uv/bin/uv:
	python3 -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install --quiet uv==$(UV_VERSION)

# xds-protos brings older copies of opentelemetry-proto's files: the package that is installed last has its own.
OTLP := $(RUN) python -c "from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope" 2> /dev/null

.PHONY: setup
setup: $(UV) ## Make .venv from the lock
	@$(UV) sync --quiet --locked --all-packages --all-groups
	@$(OTLP) || $(UV) sync --quiet --locked --all-packages --all-groups --reinstall-package opentelemetry-proto

.PHONY: lock
lock: $(UV) ## Update uv.lock and .venv after editing a pyproject.toml
	$(UV) lock
	$(UV) sync --quiet --all-packages --all-groups

DEMO := PYTHONPATH=examples:examples/01-flight-delay $(RUN) python -m demo

.PHONY: demo
demo: setup ## From nothing to a canary with real flights on a real cluster; leaves it running
	@$(DEMO) up

.PHONY: demo-down
demo-down: setup ## Remove the demo and the cluster
	@$(DEMO) down

.PHONY: example-bundles
example-bundles: setup ## Train the flight-delay models, render what to apply into build/flight-delay
	@$(RUN) python examples/01-flight-delay/build.py --out build/flight-delay

CLUSTER := $(RUN) python -m tests.cluster

.PHONY: cluster-up
cluster-up: setup ## Start a real Kubernetes cluster: kind where Docker runs, else plain processes
	@$(CLUSTER) up

.PHONY: cluster-down
cluster-down: setup ## End the cluster and leave nothing of it
	@$(CLUSTER) down

.PHONY: cluster-status
cluster-status: setup ## Say what of the cluster runs
	@$(CLUSTER) status

.PHONY: images
images: setup ## Build the images that changed and load them into the cluster
	@$(CLUSTER) images

.PHONY: tools
tools: setup ## Build kubectl, helm and kubeconform into .cluster/bin
	@$(CLUSTER) tools

.PHONY: bench-control
bench-control: cluster-up ## Measure the control plane with 1,000 + 1,000 objects against bare informers, in 15 min
	@$(RUN) python -m benchmarks.control

.PHONY: bench-runtime
bench-runtime: setup ## Measure the runtime against its peers, overloaded, and with failing facts, in 15 min
	@$(RUN) python -m benchmarks.runtime

.PHONY: bench-log
bench-log: setup ## Measure the prediction log: its cost, kills, a stalled sink, a full disk, joins, in 25 min
	@$(RUN) python -m benchmarks.log

SCHEMAS := crds/ docs/reference.md

.PHONY: generate
generate: setup ## Write the CRDs, their reference page and the chart's copies from the models
	@$(RUN) python -m turnout_operator.api.crd $(SCHEMAS)
	@$(RUN) python charts/generate.py

.PHONY: format
format: setup ## Format and fix what a tool can fix
	@$(RUN) ruff check --fix --quiet
	@$(RUN) ruff format --quiet

.PHONY: lint
lint: setup ## Style, types, layers, and drift of generated files
	@$(RUN) ruff check --quiet
	@$(RUN) ruff format --check --quiet
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) python -m turnout_operator.api.crd --check $(SCHEMAS)
	@$(RUN) python charts/generate.py --check

.PHONY: redis
redis: setup
	@$(RUN) python -c "from tests.cluster.prerequisites import ensure; ensure({'redis-server': 'redis-server'})"

.PHONY: test-fast
test-fast: lint redis ## All that needs no cluster: lint, unit, and integration with Envoy and Redis
	@$(RUN) pytest -n $$((2 * $$(getconf _NPROCESSORS_ONLN))) --dist loadfile -m "not slow" tests/unit tests/integration # half of it waits

.PHONY: test-slow
test-slow: setup redis ## What the fast loop leaves out: simulations, kills, fuzzing, training, pages of many commands
	@$(RUN) pytest -n auto --dist loadfile -m slow tests/unit tests/integration

.PHONY: test-peers
test-peers: setup redis ## The runtime with real servers: object store, Kafka, OCI registry, model server, feature store
	@$(RUN) pytest tests/peers

.PHONY: chart-test
chart-test: tools ## The chart alone: Helm's lint, what it renders, and what its schema refuses
	@$(RUN) pytest tests/unit/chart tests/chart

.PHONY: test-e2e
test-e2e: setup ## The chart and the whole path on a real cluster, which is removed afterwards (KEEP_CLUSTER=1 keeps it)
	@[ -n "$${KEEP_CLUSTER:-}" ] || trap '$(CLUSTER) down' EXIT; \
	$(CLUSTER) up && $(CLUSTER) tools && $(CLUSTER) images && $(RUN) pytest tests/chart tests/e2e

.PHONY: test
test: test-fast test-slow test-peers test-e2e ## Everything: from a fresh clone on a fresh machine
