# Needs python3 (3.11 or newer) and make; everything else goes into .venv. `make` alone says what there is.
# Only relative paths, so that the folder's own name may hold spaces.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

# Two processes, each with a run of neighbours, so that few fixtures of a module are made twice. Not by file
# or module: pytest-xdist would then run only one of the tests that schemathesis gives the same name.
SIDE_BY_SIDE := -n 2 --dist worksteal

# Stamps: what has been made, so that a second run starts at once. They go with the environment they speak of.
MADE := $(VENV)/.made
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable

# $(call stop,message): one line on standard error, and make ends.
stop = { echo 'auditsvc: $(1)' >&2; exit 1; }
# $(call check,name,command): one check of `make test`, named before it runs and again if it fails.
check = @echo '== $(1)'; $(2) || $(call stop,the check "$(1)" failed)

.PHONY: help demo test bench browser promtool clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' Makefile
	@echo '  ARGS="…" is passed on by demo and bench; PYTHON=… makes .venv with another Python'

demo: $(INSTALLED) ## audit the shipped data and serve the results (ARGS=--once: print them and end)
	@$(BIN)/auditsvc demo $(ARGS)

test: $(TESTABLE) browser promtool ## every check, in order, up to the first that fails
	$(call check,ruff check,$(BIN)/ruff check .)
	$(call check,ruff format,$(BIN)/ruff format --check .)
	$(call check,mypy --strict,$(BIN)/mypy)
	$(call check,lint-imports,$(BIN)/lint-imports --no-logo)
	$(call check,pytest of the pure part with its coverage,$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/core tests/audits --cov)
	$(call check,pytest of the rest,$(BIN)/python -m pytest $(SIDE_BY_SIDE) --ignore=tests/core --ignore=tests/audits)

bench: $(INSTALLED) ## the benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove .venv and all that the tools leave behind
	rm -rf $(VENV) build dist .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find auditsvc tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is whole or absent: the stamp is the last thing made, and a failure takes all of it away.
$(MADE):
	@command -v '$(PYTHON)' >/dev/null || \
	  $(call stop,there is no $(PYTHON): apt-get install python3 python3-venv (or make PYTHON=/path/to/python3))
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  $(call stop,$(PYTHON) is not Python 3.11 or newer: apt-get install python3.11 python3.11-venv (or make PYTHON=/path/to/a/newer/python3))
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || \
	  $(call stop,$(PYTHON) cannot make environments with pip in them: apt-get install python3-venv)
	@rm -rf $(VENV)
	@'$(PYTHON)' -m venv $(VENV) && $(BIN)/python -m pip --version >/dev/null || \
	  { rm -rf $(VENV); $(call stop,$(PYTHON) -m venv failed: apt-get install python3-venv python3-pip); }
	@touch $@

# Editable: the environment runs this folder's code as it is, and is made again only when pyproject.toml changes.
$(INSTALLED): pyproject.toml $(MADE)
	@echo 'installing auditsvc into $(VENV) (a minute at most; once)' >&2
	@$(PIP) install --editable .
	@touch $@

$(TESTABLE): pyproject.toml $(MADE)
	@echo 'installing auditsvc and its test tools into $(VENV) (a minute or two; once)' >&2
	@$(PIP) install --editable '.[test]'
	@touch $(INSTALLED) $@

# The browser tests drive Debian's Chromium. Where it cannot be had they skip, and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0; \
	echo 'looking for Chromium, for the browser tests' >&2; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq 2>/dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium chromium-driver \
	  </dev/null >/dev/null 2>&1 || \
	  echo 'no Chromium: the browser tests will skip (Debian: apt-get install chromium chromium-driver)' >&2

# Prometheus' own checks, out of Debian's package and into .venv: installed, that would start a server, too.
# Where it cannot be had, the tests that need it skip, and say so.
promtool: $(MADE)
	@command -v promtool >/dev/null || test -x $(BIN)/promtool && exit 0; \
	echo 'looking for promtool, for the tests of metrics and alerts' >&2; \
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && bin=$$(pwd)/$(BIN) && cd "$$folder" && \
	  { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } \
	  >/dev/null 2>&1 && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool 2>/dev/null && \
	  mv usr/bin/promtool "$$bin" || \
	  echo 'no promtool: some tests will skip (Debian: apt-get install prometheus)' >&2
