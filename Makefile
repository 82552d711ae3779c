# Two commands do everything on a fresh Debian or Ubuntu with Rust: `make demo` and `make test`.
CARGO ?= cargo

.PHONY: help build release demo test databases governor lint fuzz bench bench-live bench-peers volume instructions docs clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, optimised: target/release/mfnano
	$(CARGO) build --release --quiet -p mfnano

release: ## what is shipped: static programs for x86_64 and aarch64, in dist/
	@scripts/release

demo: build ## the main job on real traffic made on the spot (as root; else on a recorded capture)
	@scripts/demo

test: ## all tests; installs what they need (as root or with sudo)
	@scripts/test

databases: ## tests with real databases, brokers and their drivers (as root; installs them)
	$(CARGO) test --locked -p mfnano --test databases

governor: build ## the CPU limit under every kind of flood, some minutes; wants the machine for itself (as root)
	MFNANO=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/mfnano $(CARGO) test --locked -p mfnano --test governor -- --nocapture

lint: ## formatting and lints, as the tests demand them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings

fuzz: ## every fuzz target for some seconds: SECONDS_EACH=10 TARGET=name
	@scripts/fuzz "$${SECONDS_EACH:-10}" $${TARGET}

bench: ## what the engine needs for a packet and a session; figures of bench/README.md
	$(CARGO) run --release --quiet -p bench

bench-live: build ## beside peers on live traffic: nginx, wrk, tcpreplay in network namespaces (as root; 10 minutes)
	@scripts/bench-live live

bench-peers: build ## beside peers on captures
	@scripts/bench-live offline

volume: build ## what the settings do to the size of the output
	@scripts/volume

instructions: ## counts of instructions against bench/instructions.txt; UPDATE=1 writes them down anew
	@scripts/instructions

docs: ## generated pages: docs/records.md, docs/protocols.md and the example configuration
	UPDATE=1 $(CARGO) test --quiet -p record -p mfnano --lib
	UPDATE=1 $(CARGO) test --quiet -p proto --test protocols_page

clean: ## what was built
	$(CARGO) clean
