# Needs Python 3.11 or newer, and fetches everything else: make help

.DEFAULT_GOAL := help
.PHONY: help env lab demo quick lowest test fuzz bench litellm docs clean check-python

works = $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON := $(or $(PYTHON),$(shell \
	for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
		$(call works,$$name) && { echo $$name; break; }; \
	done))

# what a home that cannot be written would have kept goes to build/home
AT_HOME := $(shell [ -w "$$HOME" ] || echo 'HOME="$(CURDIR)/build/home"')
VENV_PYTHON := $(AT_HOME) .venv/bin/python
TIMES ?= 100
NOTEBOOK ?= notebooks/01_quickstart.ipynb
PYTEST_ARGS ?=

# what is seen without running anything
define read_over
$(VENV_PYTHON) -m ruff check
$(VENV_PYTHON) -m ruff format --check
$(VENV_PYTHON) -m mypy
$(VENV_PYTHON) .ci/javascript.py
endef

help:
	@echo "make lab    JupyterLab on the quickstart, with the embedded model"
	@echo "make demo   the quickstart without a browser, as a page: build/01_quickstart.html"
	@echo "make test   everything that has to pass: linters, types, pytest (PYTEST_ARGS=... narrows it)"
	@echo "make quick  the same without browser, kernel, model and what is long: for the time between commits"
	@echo "make lowest the tests of make quick on the oldest versions that nbchat allows, in build/lowest"
	@echo "make fuzz   the property tests with TIMES=100 times as many examples"
	@echo "make bench  what things cost, beside the openai client"
	@echo "make litellm  litellm in build/litellm, for make bench to measure beside"
	@echo "make docs   the pages of docs/ as a site: build/docs/html/index.html"
	@echo "make env    .venv with everything for development"
	@echo "make clean  removes .venv, build/ and caches; the weights stay"

check-python:
	@test -n "$(PYTHON)" || { \
		echo "nbchat needs Python 3.11 or newer, and there is none on the PATH." >&2; \
		echo "Name one: make lab PYTHON=/path/to/python3" >&2; exit 1; }
	@$(call works,$(PYTHON)) || { \
		echo "nbchat needs Python 3.11 or newer; $(PYTHON) is not." >&2; exit 1; }

env: check-python
	@$(PYTHON) .ci/env.py dev

lab: check-python
	@$(PYTHON) .ci/env.py lab,local
	@$(VENV_PYTHON) -m nbchat.local download
	@$(VENV_PYTHON) .ci/lab.py

demo: check-python
	@$(PYTHON) .ci/env.py lab,local,demo
	@$(VENV_PYTHON) -m nbchat.local download
	@$(VENV_PYTHON) .ci/demo.py $(NOTEBOOK)

test: env
	@$(VENV_PYTHON) .ci/chromium.py
	@$(VENV_PYTHON) -m nbchat.local download
	$(read_over)
	$(VENV_PYTHON) -m pytest -n auto --dist loadfile --reruns 2 -raR $(PYTEST_ARGS)

quick: env
	$(read_over)
	NBCHAT_FUZZ=0.1 $(VENV_PYTHON) .ci/quick.py -m "not (browser or kernel or local or long)" $(PYTEST_ARGS)

lowest: env
	@$(VENV_PYTHON) .ci/lowest.py $(PYTEST_ARGS)

fuzz: env
	NBCHAT_FUZZ=$(TIMES) $(VENV_PYTHON) -m pytest -m fuzz --timeout=0 $(PYTEST_ARGS)

bench: env
	@$(VENV_PYTHON) -m nbchat.local download
	$(VENV_PYTHON) -m tests.benchmarks

# apart from .venv: what it depends on is not to choose versions there
litellm: check-python
	$(PYTHON) -m venv build/litellm
	build/litellm/bin/python -m pip install --quiet litellm

docs: check-python
	@$(PYTHON) .ci/env.py docs
	@$(VENV_PYTHON) .ci/pages.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
