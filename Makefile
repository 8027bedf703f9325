# The commands of the house. `make test` is what CI runs.

export CGO_ENABLED ?= 0
FUZZTIME ?= 30s

# Real answers of Bitbucket to replay, where somebody has them beside the clone.
RECORDED ?= $(abspath ../shared/recorded)

.PHONY: deps build test unit bench fuzz lint live generate screenshots

# What the tests need beyond Go. On Debian as root it is installed.
deps:
	@go mod download
	@if command -v gcc >/dev/null && command -v git >/dev/null && { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq gcc libc6-dev git chromium >/dev/null; \
	else echo "make test needs gcc (for the race detector), git and Chromium (for the pages of the console): install them"; exit 1; fi

build:
	go build -o bucketgate ./cmd/bucketgate

test: deps lint unit

# The race detector is the one thing that needs cgo.
unit: export CGO_ENABLED = 1
unit: export BUCKETGATE_TEST_ALL = 1
unit:
	$(if $(wildcard $(RECORDED)),BUCKETGATE_TEST_RECORDED=$(RECORDED)) go test -race -timeout 9m ./...
	CGO_ENABLED=0 go test -run TestTwoClientsInterleaved ./cmd/bucketgate # all its calls

bench:
	go run ./internal/bench $(BENCH)

fuzz:
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# Generated files: schemas of the tools, docs/tools.md and docs/admin-tools.md, conversations, docs/clients.md.
generate:
	go test ./tools/agent ./tools/admin ./server ./internal/snippets -update

# The pictures of docs/admin.md.
screenshots:
	go test ./internal/console -count=1 -run 'TestPictures' -pictures $(abspath docs/images)

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go mod tidy -diff
	go test -count=1 . ./tools/agent ./internal/snippets
	go test -count=1 -run 'Schemas|Reference|Descriptions|Summary|Effects' ./tools/admin

# The tools against the live service, read-only, with your own credential.
live: build
	@if [ -z "$$BITBUCKET_WORKSPACE" ] || [ -z "$$BITBUCKET_API_TOKEN" ]; then \
		echo "make live asks the real Bitbucket. Set BITBUCKET_WORKSPACE, BITBUCKET_API_TOKEN and, for an API token,"; \
		echo "BITBUCKET_USERNAME; BITBUCKET_REPO_REGEX and BITBUCKET_BRANCH_REGEX if you like. Nothing was asked."; \
	else \
		set -e; ./bucketgate check; ./bucketgate call my_access; ./bucketgate call list_repos; \
		name=$$(./bucketgate call list_repos detail=names limit=1 | sed -n 's/.*"names":\["\([^"]*\)".*/\1/p'); \
		./bucketgate call get_repo repository="$$name"; ./bucketgate call list_branches repository="$$name"; \
	fi
