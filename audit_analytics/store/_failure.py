"""What a store says when the file system refuses: one error that tells what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from audit_analytics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StoreUnusable(InputError):  # noqa: N818 - reads as what happened
    """The store cannot be read or written."""


@contextmanager
def explains_failure(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into one that says what to do.

    Parameters
    ----------
    folder : pathlib.Path
        The store.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    StoreUnusable
        The block failed to read or write.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreUnusable(
            f"{folder}: cannot write to the store ({reason}); what is stored stays readable. Make "
            "room or correct the permissions, then run the same command again"
        ) from error
