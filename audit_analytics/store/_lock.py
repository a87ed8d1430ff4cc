"""One sync at a time: a lock on the store that ends with the process that holds it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from audit_analytics.errors import DataIncompleteError
from audit_analytics.store._failure import explains_failure

LOCK_FILE: Final = ".lock"

_POLL_SECONDS: Final = 1.0


class StoreLocked(DataIncompleteError):  # noqa: N818 - reads as what happened
    """Another process is writing to the store."""


@contextmanager
def lock_store(
    folder: Path, *, wait_seconds: float = 0.0, sleep: Callable[[float], object] = time.sleep
) -> Iterator[None]:
    """Hold the store's lock; the kernel gives it back however the process ends.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    wait_seconds : float, default 0
        How long to wait for another process.
    sleep : callable, default time.sleep
        Waits a number of seconds.

    Yields
    ------
    None
        The lock is held until the block ends; StoreLocked says which process holds it otherwise.

    Raises
    ------
    StoreLocked
        Another process holds it; the message says which.
    """
    import fcntl  # noqa: PLC0415 - not on every system, and only writers need it

    with explains_failure(folder):
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        waited = 0.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited >= wait_seconds:
                    raise StoreLocked(
                        f"{folder}: {_read_holder(descriptor)} is writing to this store; wait for it to "
                        "end, or let this one wait with --wait"
                    ) from None
            sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _read_holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']:d} on {holder['host']} (since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
