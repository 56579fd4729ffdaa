# The commands of a newcomer and of a developer. CMake does the building; see CMakeLists.txt.
comma := ,
MAKEFLAGS += --no-print-directory
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
JOBS ?= $(shell nproc)
PYTHON_VENV = $$(python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv)

.PHONY: all deps build demo test parity docs screenshots bench bench-peers bench-peers-task clean

all: build

deps:
	@bash tools/install_dependencies.sh

build: deps
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) $(if $(SANITIZE),-DSANITIZE="$(SANITIZE)") >$(BUILD)/configure.log 2>&1 || { cat $(BUILD)/configure.log; exit 1; }
	@cmake --build $(BUILD) -j$(JOBS)

# From a training file to a fine-tuned model that answers, through the API.
demo: build
	@python3 tools/demo.py --temper $(BUILD)/temper

# All tests, or with SANITIZE=address,undefined (or thread) those in C.
test: build
	@$(if $(SANITIZE),,bash tools/install_dependencies.sh $(PYTHON_VENV) chromium:chromium)
	@python3 tests/run.py --build $(BUILD) $(if $(SANITIZE),--only c)

# Fresh random models against PyTorch, transformers, peft and llama.cpp, in an environment of their own.
parity: build
	@bash tools/install_dependencies.sh $(PYTHON_VENV)
	@python3 tests/run.py --build $(BUILD) --only parity

# The API's own description, from the tables that the server checks requests by.
docs: build
	@$(BUILD)/temper openapi >docs/openapi.json

# Every page in light and dark, on a desk and on a phone, in build/screenshots.
screenshots: build
	@bash tools/install_dependencies.sh $(PYTHON_VENV) chromium:chromium
	@python3 tools/make_screenshots.py --build $(BUILD)

bench: build
	@$(BUILD)/temper bench peak
	@$(BUILD)/temper bench train --shape S
	@$(BUILD)/temper bench train --shape M

# Beside PyTorch, transformers and peft, in turn: how fast the same step is, and whether a real task's curves agree.
# torch.compile wants a C++ compiler and Python's headers; another allocator is one of the settings that are tried.
# PEERS holds more options: make bench-peers PEERS="--shapes S --rounds 1".
bench-peers: build
	@bash tools/install_dependencies.sh $(PYTHON_VENV) g++:g++ python3-dev libjemalloc2
	@python3 tools/bench_peers.py --build $(BUILD) $(PEERS)

bench-peers-task: build
	@bash tools/install_dependencies.sh $(PYTHON_VENV)
	@python3 tools/bench_peers.py --build $(BUILD) --task gsm8k $(PEERS)

clean:
	rm -rf build build-*
