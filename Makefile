# Two commands: `make lab` and `make test`. Without make: python -m labkit lab.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PY := .venv/bin/python
NBVAL := --nbval --nbval-cell-timeout=120 --nbval-current-env -p no:cacheprovider

.PHONY: lab test check dev lint unit labs bench lock clean

lab:
	@$(or $(PYTHON),$(error The course needs Python 3.11 or newer; name one: make lab PYTHON=/path/to/python)) -m labkit lab

test: lint unit labs

check: lint  ## the quick tier for daily work
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not slow"

dev:
	@$(or $(PYTHON),$(error The course needs Python 3.11 or newer; name one: make test PYTHON=/path/to/python)) -m labkit setup --extra dev

lint: dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports --no-cache --no-logo

unit: dev
	$(PY) -m pytest -q -n 2 --dist loadfile --doctest-modules

labs: dev

bench: dev
	$(PY) -m labkit bench

lock: dev  ## after a change of pyproject.toml
	$(PY) -m uv pip compile -q --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml -o requirements.lock

clean:
	rm -rf .venv bench .pytest_cache .ruff_cache
