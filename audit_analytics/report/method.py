"""What the report says about its own method and limits."""

from __future__ import annotations

from typing import Final

from audit_analytics.language import mark

DETECTORS: Final = (
    (
        "VOL, SENS, TOK",
        mark(
            "calls, calls of sensitive APIs and token requests against the app's own hours and days of the week (negative binomial)"
        ),
    ),
    (
        "OBJ, SLOW",
        mark(
            "distinct objects, each counted once an hour, against the app's own past: hours and days, and added up over two and four days (negative binomial)"
        ),
    ),
    (
        "ERR",
        mark(
            "errors of one class: more than usual, and a larger share than usual (negative binomial and beta-binomial)"
        ),
    ),
    (
        "APIERR",
        mark(
            "errors of one API in all apps but the worst hit, against that API's own past (negative binomial and beta-binomial)"
        ),
    ),
    ("API", mark("calls of one API against the app's usual mix")),
    (
        "NEWNET, NEWAPI",
        mark("first contact of an app with a network or an API, weighed by how rare that is"),
    ),
    (
        "NEWAPPS, AUTHAPPS, AUTHFAIL",
        mark(
            "addresses that serve new apps or fail to authenticate, against other addresses and days"
        ),
    ),
    (
        "FOREST",
        mark("isolation forest over all surprises of an app's day: a little unusual in many ways"),
    ),
    ("rule:*", mark("fixed rules, outside the alarm budget; thresholds are settings")),
)
LIMITS: Final = (
    mark(
        "The log names apps and addresses, never people; an app's secret used by somebody else looks like the app."
    ),
    mark(
        "An app with under 7 days of history is not compared with its past; rules still apply to it."
    ),
    mark(
        "Expected counts come from the weeks before; what was already going on then is taken for normal, unless it was found and confirmed or suppressed."
    ),
    mark(
        "How many findings this extreme an ordinary week brings (E) is an estimate from the weeks before."
    ),
)
