"""Check that a wheel holds the files of the package that are in git, its metadata, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import PurePosixPath

NEEDED = {".py", ".csv", ".toml", ".po", ".j2", ".sql", ".typed", ".json"}
ABOUT = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def main(wheel: str) -> int:
    """Print what differs; return how much."""
    tracked = subprocess.run(
        ["git", "ls-files", "audit_analytics"],  # noqa: S607 - CI has a git
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.endswith("/")}
    about = next(name for name in held if name.endswith(".dist-info/METADATA"))
    meant = {*tracked, *(about.removesuffix("METADATA") + name for name in ABOUT)}
    kinds = {suffix for name in tracked for suffix in PurePosixPath(name).suffixes[-1:]}
    kinds |= {".typed"} if "audit_analytics/py.typed" in tracked else set()
    wrong = [
        *(f"in the wheel, not meant for it: {name}" for name in sorted(held - meant)),
        *(f"not in the wheel: {name}" for name in sorted(meant - held)),
        *(f"no {kind} file in the package" for kind in sorted(NEEDED - kinds)),
    ]
    for line in wrong:
        sys.stderr.write(line + "\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1]), 1))
