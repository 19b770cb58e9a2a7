#!/usr/bin/env bash
# Which lines and branches of csrc/ the tests reach: `tests/coverage.sh` (Linux, GCC, some minutes).
# The extension and the tests of the core are built by GCC for gcov; gcovr, of PyPI, adds up what
# all of them have reached, less branches that the compiler has made and no source line has
# (--exclude-unreachable-branches). It ends with a non-zero code where that is less than is asked for.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=${1:-$root/tests/c/build/coverage}
measured="--coverage -O1 -fprofile-update=atomic -DSNNC_STREAMED_BYTES=1 -DSNNC_SMALL_RUN=0"
rm -rf "$build"
mkdir -p "$build/tree"

git ls-files -z --cached --others --exclude-standard | xargs -0 tar -c | tar -x -C "$build/tree"
python3 -m venv "$build/venv"
"$build/venv/bin/pip" install -q "setuptools>=77" "numpy>=2.0" gcovr==8.8
cat >"$build/cc" <<END
#!/usr/bin/env bash
exec gcc "\$@" $measured
END
chmod +x "$build/cc"
cd "$build/tree"
"$build/venv/bin/pip" install -q --no-build-isolation -e ".[test]"
CC="$build/cc" "$build/venv/bin/python" setup.py -q build_ext --inplace --force
"$build/venv/bin/pytest" -q --ignore=tests/test_notebooks.py --ignore=tests/test_benchmarks.py
"$build/venv/bin/python" tests/fuzz
make -s -C tests/c run CC="gcc $measured" OPTIMIZE=
make -s -C tests/c threads WATCH="$measured"

count() { # FILES OPTION...
    "$build/venv/bin/gcovr" --root . --filter "csrc/$1" \
        --exclude-unreachable-branches --gcov-ignore-parse-errors=all "${@:2}"
}
count "" --txt
count "" --fail-under-line 98 >/dev/null
for path in csrc/binding/*.c csrc/core/{engine,backward,threads}.c; do
    name=${path#csrc/}
    echo "branches of $name:"
    count "${name%.c}\.c" --txt - --txt-metric branch --fail-under-branch 90 | grep "^csrc"
done
