"""The sample's tenant with what somebody who writes the log can drown it in."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
BEGAN = datetime(2026, 10, 11, 16, tzinfo=UTC)
MONDAY = datetime(2026, 11, 8, 16, tzinfo=UTC)
"""Begin of the sample and of its last week, 2026-W46 on Shanghai's clocks."""

DAY = timedelta(days=1)
WEEKS = 5
USUAL = ("GET/open-apis/im/v1/chats", "GET/open-apis/tenant/v2/tenant/query")
SENSITIVE = (
    "GET/open-apis/contact/v3/users/:user_id",
    "GET/open-apis/drive/v1/export_tasks/:ticket",
    "GET/open-apis/admin/v1/audit_infos",
    "GET/open-apis/mail/v1/user_mailboxes/:user_mailbox_id/messages",
)
DENIED = (
    *SENSITIVE,
    *(f"GET/open-apis/corehr/v{n}/employees/:employee_id" for n in (1, 2)),
    *(f"DELETE/open-apis/drive/v1/files/:file_token/v{n}" for n in range(30)),
)
OK, AUTH, DENY = 0, 99991663, 99991672
ROWS_PER_PAGE = 100


@dataclass(frozen=True)
class Flood:
    """What is added to the sample.

    Parameters
    ----------
    spread : int
        Forged ids with three calls each, over all five weeks.
    burst : int
        Forged ids with three calls each, one of them denied, within an hour of the last week.
    at_once : int
        Apps of five weeks that all burst in the same hour.
    in_turn : int
        Apps of five weeks that burst in the last week, each in an hour of its own.
    probing, exporting, failing : int
        Fake apps, a day old: denied thirty APIs; reading what is sensitive at night; failing to
        authenticate from a network of their own.
    """

    spread: int = 0
    burst: int = 0
    at_once: int = 0
    in_turn: int = 0
    probing: int = 0
    exporting: int = 0
    failing: int = 0

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the log, in no order."""
        chance = random.Random(0)  # noqa: S311 - repeatable
        for n in range(self.spread):
            at = BEGAN + chance.random() * (WEEKS * 7 * DAY - timedelta(minutes=1))
            yield from _call(f"cli_spread{n:06}", at, 3, chance, USUAL + SENSITIVE)
        hour = MONDAY + 1.4 * DAY
        for n in range(self.burst):
            at = hour + timedelta(seconds=chance.randrange(3500))
            yield from _call(f"cli_burst{n:06}", at, 2, chance, USUAL + SENSITIVE)
            yield from _call(f"cli_burst{n:06}", at, 1, chance, DENIED, code=DENY)
        for n in range(self.at_once + self.in_turn):
            name = f"cli_old{n:05}"
            for day in range(WEEKS * 7):
                at = BEGAN + day * DAY + timedelta(hours=2 + n % 8, minutes=chance.randrange(60))
                yield from _call(name, at, 4, chance, USUAL, ip=_home(n))
            hours = 50 if n < self.at_once else 2 + n % 160
            at = MONDAY + timedelta(hours=hours)
            yield from _call(name, at, 150, chance, USUAL, ip=_home(n), step=12)
            yield from _call(name, at, 60, chance, SENSITIVE, ip=_home(n), step=30)
        for n in range(self.probing):
            at = MONDAY + timedelta(days=n % 5, hours=3)
            yield from _call(f"cli_probe{n:05}", at, 100, chance, DENIED, code=DENY, step=20)
        for n in range(self.exporting):
            at = MONDAY + timedelta(days=n % 5, hours=19)
            yield from _call(f"cli_night{n:05}", at, 200, chance, SENSITIVE, step=10)
        for n in range(self.failing):
            at = MONDAY + timedelta(days=n % 5, hours=5)
            ip = f"192.0.2.{n}"
            yield from _call(f"cli_fail{n:05}", at, 120, chance, USUAL, code=AUTH, ip=ip, step=20)

    def write(self, folder: Path) -> int:
        """Write the sample and the flood to a folder; return how many rows the flood has."""
        folder.mkdir(parents=True)
        for path in SAMPLE.glob("*.jsonl.gz"):
            shutil.copy(path, folder)
        rows, page, number = list(self.items()), [], 0
        with gzip.open(folder / "flood.jsonl.gz", "wb", 1) as file:
            for number, item in enumerate(rows):
                page.append(item | {"id": f"9{number:018}"})
                if len(page) == ROWS_PER_PAGE or number == len(rows) - 1:
                    data = {"items": page, "has_more": False}
                    file.write(json.dumps({"code": 0, "msg": "", "data": data}).encode() + b"\n")
                    page = []
        return len(rows)


def _home(n: int) -> str:
    return f"10.77.{n // 200 % 250}.{n % 200 + 1}"


def _call(
    app: str,
    at: datetime,
    count: int,
    chance: random.Random,
    apis: tuple[str, ...],
    *,
    code: int = OK,
    ip: str = "",
    step: int = 1,
) -> Iterator[dict[str, Any]]:
    at_seconds = int(at.timestamp())
    ip = ip or f"203.{chance.randrange(1, 100)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    for n in range(count):
        api = chance.choice(apis)
        method, path = api.split("/", 1)
        filled = "/".join(
            f"{chance.randrange(16**8):08x}" if part.startswith(":") else part
            for part in path.split("/")
        )
        yield {
            "api_key": api,
            "event_time": at_seconds + n * step,
            "app_id": app,
            "ip": ip,
            "log_detail": {
                "path": f"/{filled}",
                "method": method,
                "query_param": "",
                "payload": "",
                "status_code": 200 if code == OK else 400,
                "response": json.dumps({"code": code, "msg": "x"}),
            },
        }


MANY = 100_000
APPS = 1_000
FAKES = 20
FLOODS = {
    "none": Flood(),
    "forged, spread": Flood(spread=MANY),
    "forged, burst": Flood(burst=MANY),
    "bursting at once": Flood(at_once=APPS),
    "bursting in turn": Flood(in_turn=APPS),
    "both": Flood(spread=MANY // 2, burst=MANY // 2, at_once=APPS),
    "fakes probing": Flood(probing=FAKES),
    "fakes exporting": Flood(exporting=FAKES),
    "fakes failing": Flood(failing=FAKES),
    "fakes of each kind": Flood(probing=FAKES, exporting=FAKES, failing=FAKES),
}
