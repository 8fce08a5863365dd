# Sourced by scripts that run a program which comes as a Python package. Sets $venv to the package's own environment, which is
# kept beside the build cache, and makes it if the program is not there.
#   python_tool PROGRAM VERSION PACKAGE [FINISH]: FINISH is called in the new environment before it counts.
python_tool() {
    local program="$1" version="$2" package="$3" finish="${4:-true}"
    venv="$EUNOE_CACHE/${package%%-*}-$version"
    if [ ! -x "$venv/bin/$program" ]; then
        # Made aside and renamed, so that a broken download leaves nothing that looks finished.
        rm -rf "$venv" "$venv.tmp"
        python3 -m venv "$venv.tmp"
        "$venv.tmp/bin/pip" install --quiet --disable-pip-version-check "$package==$version"
        (cd "$venv.tmp" && "$finish")
        mv "$venv.tmp" "$venv"
    fi
}
