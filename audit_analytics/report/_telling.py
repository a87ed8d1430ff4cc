"""Tell findings in a terminal: plain prose, 80 columns, nothing in it can act.

Every text that may come from the log is escaped when it is put into a line.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from audit_analytics.language import _, join_sentences, label_entity, ngettext
from audit_analytics.language.wording import show_api
from audit_analytics.report import _wording as wording
from audit_analytics.report._escape import NAME_LIMIT, pad, terminal, wrap
from audit_analytics.report._names import (
    name_code,
    name_outcome,
    name_response,
    say_code,
    say_decision,
)

LABEL: Final = 16


def tell_finding(
    finding: Mapping[str, Any],
    report: Mapping[str, Any],
    *,
    rows: Sequence[Mapping[str, Any]],
    more_count: int,
    with_objects: bool = False,
) -> str:
    """Tell all there is to say of a finding.

    Parameters
    ----------
    finding, report : mapping of str to Any
        The finding as it stands in findings.json, and its report.
    rows : sequence of mapping
        Evidence to show, as in ``finding["evidence"]["rows"]``.
    more_count : int
        How many calls there are beyond these.
    with_objects : bool, default=False
        Whether the ids in the paths are shown in full.

    Returns
    -------
    str
        Lines of at most 80 columns, but for names that are longer themselves.
    """
    parts = [
        wrap(_heading(finding, report)),
        wrap(finding["sentence"], indent="  "),
        _show_facts(_list_facts(finding, report["tenant_zone"])),
        *(
            tell_story(story)
            for story in report.get("stories", [])
            if finding["finding_id"] in story["finding_ids"]
        ),
        _steps(finding, report["tenant_zone"]),
        _section(
            _("Why"),
            [
                _(
                    "{name}, {span}: {text}",
                    name=reason["detector"],
                    span=wording.brief_span(reason["start_local"], reason["end_local"]),
                    text=reason["text"],
                )
                for reason in finding["reasons"]
            ],
        ),
        _section(_("Who and what, what succeeded first"), _contributors(finding["contributors"])),
        *(
            _section(
                _("Another reason, {day}", day=day["day"]),
                [day["text"], *_contributors(day["contributors"])],
            )
            for day in finding["other_days"]
        ),
        _section(_("Objects, what succeeded first"), _objects(finding["objects"])),
        _evidence(finding, rows, more_count, report["tenant_zone"], with_objects=with_objects),
        _section(_("Known harmless causes"), finding["known_benign"]),
        _section(_("Check next"), finding["next_steps"], numbered=True),
        _section("ATT&CK", [_("{id} {name} (version {version})", **t) for t in finding["attack"]]),
        _commands(finding),
    ]
    return "\n\n".join(part for part in parts if part)


def tell_story(story: Mapping[str, Any]) -> str:
    """Tell a story: the steps in order, and what stayed below the budget.

    Parameters
    ----------
    story : mapping of str to Any
        The story as it stands in findings.json.

    Returns
    -------
    str
        Lines of at most 80 columns, but for names that are longer themselves.
    """
    lines = [
        _(
            "{span}  {tactic}  {who}  {api}: {ok} of {calls} calls succeeded",
            span=wording.brief_span(step["start_local"], step["end_local"]),
            tactic=name_code(step["tactic"]) or wording.NONE,
            who=_(", ").join(terminal(step[name], NAME_LIMIT) for name in ("app_id", "ip")),
            api=terminal(show_api(step["apis"][0]), NAME_LIMIT)
            if step["apis_count"] == 1
            else ngettext("{n} API", "{n} APIs", step["apis_count"]),
            ok=wording.number(step["ok_count"]),
            calls=wording.number(step["calls_count"]),
        )
        for step in story["steps"]
    ]
    ids = _(", ").join(story["finding_ids"])
    title = _("{story_id}, {title}: {ids}", **{**story, "ids": ids})
    weak = _section(_("Below the budget, and part of it"), [row["text"] for row in story["weak"]])
    steps = _section(_("The steps of the story"), lines)
    told = wrap(title), wrap(story["sentence"], indent="  "), steps, weak
    return "\n\n".join(filter(None, told))


def tell_briefly(finding: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Tell a finding in a few lines: what, how severe, whom, how rare, and what to check first."""
    facts = _list_facts(finding, report["tenant_zone"])[:3]
    facts.append(("E", wording.rarity(finding["expected_per_week"])))
    facts += [(_("Check next"), step) for step in finding["next_steps"][:1]]
    parts = [_heading(finding, report), finding["sentence"]]
    return "\n".join([*(wrap(part, following="  ") for part in parts), _show_facts(facts)])


def _heading(finding: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    values = {
        "finding_id": finding["finding_id"],
        "week": report["week"]["iso"],
        "title": finding["title"],
        "rank": finding["rank"],
    }
    if finding["status"] == "suppressed":
        return _("{finding_id}, suppressed in week {week}: {title}", **values)
    return _("{finding_id}, rank {rank} of week {week}: {title}", **values)


def _show_facts(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(
        wrap(text, indent=pad(label, LABEL), following=" " * LABEL) for label, text in facts
    )


def _list_facts(finding: Mapping[str, Any], zone: str) -> list[tuple[str, str]]:
    span = wording.span(finding["start_local"], finding["end_local"])
    whom = _("{name} ({what})", name=finding["entity"], what=say_code(finding["entity_type"]))
    # reports of before do not say who that is
    owner = _(", ").join(filter(None, [finding.get("owner"), finding.get("contact")]))
    facts = [
        (_("Whom"), _(", ").join(filter(None, [whom, finding.get("name")]))),
        (_("When"), _("{span} ({zone})", span=span, zone=zone)),
        (_("Severity"), say_code(finding["severity"])),
        *([(_("Owner"), owner)] if owner else []),
        *([(_("The app"), join_sentences(finding["about"]))] if finding.get("about") else []),
        (_("Rarity"), _rarity(finding)),
        (_("Policy"), say_code(finding["policy_severity"])),
        (_("Observed"), wording.amount(finding["observed"], finding["unit"])),
        (_("Expected"), _expected(finding)),
        (_("Week by week"), _past_weeks(finding["past_weeks"])),
        (_("Status"), _status(finding)),
    ]
    if finding["previous"]:
        facts.append((_("Last week"), _previous(finding["previous"])))
    if finding["verdict"]:
        facts.append((_("Verdict"), _verdict(finding["verdict"])))
    return facts


def _rarity(finding: Mapping[str, Any]) -> str:
    if finding["rarity"] is None:
        return wording.rarity(None)
    return _(
        "{name}: {text}",
        name=say_code(finding["rarity"]),
        text=wording.rarity(finding["expected_per_week"]),
    )


def _expected(finding: Mapping[str, Any]) -> str:
    history = ngettext("{n} day of history", "{n} days of history", finding["history_days"])
    if finding["expected"] is None:
        return _("no number for a finding of this kind; {history}", history=history)
    values = {"expected": wording.expected(finding["expected"]), "history": history}
    low, high = finding["expected_low"], finding["expected_high"]
    if low is None and high is None:
        return _("{expected}, from {history}", **values)
    return _(
        "{expected} (95 % interval {interval}), from {history}",
        interval=wording.interval(low, high),
        **values,
    )


def _past_weeks(weeks: Sequence[Mapping[str, Any]]) -> str:
    texts = [
        _("{week}: {calls}", week=row["week"], calls=wording.number(row["calls_count"]))
        for row in weeks
    ]
    return _("calls of the first reason in the same hours, {weeks}", weeks=_(", ").join(texts))


def _status(finding: Mapping[str, Any]) -> str:
    since = finding["since_week"]
    texts = {
        "new": _("new this week"),
        "continuing": _("continuing since {week}", week=since),
        "unknown": _("not known: there was no report of the week before to compare with"),
        "suppressed": _("suppressed by {ids}", ids=_(", ").join(finding["suppressed_by"])),
    }
    return texts[finding["status"]]


def _previous(previous: Mapping[str, Any]) -> str:
    values = {"finding_id": previous["finding_id"], "sentence": previous["sentence"]}
    if previous["verdict"]:
        values["verdict"] = _verdict(previous["verdict"])
        return _("{finding_id}: {sentence} Verdict: {verdict}", **values)
    return _("{finding_id}: {sentence}", **values)


def _verdict(verdict: Mapping[str, Any]) -> str:
    decision = say_decision(verdict)
    return _("{name}: {text}", name=decision, text=verdict["note"]) if verdict["note"] else decision


def _steps(finding: Mapping[str, Any], zone: str) -> str:
    """Tell the steps in order; those that stayed below the budget in brackets."""
    timeline = finding["timeline"]
    lines = [
        _(
            "{span}  {who}  {api}  {outcome}: {calls}",
            span=wording.brief_span(step["start_local"], step["end_local"]),
            who=_(", ").join(_actors(step, finding["entity_type"])),
            api=ngettext("{n} API", "{n} APIs", step["apis_count"])
            if step["api"] is None
            else terminal(show_api(step["api"]), NAME_LIMIT),
            outcome=name_outcome(step["outcome"]),
            calls=ngettext("{n} call", "{n} calls", step["calls_count"]),
        )
        for step in timeline["steps"]
    ]
    marked = [
        line if step["told"] else _("[{step}]", step=line)
        for step, line in zip(timeline["steps"], lines, strict=True)
    ]
    if timeline["more_calls_count"]:
        marked.append(
            ngettext("and {n} more call", "and {n} more calls", timeline["more_calls_count"])
        )
    return _section(_("What happened, in order ({zone})", zone=zone), marked)


def _actors(step: Mapping[str, Any], entity_type: str) -> list[str]:
    apps = ngettext("{n} app", "{n} apps", step["apps_count"])
    ips = ngettext("{n} address", "{n} addresses", step["ips_count"])
    named = {
        "app": apps if step["app_id"] is None else terminal(step["app_id"], NAME_LIMIT),
        "ip": ips if step["ip"] is None else terminal(label_entity(step["ip"]), NAME_LIMIT),
    }
    return [text for kind, text in named.items() if kind != entity_type]


def _contributors(contributors: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    rows = [(label_entity(row["name"]), row) for row in contributors["apps"]]
    rows += [(show_api(row["name"]), row) for row in contributors["apis"]]
    rows += [(label_entity(row["name"]), row) for row in contributors["ips"]]
    lines = []
    for name, row in rows:
        values = {
            "name": terminal(name, NAME_LIMIT),
            "calls": ngettext("{n} call", "{n} calls", row["calls_count"]),
            "ok": wording.number(row["ok_count"]),
        }
        if row.get("succeeded"):
            shown = [terminal(show_api(api), NAME_LIMIT) for api in row["succeeded"][:3]]
            values["apis"] = _(", ").join(shown)
            lines.append(_("{name}: {calls}, {ok} succeeded ({apis})", **values))
        else:
            lines.append(_("{name}: {calls}, {ok} succeeded", **values))
    return [
        *lines,
        *(
            _(
                "{name}: {calls}",
                name=terminal(name_response(row["name"]), NAME_LIMIT),
                calls=ngettext("{n} call", "{n} calls", row["calls_count"]),
            )
            for row in contributors["codes"]
        ),
    ]


def _objects(objects: Mapping[str, Any]) -> list[str]:
    if not objects["count"]:
        return []
    counted = ngettext(
        "{n} distinct object, {ok} with success",
        "{n} distinct objects, {ok} with success",
        objects["count"],
        ok=wording.number(objects["ok_count"]),
    )
    return [
        counted,
        *(
            _(
                "{name}: {text}",
                name=terminal(row["object_name"], NAME_LIMIT),
                text=name_outcome(row["outcome"]),
            )
            for row in objects["shown"]
        ),
    ]


def _evidence(
    finding: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    more_count: int,
    zone: str,
    *,
    with_objects: bool,
) -> str:
    lines = [_("Evidence (times in {zone})", zone=zone)]
    for row in rows:
        code = "-" if row["response_code"] is None else str(row["response_code"])
        who = row["app_id"] if finding["entity_type"] != "app" else label_entity(row["ip"])
        lines.append(f"  {row['local']}  {terminal(who, NAME_LIMIT):<20}  {row['outcome']} {code}")
        lines.append(f"    {terminal(show_api(row['api']), NAME_LIMIT)}")
        named = [row["id"], row["object_name"]] if with_objects else [row["id"]]
        lines.append("    " + "  ".join(terminal(name, NAME_LIMIT) for name in named if name))
    if not rows:
        lines.append("  " + _("none: it is about calls that were not made"))
    if more_count:
        lines.append("  " + ngettext("and {n} more call", "and {n} more calls", more_count))
    return "\n".join(lines)


def _commands(finding: Mapping[str, Any]) -> str:
    name = finding["finding_id"]
    return _section(
        _("Decide"),
        [
            _("{command}  (an attack or a fault)", command=f"audit-analytics verdict {name} true"),
            _("{command}  (harmless)", command=f"audit-analytics verdict {name} benign"),
            _(
                "{command}  (expected, until a day)",
                command=f"audit-analytics suppress {name} --reason ... --until ...",
            ),
        ],
    )


def _section(title: str, texts: Iterable[str], *, numbered: bool = False) -> str:
    lines = [
        wrap(
            text, indent=f"  {n}. " if numbered else "  ", following="     " if numbered else "    "
        )
        for n, text in enumerate(texts, start=1)
    ]
    return "\n".join([title, *lines]) if lines else ""
