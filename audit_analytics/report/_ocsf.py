"""findings.ocsf.jsonl: one OCSF Detection Finding (class 2004) a line, for a SIEM.

Made and validated with py-ocsf-models, which is an extra: ``pip install "audit-analytics[ocsf]"``.
The file speaks the version of OCSF that package speaks (``metadata.version``). It holds no time of
the run: a finding is created when its week is over, so that the same input gives the same bytes.
"""

import ipaddress
import json
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final

from audit_analytics.detect import TACTICS
from audit_analytics.errors import ConfigError
from audit_analytics.report._escape import json_text

FILE_NAME: Final = "findings.ocsf.jsonl"
_SEVERITY: Final = {"none": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
# How sure the number behind the finding is. A rule's threshold is crossed for certain, but benign
# causes cross it too.
_CONFIDENCE: Final = {"critical": 3, "high": 3, "medium": 2, "low": 1, None: 2}
_IP_ADDRESS, _RESOURCE_UID, _OTHER = 2, 10, 99
_UNMAPPED: Final = (
    "detectors", "expected", "expected_high", "expected_low", "expected_per_week", "history_days",
    "known_benign", "observed", "p", "policy_severity", "q", "rarity", "ratio", "unit",
)  # fmt: skip


def check_ocsf(*, required: bool | None) -> bool:
    """Return whether findings.ocsf.jsonl is to be written; a ConfigError if it is and cannot be.

    Parameters
    ----------
    required : bool or None
        The user's choice; None leaves it to whether the extra is installed.

    Returns
    -------
    bool
        Whether it is written.

    Raises
    ------
    ConfigError
        It is asked for, and the extra is not installed.

    Examples
    --------
    >>> check_ocsf(required=False)
    False
    """
    is_there = find_spec("py_ocsf_models") is not None
    if required and not is_there:
        raise ConfigError(
            f"{FILE_NAME} needs a package that is not installed: run "
            "pip install 'audit-analytics[ocsf]', or leave out --ocsf and the setting ocsf"
        )
    return is_there if required is None else required


def render_ocsf(report: dict[str, Any]) -> str:
    """Write the findings as OCSF Detection Findings, one JSON object a line, the suppressed ones too."""
    findings = [*report["findings"], *report["suppressed"]]
    return "".join(_write_line(_build(finding, report)) for finding in findings)


def _write_line(event: Any) -> str:  # noqa: ANN401 - the package has no type hints of its own
    content = event.model_dump(mode="json", exclude_none=True)
    return json_text(json.dumps(content, ensure_ascii=False, sort_keys=True)) + "\n"


def _build(finding: dict[str, Any], report: dict[str, Any]) -> Any:  # noqa: ANN401
    from py_ocsf_models.events.findings.detection_finding import (  # noqa: PLC0415 - an extra
        DetectionFinding,
    )
    from py_ocsf_models.events.findings.severity_id import SeverityID  # noqa: PLC0415

    finding, labels = _scrub(finding), _scrub(report["labels"])
    start, end = _milliseconds(finding["start_at"]), _milliseconds(finding["end_at"])
    created = _milliseconds(report["week"]["end_at"])
    severity = SeverityID(_SEVERITY.get(finding["severity"], 0))
    confidence = _CONFIDENCE.get(finding["rarity"], 0)
    activity, activity_name = (2, "Update") if finding["status"] == "continuing" else (1, "Create")
    suppressed = finding["status"] == "suppressed"
    return DetectionFinding.model_validate(
        {
            "activity_id": activity,
            "activity_name": activity_name,
            "type_uid": 200400 + activity,
            "type_name": f"Detection Finding: {activity_name}",
            "time": created,
            "start_time": start,
            "end_time": end,
            "duration": end - start,
            "count": len(finding["evidence"]["ids"]) + finding["evidence"]["more_count"],
            "severity_id": severity.value,
            "severity": severity.name,
            "confidence_id": confidence,
            "confidence": ("Unknown", "Low", "Medium", "High")[confidence],
            "status_id": 3 if suppressed else 1,
            "status": "Suppressed" if suppressed else "New",
            "message": finding["sentence"],
            "metadata": _describe_product(finding, report),
            "finding_info": _describe_finding(finding, report, created),
            "remediation": {"desc": "\n".join(finding["next_steps"])},
            "resources": [
                {"uid": app, "name": labels.get(app, app), "type": "Feishu/Lark app"}
                for app in _list_apps(finding)
            ],
            "evidences": [_show_event(row) for row in finding["evidence"]["rows"]],
            "observables": _list_observables(finding),
            "unmapped": {name: finding[name] for name in _UNMAPPED}
            | {"week": report["week"]["iso"], "tenant_zone": report["tenant_zone"]},
        }
    )


def _describe_product(finding: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    # the version of OCSF is the package's own default
    return {
        "uid": finding["finding_id"],
        "log_name": "openapi_logs",
        "log_provider": "Feishu/Lark",
        "product": {
            "name": report["tool"]["name"],
            "vendor_name": report["tool"]["name"],
            "version": report["tool"]["version"],
        },
    }


def _describe_finding(
    finding: dict[str, Any], report: dict[str, Any], created: int
) -> dict[str, Any]:
    detector = finding["detectors"][0]
    type_id, type_name = _classify(finding)
    return {
        "uid": finding["finding_id"],
        "title": finding["title"],
        "desc": finding["sentence"],
        "types": [finding["kind"]],
        "data_sources": ["Feishu/Lark OpenAPI audit log"],
        "created_time": created,
        "first_seen_time": _milliseconds(finding["start_at"]),
        "last_seen_time": _milliseconds(finding["end_at"]),
        "analytic": {"uid": detector, "name": detector, "type_id": type_id, "type": type_name},
        "attacks": [_describe_attack(technique) for technique in finding["attack"]],
        "related_events": _list_related(finding, report),
    }


def _list_related(finding: dict[str, Any], report: dict[str, Any]) -> list[dict[str, Any]] | None:
    """List the other findings of the story a finding is part of, the suppressed ones, too."""
    ids = [
        name
        for story in report.get("stories", [])
        if finding["finding_id"] in story["finding_ids"]
        for name in (*story["finding_ids"], *story["suppressed_ids"])
        if name != finding["finding_id"]
    ]
    return [{"uid": uid, "type": "Detection Finding"} for uid in ids] or None


def _classify(finding: dict[str, Any]) -> tuple[int, str]:
    if finding["detectors"][0].startswith("rule:"):
        return 1, "Rule"
    return (4, "Learning (ML/DL)") if finding["kind"] == "mixture" else (3, "Statistical")


def _describe_attack(technique: dict[str, str]) -> dict[str, Any]:
    uid, (name, _, sub_name) = technique["id"], technique["name"].partition(": ")
    tactic = TACTICS.get(uid)
    sub = {"uid": uid, "name": sub_name or name} if "." in uid else None
    return {
        "version": technique["version"],
        "technique": {"uid": uid.partition(".")[0], "name": name},
        "sub_technique": sub,
        "tactic": {"uid": tactic[0], "name": tactic[1]} if tactic else None,
    }


def _show_event(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "API call",
        "api": {
            "operation": row["api"],
            "request": {"uid": row["id"]},
            "response": {
                "code": row["http_status"],
                "error": str(row["response_code"]) if row["response_code"] else None,
                "message": row["outcome"],
            },
        },
        # py-ocsf-models has no src_endpoint yet
        "data": {"time": _milliseconds(row["at"]), "app_id": row["app_id"], "ip": row["ip"]},
        "verdict_id": None,
    }


def _list_apps(finding: dict[str, Any]) -> list[str]:
    own = [finding["entity"]] if finding["entity_type"] == "app" else []
    seen = {row["app_id"] for row in finding["evidence"]["rows"]} - {"", *own}
    return own + sorted(seen)


def _list_ips(finding: dict[str, Any]) -> list[str]:
    own = [finding["entity"]] if finding["entity_type"] == "ip" else []
    seen = {row["ip"] for row in finding["evidence"]["rows"]}
    seen |= {row["name"] for row in finding["contributors"]["ips"]}
    return own + sorted(seen - {"", *own})


def _list_observables(finding: dict[str, Any]) -> list[dict[str, Any]]:
    apps = [
        {"name": "resources.uid", "type_id": _RESOURCE_UID, "type": "Resource UID", "value": app}
        for app in _list_apps(finding)
    ]
    ips = [
        {
            "name": "evidences.data.ip",
            "type_id": _IP_ADDRESS if _is_ip(ip) else _OTHER,
            "type": "IP Address" if _is_ip(ip) else "Other",
            "value": ip,
        }
        for ip in _list_ips(finding)
    ]
    return apps + ips


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _milliseconds(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def _scrub(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Write out half characters, which no validator takes as text."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_scrub(part) for part in value]
    if isinstance(value, dict):
        return {key: _scrub(part) for key, part in value.items()}
    return value
