#!/usr/bin/env bash
# Installs what is missing on a Debian machine: Chromium, and for the tests PHP, Python and golangci-lint.
# Says what is missing, and stops, where there is no apt. A second run finds everything and changes nothing.
#   scripts/setup.sh run|test
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-run}
lint_version=v2.15.0

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v go >/dev/null || die "Go is missing. Install Go 1.26 or newer: https://go.dev/dl"
command -v node >/dev/null || die "Node is missing. Install Node 20 or newer: https://nodejs.org"
command -v npm >/dev/null || die "npm is missing. It comes with Node: https://nodejs.org"

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"

updated=""
apt_install() { # apt_install PACKAGE: false when apt has no such package
  command -v apt-get >/dev/null || die "missing: $1. This machine has no apt; install it with your package manager and run again."
  [ -z "$sudo" ] || command -v sudo >/dev/null || die "missing: $1. Run as root, or install it yourself: apt-get install $1"
  if [ -z "$updated" ]; then
    printf 'setup: apt-get update\n'
    $sudo apt-get update -qq || die "apt-get update failed; look at the lines above."
    updated=yes
  fi
  printf 'setup: apt-get install %s\n' "$1"
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

have_chromium() {
  [ -n "${KURIR_CHROMIUM:-}" ] && return 0
  for c in chromium-headless-shell chromium google-chrome google-chrome-stable; do
    command -v "$c" >/dev/null && return 0
  done
  return 1
}

# The headless shell takes half the memory of the full Chromium, so it comes first.
have_chromium || apt_install chromium-headless-shell || apt_install chromium || die "no Chromium could be installed. Install one and set KURIR_CHROMIUM to its path."

if [ "$purpose" = test ]; then
  command -v curl >/dev/null || apt_install curl # the example that sends
  command -v php >/dev/null || apt_install php-cli
  command -v python3 >/dev/null || apt_install python3
  command -v gcc >/dev/null || apt_install gcc     # the race detector needs cgo
  go mod download                                  # all of it: a test runs a tool of go.mod, and goes without the network
  gobin=$(go env GOPATH)/bin
  if ! "$gobin/golangci-lint" version 2>/dev/null | grep -q "${lint_version#v}"; then
    printf 'setup: go install golangci-lint %s (some minutes, once)\n' "$lint_version"
    go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint_version"
  fi
fi
