# Sourced by the other scripts: makes the environment once, and again when what it is made from has changed.
#
# shellcheck shell=bash
# Sets `root` (the checkout) and `python` (the environment's interpreter). Needs Python 3.11 or later with venv and pip.
# A stamp within the environment holds the checksum of all that it was made from, written last:
# an unchanged environment costs nothing, and a half-made one is made again.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$@"
    exit 2
}

is_python() { # COMMAND: does it run, and is it new enough?
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() { # [VERSION]: print the command of a Python of that version, or of any that will do
    local candidate
    if [ -n "${1-}" ]; then
        for candidate in "$1" "python$1" "${PYENV_ROOT:-${HOME-}/.pyenv}/versions/$1"*/bin/python; do
            if is_python "$candidate"; then
                printf '%s\n' "$candidate"
                return
            fi
        done
        die "no Python $1 here that runs and is 3.11 or later; install it, or name the path of its interpreter"
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if is_python "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "Python 3.11 or later is needed and none is on the PATH (on Debian: apt install python3 python3-venv)"
}

stamp_of() { # what the environment is made from: a changed lock, a moved checkout or another Python makes it anew
    printf '%s %s\n' "$root" "${1-}"
    cksum <"$root/pyproject.toml"
    cksum <"$root/constraints.txt"
}

make_environment() { # [VERSION]: make sure that the environment is there; set `python`
    local folder=$root/.venv${1:+-${1//\//_}}
    python=$folder/bin/python
    is_made "$folder" "${1-}" && return
    # two scripts started together make one environment, one after the other
    (
        if command -v flock >/dev/null; then flock 9; fi
        is_made "$folder" "${1-}" || build "$folder" "${1-}"
    ) 9<"$root/pyproject.toml" || exit
}

is_made() { # FOLDER [VERSION]
    [ -x "$1/bin/python" ] && [ "$(cat "$1/.stamp" 2>/dev/null)" = "$(stamp_of "${2-}")" ]
}

build() { # FOLDER [VERSION]
    local base
    base=$(find_python "${2-}") || exit
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$base cannot make environments: its venv module is missing (on Debian: apt install python3-venv)"
    say "making the environment in ${1#"$root/"} with $("$base" --version); this takes a minute, once"
    "$base" -m venv --clear "$1" || die "the environment could not be made; the words above say why"
    printf '*\n' >"$1/.gitignore"
    (cd -- "$root" && "$1/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt) ||
        die "pip could not install what is needed; its words are above, and the same command tries again"
    stamp_of "${2-}" >"$1/.stamp"
}
