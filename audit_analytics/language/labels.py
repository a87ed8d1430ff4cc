"""What entities are called wherever a person reads of one: chosen once per run, like the language."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Said:
    """Labels that stand in a report already; what knows more names derives from it.

    Parameters
    ----------
    labels : mapping of str to str
        By entity.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def of(self, entity_type: str, entity: str) -> str:  # noqa: ARG002 - for whoever derives
        """Label an entity.

        Parameters
        ----------
        entity_type, entity : str
            ``app``, ``ip``, ``network`` or anything else, and which one.

        Returns
        -------
        str
            Its label; the entity itself without one.
        """
        return self._labels.get(entity, entity)

    def owner_of(self, app_id: str) -> str:  # noqa: ARG002 - for whoever derives
        """Name who answers for an app.

        Parameters
        ----------
        app_id : str
            The app.

        Returns
        -------
        str
            Empty if nobody is known; a report names owners itself.
        """
        return ""


_labels: Final[ContextVar[Said]] = ContextVar("labels", default=Said({}))  # noqa: B039 - it never changes


@contextmanager
def use_labels(labels: Said) -> Iterator[None]:
    """Label entities within a block.

    Parameters
    ----------
    labels : Said
        Knows the names.

    Yields
    ------
    None
        The former labels are back after the block.
    """
    token = _labels.set(labels)
    try:
        yield
    finally:
        _labels.reset(token)


def label_entity(entity: str, entity_type: str = "") -> str:
    """Label an entity: name and shortened id of an app, address and name of a network.

    Parameters
    ----------
    entity : str
        As the log has it.
    entity_type : str, default ''
        ``app``, ``ip`` or ``network``; of no matter to the labels of a report.

    Returns
    -------
    str
        Text of strangers, to be escaped like the log's; the entity itself without a name.

    Examples
    --------
    >>> with use_labels(Said({"cli_1": "Payroll (cli_1)"})):
    ...     label_entity("cli_1"), label_entity("cli_2")
    ('Payroll (cli_1)', 'cli_2')
    """
    return _labels.get().of(entity_type, entity)


def name_owner(app_id: str) -> str:
    """Name who answers for an app.

    Parameters
    ----------
    app_id : str
        The app.

    Returns
    -------
    str
        A name; empty if nobody is known.
    """
    return _labels.get().owner_of(app_id)
