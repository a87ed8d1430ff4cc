"""The card that Feishu shows: the week's message, small enough for a custom bot.

Whatever the log wrote stands in ``plain_text``, which Feishu does not read as markup, and is made
inert before that; ``lark_md`` holds our own words only.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from audit_analytics.language import _, use_language
from audit_analytics.report import SHAPES, say_code

if TYPE_CHECKING:
    from audit_analytics.deliver._message import Line, Message

CARD_BYTES_MAX: Final = 19 * 1024
"""A custom bot takes 20 KB; the rest is left for timestamp, signature and frame."""

_COLOURS: Final = {"critical": "red", "high": "red", "medium": "orange", "low": "yellow"}


def build_card(message: Message) -> dict[str, Any]:
    """Lay a message out as an interactive card of at most 19 KiB, without the findings beyond.

    Examples
    --------
    >>> from audit_analytics.deliver._message import Message
    >>> card = build_card(
    ...     Message(
    ...         week="2026-W46",
    ...         state="clean",
    ...         title="2026-W46: clean, the log is complete",
    ...         coverage="Log complete: 168 of 168 hours.",
    ...         counts="Nothing stood out.",
    ...         lines=(),
    ...         more_count=0,
    ...         report_name="2026-W46/report.html",
    ...         report_url="",
    ...     )
    ... )
    >>> card["header"]["template"], card["elements"][0]["text"]["content"]
    ('green', 'Log complete: 168 of 168 hours.')
    """
    with use_language(message.lang):
        return _fit(message)


def _fit(message: Message) -> dict[str, Any]:
    card = _lay_out(message)
    while message.lines and len(json.dumps(card).encode()) > CARD_BYTES_MAX:
        *lines, last = message.lines
        more = message.more_count + last.findings_count
        message = replace(message, lines=tuple(lines), more_count=more)
        card = _lay_out(message)
    return card


def _lay_out(message: Message) -> dict[str, Any]:
    elements = [
        _plain(message.coverage),
        _plain(message.counts),
        *(part for line in message.lines for part in _show(line)),
    ]
    if message.more_count:
        elements.append(_plain(message.say_more()))
    elements.append({"tag": "hr"})
    if message.report_url:
        button = {
            "tag": "button",
            "text": {"tag": "plain_text", "content": _("Open the report")},
            "type": "default",
            "url": message.report_url,
        }
        elements.append({"tag": "action", "actions": [button]})
    else:
        elements.append(_plain(message.say_where()))
    return {
        "config": {"wide_screen_mode": True},
        "header": {
            "template": _choose_colour(message),
            "title": {"tag": "plain_text", "content": message.title},
        },
        "elements": elements,
    }


def _show(line: Line) -> list[dict[str, Any]]:
    label = f"{SHAPES[line.severity]} **{say_code(line.severity).upper()}**"
    return [
        {"tag": "hr"},
        {"tag": "div", "text": {"tag": "lark_md", "content": label}},
        _plain(line.sentence),
    ]


def _plain(text: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": text}}


def _choose_colour(message: Message) -> str:
    if message.state == "clean":
        return "green"
    if message.state != "findings":
        return "purple"
    # findings come the most severe first
    return _COLOURS.get(message.lines[0].severity, "grey") if message.lines else "grey"
