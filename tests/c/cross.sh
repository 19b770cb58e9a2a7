#!/usr/bin/env bash
# The core on other processors and systems: `make cross`. Its tests under QEMU, its hashes under
# Wine, and programs for what can't be run here. Of what this needs only Zig is not Debian's, but
# PyPI's. The first failure ends it with a non-zero code.
set -euo pipefail
cd "$(dirname "$0")"
build=${1:-build/cross}
mkdir -p "$build"

packages="qemu-user wine wine64 gcc-mingw-w64-x86-64-posix
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing" $packages
    apt-get update -q >/dev/null
    apt-get install -y -q --no-install-recommends $packages >/dev/null
else
    echo "not root on Debian, so these must be there already:" $packages
fi
python3 -m venv "$build/zig"
"$build/zig/bin/pip" install -q ziglang==0.17.1
zig="$build/zig/bin/python -m ziglang cc -target"
export WINEPREFIX WINEDEBUG=-all
WINEPREFIX=$(realpath "$build/wine")

on() { # NAME TARGET [VARIABLE=VALUE...]
    printf '\n=== %s: make %s\n' "$1" "$2"
    make -s --no-print-directory BUILD="$build/$1" "${@:2}"
}

on aarch64 run CC="aarch64-linux-gnu-gcc -static" RUN=qemu-aarch64
on riscv64 run CC="riscv64-linux-gnu-gcc -static" RUN=qemu-riscv64
on armhf run CC="arm-linux-gnueabihf-gcc -static" RUN=qemu-arm
on s390x run CC="s390x-linux-gnu-gcc -static -fexcess-precision=fast" RUN=qemu-s390x
on aarch64-clang compare CC="$zig aarch64-linux-musl" RUN=qemu-aarch64
on windows-x86_64-gcc compare CC="x86_64-w64-mingw32-gcc -static" EXE=.exe RUN=wine
on windows-x86_64 compare CC="$zig x86_64-windows-gnu" EXE=.exe RUN=wine
on windows-aarch64 programs CC="$zig aarch64-windows-gnu" EXE=.exe
on macos-x86_64 programs CC="$zig x86_64-macos"
on macos-aarch64 programs CC="$zig aarch64-macos"
printf '\n=== all passed\n'
