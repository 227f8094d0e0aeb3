# make run   a working app, from nothing         make test   everything that is checked
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
SAMPLE := data/sample/heimdex_sample.mp4
export HF_HUB_DISABLE_TELEMETRY := 1
export ANONYMIZED_TELEMETRY := False

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

.venv/bin/python:
	@if ! $(PYTHON) -m venv .venv 2>/dev/null; then
	  rm -rf .venv
	  echo "python3-venv is missing; installing it with apt"
	  $(firstword $(filter sudo,$(APT))) apt-get update -qq || true
	  $(APT) python3-venv
	  $(PYTHON) -m venv .venv
	fi

# The stamps hold the date of the last good installation, so an unchanged list asks no registry.
.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing requirements (some minutes, about 6 GB on the first run) ..."
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	version=$$($(PY) -m pip show opencv-python 2>/dev/null | sed -n 's/^Version: //p')
	if [ -n "$$version" ]; then
	  # scenedetect and rapidocr require two builds of OpenCV that share one folder. The one without windows stays: it
	  # needs no libGL and offers all that is used here.
	  $(PY) -m pip uninstall --quiet -y opencv-python opencv-python-headless
	  $(PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "opencv-python-headless==$$version"
	fi
	touch $@

.venv/.test: requirements-dev.txt requirements-cluster.txt .venv/.run
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# Debian's browser, Korean fonts and a speech synthesiser, where they are missing and may be installed.
APT := $(if $(filter 0,$(shell id -u)),,sudo) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends
.PHONY: help run test check check-long fuzz soak audit system-tools setup
system-tools:
	@missing=""
	command -v chromium >/dev/null || missing="$$missing chromium"
	command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"
	fc-list 2>/dev/null | grep -i nanum >/dev/null || missing="$$missing fonts-nanum fontconfig"
	if [ -n "$$missing" ]; then
	  echo "Installing for the tests:$$missing"
	  $(firstword $(filter sudo,$(APT))) apt-get update -qq || true
	  $(APT) $$missing >/dev/null || echo "Could not install$$missing: install them by hand, the tests need them." >&2
	fi

setup: .venv/.run  ## install what the app needs into .venv

run: .venv/.run  ## open the app; an empty library gets the sample first
	@$(PY) -m heimdex_core add --if-empty $(SAMPLE)
	exec .venv/bin/streamlit run app.py

check: .venv/.test  ## style and types
	@.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# The tests of a module stay together: they share a library, a rendered file or a running app.
PARALLEL := -n 2 --dist loadscope --no-loadscope-reorder
test: .venv/.test system-tools check  ## style, types and the tests
	@$(PY) -m pytest $(PARALLEL) -m 'not long'

check-long: .venv/.test system-tools  ## the long matrices that `make test` leaves out
	@$(PY) -m pytest $(PARALLEL) -m long

FUZZ_FILES ?= 3000
FUZZ_SEED ?= $(shell date +%s)
fuzz: .venv/.test  ## thousands of damaged files of every kind (FUZZ_FILES each, FUZZ_SEED to repeat a run)
	@echo "FUZZ_SEED=$(FUZZ_SEED)"
	FUZZ_FILES=$(FUZZ_FILES) FUZZ_SEED=$(FUZZ_SEED) $(PY) -m pytest $(PARALLEL) tests/fuzz

SOAK_MINUTES ?= 60
soak: .venv/.run  ## kill and stop app and worker at random while three clients work (SOAK_MINUTES)
	@$(PY) benchmarks/soak.py --minutes $(SOAK_MINUTES)

# In an environment of its own, because pip-audit has many requirements that nothing else here needs.
# Those that are ignored are in Pillow's readers of PSD and FITS files, which are never reached (docs/security.md).
audit: .venv/.run  ## known vulnerabilities of everything that is installed (asks pypi.org)
	@if [ ! -x .venv/audit/bin/pip-audit ]; then
	  $(PYTHON) -m venv .venv/audit
	  .venv/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	fi
	.venv/audit/bin/pip-audit --strict --ignore-vuln GHSA-cfh3-3jmp-rvhc --ignore-vuln GHSA-whj4-6x5x-4v2j \
	  --path "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
