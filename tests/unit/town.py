"""A tenant in which nearly everything happens that a detector looks for, for tests of properties."""

from functools import cache

import pandas as pd
from tenant import (
    DAY,
    EXPORT,
    HOUR,
    SEND,
    TOKEN,
    WEEK,
    ZONE,
    calls,
    make_events,
    quiet_tenant,
    spread,
)
from test_engine import Distance

import audit_analytics as aa
from audit_analytics.dates.weeks import parse_week
from audit_analytics.intake import count_log
from audit_analytics.pipeline import judge_week
from audit_analytics.report import build_report

AWAY = "203.0.113.7"
ABROAD = "198.51.100.9"
DENIED = "192.0.2.0/24"
OWN = "cli_own"
MONDAY = WEEK.start_at.tz_convert(ZONE).tz_localize(None)
BEGAN = WEEK.shifted(-5).start_at
HIGH = {"category": "doc_export", "severity": "high"}
AUDIT = {
    "api": "GET/open-apis/admin/v1/audit_infos",
    "category": "audit_access",
    "severity": "high",
}
CHAIN = (
    {"api": "GET/open-apis/im/v1/chats", "category": "chat_enum", "severity": "medium"},
    {"api": "GET/open-apis/im/v1/messages", "category": "message_read", "severity": "high"},
    {"api": "POST/open-apis/im/v1/messages/reply", "category": "message_send", "severity": "low"},
)


def at(day: int, hour: float) -> pd.Timestamp:
    """Name an hour of the report week."""
    return WEEK.start_at + day * DAY + hour * HOUR


def old(app: str, every: str = "3h", **columns: object) -> pd.DataFrame:
    """Make an app with a past."""
    return calls(app, pd.date_range(BEGAN, WEEK.end_at, freq=every, inclusive="left"), **columns)


@cache
def build_town(later: int = 0) -> pd.DataFrame:
    """Make the log of a tenant; `later` moves what is done by so many hours."""

    def then(day: int, hour: float) -> pd.Timestamp:
        return at(day, hour + later)

    tried = [f"GET/open-apis/x/v1/{n}" for n in range(14)]
    hourly = pd.date_range(BEGAN, WEEK.end_at, freq="h", inclusive="left")
    fallen = (hourly >= then(3, 7)) & (hourly < then(3, 14))
    parts = [
        *(old(f"cli_old{n}") for n in range(4)),
        # what counts say
        calls("cli_00", spread(then(1, 10), 160), api=SEND, category="messages", severity="low"),
        calls("cli_01", spread(then(2, 9), 120), api=EXPORT, object=range(120), **HIGH),
        calls("cli_02", spread(then(3, 10), 90), outcome="server"),
        calls("cli_03", spread(then(4, 9), 70), api=TOKEN, category="token_issuance"),
        *(
            calls("cli_04", spread(then(d, 8), 24, over=8 * HOUR), object=range(48 * d, 48 * d + 24))
            for d in range(5)
        ),
        calls("cli_05", spread(then(1, 11), 40), ip=AWAY),
        *(calls("cli_06", spread(then(2, 10), 9), api=f"GET/open-apis/new/v1/{n}") for n in range(3)),
        # an API that fails for many of its apps
        *(
            calls(f"cli_{n:02d}", spread(then(2, 13), 14), api=EXPORT, outcome="server", **HIGH)
            for n in range(5, 12)
        ),
        # addresses
        *(calls(f"cli_{n:02d}", spread(then(3, 9), 9), ip=ABROAD, outcome="auth") for n in range(8)),
        *(calls(f"cli_{n:02d}", spread(then(5, 9), 6), ip="198.18.0.4") for n in range(6)),
        calls("cli_07", spread(then(4, 15), 30), ip="192.0.2.9"),
        calls("cli_08", spread(then(1, 14), 8), ip=[f"10.{n}.0.1" for n in range(1, 9)]),
        calls("cli_09", spread(then(5, 16), 60), ip="198.18.1.4", outcome="auth"),
        # rules
        calls("cli_09", spread(then(0, 7), 90), outcome="rate_limit"),
        calls("cli_10", spread(then(6, 16), 40), outcome="not_found", object=range(40)),
        calls("cli_11", spread(then(6, 11), 14, over=2 * HOUR), api=tried, outcome="permission"),
        calls("cli_old0", spread(then(2, 8), 6), api="POST/open-apis/a/v1/b", outcome="permission", **HIGH),
        calls("cli_old0", [then(2, 10)], api="POST/open-apis/a/v1/b", **HIGH),
        calls("cli_old1", [then(4, 8)], api="POST/open-apis/admin/v1/password/reset", severity="critical"),
        calls("cli_old1", [then(5, 8)], **AUDIT),
        calls(
            "cli_old2",
            [then(3, 12)],
            api="POST/open-apis/contact/v3/functional_roles",
            category="role_grant",
            severity="critical",
        ),
        *(calls("cli_old3", [then(4, 7 + n)], ip=ABROAD, **step) for n, step in enumerate(CHAIN)),
        calls("cli_old2", [then(1, 8)], ip="203.0.114.7", api=TOKEN, category="token_issuance"),
        calls(
            "cli_old2", spread(then(1, 9), 9), ip="203.0.114.7", outcome="permission",
            response_code=99991401,
        ),
        calls("cli_sleeper", [BEGAN + 9 * HOUR, *spread(then(4, 10), 40)]),
        calls("cli_every", hourly[~fallen]),
        *(
            calls(f"cli_old{n % 4}" if n < 4 else f"cli_{n - 4:02d}", spread(then(5, 13), 30), outcome="server")
            for n in range(16)
        ),
        # this tool, and what else it does
        old(OWN, **AUDIT),
        calls(OWN, [then(2, 9)], api=EXPORT, **HIGH),
        calls(OWN, [then(3, 9)], ip=AWAY, **AUDIT),
        # new apps, of which one is greedy
        *(
            calls(f"cli_born{n}", spread(BEGAN + (3 + 3 * n) * DAY + 9 * HOUR, 12, over=4 * DAY), api=SEND)
            for n in range(8)
        ),
        calls("cli_greedy", spread(then(2, 9), 240, over=2 * DAY), api=EXPORT, object=range(240), **HIGH),
    ]  # fmt: skip
    parts = pd.concat(part.astype({"object": "Int64"}) for part in parts)
    # who lives on an address of its own does it all from there
    number = parts["app_id"].str.extract(r"^cli_(\d+)$")[0].astype(float)
    own = number.notna() & (parts["ip"] == "10.0.0.1")
    parts.loc[own, "ip"] = [f"10.0.{int(n)}.1" for n in number[own]]
    return make_events(quiet_tenant(weeks=6), parts)


def move(log: pd.DataFrame, week: str, zone: str) -> pd.DataFrame:
    """Let the same clocks of another zone show the same times of another week."""
    monday = parse_week(week, zone=zone).start_at.tz_convert(zone).tz_localize(None)
    wall = log["at"].dt.tz_convert(ZONE).dt.tz_localize(None) + (monday.normalize() - MONDAY)
    there = wall.dt.tz_localize(zone).dt.tz_convert("UTC").astype(log["at"].dtype)
    return log.assign(at=there)


def judge(log: pd.DataFrame, week: str, zone: str, **options: object):
    """Judge a week as a report does; return what it rests on, and the report."""
    settings = aa.Settings(
        tenant_zone=zone,
        own_app_id=OWN,
        deny_networks=[DENIED],
        budget_per_week=20,
        **options,
    )
    data = judge_week(count_log(log, settings), week=week, settings=settings, detector=Distance())
    return data, build_report(data)
