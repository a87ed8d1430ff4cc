"""``weekly --tenants``: a folder of tenants, as a user meets it; processes and files, no mocks."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tenant import EXPORT, HOUR, calls, clock, local, make_events, quiet_tenant, spread

import audit_analytics as aa
from audit_analytics.cli.main import main
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.settings import Settings, load_settings
from audit_analytics.settings._loading import TENANT_SETS
from audit_analytics.tenants import TenantRun, choose_exit_code, list_tenants, run_tenants

NIGHT = local("2026-11-11 02:00")
HOSTILE = "beta\x1b[31m"


def run(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "audit_analytics", "weekly", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | environment,
        timeout=900,
    )


def write_log(folder, *parts):
    folder.mkdir()
    make_events(*parts).to_parquet(folder / "events.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a tenant with an attack, a broken one, one with gaps and its own settings, and more."""
    folder = tmp_path_factory.mktemp("companies")
    attack = calls("cli_02", spread(NIGHT, 400, over=3 * HOUR), ip="203.0.113.9", api=EXPORT)
    write_log(folder / "acme", quiet_tenant(apps=4), clock(), attack)
    (folder / HOSTILE).mkdir()
    (folder / HOSTILE / "pages.json").write_text("not a log")
    write_log(folder / "gaps", clock(end=local("2026-11-12 00:00")))
    (folder / "gaps" / "audit-analytics.toml").write_text('lang = "zh"\nhistory_weeks = 2\n')
    (folder / ".old").mkdir()
    (folder / ".old" / "pages.json").write_text("{}")
    (folder / "empty").mkdir()
    (folder / "empty" / "audit-analytics.toml").write_text('lang = "zh"\n')
    (folder / "notes.txt").write_text("-")
    return folder


@pytest.fixture(scope="module")
def all_of_them(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    (out / "audit-analytics.toml").write_text("budget_per_week = 5\n")
    options = ("--tenants", "--week", "2026-W46", "--fail-on", "low", "--no-ocsf")
    return run(folder, *options, "--out", "out", cwd=out), out


def test_each_is_printed_under_its_name_and_the_worst_code_wins(all_of_them):
    result, _ = all_of_them
    assert result.returncode == 2, result.stderr
    lines = result.stdout.splitlines()
    names = [line for line in lines if not line.startswith(" ")]
    assert names == ["acme", r"beta\x1b[31m", "gaps"]
    first, beta, gaps = (lines.index(name) for name in names)
    assert Path(lines[first + 1].strip()) == Path("out/acme/2026-W46/report.html")
    assert any("cli_02" in line for line in lines[first + 2 : beta])
    assert "exit code 2" in lines[beta + 1]
    assert Path(lines[gaps + 1].strip()) == Path("out/gaps/2026-W46/report.html")
    assert "acme with 1" in result.stderr
    assert "gaps with 3" in result.stderr
    assert "nothing could be read as a row" in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_what_is_no_tenant_is_named(all_of_them):
    result, out = all_of_them
    for name in (".old: hidden", "empty: holds neither", "notes.txt: not a folder"):
        assert f"Left out: {name}" in result.stderr
    assert sorted(path.name for path in (out / "out").iterdir()) == [
        "acme",
        "gaps",
        "index.html",
    ]


def test_a_tenant_has_the_report_of_a_run_on_it_alone(all_of_them, folder, tmp_path):
    _, out = all_of_them
    alone = aa.analyze(folder / "acme", week="2026-W46", settings=Settings(budget_per_week=5))
    assert len(alone.findings) > 0
    alone.write(tmp_path, ocsf=False)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (out / "out/acme/2026-W46" / path.name).read_bytes()


def test_a_tenants_own_settings_go_before_the_common_ones(all_of_them):
    _, out = all_of_them
    common, own = (
        json.loads((out / "out" / name / "2026-W46" / "findings.json").read_text())["run"]["config"]
        for name in ("acme", "gaps")
    )
    assert (common["budget_per_week"], common["history_weeks"]) == (5, 4)
    assert (own["budget_per_week"], own["history_weeks"]) == (5, 2)
    coverage = json.loads((out / "out/gaps/2026-W46/findings.json").read_text())["coverage"]
    assert coverage["rejects_count"] == 0  # its settings are no part of its log


@pytest.mark.parametrize(
    ("make", "out", "says"),
    [
        (lambda folder: (folder / "pages.json").write_text("{}"), "r", "leave out --tenants"),
        (lambda folder: (folder / ".partial").mkdir(), "r", "is the store of one tenant"),
        (lambda folder: (folder / "a").mkdir(), "tenants/reports", "must not lie among"),
    ],
    ids=["pages", "a store", "reports among the logs"],
)
def test_a_folder_without_tenants_is_refused_before_anything_runs(tmp_path, make, out, says):
    folder = tmp_path / "tenants"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError, match=says):
        list_tenants(folder, tmp_path / out)


def test_a_store_without_a_window_is_a_tenant_too(tmp_path):
    for name in ("new/.partial", "hidden_only/.log", "nothing"):
        (tmp_path / name).mkdir(parents=True)
    found = list_tenants(tmp_path, tmp_path.parent / "reports")
    assert found.folders == [tmp_path / "new"]
    assert len(found.left_out) == 2


def test_wrong_common_settings_end_it_before_anything_runs(folder, tmp_path):
    with contextlib.chdir(tmp_path):
        environment = {"AUDIT_ANALYTICS_N_JOBS": "none"}
        result = CliRunner().invoke(main, ["weekly", str(folder), "--tenants"], env=environment)
    assert result.exit_code == 2
    assert "n_jobs" in result.stderr
    assert result.stdout == ""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a shell script in the place of the interpreter; each tenant brings its own commands."""
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\nfor folder do :; done\n. "$folder/commands"\n')
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))

    def make(**commands):
        for name, text in commands.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "commands").write_text(text)
        return [tmp_path / name for name in commands]

    return make


def test_a_fault_and_a_kill_are_said_in_a_line_and_stop_no_other(stand_in, tmp_path):
    fault = (
        "echo before >&2; echo 'Traceback (most recent call last):' >&2; echo s3cr3t >&2; exit 1"
    )
    folders = stand_in(fault=fault, killed="kill -9 $$", odd="exit 77", well="echo done")
    runs = list(run_tenants(folders, tmp_path))
    assert [(run.name, run.exit_code) for run in runs] == [
        ("fault", 1),
        ("killed", 1),
        ("odd", 1),
        ("well", 0),
    ]
    assert runs[0].notes == ["before", "a fault of this program ended the run; -v shows where"]
    assert "signal 9" in runs[1].notes[0]
    assert "77" in runs[2].notes[0]
    assert runs[3].lines == ["done"]
    [verbose, *_] = run_tenants(folders[:1], tmp_path, options=["--verbose"])
    assert "s3cr3t" in verbose.notes


def test_tenants_run_side_by_side_and_are_told_in_their_order(stand_in, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    # the first ends after the second began
    folders = stand_in(
        a=f"read line < {tmp_path}/pipe; echo $line", b=f"echo hello > {tmp_path}/pipe"
    )
    runs = list(run_tenants(folders, tmp_path, n_jobs=2))
    assert [(run.name, run.lines) for run in runs] == [("a", ["hello"]), ("b", [])]


def test_no_more_run_at_a_time_than_asked_for(stand_in, tmp_path):
    alone = f"mkdir {tmp_path}/running || exit 4; ls -R /etc > {tmp_path}/x 2>&1; rmdir {tmp_path}/running"
    runs = run_tenants(stand_in(a=alone, b=alone, c=alone), tmp_path, n_jobs=1)
    assert [run.exit_code for run in runs] == [0, 0, 0]


def test_secrets_stay_in_the_environment(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", "s3cr3t")
    [run] = run_tenants(stand_in(a='echo "$@"; echo $AUDIT_ANALYTICS_APP_SECRET'), tmp_path)
    assert "weekly" in run.lines[0]
    assert "s3cr3t" not in run.lines[0]
    assert run.lines[1] == "s3cr3t"


@given(st.lists(st.sampled_from([0, 1, 2, 3, 4])))
def test_the_worst_code_wins(codes):
    worst = next((code for code in (2, 4, 3, 1) if code in codes), 0)
    assert choose_exit_code(TenantRun("a", code, [], []) for code in codes) == worst


OPERATORS = {
    "base_url": 'base_url = "https://evil.example"\n',
    "app_secret_file": 'app_secret_file = "../other/secret"\n',
    "catalogue": 'catalogue = "../other/secret"\n',
    "suppressions": 'suppressions = "../other/secret"\n',
    "deliver.smtp_host": '[deliver]\nsmtp_host = "evil.example"\n',
    "deliver.receive_id": '[deliver]\nreceive_id = "oc_evil"\n',
    "deliver.webhook_secret_file": '[deliver]\nwebhook_secret_file = "../other/secret"\n',
    "redaction.hash_key_file": '[redaction]\nhash_key_file = "../other/secret"\n',
}


@pytest.mark.parametrize(("name", "text"), OPERATORS.items(), ids=OPERATORS)
def test_a_tenants_file_that_sets_what_is_the_operators_is_refused(
    tmp_path, monkeypatch, name, text
):
    monkeypatch.setenv("AUDIT_ANALYTICS_APP_SECRET", "s3cr3t")
    own = tmp_path / "audit-analytics.toml"
    own.write_text(text)
    with pytest.raises(ConfigError, match=f"setting '{name}' is the operator's") as caught:
        load_settings(tenant=own)
    assert "s3cr3t" not in str(caught.value)


def test_nothing_is_made_of_a_tenant_whose_file_sets_what_is_the_operators(tmp_path):
    tenants, out = tmp_path / "tenants", tmp_path / "out"
    tenants.mkdir()
    names = ("base_url",)
    for name in names:
        write_log(tenants / name, clock())
        (tenants / name / "audit-analytics.toml").write_text(OPERATORS[name])
    secret = {"AUDIT_ANALYTICS_APP_SECRET": "s3cr3t"}
    result = run(tenants, "--tenants", "--deliver", "--out", out, cwd=tmp_path, **secret)
    assert result.returncode == 2
    assert "s3cr3t" not in result.stdout + result.stderr
    for name in names:
        assert f"setting '{name}' is the operator's" in result.stderr
        assert not (out / name).exists()


def test_every_setting_that_is_not_of_the_judgement_is_the_operators(tmp_path):
    own = tmp_path / "audit-analytics.toml"
    for name in Settings.model_fields.keys() - set(TENANT_SETS):
        own.write_text(f'{name} = ""\n')
        with pytest.raises(ConfigError, match=f"'{name}' is the operator's"):
            load_settings(tenant=own)
    kinds = {name: str(Settings.model_fields[name].annotation) for name in TENANT_SETS}
    assert not [name for name, kind in kinds.items() if "Path" in kind or "Secret" in kind]


def test_a_tenants_file_goes_before_the_common_one_part_by_part(tmp_path):
    common, own = tmp_path / "common.toml", tmp_path / "acme" / "audit-analytics.toml"
    own.parent.mkdir()
    common.write_text(
        'base_url = "https://open.larksuite.com"\nseed = 1\n'
        "[rules]\ndormant_days = 9\nprobing_apis = 9\n"
    )
    own.write_text("seed = 2\n[rules]\nprobing_apis = 5\n")
    (own.parent / "verdicts.toml").write_text("")
    settings = load_settings(common, tenant=own)
    assert settings.base_url == "https://open.larksuite.com"
    assert (settings.seed, settings.rules.dormant_days, settings.rules.probing_apis) == (2, 9, 5)
    assert settings.verdicts == own.parent / "verdicts.toml"


@pytest.mark.parametrize("name", ["audit-analytics.toml", "suppressions.toml"])
def test_a_tenants_file_that_is_a_link_is_not_followed(tmp_path, name):
    (tmp_path / "secret").write_text("s3cr3t = 1")
    own = tmp_path / "acme"
    own.mkdir()
    (own / "audit-analytics.toml").write_text("seed = 1")
    (own / name).unlink(missing_ok=True)
    (own / name).symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match="is a link") as caught:
        load_settings(tenant=own / "audit-analytics.toml")
    assert "s3cr3t" not in str(caught.value)
