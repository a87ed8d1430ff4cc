import inspect
import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenant import DAY, EXPORT, HOUR, READ, WEEK, ZONE, calls, local, make_events, spread

from audit_analytics.cases import Case, Hit
from audit_analytics.detect import Detector, Rule, list_detectors
from audit_analytics.detect._attack import TECHNIQUES
from audit_analytics.detect._detectors import _MODULES
from audit_analytics.findings import FrameEvidence, explain_hit, merge_findings
from audit_analytics.language.wording import format_span
from audit_analytics.report._build import list_methods

NOON = local("2026-11-11 12:00")
EVENTS = make_events(
    calls("cli_a", spread(NOON, 30), api=EXPORT, severity="critical", ip="203.0.113.9"),
    calls("cli_a", spread(NOON, 10), outcome="auth"),
    calls("cli_a", spread(NOON + 9 * HOUR, 10)),
    calls("cli_b", spread(NOON, 9), outcome="not_found"),
)
VOLUME = Hit(
    detector="VOL",
    kind="volume",
    entity_type="app",
    entity="cli_a",
    start_at=NOON,
    end_at=NOON + HOUR,
    observed=40.0,
    expected=2.5,
    low=0.0,
    high=6.0,
    unit="calls in an hour",
    p=0.001,
    facts={"label": "", "hours": 1},
    where={"app_id": ("cli_a",)},
)
AUTH = replace(
    VOLUME,
    detector="ERR",
    kind="error_burst",
    observed=10.0,
    p=0.0001,
    facts={"label": "auth", "hours": 1},
    where={"app_id": ("cli_a",), "outcome": ("auth",)},
)
BEACON = {"networks": ["203.0.113.0/24"], "foreign": 2}
PROBING = Hit(
    detector="rule:probing",
    kind="error_burst",
    entity_type="app",
    entity="cli_a",
    start_at=NOON,
    end_at=NOON + HOUR,
    observed=12.0,
    unit="distinct denied APIs in an hour",
    severity="high",
    facts={"apis": [READ, EXPORT], "missing": 0},
    where={"app_id": ("cli_a",)},
)
SUPPORT = replace(
    PROBING,
    detector="rule:first_sensitive",
    alone=False,
    severity="critical",
    facts={"apis": [EXPORT], "critical": False},
)


def case(expected_per_week, entity="cli_a", kind="app"):
    return Case(entity_type=kind, entity=entity, p=1e-3, expected_per_week=expected_per_week, q=0.2)


def merge(hits, cases=(), events=EVENTS):
    days = {"cli_a": 28, "cli_b": 9}
    return merge_findings(
        list(hits), list(cases), FrameEvidence(events), week=WEEK, history_days=days
    )


DETECTORS = list_detectors(Detector)


def test_every_file_of_a_detector_is_in_the_list():
    root = Path(inspect.getfile(Detector)).parent
    files = {
        f"{folder}.{path.stem}"
        for folder in ("rules", "groups")
        for path in (root / folder).glob("*.py")
        if path.stem != "__init__"
    }
    assert files == set(_MODULES)
    assert len(DETECTORS) == len(files)


def test_the_method_names_every_detector():
    named = {name for names, _ in list_methods() for name in names.split(", ")}
    assert named == {d.name for d in DETECTORS if not isinstance(d, Rule)} | {"rule:*"}


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)
def test_a_detector_says_what_to_check_and_names_known_techniques(detector):
    assert detector.title
    assert detector.benign
    assert all(step.endswith(".") for step in detector.steps)
    assert set(detector.techniques) <= set(TECHNIQUES)


def test_hits_of_one_entity_are_one_finding_that_speaks_with_its_clearest_hit():
    (finding,) = merge([replace(VOLUME, p=0.1), SUPPORT, AUTH], [case(0.5)])
    assert finding.detectors == ["ERR", "VOL", "rule:first_sensitive"]
    assert finding.sentence == (
        "cli_a met 10 authentication errors between 12:00 and 13:00 on Wed 11 Nov; "
        "0 to 6 were expected. None of the 10 calls succeeded."
    )
    assert (finding.observed, finding.expected, finding.ratio) == (10, 2.5, 4)
    assert (finding.rarity, finding.severity, finding.history_days) == ("high", "high", 28)
    assert finding.start_at == "2026-11-11T04:00:00Z"
    assert finding.start_local == "2026-11-11 12:00"


def test_a_rule_that_names_what_happened_speaks_before_a_surprise():
    (finding,) = merge([AUTH, PROBING], [case(0.5)])
    assert finding.detectors == ["rule:probing", "ERR"]
    assert finding.expected_per_week == 0.5


@pytest.mark.parametrize(
    ("p", "detectors"), [(1e-5, ["ERR", "rule:chain"]), (3e-3, ["rule:chain", "ERR"])]
)
def test_a_chain_of_ordinary_steps_waits_for_what_is_as_rare_as_it_is_severe(p, detectors):
    chain = replace(PROBING, detector="rule:chain", facts={"apis": [READ] * 3, "hours": 1})
    (finding,) = merge([chain, replace(AUTH, p=p)], [case(0.5)])
    assert finding.detectors == detectors
    assert finding.severity == "high"


@pytest.mark.parametrize(
    ("expected", "rarity"),
    [(0.0999, "critical"), (0.1, "high"), (0.999, "high"), (1, "medium"), (5, "low"), (99, "low")],
)
def test_rarity_follows_from_e(expected, rarity):
    (finding,) = merge([VOLUME], [case(expected)])
    assert (finding.rarity, finding.severity) == (rarity, rarity)


def test_severity_is_the_higher_of_rarity_and_rules_but_not_of_what_only_supports():
    assert merge([VOLUME, PROBING], [case(3)])[0].severity == "high"
    assert merge([VOLUME, SUPPORT], [case(3)])[0].severity == "medium"
    assert merge([VOLUME, PROBING], [case(0.01)])[0].severity == "critical"


def test_a_rule_alone_claims_no_rarity_even_if_the_app_was_rated():
    (finding,) = merge([PROBING], [case(50)])
    assert (finding.rarity, finding.p, finding.expected_per_week, finding.q) == (None,) * 4
    assert (finding.expected, finding.ratio) == (None, None)


def test_support_alone_makes_no_finding():
    assert merge([SUPPORT], [case(0.01)]) == []
    assert merge([]) == []


def test_findings_are_ranked_by_severity_then_rarity():
    hits = [replace(VOLUME, entity=e, where={"app_id": (e,)}) for e in ("cli_b", "cli_a", "cli_c")]
    hits.append(replace(PROBING, entity="cli_d", where={"app_id": ("cli_d",)}))
    cases = [case(0.05, "cli_a"), case(0.5, "cli_b"), case(0.2, "cli_c")]
    found = merge(hits, cases)
    assert [f.entity for f in found] == ["cli_a", "cli_c", "cli_b", "cli_d"]
    assert [f.rank for f in found] == [1, 2, 3, 4]
    assert [f.entity for f in merge(hits[::-1], cases[::-1])] == [f.entity for f in found]


def test_of_one_severity_what_a_rule_found_as_well_stands_first():
    rarer = replace(VOLUME, entity="cli_b", where={"app_id": ("cli_b",)})
    found = merge([rarer, VOLUME, SUPPORT], [case(2.0, "cli_b"), case(4.0)])
    assert [(f.entity, f.severity) for f in found] == [("cli_a", "medium"), ("cli_b", "medium")]
    found = merge([rarer, VOLUME, SUPPORT], [case(0.5, "cli_b"), case(4.0)])
    assert [(f.entity, f.severity) for f in found] == [("cli_b", "high"), ("cli_a", "medium")]


def test_a_rule_alone_says_less_of_an_app_whose_week_was_ordinary():
    chain = replace(PROBING, severity="medium")
    named = [replace(chain, entity=e, where={"app_id": (e,)}) for e in ("cli_b", "cli_new")]
    rare = [replace(VOLUME, entity=e, where={"app_id": (e,)}) for e in ("cli_a", "cli_c")]
    cases = [case(1.5, "cli_a"), case(60, "cli_b"), case(4, "cli_c")]
    found = merge([*named, *rare], cases)
    # cli_new was compared with nothing
    assert [f.entity for f in found] == ["cli_new", "cli_a", "cli_c", "cli_b"]


def test_a_chain_of_an_app_whose_week_was_ordinary_is_medium():
    chain = replace(PROBING, detector="rule:chain", facts={"apis": [READ] * 3, "hours": 1})
    assert merge([chain], [case(60)])[0].severity == "medium"
    assert merge([chain], [])[0].severity == "high"
    assert merge([chain, AUTH], [case(3)])[0].severity == "high"
    assert merge([PROBING], [case(60)])[0].severity == "high"


def test_the_id_depends_on_entity_and_week_alone():
    first, again = merge([VOLUME], [case(0.5)])[0], merge([PROBING, AUTH], [case(3)])[0]
    assert first.finding_id == again.finding_id
    other_week = merge_findings(
        [VOLUME], [], FrameEvidence(EVENTS), week=WEEK.shifted(1), history_days={}
    )[0]
    other_kind = merge([replace(VOLUME, entity_type="ip")])[0]
    assert len({first.finding_id, other_week.finding_id, other_kind.finding_id}) == 3


def test_evidence_lies_in_the_window_and_belongs_to_the_entity():
    (finding,) = merge([AUTH, replace(VOLUME, p=0.1)], [case(0.5)])
    chosen = EVENTS.set_index("id").loc[finding.evidence["ids"]]
    assert len(chosen) == 20
    assert finding.evidence["more_count"] == 20
    assert chosen["app_id"].eq("cli_a").all()
    assert chosen["at"].between(NOON, NOON + HOUR, inclusive="left").all()
    assert chosen["outcome"].eq("ok").all()  # what succeeded comes first
    assert [row["id"] for row in finding.evidence["rows"]] == finding.evidence["ids"]
    assert finding.policy_severity == "critical"
    assert finding.contributors["apis"][0] == {
        "name": EXPORT,
        "calls_count": 30,
        "ok_count": 30,
        "errors_count": 0,
    }
    assert finding.contributors["codes"][-1] == {"name": "99991663 (auth)", "calls_count": 10}


def test_silence_has_no_evidence_and_says_so():
    quiet = replace(VOLUME, start_at=NOON + 3 * HOUR, end_at=NOON + 8 * HOUR, observed=0.0)
    (finding,) = merge([quiet], [case(0.5)])
    assert finding.evidence == {"ids": [], "more_count": 0, "rows": []}
    assert finding.policy_severity == "unknown"


def test_events_of_a_hit_end_before_its_end():
    hit = replace(VOLUME, end_at=NOON + HOUR / 2)
    (finding,) = merge([hit], [case(0.5)])
    last = finding.evidence["rows"][-1]["local"]
    assert last < "2026-11-11 12:30:00"
    assert len(finding.evidence["ids"]) + finding.evidence["more_count"] == 20


NAMES = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
) | st.sampled_from(
    [
        '"',
        '\\"',
        "\n[[suppress]]\nentity = 1",
        "'''",
        '"""',
        "\x00\x1f\x7f\x85",
        "\u2028",
        "😀",
        "\\u0000",
    ]
)


@settings(max_examples=80, deadline=None)
@given(name=NAMES)
def test_the_suppression_entry_is_toml_whatever_the_entity_is_called(name):
    hit = replace(VOLUME, entity=name, where={"app_id": (name,)})
    entry = tomllib.loads(merge([hit], events=EVENTS.iloc[:0])[0].suppression)
    (entry,) = entry["suppress"]
    assert (entry["entity_type"], entry["entity"]) == ("app", name)
    assert entry["detectors"] == ["VOL"]
    assert (
        pd.Timestamp(entry["expires"]) - WEEK.end_at.tz_convert(ZONE).tz_localize(None)
    ) == 90 * DAY


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11-11 02:00", "2026-11-11 03:00", "between 02:00 and 03:00 on Wed 11 Nov"),
        ("2026-11-11 23:00", "2026-11-12 00:00", "between 23:00 and 24:00 on Wed 11 Nov"),
        ("2026-11-11 00:00", "2026-11-12 00:00", "on Wed 11 Nov"),
        (
            "2026-11-11 22:00",
            "2026-11-12 03:00",
            "between 22:00 on Wed 11 Nov and 03:00 on Thu 12 Nov",
        ),
        ("2026-11-09 00:00", "2026-11-13 00:00", "from Mon 9 Nov to Thu 12 Nov"),
    ],
)
def test_spans_read_well(start, end, text):
    assert format_span(local(start), local(end), ZONE) == text


@pytest.mark.parametrize(
    ("hit", "sentence"),
    [
        (
            VOLUME,
            "cli_a called 40 times between 12:00 and 13:00 on Wed 11 Nov; 0 to 6 were expected.",
        ),
        (
            replace(VOLUME, observed=1.0, high=0.0),
            "cli_a called 1 time between 12:00 and 13:00 on Wed 11 Nov; none were expected.",
        ),
        (
            replace(VOLUME, low=1.0, high=1.0, observed=4312.0),
            "cli_a called 4,312 times between 12:00 and 13:00 on Wed 11 Nov; 1 was expected.",
        ),
        (
            replace(
                PROBING,
                detector="rule:dormant",
                facts={"quiet_days": 31},
                observed=1.0,
            ),
            "cli_a woke on Wed 11 Nov at 12:00 after 31 days without a call: 1 call.",
        ),
        (
            replace(
                PROBING,
                detector="rule:rate_limited",
                observed=1.0,
                facts={"share": 0.256},
            ),
            "cli_a was rate-limited 1 time between 12:00 and 13:00 on Wed 11 Nov (26 % of its calls).",
        ),
        (
            replace(
                PROBING,
                detector="FOREST",
                start_at=local("2026-11-11"),
                end_at=local("2026-11-12"),
                facts={"ways": []},
            ),
            "cli_a was a little unusual in several ways on Wed 11 Nov: everything taken together.",
        ),
        (
            replace(VOLUME, detector="OBJ"),
            (
                "cli_a touched 40 objects between 12:00 and 13:00 on Wed 11 Nov; 0 to 6 were "
                "expected."
            ),
        ),
        (
            replace(
                VOLUME,
                detector="SLOW",
                start_at=local("2026-11-10"),
                end_at=local("2026-11-14"),
                facts={"hours": 96},
            ),
            (
                "cli_a touched 40 objects from Tue 10 Nov to Fri 13 Nov, each counted once an hour, "
                "more than such days used to add up to; 0 to 6 were expected."
            ),
        ),
        (
            replace(
                VOLUME,
                start_at=local("2026-11-11"),
                end_at=local("2026-11-12"),
                facts={"hours": 24, "busy": (local("2026-11-11 21:00"), local("2026-11-12"))},
            ),
            (
                "cli_a called 40 times on Wed 11 Nov, mostly between 21:00 and 24:00; 0 to 6 were "
                "expected."
            ),
        ),
        (
            replace(AUTH, detector="APIERR", facts={"label": "server", "hours": 1, "apps": 9}),
            (
                "cli_a gave 9 apps 10 server errors between 12:00 and 13:00 on Wed 11 Nov, the app "
                "hit worst left out; 0 to 6 were expected."
            ),
        ),
        *(
            (
                replace(VOLUME, detector="NEWNET", facts=BEACON | {"gap_seconds": gap}),
                (
                    "cli_a called from 203.0.113.0/24, where nobody in the tenant has called from "
                    "before, for the first time on Wed 11 Nov at 12:00: 40 calls within 24 "
                    f"hours.{said}"
                ),
            )
            for gap, said in (
                (None, ""),
                (1802.0, " The calls come every 30 minutes, like a clock."),
                (3599.0, " The calls come every hour, like a clock."),
                (7200.0, " The calls come every 2 hours, like a clock."),
                (45.0, " The calls come every 45 seconds, like a clock."),
            )
        ),
    ],
)
def test_sentences_read_well(hit, sentence):
    assert explain_hit(hit, ZONE) == sentence
