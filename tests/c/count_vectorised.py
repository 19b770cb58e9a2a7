"""Counts the row functions of object files that are vector code: all of them must be.

A row function counts if it multiplies (and, forward, compares) whole vectors, of the width that
the file's instruction set has on x86-64, of any width elsewhere; and if its scalar arithmetic and
extracts of elements are few: those of a single neuron, and of surrogates' constants.
"""

import re
import subprocess
import sys
from pathlib import Path

BACKWARD = r"adjoint_\w+_f\d\d|surrogate_f\d\d"
ROW = rf"row_\w+_[01]_f\d\d|{BACKWARD}"
SCALAR = (
    r"\s(?:v?(?:add|sub|mul|div|u?comi|cmp\w*)s[sd]|v?pextr[bwdq]|v?extractps|umov)\s"
    r"|\sf\w+\s+[sdh]\d"
)
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

    backward = re.fullmatch(BACKWARD, name)
    if backward and re.search(rf"\s(?:jmp|b)\s[^\n]*<_?(?:{BACKWARD})>", code):
        return True  # the same as another one
    # SSE2 and NEON have less vector code beside a single neuron's.
    wide = register in (REGISTERS["avx2"], REGISTERS["avx512"])
    scalar, vector = re.findall(SCALAR, code), re.findall(VECTOR.format(register), code)
    if (4 if wide else 2) * len(scalar) > len(vector):
        return False
    return uses(r"v?mulp[sd]|fmul") and (backward or uses(r"v?cmp\w*p[sd]|fcm\w+"))


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
