# Two commands: `make lab` and `make test`. Without make: python -m labkit lab.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PY := .venv/bin/python
NBVAL := $(PY) -m pytest -q -p no:cacheprovider --nbval-current-env --nbval-cell-timeout=120

.PHONY: lab test check dev lint unit labs refresh slides site bundle bench lock clean

lab:
	@$(or $(PYTHON),$(error The course needs Python 3.11 or newer; name one: make lab PYTHON=/path/to/python)) -m labkit lab

test: lint unit labs

check: lint  ## the quick tier for daily work; a test that it lists takes over five seconds: mark it slow
	$(PY) -m pytest -q -n 2 --dist loadfile -m "not slow" --durations=10 --durations-min=5

dev:
	@$(or $(PYTHON),$(error The course needs Python 3.11 or newer; name one: make test PYTHON=/path/to/python)) -m labkit setup --extra dev --extra rag --extra grading

lint: dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports --no-cache --no-logo

unit: dev
	$(PY) -m pytest -q -n 2 --dist loadfile --doctest-modules

labs: dev  ## solved labs compared with what is committed, learner editions run through: offline, on a state of their own
	@state=$$(mktemp -d) && trap 'rm -rf "$$state"' EXIT && \
	export PYTHONPATH=$(CURDIR)/tests/offline LABKIT_STATIC=1 TQDM_DISABLE=1 && \
	LABKIT_STATE=$$state/solved $(NBVAL) --nbval notebooks && \
	$(PY) -m labkit start --to "$$state/work" && \
	LABKIT_STATE=$$state/learner $(NBVAL) --nbval-lax --rootdir "$$state/work" "$$state/work"

refresh: dev  ## execute labs and decks again and keep their outputs: make refresh LAB=00; all without LAB
	@state=$$(mktemp -d) && trap 'rm -rf "$$state"' EXIT && \
	LABKIT_STATE=$$state LABKIT_STATIC=1 TQDM_DISABLE=1 .venv/bin/jupyter nbconvert --log-level=WARN --to notebook --execute --inplace \
	--ExecutePreprocessor.timeout=120 --ExecutePreprocessor.store_widget_state=False notebooks/$(LAB)*.ipynb slides/$(LAB)*.ipynb

slides: dev  ## every deck into build/slides: pages that open offline, and PDF (npm once, Chromium)
	$(PY) -m labkit slides --pictures build/slides/pictures

site: dev  ## the labs as pages to read before installing: build/site/index.html
	$(PY) -m labkit site

bundle: dev  ## the course and its packages for a room without a network: build/bundle
	$(PY) -m labkit bundle

bench: dev
	$(PY) -m labkit bench

lock: dev  ## after a change of pyproject.toml
	$(PY) -m uv pip compile -q --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml -o requirements.lock

clean:
	rm -rf .venv bench .pytest_cache .ruff_cache
