from pathlib import Path

import pytest

from audit_analytics.errors import ConfigError
from audit_analytics.settings import PREFIX, Settings, load_settings


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
