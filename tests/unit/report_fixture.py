"""A handmade report dict: a week with gaps and eight findings, and its variants."""

import copy
import math
from typing import Any

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "style": "</style></code><img src=x onerror=alert(1)>",
    "math": r"bot$\foo$",
    "formula": "=cmd()",
    "bidi": "invoice\u202efdp.exe\u2066x\u200b",
    "long": "A" * 4096,
    "chinese": "通讯录助手",
    "ansi": "\x1b[31mred\x1b[0m\x07",
    "link": "](javascript:alert(1)) ![x](https://evil.example/p.png) www.evil.example a@evil.example",
    "cell": "a|b\n| c |`` ` ``",
    "surrogate": "half\ud83d",
}

START = "2026-11-15T16:00:00Z"
HOURS = range(168)


def _calls(hour: int, base: float = 1) -> int:
    busy = max(0.0, math.sin((hour % 24 - 7) / 13 * math.pi)) if hour % 24 >= 7 else 0.0
    wiggle = (hour * 37 % 11 - 5) / 40
    return round(base * (60 + 540 * busy * (0.25 if hour >= 120 else 1)) * (1 + wiggle))


CALLS = [_calls(h) for h in HOURS]
ERRORS = [c // 30 + (260 if h in {26, 27} else 0) for h, c in enumerate(CALLS)]


def _series(hour: int, size: int, base: float, what: str) -> dict[str, Any]:
    observed = [_calls(h, base) for h in HOURS]
    observed[hour] += size
    observed[(hour + 1) % 168] += size // 2
    expected = [round(_calls(h - 1, base) * 0.98, 2) for h in HOURS]
    return {
        "bucket": "1h",
        "start_at": START,
        "observed": observed,
        "expected": expected,
        "low": [round(max(e - 2 * math.sqrt(e + 2), 0), 2) for e in expected],
        "high": [round(e + 3 * math.sqrt(e + 2) + 2, 2) for e in expected],
        "what": what,
        "past": [{"week": "2026-W46", "observed": [value // 2 for value in observed]}],
    }


def _evidence(entity: str, api: str, count: int) -> dict[str, Any]:
    rows = [
        {
            "id": f"7573{i:015d}",
            "at": f"2026-11-16T18:{i:02}:07Z",
            "local": f"2026-11-17 02:{i:02}:07",
            "app_id": entity,
            "ip": "203.0.113.77",
            "api": api,
            "http_status": 403 if i % 2 else None,
            "response_code": 99991672,
            "outcome": "permission",
            "object_name": f"ou_{i:012x}",
        }
        for i in range(count)
    ]
    return {"ids": [row["id"] for row in rows], "more_count": 1300, "rows": rows}


def _scope(kind: str, start: str, entity: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "alone": True,
        "start_at": start,
        "end_at": start.replace(":00:00Z", ":59:00Z"),
        "start_local": "2026-11-17 02:00",
        "end_local": "2026-11-17 02:59",
        "scope": {"app_id": [entity]},
    }


def _count(name: str, calls: int, errors: int) -> dict[str, Any]:
    ok = calls - errors
    return {"name": name, "calls_count": calls, "ok_count": ok, "errors_count": errors}


def _step(entity: str, api: str | None, outcome: str, minute: int) -> dict[str, Any]:
    return {
        "told": outcome != "ok",
        "app_id": entity,
        "apps_count": 1,
        "ip": "203.0.113.77",
        "ips_count": 1,
        "api": api,
        "apis_count": 1 if api else 37,
        "outcome": outcome,
        "calls_count": 12,
        "start_at": f"2026-11-16T18:{minute:02}:07Z",
        "end_at": "2026-11-16T18:50:07Z",
        "start_local": f"2026-11-17 02:{minute:02}",
        "end_local": "2026-11-17 02:50",
    }


def _contributors(entity: str, api: str) -> dict[str, Any]:
    return {
        "apps": [_count(entity, 1400, 1320) | {"succeeded": [api]}],
        "apis": [
            _count("GET/open-apis/contact/v3/departments/:department_id/children", 121, 120),
            _count(api, 212, 212),
            _count("GET/open-apis/drive/v1/files/:file_token/download", 44, 44),
        ],
        "ips": [_count("203.0.113.77", 1398, 1320)],
        "codes": [{"name": "99991672", "calls_count": 1320}],
    }


def make_finding(  # noqa: PLR0917 - one row of the table in make_report
    rank: int,
    entity: str = "cli_a2f7c91e0b44d01c",
    kind: str = "error_burst",
    title: str = "Error burst (permission)",
    rarity: str | None = "critical",
    policy: str = "high",
) -> dict[str, Any]:
    """One finding with every field filled."""
    day, hour = 16 + (rank * 3) % 6, (5 * rank) % 20
    start = f"2026-11-{day:02}T{hour:02}:00:00Z"
    api = "GET/open-apis/contact/v3/users/:user_id"
    position = (day - 16) * 24 + hour + 8
    return {
        "finding_id": f"f-{rank:012x}",
        "key": f"k-{rank:012x}",
        "rank": rank,
        "entity_type": "app",
        "entity": entity,
        "name": "Payroll bot",
        "owner": "Li Na",
        "contact": "#payroll",
        "about": ["Its owner has left the company."],
        "kind": kind,
        "title": title,
        "sentence": (
            f"App {entity} was refused {400 + rank} times in two hours where its history makes "
            "about 3 likely; 38 different APIs were tried, which it had never called before."
        ),
        "start_at": start,
        "end_at": f"2026-11-{day:02}T{hour + 2:02}:00:00Z",
        "start_local": f"2026-11-{day:02} {min(hour + 8, 23):02}:00",
        "end_local": f"2026-11-{day:02} {min(hour + 8, 23):02}:59",
        "observed": 400 + rank,
        "expected": None if rarity is None else 3.1,
        "expected_low": None if rarity is None else 0,
        "expected_high": None if rarity is None else 9.4,
        "unit": "refused calls in an hour",
        "ratio": None if rarity is None else 132.6,
        "history_days": 28,
        "rarity": rarity,
        "p": None if rarity is None else 0.0000121 * rank,
        "expected_per_week": None if rarity is None else round(0.019 * rank**2, 4),
        "q": None if rarity is None else 0.041,
        "policy_severity": policy,
        "severity": rarity or ("high" if policy == "critical" else "medium"),
        "detectors": ["ERR", "API", "rule:permission_probing"],
        "reasons": [
            {
                "detector": "ERR",
                "text": "Refused calls an hour against the app's own history at this time of day.",
                "observed": 400 + rank,
                "expected": 3.1,
                "low": 0,
                "high": 9.4,
                "unit": "calls in an hour",
                "p": 0.0000121,
                **_scope(kind, start, entity),
            },
            {
                "detector": "rule:permission_probing",
                "text": "38 distinct APIs refused in an hour (the rule fires at 10).",
                "observed": 38,
                "expected": None,
                "low": None,
                "high": 10,
                "unit": "APIs in an hour",
                "p": None,
                **_scope(kind, start, entity),
            },
        ],
        "contributors": _contributors(entity, api),
        "other_days": [
            {
                "day": "2026-11-19",
                "calls_count": 12,
                "text": "All 12 calls succeeded.",
                "contributors": _contributors(entity, api),
            }
        ],
        "timeline": {
            "first_at": "2026-11-16T18:01:07Z",
            "last_at": "2026-11-16T18:50:07Z",
            "first_local": "2026-11-17 02:01",
            "last_local": "2026-11-17 02:50",
            "calls_count": 24,
            "ok_count": 12,
            "more_calls_count": 3,
            "steps": [
                _step(entity, None, "permission", 1),
                _step(entity, api, "ok", 30),
            ],
        },
        "objects": {
            "count": 20,
            "ok_count": 1,
            "shown": [
                {
                    "object_name": "ou_0…001",
                    "api": api,
                    "outcome": "permission",
                    "local": "2026-11-17 02:01:07",
                }
            ],
        },
        "through": [],
        "evidence": _evidence(entity, api, 20),
        "attack": [
            {"id": "T1078.004", "name": "Cloud Accounts", "version": "17.1"},
            {"id": "T1087.004", "name": "Cloud Account Discovery", "version": "17.1"},
        ],
        "known_benign": [
            "A release that calls an API before its scope was granted.",
            "A scope that an administrator withdrew.",
        ],
        "next_steps": [
            "Ask the owner of the app whether it was released or changed on that day.",
            "Look at who owns 203.0.113.77 and whether other apps call from it.",
            "If nobody knows the calls: rotate the app secret and read the evidence below.",
        ],
        "suppression": (
            f'[[suppress]]\ndetector = "ERR"\nentity = "{entity}"\n'
            'owner = ""\nreason = ""\nexpires = 2027-02-16\n'
        ),
        "status": "continuing" if rank == 2 else "new",
        "since_week": "2026-W45" if rank == 2 else "2026-W47",
        "previous": _earlier(entity, kind, title) if rank == 2 else None,
        "verdict": None,
        "past_weeks": [
            {"week": "2026-W45", "calls_count": None},
            {"week": "2026-W46", "calls_count": 3},
            {"week": "2026-W47", "calls_count": 1320},
        ],
        "suppressed_by": [],
        "untold": [],
        "series": _series(position % 167, 400, 0.05, "refused calls an hour"),
    }


def _listed(names: list[str], severity: str | None = None) -> dict[str, Any]:
    grade = {"severity": severity} if severity else {}
    rows = [
        {"name": n, "at": "2026-11-17T03:10:00Z", "calls_count": 41, "apps_count": 1} | grade
        for n in names
    ]
    return {"count": len(rows), "rows": rows}


def _decide(note: str) -> dict[str, Any]:
    return {"verdict": "true", "note": note, "owner": "ops", "created": "2026-11-17"}


def _earlier(entity: str, kind: str, title: str) -> dict[str, Any]:
    return {
        "finding_id": "f-00000000aaaa",
        "kind": kind,
        "title": title,
        "severity": "high",
        "rank": 3,
        "sentence": f"{entity} called 12 times on Tue 10 Nov; none were expected.",
        "week": "2026-W46",
        "suppressed": False,
        "verdict": _decide("nobody knows of it"),
    }


def make_report() -> dict[str, Any]:
    """A week with two gaps in the history, all its hours covered, and eight findings."""
    kinds = [
        ("cli_a2f7c91e0b44d01c", "error_burst", "Error burst (permission)", "critical", "high"),
        ("cli_a1d0b37c5f229c7e", "unusual_ip", "New network for an app", "critical", "critical"),
        ("203.0.113.77", "unusual_ip", "One address, many apps", "high", "medium"),
        ("cli_a9e4430d71aa10ff", "sensitive_api", "First use of a sensitive API", None, "critical"),
        ("cli_a5b2216f8c0be00d", "volume", "Far more calls than usual", "high", "low"),
        ("cli_a77c1d2e3f405162", "new_api", "Many APIs never called before", "medium", "medium"),
        ("cli_a0c3be55912d4b8e", "silence", "An hourly app fell silent", "medium", "none"),
        ("cli_a4419d0e8b7702aa", "mixture", "Weak on many counts", "low", "unknown"),
    ]
    findings = [make_finding(i, *kind) for i, kind in enumerate(kinds, 1)]
    findings[2]["entity_type"] = "ip"
    findings[3]["series"] = None
    names = [f["entity"] for f in findings if f["entity_type"] == "app"]
    return {
        "schema_version": "1.0",
        "tool": {"name": "audit-analytics", "version": "0.1.0"},
        "lang": "en",
        "tenant_zone": "Asia/Shanghai",
        "week": {
            "iso": "2026-W47",
            "start_at": START,
            "end_at": "2026-11-22T16:00:00Z",
            "start_local": "2026-11-16 00:00",
            "end_local": "2026-11-23 00:00",
            "complete": True,
            "since_at": None,
            "since_local": None,
        },
        "coverage": {
            "rows_read_count": 248112,
            "duplicates_count": 312,
            "conflicting_duplicates_count": 2,
            "rejects_count": 4,
            "events_count": 247796,
            "reject_reasons": {"not JSON": 3, "no id": 1},
            "week_events_count": 48211,
            "first_at": "2026-10-18T16:00:03Z",
            "last_at": "2026-11-22T15:59:58Z",
            "history_days": 28,
            "hours_expected_count": 168,
            "hours_covered_count": 168,
            "gaps": [
                {
                    "start_at": "2026-10-28T18:00:00Z",
                    "end_at": "2026-10-28T21:00:00Z",
                    "start_local": "2026-10-29 02:00",
                    "end_local": "2026-10-29 05:00",
                    "hours_count": 3,
                }
            ],
            "week_status": "complete",
            "unknown_apis": [
                {
                    "api": "GET/open-apis/mystery/v9/things/:id",
                    "calls_count": 41,
                    "apps_count": 2,
                    "category": "other",
                    "severity": "none",
                }
            ],
            "unknown_apis_count": 1,
            "unknown_calls_share": 0.0003,
            "unknown_sensitive_count": 0,
            "unknown_outcome_share": 0.0123,
        },
        "assessed": {
            "apps_count": 58,
            "ips_count": 143,
            "not_assessed": [
                {
                    "entity_type": "app",
                    "entity": "cli_a6600aa11bb22cc3",
                    "reason": "3 days of history, 7 needed",
                    "calls_count": 912,
                    "first_seen_at": "2026-11-13T02:11:09Z",
                }
            ],
            "not_assessed_count": 1,
        },
        "verdict": (
            "Eight findings, two of them critical: look first at cli_a2f7c91e0b44d01c, which was "
            "refused 401 times in two hours, and at cli_a1d0b37c5f229c7e on a network never seen."
        ),
        "budget_per_week": 10,
        "calendar": {
            "days_off": ["2026-11-18"],
            "working_days": [],
            "inferred": [],
            "text": "Weekdays taken as days off: 2026-11-18.",
        },
        "origins": {
            "type": "DBIP-ASN",
            "built_at": "2026-11-01",
            "description": "CC BY 4.0",
            "text": "Where addresses are from: DBIP-ASN of 2026-11-01 (CC BY 4.0).",
        },
        "inventory": {
            "as_of": "2026-11-22T01:00:00Z",
            "apps_count": 3,
            "known_count": 3,
            "text": "The inventory of 2026-11-22 names 3 of the 12 apps of the week.",
        },
        "labels": {},
        "permissions": {
            "days_observed": 35,
            "counts": {"used": 4, "perhaps": 2, "unused": 1, "unknown": 3},
            "rows": [
                {
                    "app_id": names[0],
                    "owner": "Li Na",
                    "scope": "payroll:payment_activity:read",
                    "severity": "critical",
                    "level": 3,
                    "apis_count": 1,
                    "days_observed": 35,
                    "granted_at": None,
                }
            ],
            "wide": [{"app_id": names[0], "scope": "im:message", "narrower": "im:message:send"}],
            "resolved": [
                {"app_id": names[0], "scope": "im:chat", "how": how}
                for how in ("used", "withdrawn")
            ],
            "unexplained": [
                {"app_id": name, "api": f"GET/{name}", "calls_count": 3, "last_at": START}
                for name in names[:12]
            ],
            "text": "Observed for 35 complete days.",
        },
        "findings": findings,
        "stories": [],
        "compared_with": {
            "week": "2026-W46",
            "status": "compared",
            "text": "Compared with the report of 2026-W46.",
        },
        "watch": {
            "rows": [
                {
                    "entity_type": "app",
                    "entity": "cli_a0slow1122334455",
                    "p": 0.06,
                    "expected_per_week": 14.2,
                    "combined_p": 0.0004,
                    "weeks": [{"week": "2026-W46", "p": 0.08}, {"week": "2026-W47", "p": 0.06}],
                    "rose": True,
                    "text": "cli_a0slow1122334455 called 41 times on Tue; 12 to 38 were expected.",
                }
            ],
            "cases": [["app", "cli_a0slow1122334455", 0.06, {"VOL": 0.02}]],
        },
        "still_open": [
            {
                "finding_id": "f-00000000abcd",
                "week": "2026-W45",
                "entity_type": "app",
                "entity": "cli_a0leak1122334455",
                "verdict": _decide("secret leaked") | {"verdict": "true"},
            }
        ],
        "promise": {
            "weeks": 4,
            "promised": 40.0,
            "told_count": 31,
            "confirmed_count": 2,
            "harmless_count": 12,
            "undecided_count": 17,
        },
        "resolved": [
            _earlier("cli_a0c3be55912d4b8e", "volume", "Unusual number of calls")
            | {
                "key": "k-00000000bbbb",
                "entity_type": "app",
                "entity": "cli_a0c3be55912d4b8e",
                "since_week": None,
            }
        ],
        "suppressed": [
            make_finding(1, "cli_a12ffe0091d2c3b4")
            | {"status": "suppressed", "suppressed_by": ["s-0000cafe"], "series": None}
        ],
        "suppressions": [
            {
                "suppression_id": "s-0000cafe",
                "entity_type": "app",
                "entity": "cli_a12ffe0091d2c3b4",
                "detectors": ["ERR"],
                "apis": [],
                "networks": [],
                "owner": "ops@example.com",
                "reason": "backfill of the archive",
                "created": "2026-11-16",
                "expires": "2026-12-31",
                "finding": "f-00000000aaaa",
                "status": "active",
                "is_new": True,
                "hits_count": 1,
                "last_hit_at": START,
            }
        ],
        "unusual_ips": [
            {
                "ip": "203.0.113.77",
                "network": "203.0.113.0/24",
                "apps": [*names[:4]],
                "apps_count": 4,
                "calls_count": 1398,
                "auth_failures_count": 37,
                "first_seen_at": "2026-11-16T18:00:07Z",
                "why": "Never seen in 28 days of history; seven apps in one hour.",
                "finding_id": "f-000000000003",
            },
            {
                "ip": "2001:db8:77::19",
                "network": "2001:db8:77::/48",
                "apps": [names[1]],
                "apps_count": 1,
                "calls_count": 12,
                "auth_failures_count": 0,
                "first_seen_at": "2026-11-20T03:10:00Z",
                "why": "New network for this app; known in the tenant.",
                "finding_id": None,
            },
        ],
        "error_bursts": [
            {
                "scope": "app",
                "entity": names[0],
                "outcome": "permission",
                "start_at": "2026-11-16T18:00:00Z",
                "start_local": "2026-11-17 02:00",
                "hours_count": 2,
                "errors_count": 520,
                "expected": 3.1,
                "calls_count": 541,
                "error_share": 0.961,
                "why": "38 APIs refused, none of them called before.",
                "finding_id": "f-000000000001",
            }
        ],
        "sensitive_usage": [
            {
                "app_id": names[2],
                "api": "GET/open-apis/contact/v3/users/:user_id",
                "category": "contact_read",
                "severity": "critical",
                "calls_count": 2140,
                "expected": 0.4,
                "first_use": True,
                "odd_hours_count": 6,
                "objects_count": 1998,
                "why": "1,998 different users read between 01:00 and 05:00.",
                "finding_id": "f-000000000004",
            }
        ],
        "totals": {
            "calls_count": sum(CALLS),
            "errors_count": sum(ERRORS),
            "apps_count": 61,
            "ips_count": 143,
            "apis_count": 188,
            "by_outcome": {
                "ok": sum(CALLS) - sum(ERRORS) - 600,
                "auth": 77,
                "permission": 620,
                "not_found": 310,
                "rate_limit": 96,
                "param": 401,
                "server": 120,
                "other": 11,
                "unknown": 600,
            },
            "previous_week_calls_count": 46904,
            "previous_week_errors_count": 1544,
        },
        "top": {
            "apps": [
                {
                    "name": name,
                    "calls_count": 9000 - 800 * i,
                    "errors_count": 31 * i,
                    "share": round(0.19 - 0.017 * i, 3),
                }
                for i, name in enumerate([*names, "通讯录助手", "report-bot"])
            ],
            "ips": [
                {
                    "name": f"198.51.100.{7 + 13 * i}",
                    "calls_count": 8000 - 700 * i,
                    "errors_count": 12 * i,
                    "share": round(0.17 - 0.015 * i, 3),
                }
                for i in range(10)
            ],
            "apis": [
                {
                    "name": name,
                    "calls_count": 12000 - 1900 * i,
                    "errors_count": 90 * i,
                    "share": round(0.25 - 0.04 * i, 3),
                    "severity": "low",
                }
                for i, name in enumerate(
                    [
                        "POST/open-apis/auth/v3/tenant_access_token/internal",
                        "POST/open-apis/im/v1/messages",
                        "GET/open-apis/bitable/v1/apps/:app_token/tables/:table_id/records",
                        "GET/open-apis/contact/v3/users/:user_id",
                        "GET/open-apis/calendar/v4/calendars/:calendar_id/events",
                        "GET/open-apis/drive/v1/files",
                    ]
                )
            ],
        },
        "series": {
            "bucket": "1h",
            "start_at": START,
            "calls": CALLS,
            "errors": ERRORS,
            "expected": [round(_calls(h - 1) * 1.02, 1) for h in HOURS],
            "low": [round(_calls(h - 1) * 0.8, 1) for h in HOURS],
            "high": [round(_calls(h - 1) * 1.3, 1) for h in HOURS],
            "missing": [],
        },
        "heatmap": {
            "rows": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            "calls": [CALLS[24 * d : 24 * d + 24] for d in range(7)],
            "errors": [ERRORS[24 * d : 24 * d + 24] for d in range(7)],
        },
        "charts": {
            "errors": {
                "bucket": "1h",
                "start_at": START,
                "classes": {
                    "permission": [260 if h in {26, 27} else 0 for h in HOURS],
                    "server": [c // 30 for c in CALLS],
                },
            },
            "networks": {
                "days": [f"2026-11-{day:02}" for day in range(9, 23)],
                "tenant": [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0],
                "app": [2, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0],
            },
            "shared_ips": [
                {"ip": "203.0.113.77", "app_id": name, "calls_count": 31 * i}
                for i, name in enumerate(names, 1)
            ],
        },
        "changes": {
            "totals": [
                {"name": "calls", "count": sum(CALLS), "previous_count": 46904},
                {"name": "errors", "count": sum(ERRORS), "previous_count": 1544},
                {"name": "permission", "count": 620, "previous_count": 12},
                {"name": "apps", "count": 61, "previous_count": 62},
                {"name": "ips", "count": 143, "previous_count": 143},
                {"name": "apis", "count": 188, "previous_count": 0},
            ],
            "movers": [
                {"name": names[0], "calls_count": 9000, "previous_calls_count": 310},
                {"name": names[1], "calls_count": 820, "previous_calls_count": 1640},
            ],
            "new": {
                "apps": _listed(["cli_a6600aa11bb22cc3"]),
                "networks": _listed(["203.0.113.0/24"]),
                "ips": _listed(["203.0.113.77"]),
                "apis": _listed(["DELETE/open-apis/contact/v3/users/:user_id"], "critical"),
            },
            "vanished": {
                "apps": _listed(["cli_a0c3be55912d4b8e", "cli_a12ffe0091d2c3b4"]),
                "networks": _listed([]),
                "ips": _listed([]),
                "apis": _listed([], "low"),
            },
        },
        "quiet_apps": {
            "count": 50,
            "rows": [{"name": f"cli_quiet{i:02}", "calls_count": 900 - i} for i in range(50)],
        },
        "method": {
            "detectors": [
                {"name": "VOL", "text": "Calls an hour and a day against the app's own history."},
                {"name": "ERR", "text": "Errors by class against history and against all apps."},
                {"name": "NEWNET", "text": "Networks an app never called from."},
            ],
            "limits": [
                "The log names apps, not people: who used a credential cannot be told.",
                "An attack that already ran in the history is part of what is ordinary.",
            ],
        },
        "run": {
            "versions": {"audit-analytics": "0.1.0", "pandas": "3.1.0", "scikit-learn": "1.9.0"},
            "seed": 0,
            "config": {"budget_per_week": 10, "tenant_zone": "Asia/Shanghai", "deny_list": []},
            "config_hash": "9f2c11d07ab3",
        },
    }


def make_gaps_report() -> dict[str, Any]:
    """The same week with eleven hours lost and nothing found."""
    report = make_report()
    missing = [*range(50, 58), 100, 101, 102]
    report["coverage"] |= {"week_status": "gaps", "hours_covered_count": 157}
    report["coverage"]["gaps"] += [
        {
            "start_at": "2026-11-17T18:00:00Z",
            "end_at": "2026-11-18T02:00:00Z",
            "start_local": "2026-11-18 02:00",
            "end_local": "2026-11-18 10:00",
            "hours_count": 8,
        },
        {
            "start_at": "2026-11-19T20:00:00Z",
            "end_at": "2026-11-19T23:00:00Z",
            "start_local": "2026-11-20 04:00",
            "end_local": "2026-11-20 07:00",
            "hours_count": 3,
        },
    ]
    report["series"]["missing"] = missing
    for key in ("calls", "errors"):
        report["series"][key] = [
            0 if h in missing else v for h, v in enumerate(report["series"][key])
        ]
    report["findings"] = []
    report["unusual_ips"] = report["error_bursts"] = report["sensitive_usage"] = []
    report["verdict"] = "No findings in the 157 hours that have data."
    return report


def make_empty_report() -> dict[str, Any]:
    """A week the log says nothing about."""
    report = make_gaps_report()
    report["coverage"] |= {
        "week_status": "empty",
        "hours_covered_count": 0,
        "week_events_count": 0,
        "first_at": None,
        "last_at": None,
        "history_days": 0,
        "rows_read_count": 0,
        "events_count": 0,
        "duplicates_count": 0,
        "conflicting_duplicates_count": 0,
        "rejects_count": 0,
        "reject_reasons": {},
        "gaps": [],
        "unknown_apis": [],
        "unknown_apis_count": 0,
        "unknown_calls_share": 0.0,
        "unknown_sensitive_count": 0,
        "unknown_outcome_share": 0.0,
    }
    report["series"] |= {
        "calls": [0] * 168,
        "errors": [0] * 168,
        "expected": [None] * 168,
        "low": [None] * 168,
        "high": [None] * 168,
        "missing": list(HOURS),
    }
    report["heatmap"] |= {"calls": [[0] * 24] * 7, "errors": [[0] * 24] * 7}
    report["top"] = {"apps": [], "ips": [], "apis": []}
    report["totals"] |= {
        "calls_count": 0,
        "errors_count": 0,
        "apps_count": 0,
        "ips_count": 0,
        "apis_count": 0,
        "by_outcome": {},
        "previous_week_calls_count": None,
        "previous_week_errors_count": None,
    }
    report["assessed"] |= {
        "apps_count": 0,
        "ips_count": 0,
        "not_assessed": [],
        "not_assessed_count": 0,
    }
    nothing = {kind: _listed([]) for kind in ("apps", "networks", "ips", "apis")}
    report["changes"] = {"totals": [], "movers": [], "new": nothing, "vanished": nothing}
    report["charts"] = {
        "errors": {"bucket": "1h", "start_at": START, "classes": {}},
        "networks": {"days": [], "tenant": [], "app": []},
        "shared_ips": [],
    }
    report["quiet_apps"] = {"count": 0, "rows": []}
    report["verdict"] = "The log holds no data for this week: nothing was assessed."
    return report


def make_story(
    ids: list[str], name: str, text: str = "Two apps and one address."
) -> dict[str, Any]:
    """Findings that belong together."""
    span = {
        "start_at": START,
        "end_at": "2026-11-16T18:00:00Z",
        "start_local": "2026-11-16 00:00",
        "end_local": "2026-11-17 02:00",
    }
    return {
        **span,
        "story_id": "s-00000000000a",
        "key": "s-00000000000a",
        "rank": 1,
        "severity": "critical",
        "title": "Story of 2 findings" if text.startswith("Two") else text,
        "sentence": text,
        "finding_ids": ids,
        "suppressed_ids": ["f-00000000aaaa"],
        "apps": [name],
        "ips": ["203.0.113.77"],
        "tactics": ["Discovery", "Exfiltration"],
        "links": [
            {"kind": "network", "name": name, "object_name": "", "finding_ids": ids},
            {"kind": "object", "name": "", "object_name": name, "finding_ids": ids},
        ],
        "steps": [
            {
                **span,
                "app_id": name,
                "ip": name,
                "technique": "T1567",
                "tactic": tactic,
                "apis": [name],
                "apis_count": count,
                "calls_count": 40,
                "ok_count": 12,
            }
            for count, tactic in enumerate(["Exfiltration", ""], start=1)
        ],
        "more_calls_count": 1,
        "weak": [{"entity_type": "app", "entity": name, "p": 0.04, "text": text}],
        "status": "new",
        "since_week": "2026-W47",
    }


def make_story_report() -> dict[str, Any]:
    """The week with its first two findings in one story."""
    report = make_report()
    ids = [finding["finding_id"] for finding in report["findings"][:2]]
    return report | {"stories": [make_story(ids, report["findings"][0]["entity"])]}


def make_large_report(count: int = 200) -> dict[str, Any]:
    """The week with many findings, all their fields full."""
    report = make_report()
    report["findings"] = [make_finding(i) for i in range(1, count + 1)]
    return report


def make_hostile_report() -> dict[str, Any]:
    """The week with every text replaced by something hostile, one kind a finding."""
    report = make_report()
    names = list(HOSTILE.values())
    report["findings"] = [make_finding(i, name) for i, name in enumerate(names, 1)]
    for finding, name in zip(report["findings"], names, strict=True):
        finding["title"] = finding["unit"] = name
        finding["name"] = finding["owner"] = finding["contact"] = name
        finding["about"] = [name]
        finding["reasons"][0] |= {"text": name, "detector": name}
        finding["contributors"] = _contributors(name, name)
        for kind in ("apps", "apis", "ips", "codes"):
            finding["contributors"][kind][0]["name"] = name
        finding["other_days"][0] |= {"text": name, "contributors": finding["contributors"]}
        finding["timeline"]["steps"] = [_step(name, name, "ok", 3) | {"ip": name}]
        finding["objects"]["shown"][0] |= {"object_name": name, "api": name}
        finding["attack"] = [{"id": name, "name": name, "version": name}]
        finding["known_benign"] = finding["next_steps"] = [name]
        finding["evidence"] = _evidence(name, name, 3)
        finding["evidence"]["rows"][0]["object_name"] = name
        finding["series"]["what"] = name
        finding["verdict"] = _decide(name)
    ids = [finding["finding_id"] for finding in report["findings"]]
    report["stories"] = [
        make_story(ids[i : i + 2], names[i], names[i + 1])
        | {"rank": i + 1, "story_id": f"s-{i:012x}"}
        for i in range(0, len(ids) - 1, 2)
    ]
    report["top"] = {
        key: [
            {"name": n, "calls_count": 99 - i, "errors_count": i, "share": 0.1, "severity": "low"}
            for i, n in enumerate(names[:10])
        ]
        for key in ("apps", "ips", "apis")
    }
    for key in ("apps", "ips"):
        for row in report["top"][key]:
            del row["severity"]
    report["watch"]["rows"] = [
        report["watch"]["rows"][0] | {"entity": name, "text": name} for name in names[:10]
    ]
    report["still_open"][0] |= {"entity": names[0], "verdict": _decide(names[1])}
    report["verdict"] = " ".join(n for n in names if len(n) < 200)
    report["coverage"]["reject_reasons"] = dict.fromkeys(names, 1)
    report["coverage"]["unknown_apis"] = [
        {"api": n, "calls_count": 1, "apps_count": 1, "category": "other", "severity": "high"}
        for n in names
    ]
    for change in ("new", "vanished"):
        report["changes"][change] = {kind: _listed(names) for kind in ("apps", "networks", "ips")}
        report["changes"][change]["apis"] = _listed(names, "high")
    report["changes"]["movers"] = [
        {"name": n, "calls_count": 9, "previous_calls_count": 1} for n in names
    ]
    report["quiet_apps"] = {
        "count": len(names),
        "rows": [{"name": n, "calls_count": 1} for n in names],
    }
    report["charts"]["shared_ips"] = [
        {"ip": ip, "app_id": name, "calls_count": 7} for ip in names for name in names
    ]
    report["run"]["config"] = {"deny_list": names}
    report["labels"] = {name: f"{name} (cli_a2f7…d01c)" for name in names}
    permission = report["permissions"]["rows"][0]
    report["permissions"]["rows"] = [
        permission | {"app_id": name, "owner": name, "scope": name} for name in names
    ]
    report["permissions"]["wide"] = [
        {"app_id": name, "scope": name, "narrower": name} for name in names
    ]
    report["permissions"]["resolved"] = [
        {"app_id": name, "scope": name, "how": "used"} for name in names
    ]
    report["permissions"]["counts"]["unused"] = len(names)
    report["inventory"]["text"] = report["permissions"]["text"] = HOSTILE["script"]
    for row in (*report["unusual_ips"], *report["error_bursts"], *report["sensitive_usage"]):
        row["why"] = HOSTILE["script"]
    report["unusual_ips"][0] |= {"ip": HOSTILE["style"], "apps": names}
    report["error_bursts"][0]["entity"] = HOSTILE["link"]
    report["sensitive_usage"][0] |= {"app_id": HOSTILE["ansi"], "api": HOSTILE["cell"]}
    return copy.deepcopy(report)
