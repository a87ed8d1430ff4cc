"""Surprise group NEWAPI: an app on an API it never used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.detect._group import PAIR_METHOD, PairGroup, new_pairs
from audit_analytics.detect._guidance import ROTATE
from audit_analytics.language import _, mark, ngettext, say_number
from audit_analytics.language.wording import format_start, say_apis

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audit_analytics.detect._engine import Detection


def _explain(
    detection: Detection, app: int, day: int, severity_of_api: Mapping[str, str]
) -> Iterator[Hit]:
    pairs = new_pairs(detection.apis, detection, app, day)
    if pairs.empty:
        return
    app_id = str(detection.panel.apps[app])
    pairs = pairs.sort_values(["foreignness", "calls_count"], ascending=False)
    names = tuple(pairs["name"])
    sensitive = [name for name in names if severity_of_api.get(name) in schema.SENSITIVE]
    yield Hit(
        detector="NEWAPI",
        kind="sensitive_api" if sensitive else "new_api",
        entity_type="app",
        entity=app_id,
        start_at=pairs["first_at"].min(),
        end_at=pairs["first_at"].max() + pd.Timedelta(days=1),
        observed=float(len(names)),
        expected=0.0,
        unit=mark("APIs used for the first time in a day"),
        p=float(detection.app_p["NEWAPI"][app, day]),
        facts={
            "apis": list(names),
            "sensitive": sensitive,
            "denied": int(pairs["permission_count"].sum()),
        },
        where={"app_id": (app_id,), "api": names},
    )


def _say(hit: Hit, who: str, zone: str) -> str:
    sensitive, denied = hit.facts["sensitive"], hit.facts["denied"]
    values = {
        "entity": who,
        "apis": (
            ngettext("{n} sensitive API", "{n} sensitive APIs", hit.observed)
            if len(sensitive) == hit.observed
            else ngettext("{n} API", "{n} APIs", hit.observed)
        ),
        "when": format_start(hit.start_at, zone),
        "names": say_apis(sensitive or hit.facts["apis"]),
        "sensitive": say_number(len(sensitive)),
        "denied": ngettext("{n} call was denied", "{n} calls were denied", denied),
    }
    mixed = 0 < len(sensitive) < hit.observed
    if mixed and denied:
        return _(
            "{entity} used {apis} for the first time {when}, {sensitive} of them sensitive "
            "({names}); {denied}.",
            **values,
        )
    if mixed:
        return _(
            "{entity} used {apis} for the first time {when}, {sensitive} of them sensitive "
            "({names}).",
            **values,
        )
    if denied:
        return _("{entity} used {apis} for the first time {when} ({names}); {denied}.", **values)
    return _("{entity} used {apis} for the first time {when} ({names}).", **values)


NEWAPI = PairGroup(
    name="NEWAPI",
    title=mark("APIs used for the first time"),
    short=mark("new APIs"),
    kind="new_api",
    method=PAIR_METHOD,
    sentence=_say,
    techniques=("T1526", "T1087.004"),
    benign=(mark("a new release of the app"), mark("a developer trying out APIs")),
    steps=(
        mark("Check whether a release of the app explains the new APIs."),
        mark("Denied calls among them point to somebody who does not know the app's scopes."),
        ROTATE,
    ),
    begins=True,
    first_use=True,
    pairs="apis",
    explained=_explain,
    telling=1,
)
