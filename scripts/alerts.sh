#!/usr/bin/env bash
# Checks the alerts for Prometheus and runs their tests. Needs promtool (Debian: prometheus), which nothing else here does.
set -euo pipefail
cd "$(dirname "$0")/../deploy/prometheus"
command -v promtool >/dev/null || {
    echo "promtool is missing: install the Debian package prometheus" >&2
    exit 1
}
promtool check rules eunoe.rules.yml
promtool test rules eunoe.rules.test.yml
