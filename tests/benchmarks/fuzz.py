"""Hostile pages through reading, ``weekly`` and every output: rows accounted for, and any crash.

Pages are generated from a seed: broken JSON, wrong types, huge numbers, deep nesting, surrogates,
control bytes, bidirectional overrides, HTML, keys twice, missing fields, floats and texts as times,
NUL, concatenations, each among honest rows of two weeks so that there is a week to report.
Checked is that rows read = events + duplicates + rejects, that no honest row outside the damaged
text is lost without a word, that no output holds an active character, and that nothing crashes.
Run: ``python tests/benchmarks/fuzz.py --pages 10000``
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import audit_analytics as aa
from audit_analytics.deliver._message import build_message
from audit_analytics.errors import AuditAnalyticsError
from audit_analytics.source import read_log, write_rejects

if TYPE_CHECKING:
    from collections.abc import Callable

AT = 1_790_000_000
HOURS = 15 * 24
DETAIL = ("path", "method", "query_param", "payload", "status_code", "response")
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
MARKUP = re.compile(r"<(?:img|at|b7)\b|<script>alert")
WORDS = (
    *(
        "",
        " ",
        "0",
        "null",
        "\x00",
        "a\x00b",
        "\x1b[31mred\x1b[0m",
        "\u202egpj.exe",
        "\u2066x\u2069",
    ),
    *(
        "\ud800",
        "\udfff\ud800",
        "\ufeff",
        "\ufffd",
        "e\u0301" * 50,
        "\u0130",
        "\uff27\uff25\uff34/x",
    ),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "]]>",
        "--><b7>",
        "<at id=all></at>",
    ),
    *(
        "'; DROP TABLE events; --",
        "=cmd()|'/C calc'!A0",
        "{{7*7}}",
        "{% raw %}",
        "%s%n%(x)s",
        "$\\foo$",
    ),
    *(
        "[x](http://evil.example)",
        "|a|b|\n|-|",
        "`tick`",
        "\r\n\r\n",
        "\\",
        '"',
        "\\u0000",
        "\u2028",
    ),
    *("../../etc/passwd", "C:\\x", "NaN", "Infinity", "1e999", "-0", "0x1f", "١٢٣", "x" * 5000),
    *(
        "GET/open-apis/im/v1/chats",
        "get%2Fopen-apis",
        "DELETE/open-apis/contact/v3/users/BATCH;a=1",
    ),
    *("ann@corp.example", "13912345678", '{"code":0}', '{"a":', "a=1&a=2&=&&", "?", "#", "//", "."),
)
NUMBERS = (
    *(
        0,
        -1,
        1,
        2**31,
        2**53,
        2**63,
        2**64,
        -(2**63),
        10**30,
        AT,
        AT * 1000,
        AT * 10**6,
        AT * 10**9,
    ),
    *(0.5, AT + 0.5, -1e300, 1e308, 946_684_799, 946_684_800, 4_102_444_800, 4_102_444_801),
)
RAW = (
    *(
        "9" * 5000,
        "[" * 5000 + "]" * 5000,
        '{"id":' * 5000 + "1" + "}" * 5000,
        "-",
        "1e99999",
        "01",
    ),
    *(
        "NaN",
        "-Infinity",
        "undefined",
        "'a'",
        '"\\ud800"',
        '"\\u00"',
        '"\x01"',
        "{,}",
        "[,]",
        "[1,]",
    ),
    *(
        '{"a":1,"a":2}',
        "tru",
        '"open',
        "[",
        "{",
        "}",
        "]",
        "/* c */ 1",
        "\ufeff1",
        "",
        '{"id":"x"}',
    ),
)


def make_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind < 3:
        return rng.choice(WORDS)
    if kind == 3:
        return rng.choice(NUMBERS)
    if kind < 6:
        return rng.choice(
            (None, True, False, "".join(map(chr, rng.choices(range(1, 0x3000), k=9))))
        )
    if kind == 6:
        return [make_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = [rng.choice((*DETAIL, "id", "code", "items", *WORDS)) for _ in range(rng.randrange(4))]
    return {name: make_value(rng, depth + 1) for name in names}


def make_item(rng: random.Random, name: str) -> dict[str, Any]:
    """Make an honest call."""
    method, api = rng.choice((("GET", "im/v1/chats"), ("GET", "contact/v3/users/:user_id")))
    path = f"/open-apis/{api}".replace(":user_id", f"ou_{rng.randrange(50)}")
    return {
        "id": name,
        "api_key": f"{method}/open-apis/{api}",
        "event_time": AT + rng.randrange(HOURS * 3600),
        "app_id": f"cli_{rng.randrange(8)}",
        "ip": f"203.0.113.{rng.randrange(9)}",
        "log_detail": {
            "path": path,
            "method": method,
            "query_param": '{"page_size":"50"}',
            "payload": "",
            "status_code": 200,
            "response": '{"code":0,"msg":"ok"}',
        },
    }


def spoil(rng: random.Random, item: dict[str, Any]) -> str:
    """Make a call hostile; return its text."""
    item = dict(item)
    for _ in range(rng.randrange(1, 4)):
        where = rng.choice((item, item, dict(item["log_detail"]) if "log_detail" in item else item))
        name = rng.choice((*where, *where, rng.choice(WORDS)))
        if rng.random() < 0.2:
            where.pop(name, None)
        else:
            where[name] = make_value(rng)
        if where is not item and "path" in where:
            item["log_detail"] = where
        if not isinstance(item.get("log_detail"), dict):
            item.pop("log_detail", None)
    text = json.dumps(item, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.3:
        raw = rng.choice(RAW)
        text = rng.choice((f'{text[:-1]}, "x": {raw}}}', text.replace('"GET"', raw, 1), raw))
    if rng.random() < 0.2:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at]
            + rng.choice(('"', "\\", "{", "]", "\x00", "\n", ""))
            + text[at + rng.randrange(9) :]
        )
    return text


def make_file(rng: random.Random, pages: int, number: int) -> tuple[bytes, list[str]]:
    """Make a file of pages; return its bytes and the ids of the honest calls in it."""
    texts, honest = [], []
    for page in range(pages):
        rows = []
        for row in range(rng.randrange(1, 6)):
            item = make_item(rng, f"f{number}-{page}-{row}")
            is_hostile = rng.random() < 0.4
            honest += [] if is_hostile else [item["id"]]
            rows.append(spoil(rng, item) if is_hostile else json.dumps(item))
        head = rng.choice(
            ('{"code":0,"data":{"items":[', '{"data":{"has_more":true,"items":[', "[", "")
        )
        glue = rng.choice((",", ",\n", "\n,")) if head else "\n"
        tail = {"": "", "[": "]"}.get(
            head, '],"page_token":"]}"}}' if "more" not in head else "]}}"
        )
        texts.append(head + glue.join(rows) + tail)
    whole = rng.choice(("\n", "\n", "", ",\n", "\r\n", "\x1e")).join(texts)
    data = whole.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        data = bytearray(data)
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
    data = bytes(data)
    if rng.random() < 0.2:
        data = gzip.compress(data, mtime=0)
        data = data[: len(data) - rng.choice((0, 0, 5, 200))] or b"\x1f"
    return data, honest


def run_batch(folder: Path, seed: int, files: int, pages: int) -> Counter[str]:
    """Send a batch through everything; return what became of its rows."""
    rng = random.Random(seed)  # noqa: S311 - test data
    log = folder / "log"
    log.mkdir(parents=True)
    hours = [make_item(rng, f"h{hour}") | {"event_time": AT + 3600 * hour} for hour in range(HOURS)]
    (log / "hours.jsonl").write_text("\n".join(map(json.dumps, hours)))
    counts: Counter[str] = Counter(pages=files * pages)
    honest = {hour["id"] for hour in hours}
    for number in range(files):
        data, ids = make_file(rng, pages, number)
        (log / f"{number:05}.json").write_bytes(data)
        honest.update(ids)
    problems = Counter(_run(log, folder / "out", honest, counts))
    return counts + problems


def _run(log: Path, out: Path, honest: set[str], counts: Counter[str]) -> list[str]:
    problems: list[str] = []

    def survives(what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except AuditAnalyticsError as error:
            counts[f"refused: {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001 - a crash is what is looked for
            problems.append(f"CRASH in {what}: {type(error).__name__}")
            traceback.print_exc()
        return None

    read = survives("reading", lambda: read_log(log, n_jobs=1))
    if read is None:
        return problems
    kept = {name: read.counts[name] for name in ("rows_read", "events", "duplicates", "rejects")}
    counts.update(kept)
    counts["unread parts"] += read.counts.get("unread_parts", 0)
    if kept["rows_read"] != kept["events"] + kept["duplicates"] + kept["rejects"]:
        problems.append("NOT ACCOUNTED: rows read")
    counts["honest"] = len(honest)
    counts["honest, not among the events"] = len(honest - set(read.events["id"]))
    if kept["rows_read"] < counts["honest"] and not read.counts.get("unread_parts"):
        problems.append("NOT ACCOUNTED: fewer rows than were written, and no word of it")
    survives("rejects", lambda: write_rejects(read.rejects, log.parent / "rejects.jsonl"))
    survives("parquet", lambda: read.events.to_parquet(log.parent / "events.parquet"))
    survives("frame", lambda: read_log(read.events))
    report = survives("weekly", lambda: aa.analyze(log, settings=aa.Settings(ocsf=True, n_jobs=1)))
    if report is None:
        return problems
    problems += _check_outputs(report, out, survives)
    return problems


def _check_outputs(
    report: aa.Report, out: Path, survives: Callable[[str, Callable[[], Any]], Any]
) -> list[str]:
    paths = survives("outputs", lambda: report.write(out, ocsf=True)) or {}
    shown = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    ranks = [finding["rank"] for finding in report.data["findings"]]
    more = {
        "notebook": report._repr_html_,
        "terminal": lambda: "\n".join([repr(report), *report.lines(), *report.notes()]),
        "explain": lambda: "\n".join(map(report.explain, ranks)),
        "message": lambda: build_message(report.data, raw_ids=True).text(),
        "masked message": lambda: build_message(report.data).text(),
    }
    shown |= {name: survives(name, make) or "" for name, make in more.items()}
    problems = [
        f"ACTIVE CHARACTER in {name}" for name, text in shown.items() if ACTIVE.search(text)
    ]
    html = ("report.html", "notebook")
    return problems + [f"MARKUP in {name}" for name in html if MARKUP.search(shown.get(name, ""))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500, help="pages a run of weekly")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    for batch in range(-(-arguments.pages // arguments.batch)):
        with tempfile.TemporaryDirectory() as folder:
            seed = arguments.seed * 1_000_003 + batch
            total += run_batch(Path(folder), seed, arguments.batch // 5, 5)
        print(f"batch {batch}: {total['pages']:,} pages, {total['rows_read']:,} rows", flush=True)
    for name, number in total.items():
        print(f"{name:60} {number:12,}")
    bad = [name for name in total if name.startswith(("CRASH", "NOT", "ACTIVE", "MARKUP"))]
    print("rows in = events + duplicates + rejects:", "NO" if bad else "yes, and nothing crashed")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
