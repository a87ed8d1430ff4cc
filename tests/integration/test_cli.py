"""The command line as a user meets it: installed, in a process of its own."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_analytics.cli.main import main

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
REAL = ROOT.parent / "shared" / "data" / "real"


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "audit_analytics", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=900,
    )


def invoke(*arguments, cwd):
    """Run a command here, where nothing has to be imported first."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(main, list(map(str, arguments)))


SMALL = ("simulate", "--seed", 5, "--apps", 12, "--weeks", 3, "--out")


@pytest.fixture(scope="module")
def small_log(tmp_path_factory):
    """Simulate a small company in a process of its own, and damage a row of its log."""
    folder = tmp_path_factory.mktemp("log")
    assert run(*SMALL, folder).returncode == 0
    _write(folder / "damaged.jsonl", '{"id": "x"}\n')
    return folder


@pytest.fixture(scope="module")
def weekly(small_log, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    return run("weekly", small_log, "--out", out, cwd=out), out


def test_weekly_prints_the_path_and_one_line_a_finding(weekly):
    result, out = weekly
    assert result.returncode == 0, result.stderr
    path, *lines = result.stdout.splitlines()
    assert Path(path) == out / "2026-W46" / "report.html"
    findings = json.loads((out / "2026-W46" / "findings.json").read_text())["findings"]
    assert len(lines) == len(findings) > 0
    # an app by its name and the ends of its id
    ends = [(f["entity"][:8], f["entity"][-4:]) for f in findings]
    assert all(a in line and b in line for (a, b), line in zip(ends, lines, strict=True))
    assert all(f["name"] in line for f, line in zip(findings, lines, strict=True))
    assert "rows read" in result.stderr
    assert "Traceback" not in result.stderr


def test_weekly_accounts_for_every_row(weekly):
    _, out = weekly
    coverage = json.loads((out / "2026-W46" / "findings.json").read_text())["coverage"]
    parts = ("events_count", "duplicates_count", "rejects_count")
    assert coverage["rows_read_count"] == sum(coverage[part] for part in parts)
    rejects = (out / "2026-W46" / "rejects.jsonl").read_text().splitlines()
    assert len(rejects) == coverage["rejects_count"] > 0


SAME = ("report.html", "report.md", "findings.json", "findings.csv")


def test_another_process_makes_the_same_bytes_whatever_else_is_asked_for(
    small_log, weekly, tmp_path
):
    _, out = weekly
    options = ("--out", tmp_path, "--fail-on", "high", "--json")
    asked = invoke("weekly", small_log, *options, cwd=tmp_path)
    for name in SAME:
        first, second = (folder / "2026-W46" / name for folder in (out, tmp_path))
        assert first.read_bytes() == second.read_bytes()
    assert asked.exit_code == 1
    data = json.loads(asked.stdout)
    assert data.keys() == {"report", "week", "coverage", "stories", "findings"}
    assert Path(data["report"]) == tmp_path / "2026-W46" / "report.html"


def test_version_and_help_load_nothing_heavy():
    code = (
        "import sys; from audit_analytics.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'sklearn', 'matplotlib', 'duckdb', 'numpy', 'pyarrow', 'requests'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "weekly" in result.stdout
    assert "\n  audit-analytics open " in result.stdout  # an example a line
    assert run("--version").stdout.startswith("audit-analytics, version 0.")


def test_status_and_settings_load_no_statistics(tmp_path):
    code = (
        "import sys; from audit_analytics.cli.main import main\n"
        f"try: main(['status', {str(tmp_path / 'store')!r}])\n"
        "except SystemExit: pass\n"
        "heavy = {'scipy.stats', 'sklearn', 'matplotlib', 'joblib', 'jinja2'}\n"
        "assert 'audit_analytics.settings' in sys.modules\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "missing", "no such file or folder"),
        (lambda folder: folder, "no log file"),
        (lambda folder: _write(folder / "a.txt", "not a log\nat all\n"), "a.txt"),
    ],
    ids=["wrong path", "empty folder", "no log"],
)
def test_bad_source_is_one_clear_paragraph(tmp_path, make, says):
    result = invoke("weekly", make(tmp_path), "--out", tmp_path / "out", cwd=tmp_path)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert says in result.stderr
    assert result.stdout == ""


def _write(path, text):
    path.write_text(text)
    return path


def test_bad_settings_name_what_is_wrong(tmp_path):
    config = _write(tmp_path / "mine.toml", "budgit_per_week = 3\n")
    result = invoke("weekly", SAMPLE, "--config", config, cwd=tmp_path)
    assert result.exit_code == 2
    assert "budget_per_week" in result.stderr
    assert invoke("weekly", SAMPLE, "--week", "soon", cwd=tmp_path).exit_code == 2


def test_log_that_does_not_cover_the_week_exits_with_three(tmp_path):
    items = [{"id": str(n), "api_key": "GET/x", "event_time": 1_790_000_000 + n} for n in range(9)]
    source = _write(tmp_path / "short.jsonl", "\n".join(map(json.dumps, items)))
    result = invoke("weekly", source, "--out", tmp_path / "out", cwd=tmp_path)
    assert result.exit_code == 3
    assert "does not cover" in result.stderr
    assert list((tmp_path / "out").glob("*/report.html"))


def test_simulate_writes_the_same_bytes_for_the_same_seed(small_log, tmp_path):
    assert invoke(*SMALL, tmp_path, cwd=tmp_path).exit_code == 0
    files = sorted(path.name for path in tmp_path.iterdir())
    assert "labels.csv" in files
    for name in files:
        assert (tmp_path / name).read_bytes() == (small_log / name).read_bytes()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "lines"), [("invictus_stratus_cloudtrail", 2900), ("otrf_s3_breach", 103)]
)
def test_real_logs_are_accounted_for_row_by_row(tmp_path, name, lines):
    result = invoke("weekly", REAL / f"{name}.jsonl.gz", "--out", tmp_path, cwd=tmp_path)
    assert result.exit_code == 3, result.stderr  # less than an hour of a week
    [path] = tmp_path.glob("*/findings.json")
    coverage = json.loads(path.read_text())["coverage"]
    assert coverage["rows_read_count"] == lines
    parts = ("events_count", "duplicates_count", "rejects_count")
    assert lines == sum(coverage[part] for part in parts)


def test_a_reader_that_closes_early_is_no_error(tmp_path):
    command = [sys.executable, "-m", "audit_analytics", "simulate", "--apps", "12", "--weeks", "1"]
    command += ["--attack", "beacon", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 141
    assert "Broken pipe" not in said
    assert "Traceback" not in said
