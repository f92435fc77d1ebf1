.PHONY: run uninstall test check bench soak setup setup-test migration lock gobang policy items measure clean

PY = .venv/bin/python
LOCK = $(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate --group build

run: setup            ## start the bot (with DISCORD_TOKEN: on Discord; without: on this machine, in a browser)
	@echo "• starting MegaAgent"
	@$(PY) -m bot run

test: setup-test      ## set up what the tests need, then run them all
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not soak"

check: setup-test     ## lint, types, migrations and tests, before each commit
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m bot migrations
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not soak"

bench: setup-test     ## speed, as ratios within one run on this machine
	@$(PY) -m bench

soak: setup-test      ## long kill and soak tests
	@$(PY) -m pytest -m soak

gobang: setup         ## the paper's first work against the configured endpoint
	@$(PY) -m scenarios.gobang

policy: setup         ## the paper's second work against the configured endpoint
	@$(PY) -m scenarios.policy

items: setup          ## make items KIND=humaneval|mbpp|gsm8k|math FILE=items.jsonl
	@$(PY) -m scenarios.items --kind $(or $(KIND),$(error KIND=humaneval|mbpp|gsm8k|math is missing)) \
		$(or $(FILE),$(error FILE=items.jsonl is missing))

measure: setup       ## one agent and a team side by side: make measure WORKS=folder, or WORKS=items.jsonl KIND=math
	@$(PY) -m scenarios.measure $(if $(KIND),--kind $(KIND)) \
		$(or $(WORKS),$(error WORKS is missing: WORKS=folder, or WORKS=items.jsonl KIND=math))

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

migration: setup-test      ## make migration NAME=what_changed: against an empty database, never the bot's own
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export DATA_DIR="$$folder" DATABASE_URL= && \
		$(PY) -m alembic upgrade head && \
		$(PY) -m alembic revision --autogenerate -m "$(or $(NAME),$(error NAME=what_changed is missing))"

lock: setup-test      ## pin dependencies again: names, versions and hashes only
	@$(LOCK) --upgrade --extra dev -o requirements.lock pyproject.toml
	@$(LOCK) -c requirements.lock -o requirements/core.lock pyproject.toml
	@$(LOCK) -c requirements.lock --extra local -o requirements/local.lock pyproject.toml
	@$(LOCK) -c requirements.lock --extra mcp -o requirements/mcp.lock pyproject.toml
	@$(LOCK) -c requirements.lock --extra native -o requirements/native.lock pyproject.toml
	@$(LOCK) -c requirements.lock --extra postgres -o requirements/postgres.lock pyproject.toml
	@$(LOCK) -c requirements.lock --extra web -o requirements/web.lock pyproject.toml

uninstall:            ## remove what set-up and the bot put on this machine; asks for each part
	@scripts/uninstall.sh

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
