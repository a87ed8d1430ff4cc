"""Run ``weekly`` once a tenant, each in a process of its own that shares nothing with the others.

A process has its own settings, memory and end: one that fails, or is killed for its memory, takes
no other with it, and what is in memory at once is bounded by how many run at a time.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit_analytics.errors import InputError
from audit_analytics.settings import DEFAULT_FILE, PREFIX
from audit_analytics.source import holds_log
from audit_analytics.store import Store

__all__ = ["EXIT_CODES", "TenantRun", "Tenants", "choose_exit_code", "list_tenants", "run_tenants"]

EXIT_CODES: Final = (0, 1, 3, 4, 2)
"""What a run can exit with, the worst last."""

_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Tenants:
    """What a folder of tenants holds.

    Parameters
    ----------
    folders : list of pathlib.Path
        One store or log folder a tenant, in order of name.
    left_out : list of str
        What else there is, each with the reason; names are as on the disk: escape them.
    """

    folders: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TenantRun:
    """What came of one tenant's run.

    Parameters
    ----------
    name : str
        Name of the tenant's folder, as on the disk.
    exit_code : int
        One of :data:`EXIT_CODES`.
    lines, notes : list of str
        What it printed, and what it said on stderr.
    """

    name: str
    exit_code: int
    lines: list[str]
    notes: list[str]


def list_tenants(folder: Path, out: Path) -> Tenants:
    """List the tenants in a folder; an InputError if there is none, or the reports would lie in it.

    Parameters
    ----------
    folder : pathlib.Path
        Holds one store or log folder a tenant.
    out : pathlib.Path
        Folder the reports go to; it need not exist.

    Returns
    -------
    Tenants
        The folders that hold a store or a log, and what was left out.

    Raises
    ------
    InputError
        The folder is missing, a store itself, holds no tenant, or the reports would lie in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder. Give one that holds a folder a tenant.")
    if Store(folder).exists():
        raise InputError(f"{folder}: is the store of one tenant; leave out --tenants")
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out}: reports must not lie among the logs in {folder}; set --out")
    found = Tenants()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            found.left_out.append(f"{path.name}: hidden")
        elif not path.is_dir():
            found.left_out.append(f"{path.name}: not a folder")
        elif Store(path).exists() or holds_log(path):
            found.folders.append(path)
        else:
            found.left_out.append(f"{path.name}: holds neither a store nor a log")
    if not found.folders:
        raise InputError(
            f"{folder}: none of its folders holds a store or a log. If it is one log, leave out "
            "--tenants"
        )
    return found


def run_tenants(
    folders: Sequence[Path],
    out: Path,
    *,
    config: Path | None = None,
    options: Sequence[str] = (),
    n_jobs: int = 1,
) -> Iterator[TenantRun]:
    """Run ``weekly`` on every tenant, several at a time.

    Parameters
    ----------
    folders : sequence of pathlib.Path
        The tenants' stores or log folders; their names name the tenants.
    out : pathlib.Path
        Folder of the reports: ``out/TENANT/WEEK/``.
    config : pathlib.Path, optional
        The operator's TOML file: secrets, addresses and files come from it or the environment. A
        tenant's own ``audit-analytics.toml`` only says how its log is judged.
    options : sequence of str
        Further options of ``weekly``, for every tenant. Other users of the machine can read them.
    n_jobs : int, default=1
        Tenants at a time.

    Yields
    ------
    TenantRun
        In the order of `folders`, each as soon as it and all before it are done.
    """
    environment = os.environ | {
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # the tenants are what runs side by side
        f"{PREFIX}N_JOBS": "1",
    }

    def run(folder: Path) -> TenantRun:
        own = folder / DEFAULT_FILE
        settings = [] if config is None else [f"--config={config}"]
        if own.is_file():
            settings.append(f"--tenant-config={own}")
        arguments = [f"--out={out / folder.name}", *settings, *options, "--", str(folder)]
        done = subprocess.run(  # noqa: S603 - this program, without a shell
            # -P: what lies in the current folder is no part of the program
            [sys.executable, "-P", "-m", "audit_analytics", "weekly", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
        )
        return _read_run(folder.name, done, is_verbose="--verbose" in options)

    with ThreadPoolExecutor(n_jobs) as pool:
        yield from pool.map(run, folders)


def choose_exit_code(runs: Iterable[TenantRun]) -> int:
    """Choose the exit code of many runs: the worst of theirs.

    Parameters
    ----------
    runs : iterable of TenantRun
        The runs.

    Returns
    -------
    int
        One of :data:`EXIT_CODES`; 0 if there is no run.

    Examples
    --------
    >>> choose_exit_code(TenantRun(str(code), code, [], []) for code in (1, 3, 0))
    3
    """
    return max((run.exit_code for run in runs), key=EXIT_CODES.index, default=0)


def _read_run(name: str, done: subprocess.CompletedProcess[str], *, is_verbose: bool) -> TenantRun:
    lines, notes, code = done.stdout.splitlines(), done.stderr.splitlines(), done.returncode
    fault = next((n for n, line in enumerate(notes) if line.startswith(_TRACEBACK)), None)
    if fault is not None and not is_verbose:
        # its last line may quote what must not be shown
        notes[fault:] = ["a fault of this program ended the run; -v shows where"]
    if code not in EXIT_CODES:
        notes.append(
            f"the run was ended from outside (signal {-code})"
            if code < 0
            else f"the run ended with the unknown exit code {code}"
        )
        code = 1
    return TenantRun(name, code, lines, notes)
