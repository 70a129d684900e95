# make attack: from nothing to a measured attack on built-in data and weights.
# make test:   from nothing to lint, types and tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERSION := $(shell cksum < pyproject.toml | cut -d' ' -f1)
READY := $(VENV)/.ready-$(VERSION)
DEV := $(VENV)/.dev-$(VERSION)

.PHONY: attack test lint types tests test-slow fuzz test-kill weights fusion-ablation defence-study clip-robustness patch-study readme docs release-check clean

attack: $(READY)
	$(BIN)/rgbdsod attack --model bbsnet --modality depth
	$(BIN)/rgbdsod report --latest

test: lint types tests

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rgbdsod needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --editable .
	@rm -f $(VENV)/.ready-* && touch $@

$(DEV): $(READY)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@rm -f $(VENV)/.dev-* && touch $@

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# On an installed copy, since only there do all rooms lie where the import names say.
types: $(DEV)
	@rm -rf .build/typed build
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target .build/typed .
	cd .build/typed && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy -p rgbdsod

tests: $(DEV)
	$(BIN)/pytest -m "not slow"

test-slow: $(DEV)
	$(BIN)/pytest -m slow

# Tens of minutes: every reader on all hostile files, and on changes of valid ones by a seed; the same again: make fuzz SEED=N.
SEED ?= $(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')
fuzz: $(DEV)
	@echo "fuzz: seed $(SEED); the same again: make fuzz SEED=$(SEED)"
	RGBDSOD_FUZZ=long $(BIN)/pytest tests/fuzz --hypothesis-seed=$(SEED)
	if $(BIN)/python -c 'import atheris' 2> /dev/null; then $(BIN)/python tests/fuzz/coverage_guided.py -max_total_time=60 -seed=$(SEED); fi

# Kills runs at random moments, at writes, renames and removals, and compares what they leave with unbroken ones.
test-kill: $(DEV)
	$(BIN)/pytest -m "slow or not slow" -s tests/run/test_kill.py

weights: $(READY)
	$(BIN)/python examples/make_weights.py

# COCO: a folder with annotations/ and val2017/, beside it weights/fastestdet_coco.
patch-study: $(READY)
	$(BIN)/python examples/make_patch_study.py $(if $(COCO),--coco $(COCO))
	$(BIN)/python examples/write_patch_study.py $(if $(COCO),--coco $(COCO))

fusion-ablation: $(READY)
	$(BIN)/python examples/make_fusion_ablation.py

defence-study: $(READY)
	$(BIN)/python examples/make_defence_study.py
	$(BIN)/python examples/write_defence_study.py

# PHOTOGRAPHS: .npz files of labelled images (x_train, y_train, x_test, y_test, class_names) to pre-train on and measure with.
clip-robustness: $(READY)
	$(BIN)/python examples/make_clip_study.py $(PHOTOGRAPHS)
	$(BIN)/python examples/measure_numerics.py
	$(BIN)/python examples/write_clip_study.py $(PHOTOGRAPHS)

readme: $(READY)
	$(BIN)/python examples/make_readme.py

# The site; its hooks write the API reference, run the notebooks and refuse pages that load anything from elsewhere.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir .build/site

# Minutes: the wheel's dependencies are installed into an empty environment. RELEASING.md says when.
RELEASE := .build/release
release-check:
	rm -rf $(RELEASE) build
	$(PYTHON) -m venv $(RELEASE)/tools
	$(RELEASE)/tools/bin/pip install --quiet build twine cffconvert
	$(RELEASE)/tools/bin/python -m build --outdir $(RELEASE)/dist .
	$(RELEASE)/tools/bin/twine check --strict $(RELEASE)/dist/*
	$(RELEASE)/tools/bin/cffconvert --validate
	$(PYTHON) tests/support/release_files.py $(RELEASE)/dist
	$(PYTHON) -m venv $(RELEASE)/empty
	$(RELEASE)/empty/bin/pip install --quiet $(RELEASE)/dist/*.whl
	cd $(RELEASE) && empty/bin/rgbdsod --help > /dev/null && empty/bin/rgbdsod list models && empty/bin/rgbdsod attack --limit 2 --steps 2 --restart

clean:
	rm -rf $(VENV) .build build *.egg-info .mypy_cache .ruff_cache .pytest_cache
