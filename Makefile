# Every target makes its own environment in .venv: nothing to install first but Python 3.11 or newer.

PYTHON ?= python3
VENV ?= .venv
# On Linux the plain package index serves torch's CUDA build of several GB. `TORCH_INDEX=cpu` takes the
# CPU build (some 200 MB) from torch's own index instead; any other value is taken as an index's address.
TORCH_INDEX ?=
# More words for pytest or for the render command: make test ARGS="-k codec"
ARGS ?=
# In how many processes tests run; 0 is this one alone, as a debugger needs it: make test JOBS=0 ARGS=--pdb
JOBS ?= auto

ifeq ($(TORCH_INDEX),cpu)
override TORCH_INDEX := https://download.pytorch.org/whl/cpu
endif
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt $(INDEX)
BENCH_INSTALL = $(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt $(INDEX)
# Hundreds of processes of the tests load the package: compiled once, whatever the surroundings say.
PYTEST = PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
# The peers that are measured bring many packages of their own, so they have an environment of their own.
BENCH ?= .venv-bench
BENCH_READY := $(BENCH)/.ready

.DEFAULT_GOAL := help
.PHONY: help render tour test test-all lint types check bench bench-page bench-hosts screenshots slides formulas outputs-check docs docs-check others install-check wheel clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

render: $(RUN_READY) ## Draw every built-in into outputs/
	$(VENV)/bin/autograd-tour render --all $(ARGS)

tour: $(RUN_READY) ## Write the tour of autograd as a site into tour/
	$(VENV)/bin/autograd-tour tour $(ARGS)

test: $(DEV_READY) ## Run the tests (all but the slow ones and those in a browser)
	$(PYTEST) $(ARGS)

test-all: $(DEV_READY) ## Run every test; those in a browser need chromium
	$(PYTEST) -m "slow or not slow" --hypothesis-profile=full $(ARGS)

lint: $(DEV_READY) ## Check style, format, who imports whom, and the page's JavaScript
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	@$(MAKE) --no-print-directory docs-check
	$(VENV)/bin/oxlint --deny-warnings -D correctness -D suspicious -D perf autograd_tour/formats/page/web autograd_tour/formats/tour/web

types: $(DEV_READY) ## Check types
	$(VENV)/bin/mypy

check: lint types test ## Lint, types and tests

bench: $(BENCH_READY) ## Measure against torchviz, torchlens and dot, and write docs/benchmarks.md
	$(BENCH)/bin/python -m benchmarks $(ARGS)

bench-page: $(DEV_READY) ## Measure the page in chromium, and write docs/page-speed.md
	$(VENV)/bin/python -m benchmarks.browser $(ARGS)

bench-hosts: $(DEV_READY) ## Measure a site of Sphinx and a notebook, and write docs/hosts-speed.md
	$(VENV)/bin/python -m benchmarks.hosts $(ARGS)

screenshots: $(DEV_READY) ## Photograph the page into outputs/page-*.png (needs chromium)
	@work=$$(mktemp -d) && $(VENV)/bin/python docs/screenshots.py $$work; code=$$?; rm -rf $$work; exit $$code

slides: $(DEV_READY) ## Make both decks of docs/slides in build/slides
	$(VENV)/bin/python docs/slides/build.py build/slides $(ARGS)

formulas: $(DEV_READY) ## Make rules/formulas.json anew from the installed torch
	$(VENV)/bin/python -m autograd_tour.rules.make_formulas

outputs-check: render ## Render, and fail if a picture or report in outputs/ changed
	@# The traces hold numbers at full precision, whose last bit is the CPU's: a test compares their values.
	git diff --exit-code --stat -- outputs ':(exclude)outputs/*.json'
	@new=$$(git ls-files --others --exclude-standard -- outputs); \
	if [ -n "$$new" ]; then echo "not committed: $$new" >&2; exit 1; fi

docs: $(DEV_READY) ## Build the manual in build/docs/html
	$(VENV)/bin/python -m docs.gallery
	$(VENV)/bin/python -m sphinx -q -W --keep-going -d build/docs/doctrees docs build/docs/html
	$(VENV)/bin/python docs/links.py build/docs/html

docs-check: $(DEV_READY) ## Fail if docs/commands.md is not what --help says
	@$(VENV)/bin/python -m cogapp -I . --check docs/commands.md \
		|| { echo "make it anew: $(VENV)/bin/python -m cogapp -I . -r docs/commands.md" >&2; exit 1; }

others: $(BENCH_READY) ## Draw one program with other tools, and write docs/peers.md
	$(BENCH)/bin/python -m benchmarks.others

install-check: $(DEV_READY) ## Install the wheel for every Python here, and write docs/install.md
	$(VENV)/bin/python -m benchmarks.install

wheel: $(DEV_READY) ## Build the wheel and the sdist into dist/
	$(VENV)/bin/python -m hatchling build -d dist

clean: ## Remove what tools left behind
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find autograd_tour tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environment too
	rm -rf $(VENV) $(BENCH)

# An environment is made anew only when what it is made from has changed.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "autograd-tour needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "Python's venv module is missing (on Debian: python3-venv)" >&2; rm -rf $(VENV); exit 1; }

$(RUN_READY): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV) (once; torch is large)"
	@if [ -z "$(INDEX)" ] && [ "$$(uname -s)" = Linux ] && [ ! -e $@ ]; then \
		echo "If pip fetches several GB of CUDA: stop it, and add TORCH_INDEX=cpu to the command"; fi
	@# An old pip reads constraints and wheels less well; no need to touch the user's own.
	@$(PIP) install --quiet -c constraints.txt --upgrade pip
	@$(INSTALL) -e '.[pdf]'
	@touch $@

$(DEV_READY): $(RUN_READY)
	@$(INSTALL) -e '.[test,dev]'
	@touch $@

# A peer that cannot be installed is skipped by its rows; everything else must be there.
$(BENCH_READY): pyproject.toml constraints.txt benchmarks/requirements.txt benchmarks/optional.txt
	@echo "Setting up $(BENCH) (once; torch is large)"
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(BENCH_INSTALL) -e . -r benchmarks/requirements.txt
	@$(BENCH_INSTALL) -r benchmarks/optional.txt \
		|| echo "some peers cannot be installed: their rows will say so" >&2
	@touch $@
