# The commands of a newcomer and of a developer. CMake does the building; see CMakeLists.txt.
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
JOBS ?= $(shell nproc)
comma := ,

.PHONY: all deps build demo test parity bench clean

all: build

deps:
	@bash tools/install_dependencies.sh

build: deps
	@cmake -S . -B $(BUILD) $(if $(SANITIZE),-DSANITIZE="$(SANITIZE)") >$(BUILD).log 2>&1 || { mkdir -p $(BUILD); cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j$(JOBS)

clean:
	rm -rf build build-*
