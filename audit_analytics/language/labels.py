"""What entities are called wherever a person reads of one: chosen once per run, like the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol


class Labelling(Protocol):
    """Whoever knows the names, such as :class:`audit_analytics.inventory.Labels`."""

    def of(self, entity_type: str, entity: str) -> str:
        """Label an entity.

        Parameters
        ----------
        entity_type, entity : str
            As :meth:`audit_analytics.inventory.Labels.of` has them.

        Returns
        -------
        str
            The label; the entity itself without a name.
        """
        ...

    def owner_of(self, app_id: str) -> str:
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
        ...


class Said:
    """Labels that stand in a report already.

    Parameters
    ----------
    labels : mapping of str to str
        By entity.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def of(self, entity_type: str, entity: str) -> str:  # noqa: ARG002 - as Labelling has it
        """Label an entity.

        Parameters
        ----------
        entity_type : str
            Of no matter here.
        entity : str
            Which one.

        Returns
        -------
        str
            Its label; the entity itself without one.
        """
        return self._labels.get(entity, entity)

    def owner_of(self, app_id: str) -> str:  # noqa: ARG002 - as Labelling has it
        """Name nobody: a report names owners itself.

        Parameters
        ----------
        app_id : str
            Of no matter here.

        Returns
        -------
        str
            Empty.
        """
        return ""


_PLAIN: Final = Said({})
_labelling: Final[ContextVar[Labelling | None]] = ContextVar("labelling", default=None)


@contextmanager
def use_labels(labels: Labelling) -> Iterator[None]:
    """Label entities within a block.

    Parameters
    ----------
    labels : Labelling
        Knows the names.

    Yields
    ------
    None
        The former labels are back after the block.
    """
    token = _labelling.set(labels)
    try:
        yield
    finally:
        _labelling.reset(token)


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
    return (_labelling.get() or _PLAIN).of(entity_type, entity)


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
    return (_labelling.get() or _PLAIN).owner_of(app_id)
