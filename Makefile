# Needs Python 3.11, gcc and make; everything else goes into $(VENV).
# A folder with a built onedl-mmcv wheel, named in PIP_FIND_LINKS, saves compiling it.
PYTHON ?= python3.11
VENV ?= .venv
SEED ?= 0

BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP_OPTIONS := --quiet --disable-pip-version-check -c requirements/constraints.txt
PIP := $(BIN)/python -m pip install $(PIP_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help setup test demo mot2pets lint format docs clean

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMPS)/package ## Make the virtual environment; does nothing when nothing changed.

$(STAMPS)/torch: requirements/constraints.txt requirements/build.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	$(PIP) pip
	$(PIP) -r requirements/build.txt
	touch $@

# Without --no-build-isolation onedl-mmcv installs silently without its
# compiled operations, hence also the check.
$(STAMPS)/mm: $(STAMPS)/torch requirements/mm_onedl.txt requirements/mmdet_runtime.txt
	$(PIP) onedl-mmengine
	$(PIP) --only-binary onedl-mmcv onedl-mmcv 2> /dev/null || \
		bash tools/misc/build_mmcv.sh $(BIN)/python $(PIP_OPTIONS)
	$(PIP) -r requirements/mmdet_runtime.txt
	$(PIP) --no-deps onedl-mmdetection imaug
	$(BIN)/python -c "from mmcv.ops import roi_align" || { \
		echo "onedl-mmcv has no compiled operations: it was built without torch in sight."; exit 1; }
	touch $@

EXTRAS := gallery,milvus,ray,deploy,webui,heic,safetensors,tests,lint,docs

$(STAMPS)/package: $(STAMPS)/mm setup.py setup.cfg $(wildcard requirements/*.txt)
	$(PIP) --no-build-isolation -e '.[$(EXTRAS)]'
	touch $@

test: setup ## Run the whole test suite with the coverage gate.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q -rs --cov --cov-report=term

demo: setup ## Train, test and draw on synthetic scenes, without any download.
	bash tools/misc/demo.sh $(BIN)/python

mot2pets: setup ## Train on MOT17 and TUD, search PETS, for one SEED.
	bash tools/misc/mot2pets.sh $(BIN)/python $(SEED)

lint: setup ## Check format, lint, types, docstrings and spelling.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/interrogate mmclsa
	$(BIN)/codespell

format: setup ## Format the code and mend what ruff can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Build the documentation; a warning is an error.
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

clean: ## Remove what was built, the virtual environment too.
	rm -rf $(VENV) build dist *.egg-info mmclsa/.mim docs/_build .coverage htmlcov \
		.pytest_cache .mypy_cache .ruff_cache
