# `make` or `make help` is the index. Each target is one line; what is longer lives in scripts/.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint format bench peers soak docs clean
PY := .venv/bin/python
# What a person passes on: make test ARGS="-k lease"
ARGS ?=
STORE ?= sqlite

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with everything pinned; a no-op when nothing changed
	@scripts/setup

demo: setup ## See Rota work, with nothing prepared
	@$(PY) -m examples.flights.demo $(ARGS)

# Emptied: where it is set, each worker compiles anew what it loads of pytest and its plugins. See tests/haste.py.
test: setup ## Run every test, against every store; installs the database servers where it may
	@scripts/services
	@scripts/matrix & PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n 4 --dist loadgroup $(ARGS); code=$$?; wait; exit $$code

check: setup ## Lint, types, floors and the tests that need no server: under a minute
	@scripts/check $(ARGS)

lint: setup ## Style, types and floors
	@scripts/lint

format: setup ## Mend the style where no person is needed
	@scripts/lint --fix

bench: setup ## Measure throughput beside plain driver work; STORE=sqlite, postgres or mariadb
	@$(PY) -m bench.store --store $(STORE) $(ARGS)
	@$(PY) -m bench.drain $(STORE)

peers: setup ## Measure Rota beside Celery, Huey, RQ and others, each in an environment of its own; ARGS=--quick
	@$(PY) -m bench.peers $(ARGS)

soak: setup ## Run for long under faults and count what was lost (must be nothing)
	@$(PY) -m bench.soak $(ARGS)

docs: setup ## Write docs/reference/ from the code
	@$(PY) -m scripts.reference

clean: ## Remove what was built, not .venv
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print | xargs rm -rf
