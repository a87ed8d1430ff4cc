"""A user's own rules and metrics, and a detector that is taken away."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from stand_ins import Flat
from tenant import DAY, EXPORT, READ, WEEK, calls, local, make_events, quiet_tenant, spread

import audit_analytics as aa
from audit_analytics.cli.main import main
from audit_analytics.detect import find_detector, use_detectors
from audit_analytics.errors import ConfigError
from audit_analytics.review._suppression import Suppression

NOON = local("2026-11-11 12:00")
HISTORY = [calls("cli_a", spread(NOON - day * DAY, 3), api=EXPORT) for day in range(1, 28)]
EVENTS = make_events(
    quiet_tenant(apps=8),
    *HISTORY,
    calls("cli_a", spread(NOON, 60), api=EXPORT, severity="medium"),
    calls("cli_a", spread(NOON, 5)),
)
OWN = """\
import audit_analytics as aa

@aa.rule(title="Exports at noon", severity="high", techniques=["T1213"])
def noon_exports(data):
    rows = data.in_week(data.by_api)
    noon = rows["first_at"].dt.tz_convert(data.week.zone).dt.hour == 12
    yield from data.hits(rows[noon & rows["api"].str.contains("export")])

exports = aa.Metric("exports", where={"api": ["*export*"]}, title="Exports")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    import my_module  # noqa: PLC0415 - it is there now

    return my_module


def run(folder, *words, path):
    environment = os.environ | {"PYTHONPATH": str(path)}
    return subprocess.run(  # noqa: PLW1510 - the caller looks
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


READS = aa.Metric("reads", where=lambda rows: rows["api"] == READ, title="Reads")


@pytest.fixture(scope="module")
def report():
    """Return a report that an own rule and two own metrics had a say in."""
    made = {}
    exec(OWN, made)  # noqa: S102 - our own
    rules, metrics = [*aa.rules(), made["noon_exports"]], [made["exports"], READS]
    options = {"rules": rules, "metrics": metrics, "detector": Flat()}
    return aa.analyze(EVENTS, week=WEEK.iso, **options).data


def test_an_own_rule_reaches_the_report_in_fifteen_lines(report):
    (finding,) = [f for f in report["findings"] if f["entity"] == "cli_a"]
    reasons = {reason["detector"]: reason["text"] for reason in finding["reasons"]}
    assert reasons["rule:noon_exports"] == (
        "cli_a: Exports at noon, 66 calls between 12:00 on Mon 9 Nov and 12:59 on Wed 11 Nov."
    )
    assert "T1213" in {technique["id"] for technique in finding["attack"]}
    assert len(OWN.split("exports = ", maxsplit=1)[0].splitlines()) <= 15


def test_rules_left_out_find_nothing():
    report = aa.analyze(EVENTS, week=WEEK.iso, rules=[], detector=Flat())
    found = {name for f in report.data["findings"] for name in f["detectors"]}
    assert not [name for name in found if name.startswith("rule:")]


def test_an_own_metric_is_judged_and_told_like_the_built_in_groups(report):
    (finding,) = [f for f in report["findings"] if f["entity"] == "cli_a"]
    (reason,) = [r for r in finding["reasons"] if r["detector"] == "metric:exports"]
    assert reason["text"].startswith("cli_a: Exports 60 times between 12:00 and 13:00")
    assert (reason["observed"], reason["unit"]) == (60, "calls of this metric in an hour")
    assert reason["expected"] < 10
    assert reason["scope"]["api"] == [EXPORT]


def test_a_metric_may_choose_by_a_function(report):
    names = report["method"]["detectors"][0]["name"]
    assert names == "VOL, SENS, TOK, metric:exports, metric:reads"
    assert READS.count(aa.rollup.rollup(EVENTS).by_api).sum() == (EVENTS["api"] == READ).sum()


def test_an_own_detector_can_be_suppressed_where_it_is_not_loaded():
    # the names of an entry written for a finding come from the finding
    entry = {"detectors": ("rule:noon_exports",), "owner": "me", "reason": "x"}
    found = Suppression(**entry, expires="2026-12-31", finding="f-000000000000")
    assert found.detectors == ("rule:noon_exports",)
    with pytest.raises(ValueError, match="no detector 'rule:noon_exports'"):
        Suppression(**entry, expires="2026-12-31")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: aa.rule(title="x", severity="awful"), "take low, medium, high or critical"),
        (lambda: aa.rule(title="x", techniques=["T0000"]), "'T0000' is none of T1"),
        (lambda: aa.Metric("m", where={"ip": ["10.0.0.1"]}, title="x"), "not ip"),
        (lambda: aa.Metric("m", where={}, title="x"), "not nothing"),
        (lambda: find_detector("rule:nobody"), "no detector 'rule:nobody'"),
    ],
)
def test_a_wrong_detector_is_a_clear_error(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_two_detectors_of_one_name_are_refused(own):
    with (
        pytest.raises(ConfigError, match="two detectors are called 'rule:noon_exports'"),
        use_detectors([own.noon_exports, own.noon_exports]),
    ):
        raise AssertionError


@pytest.mark.usefixtures("own")
def test_the_command_line_takes_detectors_by_name(tmp_path):
    EVENTS.to_parquet(tmp_path / "log.parquet")
    package = Path(aa.__file__).parent.parent
    words = ["-m", "audit_analytics", "weekly", "log.parquet", "--no-ocsf", "--week", WEEK.iso]
    done = run(tmp_path, *words, "--detectors", "my_module:noon_exports", path=package)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "reports" / WEEK.iso / "findings.json").read_text())
    assert "rule:noon_exports" in {name for f in data["findings"] for name in f["detectors"]}
    page = (tmp_path / "reports" / WEEK.iso / "report.html").read_text(encoding="utf-8")
    assert "Exports at noon, 66 calls" in page
    with contextlib.chdir(tmp_path):
        wrong = CliRunner().invoke(main, [*words[2:], "--detectors", "my_module:nothing"])
    assert wrong.exit_code == 2
    assert "detector my_module:nothing: cannot be loaded" in wrong.stderr


def test_an_installed_package_brings_its_detectors(tmp_path):
    (tmp_path / "my_module.py").write_text(OWN)
    info = tmp_path / "my_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[audit_analytics.detectors]\nnoon = my_module:noon_exports\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(aa.__file__).parent.parent)])
    code = "import audit_analytics as aa; print([rule.name for rule in aa.rules()][-1])"
    done = run(tmp_path, "-c", code, path=path)
    assert done.stdout.strip() == "rule:noon_exports", done.stderr


def test_without_its_file_and_its_line_a_detector_is_gone_everywhere(tmp_path):
    package = tmp_path / "audit_analytics"
    shutil.copytree(Path(aa.__file__).parent, package)
    (package / "detect/rules/dormant.py").unlink()
    listed = package / "detect/_detectors.py"
    line = '    "rules.dormant",\n'
    assert line in listed.read_text()
    listed.write_text(listed.read_text().replace(line, ""))
    EVENTS.to_parquet(tmp_path / "log.parquet")
    code = (
        "import audit_analytics as aa; print([r.name for r in aa.rules() if 'dormant' in r.name])\n"
        "from audit_analytics.cli.main import main; main()"
    )
    words = ["weekly", "log.parquet", "--no-ocsf", "--week", WEEK.iso]
    done = run(tmp_path, "-c", code, *words, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[]\n")
    data = json.loads((tmp_path / "reports" / WEEK.iso / "findings.json").read_text())
    assert "dormant_days" not in data["run"]["config"]["rules"]
    assert "rule:dormant" not in json.dumps(data["findings"])
