"""Reports of earlier runs on disk: one model of a findings.json, and a finding in it.

The schema beside the reports says what other programs find there; this is less, and checked in
milliseconds whenever a report of an earlier run is opened.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from audit_analytics.errors import InputError
from audit_analytics.language import LANGUAGES
from audit_analytics.review._verdicts import Verdict

_Language = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(LANGUAGES)})$")]
_Week = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-W\d\d$")]


class _Span(msgspec.Struct):
    iso: _Week
    start_local: str
    end_local: str
    since_local: str | None


class _Coverage(msgspec.Struct):
    week_status: str
    hours_covered_count: int
    hours_expected_count: int


class _Totals(msgspec.Struct):
    calls_count: int
    errors_count: int
    apps_count: int


class _Reason(msgspec.Struct):
    detector: str
    kind: str
    start_at: str
    end_at: str
    scope: dict[str, list[str]]
    alone: bool
    observed: float
    unit: str
    p: float | None
    text: str


class _Finding(msgspec.Struct):
    finding_id: str
    key: str
    rank: int
    entity_type: str
    entity: str
    kind: str
    title: str
    sentence: str
    severity: str
    start_local: str
    reasons: list[_Reason]
    since_week: str | None
    expected_per_week: float | None
    status: str
    verdict: dict[str, Any] | None
    through: list[dict[str, Any]]
    untold: list[str]


class _Story(msgspec.Struct):
    story_id: str
    finding_ids: list[str]


class _Watch(msgspec.Struct):
    # entity type, entity, p, and p of its parts
    cases: list[tuple[str, str, float, Any]]


class _Report(msgspec.Struct):
    schema_version: Annotated[str, msgspec.Meta(pattern=r"^1\.")]
    lang: _Language
    tenant_zone: str
    week: _Span
    coverage: _Coverage
    totals: _Totals
    assessed: dict[str, Any]
    budget_per_week: float
    findings: list[_Finding]
    suppressed: list[_Finding]
    stories: list[_Story]
    suppressions: list[dict[str, Any]]
    watch: _Watch


ID_LENGTH: Final = 4
"""Least characters of an id that name a finding; fewer digits are a rank."""

WEEK_LENGTH: Final = len("2026-W46")
REPORT_FILE: Final = "findings.json"


def read_report(path: Path) -> dict[str, Any]:
    """Read a findings.json of an earlier run; an InputError if it is none of this version.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    dict of str to Any
        The report dict.

    Raises
    ------
    InputError
        The file cannot be read, or is no report of this version.
    """
    try:
        report: dict[str, Any] = json.loads(path.read_bytes())
        msgspec.convert(report, _Report)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give what weekly wrote, such as "
            "reports/2026-W46"
        ) from None
    except msgspec.ValidationError as error:
        raise InputError(
            f"{path}: is no report of this version ({error}); run weekly again, with --week and --out"
        ) from None
    except ValueError:
        raise InputError(f"{path}: is no JSON; remove it, or run weekly again") from None
    return report


def list_reports(folder: Path) -> list[Path]:
    """List the reports of a folder; an InputError if there is none.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the reports, one folder a report.

    Returns
    -------
    list of pathlib.Path
        Each report's findings.json, the latest first: a week in progress after the whole weeks
        before it, and before its own whole week.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; name the folder of the reports")
    weeks = "[12][0-9][0-9][0-9]-W[0-5][0-9]"
    found = [*folder.glob(f"{weeks}/{REPORT_FILE}"), *folder.glob(f"{weeks}-since-*/{REPORT_FILE}")]
    return sorted(found, key=_order, reverse=True)


def _order(path: Path) -> tuple[str, bool, str]:
    name = path.parent.name
    return name[:WEEK_LENGTH], len(name) == WEEK_LENGTH, name


def find_finding(folder: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find a finding in the reports of a folder; an InputError if there is none, or several.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the reports.
    text : str
        Its id, the first four or more characters of its id, or its rank in the latest report.

    Returns
    -------
    report, finding : dict
        The latest report that holds it, and the finding; suppressed ones are found, too.

    Raises
    ------
    InputError
        There is no such finding, or several.
    """
    paths = list_reports(folder)
    if not paths:
        raise InputError(f"{folder}: holds no report; write one with: audit-analytics weekly")
    if text.isascii() and text.isdigit() and len(text) < ID_LENGTH:
        return _find_rank(paths[0], int(text))
    digits = text.removeprefix("f-")
    if len(digits) < ID_LENGTH:
        raise InputError(f"finding {text!r}: is too short; give four characters of the id, or more")
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for path in paths:
        report = read_report(path)
        for row in (*report["findings"], *report["suppressed"]):
            if row["finding_id"].removeprefix("f-").startswith(digits):
                found.setdefault(row["finding_id"], (report, row))
    if not found:
        raise InputError(
            f"finding {text!r}: is in none of the {len(paths):,} reports of {folder}; ids stand in "
            "findings.json and findings.csv"
        )
    if len(found) > 1:
        raise InputError(f"finding {text!r}: may be {' or '.join(sorted(found))}; give more of it")
    return found.popitem()[1]


def find_story(folder: Path, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find a story in the reports of a folder; an InputError if there is none.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the reports.
    text : str
        Its id, or the first characters of it, ``s-`` among them.

    Returns
    -------
    report, story : dict
        The latest report that holds it, and the story.

    Raises
    ------
    InputError
        There is no such story.
    """
    for path in list_reports(folder):
        report = read_report(path)
        for story in report.get("stories", []):
            if story["story_id"].startswith(text):
                return report, story
    raise InputError(f"story {text!r}: is in no report of {folder}; ids stand in findings.json")


def name_stories(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the findings of a report with the stories they are part of.

    Parameters
    ----------
    report : mapping of str to Any
        The report dict.

    Returns
    -------
    list of dict
        As they stand in findings.json, with a ``story_id``, empty where there is no story.

    Examples
    --------
    >>> story = {"story_id": "s-1", "finding_ids": ["f-2"]}
    >>> rows = [{"finding_id": "f-1"}, {"finding_id": "f-2"}]
    >>> [row["story_id"] for row in name_stories({"findings": rows, "stories": [story]})]
    ['', 's-1']
    """
    known = {
        name: story["story_id"]
        for story in report.get("stories", [])
        for name in story["finding_ids"]
    }
    return [row | {"story_id": known.get(row["finding_id"], "")} for row in report["findings"]]


def list_open(
    folder: Path, verdicts: Mapping[str, Verdict], *, is_all: bool = False
) -> list[dict[str, Any]]:
    """List what is open: the findings of the latest report, and those confirmed before.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the reports; an InputError if it or its latest report cannot be read.
    verdicts : mapping of str to Verdict
        The last verdict on each finding, by its id.
    is_all : bool, default=False
        Whether harmless findings of the latest report are listed as well.

    Returns
    -------
    list of dict
        As in findings.json, with the last verdict, the ``week`` of their report and the ``story_id``.

    Raises
    ------
    InputError
        There is no such folder, or the latest report cannot be read.
    """
    paths = list_reports(folder)
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        if path != paths[0] and not any(v.verdict == "true" for v in verdicts.values()):
            break
        report = read_report(path)
        for row in name_stories(report):
            verdict, newest = find_verdict(row, verdicts), path == paths[0]
            if is_open(verdict, is_newest=newest) or (is_all and newest):
                own = row | {"verdict": verdict, "week": report["week"]["iso"]}
                found.setdefault(row["finding_id"], own)
    return list(found.values())


def find_verdict(
    finding: Mapping[str, Any], verdicts: Mapping[str, Verdict]
) -> dict[str, Any] | None:
    """Find what was decided about a finding.

    Parameters
    ----------
    finding : mapping of str to Any
        The finding as it stands in findings.json.
    verdicts : mapping of str to Verdict
        The last verdict on each finding, by its id; one that was given since wins.

    Returns
    -------
    dict of str to Any or None
        As :attr:`Verdict.told` has it; None if nobody decided.
    """
    known = verdicts.get(finding["finding_id"])
    return known.told if known else finding["verdict"]


def is_open(verdict: Mapping[str, Any] | None, *, is_newest: bool) -> bool:
    """Tell whether somebody has to look at a finding still.

    Parameters
    ----------
    verdict : mapping of str to Any or None
        What was decided about it.
    is_newest : bool
        Whether it stands in the newest report.

    Returns
    -------
    bool
        True of a confirmed one until it is closed, and of what the newest report tells until it is
        found harmless.
    """
    decided = verdict["verdict"] if verdict else ""
    return decided == "true" or (is_newest and decided != "benign")


def _find_rank(path: Path, rank: int) -> tuple[dict[str, Any], dict[str, Any]]:
    report = read_report(path)
    for row in report["findings"]:
        if row["rank"] == rank:
            return report, row
    raise InputError(f"{path}: has {len(report['findings']):,} findings, none of rank {rank}")
