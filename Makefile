# One word each: make demo, test, lint, accuracy, stress, session, sources, train, tutorial, sct, data, bench, size,
# cohort, cohort-faults, page, fuzz, kill, doubtful, invariance, docs, stages, dependencies, commands, test-oldest, dist,
# clean.
# Needs python3 (3.10 or newer) with venv; everything else is installed into .venv on the first call: for `make demo`
# what labelling needs, for `make lint` the checkers, and for all others torch and the tests' tools as well.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
# A version that has a build for the CPU; the script says what it will download and how large that is.
TORCH ?= torch==2.13.0
INSTALLED := $(VENV)/installed
DEMO := demo_out
# Of the simulator: see docs/tutorial.md.
SOURCES ?= ../shared/real
# The command says this itself; other programs that load ONNX Runtime here must not report either.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: install demo test lint accuracy stress session sources train tutorial sct data bench size cohort \
    cohort-faults page fuzz kill doubtful invariance docs stages dependencies commands test-oldest dist clean

install: $(INSTALLED)

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-core: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --editable .
	$(PY) -m compileall -q deepspine_sct
	touch $@

$(VENV)/installed-lint: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --editable '.[lint]'
	touch $@

# Compiled as an installation that is not editable is, also where Python is told to write no bytecode.
# torch first and by version: pip would take the newest, with CUDA, for the extra.
$(INSTALLED): pyproject.toml tools/install_torch.py | $(PY)
	$(PY) tools/install_torch.py $(TORCH)
	$(PY) -m pip install --quiet --editable '.[test]'
	$(PY) -m compileall -q deepspine_sct
	touch $@ $(VENV)/installed-core $(VENV)/installed-lint

demo: $(VENV)/installed-core
	mkdir -p $(DEMO)
	bin/sct_deepspine_label -i data_test/t2_sim.nii.gz -c t2 -ofolder $(DEMO) \
	    -json $(DEMO)/t2_sim.json -overlay $(DEMO)/t2_sim.png -qc $(DEMO)/qc
	$(PY) -m deepspine_sct.evaluation.compare \
	    $(DEMO)/t2_sim_labeled_discs.nii.gz data_test/t2_sim_labels.nii.gz

# The modules of tests side by side, one on each of two cores; JOBS=0 runs them one after the other.
JOBS ?= 2
test: $(INSTALLED) lint
	$(PY) -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/installed-lint
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# All tests in the environments of tests/constraints, on Python 3.10: the oldest releases that are allowed, and those
# of SCT. One of them: make test-oldest ENVIRONMENTS=sct
PYTHON_OLDEST ?= python3.10
ENVIRONMENTS ?= lowest sct
test-oldest: $(ENVIRONMENTS:%=.venv-%/installed)
	for name in $(ENVIRONMENTS); do .venv-$$name/bin/python -m pytest -p no:cacheprovider || exit 1; done

.venv-%/installed: tests/constraints/%.txt pyproject.toml
	test -x .venv-$*/bin/python || $(PYTHON_OLDEST) -m venv .venv-$*
	.venv-$*/bin/python tools/install_torch.py --constraint $< torch
	.venv-$*/bin/python -m pip install --quiet --constraint $< --editable '.[test]'
	.venv-$*/bin/python -m pip check
	touch $@

accuracy: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.accuracy -data $(SOURCES)

# Every real scan of SOURCES as it is and cut, turned, repainted, darkened: are the names right, or doubted?
stress: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.real_scans -data $(SOURCES)

# What training reads, from the unpacked archives of its owners, say:
# make sources SOURCES=real ARCHIVES='-pam50 sct -icbm152 mni_icbm152_nlin_sym_09a -spine-generic bids -spider SPIDER'
sources: $(INSTALLED)
	$(PY) -m deepspine_sct.sources -ofolder $(SOURCES) $(ARCHIVES)

# Scans of one session, alone and together: the table in docs/sessions.md.
session: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.session -data $(SOURCES)

# Simulated spines, the annotated slices of the training sites and the lumbar subjects in SOURCES, from nothing; resumes
# when called again. The shipped weights come from a chain of runs, which docs/model_card.md holds beside this one.
TRAIN ?= -steps 13500 -batch 64 -echoes 1 -lr 0.002 -seed 0
train: $(INSTALLED)
	@echo "data: $(SOURCES); 13,500 steps of 64 images; 17 hours on two cores (see docs/model_card.md)"
	bin/sct_deepspine_train -data $(SOURCES) -ofolder train_out $(TRAIN)

# With UPDATE=-update the outputs and pictures of this run go into docs/tutorial.md.
tutorial: $(INSTALLED)
	SOURCES=$(abspath $(SOURCES)) $(PY) docs/run_commands.py docs/tutorial.md tutorial_out $(UPDATE)

# Every command of docs/sct.md with the real SCT, where it is on the PATH; UPDATE=-update as above.
sct: $(INSTALLED)
	SOURCES=$(abspath $(SOURCES)) SCT_PROGRESS_BAR=off \
	    $(PY) docs/run_commands.py docs/sct.md sct_out -needs sct_version $(UPDATE)

data: $(INSTALLED)
	$(PY) -m deepspine_sct.simulation.demo_scans $(SOURCES) data_test

bench: $(INSTALLED)
	$(PY) -m benchmarks.cost.label

# Seconds and memory for 1 to 400 slices and 128 to 1,500 rows: the picture in docs/speed.md.
size: $(INSTALLED)
	$(PY) -m benchmarks.cost.size

# Volumes per minute, memory, and the cost on paper of up to 10,000 scans: the tables and the plot of docs/cohorts.md.
# Under ten minutes on two cores.
cohort: $(INSTALLED)
	$(PY) -m benchmarks.cost.cohort_cost

# Faults, a cluster and sudden deaths in a data set of 200 scans.
cohort-faults: $(INSTALLED)
	$(PY) -m benchmarks.cost.cohort

# A cohort of 100 scans on the page, with pictures of it (they show real images and stay out of the project) and times.
page: $(INSTALLED)
	$(PY) -m benchmarks.cost.page_cohort

# Five thousand hostile inputs, 200 kills, images that must not be labelled, changes that must move nothing: the tables
# in docs/safety_measured.md.
fuzz: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.fuzz

kill: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.kill

doubtful: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.doubtful -data $(SOURCES)

invariance: $(INSTALLED)
	$(PY) -m benchmarks.acceptance.invariance -data $(SOURCES)

# The pages of docs/ as a site, in site/. MkDocs is an extra of its own; building needs no network.
docs: $(INSTALLED)
	$(PY) -c 'import mkdocs, mkdocstrings' 2> /dev/null || $(PY) -m pip install --quiet --editable '.[docs]'
	$(PY) -m mkdocs build --quiet --site-dir site

# The pictures of docs/how_it_works.md, drawn by the network that is installed.
stages: $(INSTALLED)
	$(PY) docs/draw_stages.py

dependencies: $(INSTALLED)
	$(PY) -m pip check
	$(PY) docs/dependencies.py

# The completions of the shells and the Boutiques descriptors, from the parsers of the commands.
commands: $(INSTALLED)
	$(PY) tools/describe_commands.py

# The sdist and the wheel of what is committed, with the links of README.md made absolute: make dist ADDRESS=https://HOST/OWNER/NAME
dist: $(INSTALLED)
	$(PY) tools/build_release.py $(ADDRESS)

# .venv and the egg-info that it points to stay, as do accuracy_out and train_out: making them again
# takes long. Remove them by hand when you mean to.
clean:
	rm -rf $(DEMO) site build dist .hypothesis .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
