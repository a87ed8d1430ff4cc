"""The APIs a tenant's apps call: the platform's own, or those of a platform nobody catalogued."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from audit_analytics.catalogue import load_catalogue
from audit_analytics.schema import SENSITIVE

TOKEN = "POST/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 a route
USER = "GET/open-apis/contact/v3/users/:user_id"
STAPLES = (
    "POST/open-apis/im/v1/messages",
    USER,
    "GET/open-apis/bitable/v1/apps/:app_token/tables/:table_id/records",
    "POST/open-apis/contact/v3/users/batch_get_id",
    "POST/open-apis/im/v1/messages/:message_id/reply",
    "GET/open-apis/approval/v4/instances/:instance_id",
    "PUT/open-apis/bitable/v1/apps/:app_token/tables/:table_id/records/:record_id",
    "GET/open-apis/contact/v3/departments/:department_id",
    "GET/open-apis/docx/v1/documents/:document_id/raw_content",
    "GET/open-apis/calendar/v4/calendars/:calendar_id/events",
    "GET/open-apis/sheets/v2/spreadsheets/:spreadsheetToken/values/:range",
    "PATCH/open-apis/im/v1/messages/:message_id",
    "POST/open-apis/task/v2/tasks",
    "GET/open-apis/wiki/v2/spaces/:space_id/nodes",
    "POST/open-apis/im/v1/images",
    "GET/open-apis/drive/v1/medias/:file_token/download",
    "GET/open-apis/attendance/v1/user_settings/query",
    "GET/open-apis/vc/v1/meetings/:meeting_id",
    "POST/open-apis/approval/v4/instances",
    "GET/open-apis/im/v1/chats/:chat_id",
)
"""What most bots do, the commonest first."""
EXPORTS = (
    "POST/open-apis/drive/v1/export_tasks",
    "GET/open-apis/drive/v1/export_tasks/:ticket",
    "GET/open-apis/drive/v1/export_tasks/file/:file_token/download",
)
PERSONNEL = (
    "GET/open-apis/corehr/v1/persons/:person_id",
    "POST/open-apis/corehr/v2/employees/search",
)
_THINGS = (
    "invoice",
    "order",
    "asset",
    "shift",
    "ticket",
    "parcel",
    "lead",
    "build",
    "page",
    "quote",
)
_ACTS = ("", "/:id", "/:id/lines", "/search", "/:id/state", "/export")
_AREAS = ("billing", "stock", "crm", "ci", "shop", "fleet", "portal", "desk", "plant", "lab")


@dataclass(frozen=True)
class Vocabulary:
    """Every API there is: ``table`` has api, category and severity; the rest are positions in it."""

    table: pd.DataFrame
    token: int
    users: int
    staples: np.ndarray
    ordinary: list[np.ndarray]
    sensitive_reads: np.ndarray
    sensitive: np.ndarray
    exports: np.ndarray
    personnel: np.ndarray

    @property
    def named(self) -> np.ndarray:
        """Tell of each API whether its path names an object."""
        return self.table["api"].str.contains(":").to_numpy(bool)


def read_vocabulary() -> Vocabulary:
    """Return the platform's own."""
    matches = list(load_catalogue())
    table = pd.DataFrame(
        {
            "api": [m.api for m in matches],
            "category": [m.category for m in matches],
            "severity": [m.severity for m in matches],
        }
    ).drop_duplicates("api", ignore_index=True)
    place = {api: i for i, api in enumerate(table["api"])}
    part = table["api"].str.extract(r"/open-apis/([a-z_]+)/")[0]
    plain = table["severity"].isin(["none", "low", "medium"])
    ordinary = [np.asarray(rows) for rows in table[plain].groupby(part).groups.values()]
    sensitive = np.flatnonzero(table["severity"].isin(SENSITIVE))
    reads = table["api"].str.match(r"GET/|POST/.*(query|search|list)$").to_numpy()
    return Vocabulary(
        table=table,
        token=place[TOKEN],
        users=place[USER],
        staples=np.array([place[api] for api in STAPLES]),
        ordinary=[rows for rows in ordinary if len(rows) >= 6],
        sensitive_reads=sensitive[reads[sensitive]],
        sensitive=sensitive,
        exports=np.array([place[api] for api in EXPORTS]),
        personnel=np.array([place[api] for api in PERSONNEL]),
    )


def invent_vocabulary(rng: np.random.Generator) -> Vocabulary:
    """Return one of a platform that is in no catalogue: nothing is known to be sensitive."""
    apis = ["POST/auth/v1/token"]
    ordinary = []
    for area in _AREAS:
        first = len(apis)
        for thing in rng.choice(_THINGS, 5, replace=False):
            for act in rng.choice(_ACTS, 3, replace=False):
                method = "POST" if act in ("/search", "/export") else rng.choice(["GET", "PUT"])
                apis.append(f"{method}/{area}/v{rng.integers(1, 4)}/{thing}s{act}")
        apis.append(f"GET/{area}/v1/records/:id")
        ordinary.append(np.arange(first, len(apis)))
    table = pd.DataFrame({"api": list(dict.fromkeys(apis))})
    table = table.assign(category="unknown", severity="unknown")
    place = {api: i for i, api in enumerate(table["api"])}
    ordinary = [np.unique([place[apis[i]] for i in rows]) for rows in ordinary]
    named = np.flatnonzero(table["api"].str.contains(":"))
    records = np.flatnonzero(table["api"].str.contains("/records/"))
    return Vocabulary(
        table=table,
        token=0,
        users=int(records[0]),
        staples=rng.choice(named, 12, replace=False),
        ordinary=ordinary,
        sensitive_reads=records,
        sensitive=np.arange(1, len(table)),
        exports=records[1:4],
        personnel=records[4:6],
    )
