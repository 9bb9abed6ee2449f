# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
SHELL := bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
# What esbuild put into a file, it says in bin/meta: licenses/gather reads it.
ESBUILD = node_modules/.bin/esbuild --bundle --log-level=warning --metafile=bin/meta/$(subst /,-,$@).json
GO_SRC  := $(shell find . -name node_modules -prune -o \( -name '*.go' -o -name '*.sql' -o -path '*/templates/*' -o -path '*/text/*' -o -path '*/static/*' -o -path ./contract/openapi.yaml -o -path ./events/schema.json -o -path ./licenses/licenses.txt \) -type f -print) go.mod go.sum
PAGE    := js/dist/wa.js js/dist/bridge.js sandbox/dist/page.js sandbox/dist/index.html web/dist/console.js web/dist/console.css \
           web/dist/docs.js web/dist/docs.css web/dist/swagger-ui.js.gz web/dist/swagger-ui.css.gz

.PHONY: help run test build page setup setup-test fmt vet lint types unit collection licenses conformance torture torture-short events-torture attack fuzz fuzz-short sbom audit-deps bench clean

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: setup build ## install what is missing, build, start kurir with a linked sandbox instance
	@KURIR_LOG_LEVEL=$${KURIR_LOG_LEVEL:-warn} exec bin/kurir serve --demo

build: page bin/kurir ## build the page code and the binary

test: setup-test build fmt vet lint types unit fuzz-short conformance torture-short ## everything that CI checks
	@echo "make test: all passed"

setup:
	@scripts/setup.sh run
setup-test:
	@scripts/setup.sh test

bin/kurir: $(GO_SRC) $(PAGE)
	$(GOBUILD) -o $@ .

# --- page code -------------------------------------------------------------------------------------------
# How they are made is said here.
$(PAGE): Makefile
page: $(PAGE) ## build the bridge, the sandbox page and the console's assets

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

js/dist/wa.js: node_modules/.package-lock.json
	cp node_modules/@wppconnect/wa-js/dist/wppconnect-wa.js $@
js/dist/bridge.js: $(wildcard js/src/*.ts) node_modules/.package-lock.json
	$(ESBUILD) js/src/main.ts --format=iife --target=es2022 --outfile=$@
# Not minified: clients find some modules by their source text, as on the real page.
sandbox/dist/page.js: $(wildcard sandbox/page/src/*.ts sandbox/page/src/*/*.ts) node_modules/.package-lock.json
	$(ESBUILD) sandbox/page/src/main.ts --format=iife --target=es2022 --outfile=$@
sandbox/dist/index.html: sandbox/page/index.html
	cp $< $@
web/dist/console.js: $(wildcard web/src/*.ts) node_modules/.package-lock.json
	$(ESBUILD) web/src/main.ts --minify --target=es2022 --outfile=$@
web/dist/console.css: $(wildcard web/src/*.css) node_modules/.package-lock.json
	$(ESBUILD) web/src/console.css --minify --outfile=$@
web/dist/docs.js: web/src/docs.ts node_modules/.package-lock.json
	$(ESBUILD) $< --minify --target=es2022 --outfile=$@
web/dist/docs.css: web/src/docs.css node_modules/.package-lock.json
	$(ESBUILD) $< --minify --outfile=$@
# As npm has them, with the licences of what is in them; zipped, or they would be 2 MB of the binary.
SWAGGER := node_modules/swagger-ui-dist
web/dist/swagger-ui.js.gz: node_modules/.package-lock.json
	{ echo '/*!'; cat $(SWAGGER)/NOTICE; echo 'Apache-2.0 */'; cat $(SWAGGER)/swagger-ui-bundle.js $(SWAGGER)/swagger-ui-bundle.js.LICENSE.txt; } | gzip -9n > $@
web/dist/swagger-ui.css.gz: node_modules/.package-lock.json
	gzip -9nc $(SWAGGER)/swagger-ui.css > $@

# --- checks ----------------------------------------------------------------------------------------------
fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not gofmt'd:"; echo "$$out"; exit 1; }
vet:
	go vet ./...
lint:
	"$$(go env GOPATH)/bin/golangci-lint" run ./...
types: node_modules/.package-lock.json
	node_modules/.bin/tsc -p .
# SQLite and the libc under it are C, translated to Go: the race detector has nothing to find in them, and takes most of the
# time there. So does argon2, whose memory no other goroutine sees. The driver above them is Go and stays watched.
C_IN_GO := modernc.org/sqlite/lib modernc.org/libc modernc.org/memory
RACE := -race -timeout 20m $(foreach p,$(C_IN_GO),-gcflags='$p=-race=false -d=checkptr=0') -gcflags=golang.org/x/crypto/argon2=-race=false
# Two packages at once, app first: it takes the longest, and mostly waits for Chromium, while the others compute.
unit: node_modules/.package-lock.json contract/tools/node_modules/.package-lock.json
	node --test js/test/*.test.mjs contract/tools/*.test.mjs
	go test $(RACE) -p 2 ./app $$(go list ./... | grep -v '^kurir/app$$')

licenses: page ## the licences of what is in the binary: licenses/licenses.txt, which a test holds up to date
	go run ./licenses/gather

# What is made of the contract needs tools that kurir itself does not.
contract/tools/node_modules/.package-lock.json: contract/tools/package.json contract/tools/package-lock.json
	cd contract/tools && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
collection: contract/tools/node_modules/.package-lock.json ## the API as a Postman collection: bin/kurir.postman_collection.json
	@mkdir -p bin
	node contract/tools/collection.mjs contract/openapi.yaml bin/kurir.postman_collection.json

# The clients bring no browser of their own: they drive the one that is installed.
sandbox/conformance/node_modules/.package-lock.json: sandbox/conformance/package.json sandbox/conformance/package-lock.json
	cd sandbox/conformance && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
conformance: build sandbox/conformance/node_modules/.package-lock.json ## clients that nobody here wrote, against the sandbox
	node --test --test-concurrency=1 sandbox/conformance/*.test.mjs

# What is broken or doubled or said wrongly ends these with 1; the folder with everything is kept then.
torture: build ## kill, stop and cut off kurir for 10 minutes, then at each step of a send, and count what was lost
	go run ./bench/torture -for 10m -steps 100
torture-short: build
	go run ./bench/torture -for 30s -steps 2

events-torture: page ## 10,000 messages at 200/s, kurir killed 20 times, a receiver that is ill: some minutes
	KURIR_TORTURE=1 go test -count 1 -timeout 30m -run TestEveryEventArrives -v ./app

# Instrumented builds take their time the first time. Who has a minute less: FUZZ=0 make test.
fuzz-short:
	@if [ "$${FUZZ:-1}" != 0 ]; then FUZZ_SEED=1 scripts/fuzz.sh 20s; fi
fuzz: ## each fuzz target for 10 minutes
	scripts/fuzz.sh 10m all

sbom: ## what kurir is made of, as CycloneDX: bin/sbom-go.json, bin/sbom-npm.json
	@mkdir -p bin
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 mod -licenses -json -output bin/sbom-go.json .
	npm sbom --sbom-format cyclonedx --package-lock-only > bin/sbom-npm.json
# Says what it finds and never fails: an advisory of last night is no fault of this commit, and there may be no network.
audit-deps: ## known weaknesses in dependencies, and the registry's signatures
	-@go run golang.org/x/vuln/cmd/govulncheck@latest ./... || echo "govulncheck: findings, or no network"
	-@npm audit signatures || echo "npm audit signatures: findings, or no network"

attack: build ## try to get into a kurir from outside, and print what was tried, refused, got in
	go run ./bench/attack

bench: build ## speed and memory, printed as a table
	go run ./bench

clean: ## remove what was built (not the data)
	rm -rf bin node_modules js/dist/*.js sandbox/dist/*.{js,html} web/dist/*.{js,css,gz}
