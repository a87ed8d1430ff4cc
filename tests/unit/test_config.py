from pathlib import Path

import pytest

from audit_analytics import drill, pipeline
from audit_analytics.errors import ConfigError
from audit_analytics.intake import load
from audit_analytics.settings import (
    PREFIX,
    DeliverSettings,
    RuleSettings,
    Settings,
    load_settings,
    settle,
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "own.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_command_line_wins_over_environment_over_file_over_default(monkeypatch):
    assert load_settings().budget_per_week == 10
    path = write("budget_per_week = 3\nseed = 3\nhistory_weeks = 3\n")
    monkeypatch.setenv(f"{PREFIX}BUDGET_PER_WEEK", "4")
    monkeypatch.setenv(f"{PREFIX}SEED", "4")
    settings = load_settings(path, overrides={"budget_per_week": 5.0, "tenant_zone": None})
    assert (settings.budget_per_week, settings.seed, settings.history_weeks) == (5, 4, 3)
    assert settings.tenant_zone == "Asia/Shanghai"


def test_the_file_in_the_current_folder_is_read_unless_another_is_named():
    write("seed = 1", "audit-analytics.toml")
    assert load_settings().seed == 1
    assert load_settings(write("seed = 2")).seed == 2


def test_rules_are_merged_key_by_key(monkeypatch):
    path = write("[rules]\nprobing_apis = 4\ndormant_days = 9\n")
    monkeypatch.setenv(f"{PREFIX}RULES__PROBING_APIS", "6")
    rules = load_settings(path).rules
    assert (rules.probing_apis, rules.dormant_days, rules.silence_hours) == (6, 9, 4)


@pytest.mark.parametrize(
    ("text", "near"),
    [("budgt_per_week = 3", "budget_per_week"), ("[rules]\nprobing_api = 3", "probing_apis")],
)
def test_an_unknown_name_in_the_file_names_the_nearest(text, near):
    with pytest.raises(ConfigError, match=rf"own\.toml.*did you mean '{near}'"):
        load_settings(write(text))


@pytest.mark.parametrize(
    ("name", "near"),
    [("BUDGT_PER_WEEK", "budget_per_week"), ("RULES__PROBING_API", "probing_apis")],
)
def test_an_unknown_name_in_the_environment_names_the_nearest(name, near, monkeypatch):
    monkeypatch.setenv(PREFIX + name, "3")
    with pytest.raises(ConfigError, match=rf"environment.*did you mean '{near}'"):
        load_settings()


@pytest.mark.parametrize("given", [{"budgt_per_week": 3}, {"rules": {"probing_api": 3}}])
def test_an_unknown_name_among_the_overrides_is_refused(given):
    with pytest.raises(ConfigError, match=r"budgt_per_week|probing_api"):
        load_settings(overrides=given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("budget_per_week", 0),
        ("budget_per_week", float("nan")),
        ("history_weeks", 9),
        ("tenant_zone", "Asia/Shangai"),
        ("holidays", ["2026-13-01"]),
        ("rules", {"rate_limited_share": 1.5}),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        load_settings(overrides={name: value})


@pytest.mark.parametrize(
    "text",
    ["seed = ", "[rules", b"\xff\xfe", "seed = " + "[" * 9999, "seed = " + "9" * 9999],
    ids=["cut", "open", "bytes", "deep", "long"],
)
def test_a_file_that_is_no_toml_is_refused_by_its_name(text):
    path = Path("broken.toml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load_settings(path)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        load_settings(Path("missing.toml"))


def test_equal_settings_have_equal_hashes_whatever_the_order_of_their_dates():
    days = ["2026-10-01", "2026-10-02", "2026-10-03"]
    first, second = Settings(holidays=days), Settings(holidays=days[::-1])
    assert first.digest() == second.digest() != Settings().digest()


def test_the_run_record_holds_no_path_and_no_secret():
    settings = Settings(catalogue=Path("/home/ann/own.toml"), app_secret="s3cret-value")  # noqa: S106
    assert "/home" not in str(settings.public())
    assert "s3cret" not in str(settings.public()) + repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HOLIDAYS", "2026-10-01", "JSON"),
        ("DENY_NETWORKS", '["nonsense"]', "deny_networks"),
        ("BUDGET_PER_WEEK__X", "1", "has no parts"),
    ],
)
def test_environment_that_cannot_be_understood_is_one_clear_error(monkeypatch, name, value, says):
    monkeypatch.setenv(f"AUDIT_ANALYTICS_{name}", value)
    with pytest.raises(ConfigError, match=says):
        load_settings()


def test_unknown_override_names_the_nearest_setting():
    with pytest.raises(ConfigError, match="budget_per_week"):
        load_settings(overrides={"budget_per_wek": 3})


def test_the_app_that_reads_the_log_is_never_judged():
    assert load_settings(overrides={"app_id": "cli_me"}).own_apps() == {"cli_me"}


def test_delivery_leaves_no_trace_in_the_run_record_and_its_secrets_none_in_a_repr():
    deliver = {
        "webhook_url": "https://hooks.example/sekret",
        "webhook_secret": "sekret",
        "smtp_password": "sekret",
        "mail_to": ["soc@example.com"],
    }
    settings = load_settings(overrides={"deliver": deliver, "ocsf": True})
    assert "sekret" not in repr(settings) + str(settings.deliver) + settings.model_dump_json()
    assert settings.public() == load_settings().public()
    assert settings.digest() == load_settings().digest()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("report_url", "javascript:alert(1)"),
        ("report_url", "https://user:sekret@reports.example"),
        ("report_url", "https://reports.example/?token=sekret"),
        ("mail_to", ["sekret <soc@example.com>"]),
        ("mail_from", "audit@example.com\r\nBcc: sekret@example.com"),
        ("smtp_security", "sekret"),
        ("receive_id_type", "sekret"),
        ("webhook_url", 7),
    ],
)
def test_a_delivery_setting_that_is_none_is_refused_by_name_only(name, value):
    with pytest.raises(ConfigError, match=rf"deliver\.{name}") as caught:
        load_settings(overrides={"deliver": {name: value}})
    assert "sekret" not in str(caught.value)


def test_delivery_is_set_by_the_environment(monkeypatch):
    monkeypatch.setenv(f"{PREFIX}DELIVER__MAIL_TO", '["soc@example.com", "ciso@example.com"]')
    monkeypatch.setenv(f"{PREFIX}DELIVER__RAW_IDS", "true")
    deliver = load_settings().deliver
    assert deliver.mail_to == ("soc@example.com", "ciso@example.com")
    assert deliver.raw_ids is True


# One kind of sentence for every refusal, and none of pydantic's

REFUSED = [
    ({"budget_per_week": 0}, "budget_per_week: cannot be 0; give a number above 0, at most 1000"),
    ({"history_weeks": 9}, "history_weeks: cannot be 9; give a whole number from 2 to 8"),
    ({"history_weeks": 2.5}, "history_weeks: cannot be 2.5; give a whole number from 2 to 8"),
    ({"seed": -1}, "seed: cannot be -1; give a whole number of at least 0"),
    ({"n_jobs": "x"}, "n_jobs: cannot be 'x'; give a whole number from 1 to 64"),
    ({"lang": "fr"}, "lang: cannot be 'fr'; give one of 'en', 'zh'"),
    ({"ocsf": "maybe"}, "ocsf: cannot be 'maybe'; give true or false"),
    ({"catalogue": 3}, "catalogue: cannot be 3; give a path"),
    ({"tenant_zone": 3}, "tenant_zone: cannot be 3; give a text"),
    ({"holidays": 3}, "holidays: cannot be 3; give a list of days such as 2026-10-01"),
    (
        {"holidays": ["2026-10-01", "2026-13-01"]},
        "holidays.1: cannot be '2026-13-01'; give a list of days such as 2026-10-01",
    ),
    (
        {"deny_networks": ["10.0.0.0/8", "nonsense"]},
        "deny_networks: cannot be 'nonsense'; give networks or addresses such as 203.0.113.0/24",
    ),
    (
        {"rules": {"probing_apis": "many"}},
        "rules.probing_apis: cannot be 'many'; give a whole number of at least 2",
    ),
    (
        {"rules": {"rate_limited_share": 1.5}},
        "rules.rate_limited_share: cannot be 1.5; give a number above 0, at most 1",
    ),
    (
        {"sync": {"window_minutes": 7}},
        (
            "sync.window_minutes: cannot be 7; a day has to be a whole number of windows, such as 15, "
            "60 or 240"
        ),
    ),
    (
        {"redaction": {"path": "open"}},
        "redaction.path: cannot be 'open'; give one of 'masked', 'template'",
    ),
    ({"lang": "x" * 999}, f"lang: cannot be '{'x' * 79}...; give one of 'en', 'zh'"),
    # what may be or hold a secret is not shown
    ({"app_secret": ["sekret"]}, "app_secret: give a text"),
    ({"redaction": {"hash_key": ["sekret"]}}, "redaction.hash_key: give a text"),
    ({"deliver": {"smtp_port": 0}}, "deliver.smtp_port: give a whole number from 1 to 65535"),
    ({"deliver": {"mail_to": "sekret"}}, "deliver.mail_to: give a list of texts"),
    (
        {"redaction": "sekret"},
        "redaction: give a table of some of: path, ip, rejects, hash_key, hash_key_file",
    ),
]


@pytest.mark.parametrize(("given", "says"), REFUSED)
def test_a_refusal_names_the_setting_what_was_given_and_what_is_allowed(given, says):
    made = Settings(seed=3)
    for refuse in (
        lambda: load_settings(overrides=given),
        lambda: Settings(**given),
        lambda: settle(None, given, where="here"),
        lambda: settle(made, given, where="here"),
    ):
        with pytest.raises(ConfigError) as caught:
            refuse()
        assert str(caught.value) == f"setting {says}"


def test_sections_made_by_themselves_refuse_alike():
    with pytest.raises(
        ConfigError, match=r"^setting rules\.probing_apis: cannot be -1; give a whole"
    ):
        RuleSettings(probing_apis=-1)
    with pytest.raises(ConfigError, match=r"^setting deliver\.smtp_prt: is unknown; .*'smtp_port'"):
        DeliverSettings(smtp_prt=25)
    with pytest.raises(
        ConfigError, match=r"^setting budgt_per_week: is unknown; .*'budget_per_week'"
    ):
        Settings(budgt_per_week=3)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "HOLIDAYS",
            "2026-10-01",
            "HOLIDAYS is no JSON; give a list of days such as 2026-10-01, wr",
        ),
        (
            "DELIVER__MAIL_TO",
            "sekret@x.org",
            "DELIVER__MAIL_TO is no JSON; give a list of texts, wr",
        ),
        ("RULES", "sekret", r"RULES is no JSON; give a table .*, written like '\{"),
        ("RULES", '{"probing_api": 3}', r"rules\.probing_api: is unknown; .*'probing_apis'"),
        ("SEED", "x", "seed: cannot be 'x'; give a whole number of at least 0"),
    ],
)
@pytest.mark.parametrize("read", [load_settings, Settings])
def test_the_variable_of_the_environment_that_is_wrong_is_named(
    monkeypatch, name, value, says, read
):
    monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv(f"{PREFIX}LANG", "en")  # no JSON, and need not be
    with pytest.raises(ConfigError, match=says) as caught:
        read()
    assert "sekret" not in str(caught.value)


# Settings by keyword


def test_keywords_win_over_settings_and_leave_the_others(monkeypatch):
    made = Settings(seed=3, rules={"probing_apis": 4, "dormant_days": 9}, app_secret="s3cret")  # noqa: S106
    monkeypatch.setenv(f"{PREFIX}SEED", "8")
    monkeypatch.setenv(f"{PREFIX}RULES__DORMANT_DAYS", "8")
    settled = settle(made, {"budget": 5, "rules": {"probing_apis": 20}, "n_jobs": None}, where="x")
    assert (settled.budget_per_week, settled.seed, settled.n_jobs) == (5, 3, None)
    assert (settled.rules.probing_apis, settled.rules.dormant_days) == (20, 9)
    assert settled.read_app_secret().get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settled)
    assert settle(made, {}, where="x") is made
    again = settle(made, {"rules": RuleSettings(silence_hours=6)}, where="x").rules
    assert (again.probing_apis, again.silence_hours) == (4, 6)


def test_without_settings_keywords_win_over_environment_and_file(monkeypatch):
    write("budget_per_week = 3\nseed = 3\nhistory_weeks = 3\n", "audit-analytics.toml")
    monkeypatch.setenv(f"{PREFIX}SEED", "4")
    settled = settle(None, {"budget": 5}, where="x")
    assert (settled.budget_per_week, settled.seed, settled.history_weeks) == (5, 4, 3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: pipeline.analyze([], budgt=5), r"analyze\(\): .*'budgt'; did you mean 'budget'\?"),
        (lambda: pipeline.analyze([], wek="2026-W46"), "did you mean 'week'"),
        (lambda: pipeline.analyze([], previos="reports"), "did you mean 'previous'"),
        (
            lambda: pipeline.analyze([], rules={"probing_api": 3}),
            r"analyze\(\) \[rules\]: .*'probing_apis'",
        ),
        (
            lambda: pipeline.analyze([], budget=0),
            "setting budget_per_week: cannot be 0; give a num",
        ),
        (
            lambda: pipeline.analyze([], budget=3, budget_per_week=4),
            "one setting; give one of them",
        ),
        (
            lambda: pipeline.analyze([], settings={"seed": 3}),
            "settings cannot be dict; give aa.Settings",
        ),
        (lambda: load([], catalog="x.toml"), r"load\(\): .*did you mean 'catalogue'"),
        (lambda: load([], n_jobs=0), "n_jobs: cannot be 0; give a whole number from 1 to 64"),
        (lambda: drill.drill(None, size=[1.0]), r"drill\(\): .*did you mean 'sizes'"),
        (
            lambda: drill.drill(None, budget="x"),
            "budget_per_week: cannot be 'x'; give a number above",
        ),
    ],
)
def test_a_wrong_keyword_is_told_before_anything_is_read(call, says):
    with pytest.raises(ConfigError, match=says):
        call()
