"""Counts the row functions of object files that are vector code: all of them must be.

A row function counts if it multiplies and compares whole vectors, of the width that the file's
instruction set has on x86-64, of any width elsewhere; and one of many neurons with parameters of
their own (the others have a loop for a single neuron too) if its scalar arithmetic and extracts of
elements are few: those of a row's last double. One of the backward pass counts if it stores whole
vectors.
"""

import re
import subprocess
import sys
from pathlib import Path

BACKWARD = r"(?:adjoint|atan_sweep|undelayed|surrogate)_\w+_f\d\d"
ROW = rf"row_\w+_[01]_[01]_f\d\d|{BACKWARD}"
SCALAR = r"\s(?:v?(?:add|sub|mul|div|u?comi|cmp\w*)s[sd]|v?pextr[bwd])\s|\sf\w+\s+[sdh]\d"
VECTOR = r"\s(?:v?(?:add|sub|mul|div|cmp\w*)p[sd]|f(?:add|sub|mul|div|cm\w+))\s[^\n]*{}"
REGISTERS = {"baseline": "%xmm", "avx2": "%ymm", "avx512": "%zmm"}  # on x86-64


def row_functions(path):
    """Yield each row function's name and instructions."""
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", path], check=True, capture_output=True, text=True
    ).stdout
    for part in re.split(r"\n(?=[0-9a-f]+ <)", text):
        if found := re.match(rf"[0-9a-f]+ <_?({ROW})>:\n", part):
            yield found[1], part


def is_vectorised(name, code, register):
    def uses(operation):
        return re.search(rf"\s{operation}\s[^\n]*{register}", code)

    if re.fullmatch(BACKWARD, name):
        same = re.search(rf"\s(?:jmp|b)\s[^\n]*<_?(?:{ROW})>", code)  # which is counted
        return same or re.search(rf"\sv?mov[ua]p[sd]\s+{register}\d+,[^\n]*\(|\sst[pr]\s+q", code)
    if not re.search(r"_[01]_0_f\d\d$", name):
        vector = re.findall(VECTOR.format(register), code)
        if 4 * len(re.findall(SCALAR, code)) > len(vector):
            return False
    return uses(r"v?mulp[sd]|fmul") and uses(r"v?cmp\w*p[sd]|fcm\w+")


def main(paths):
    failed = False
    for path in paths:
        text = subprocess.run(["objdump", "-f", path], check=True, capture_output=True, text=True)
        x86 = "x86-64" in text.stdout
        register = r"v\d+\."
        if x86:
            register = REGISTERS[Path(path).stem.removeprefix("rows_")]
        rows = dict(row_functions(path))
        bad = [name for name, code in rows.items() if not is_vectorised(name, code, register)]
        print(f"{path}: {len(rows) - len(bad)} of {len(rows)} row functions vectorised")
        for name in bad:
            print(f"  not vectorised: {name}")
        failed = failed or bool(bad) or not rows
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
