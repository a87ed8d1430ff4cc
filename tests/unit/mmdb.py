"""Writes small files in MaxMind's format, on the ranges reserved for documentation and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytest.importorskip("maxminddb")
writer = pytest.importorskip("mmdb_writer")
netaddr = pytest.importorskip("netaddr")


def write_mmdb(path: Path, records: Mapping[str, Any], **metadata: Any) -> Path:
    """Write a file that knows some networks."""
    options = {"ip_version": 6, "ipv4_compatible": True, "database_type": "Test-ASN"}
    tree = writer.MMDBWriter(**options | {"description": {"en": "Tests, CC0"}} | metadata)
    for network, record in records.items():
        tree.insert_network(netaddr.IPSet([network]), record)
    tree.to_db_file(str(path))
    return path
