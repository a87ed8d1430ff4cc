import csv
import json
import re
import tomllib
from importlib.resources import files

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from audit_analytics.catalogue import (
    Catalogue,
    Usage,
    _by_name,
    classify,
    contradicts,
    load_catalogue,
    propose_rating,
    write_starter,
)
from audit_analytics.catalogue._codes import load_codes
from audit_analytics.cli.main import main
from audit_analytics.errors import ConfigError
from audit_analytics.schema import OUTCOMES, SENSITIVE, SEVERITIES

CATALOGUE = Catalogue.default()
APIS = sorted(CATALOGUE, key=lambda match: match.api)
DATA = files("audit_analytics.catalogue")


def spell(api, change):
    return "/".join(change(s) if s.startswith(":") else s for s in api.split("/"))


def test_every_api_is_found_in_every_spelling():
    assert len(APIS) == 1763
    assert len({match.api for match in APIS}) == 1763
    for match in APIS:
        for change in (str, lambda s: f"{{{s[1:]}}}", lambda _: "7391845562"):
            assert CATALOGUE.match(spell(match.api, change)) == match


@pytest.mark.parametrize(
    "written",
    [
        "GET/open-apis/contact/v3/users/:user_id",
        "get/open-apis/contact/v3/users/ou_1",
        "GET /open-apis/contact/v3/users/{id}",
        "GET https://open.feishu.cn/open-apis/contact/v3/users/ou_1?user_id_type=open_id",
        "GEThttps://open.larksuite.com/open-apis/contact/v3/users/ou_1/",
        "GET/open.feishu.cn/open-apis/contact/v3/users/ou_1",
        "GETopen.feishu.cn:443/open-apis/contact/v3/users/ou_1",
        "GET:/open-apis//contact/v3/users/ou_1#top",
        "  /open-apis/contact/v3/users/ou_1  ",
        "GET/open-apis%2Fcontact%2fv3/users/ou_1",
        "GET/open-apis%252Fcontact/v3/users/ou_1",
        "GET/Open-APIs/CONTACT/V3/Users/ou_1",
        "GET/open-apis//contact/v3/users/ou_1//",
        "GET/open-apis;a=1/contact/v3;b/users/ou_1;c",
        "GET/open-apis/%63ontact/v3/users/ou_1",
        "\uff27\uff25\uff34/open-apis/\uff43ontact/v3\uff0fusers/ou_1",
    ],
)
def test_spellings_of_one_api(written):
    found = CATALOGUE.match(written, "get")
    assert found.api == "GET/open-apis/contact/v3/users/:user_id"
    assert found.known


@pytest.mark.parametrize(
    "written",
    [
        "GET/open-apis/c\u043entact/v3/users",  # a Cyrillic o is another letter
        "GET/open-apis/contact/v3/users%3Fx/list",
        "GET/open-apis/contact/v3/user",
        "GET/open-apis/contact.v3.users",
        "GET/open-apis/contact/v3\\users",
    ],
)
def test_what_is_not_surely_the_same_route_stays_unknown(written):
    assert not CATALOGUE.match(written).known


@given(st.sampled_from(APIS), st.randoms())
def test_a_respelled_api_keeps_its_severity(match, rng):
    method, _, path = match.api.partition("/")
    spell = (str.upper, str, lambda c: f"%{ord(c):02X}", lambda c: c + "/" * (c == "/"))
    # what was a placeholder is an id, and an id may be written in any way
    segments = ["ou_7391" if s.startswith(":") else s for s in path.split("/")]
    written = "".join(rng.choice(spell)(c) for c in "/".join(segments))
    found = CATALOGUE.match(f"{method}/{written}")
    assert (found.api, found.severity) == (match.api, match.severity)


def siblings():
    """Yield every literal that stands where another API has a placeholder, and that API."""
    for match in APIS:
        for place, segment in enumerate(match.template):
            if not segment.startswith(":"):
                odd = [*match.template[:place], "zz_9", *match.template[place + 1 :]]
                other = CATALOGUE.match("/".join((match.api.partition("/")[0], *odd)))
                if other.known:
                    yield match, place, other


@pytest.fixture(scope="module")
def known_siblings():
    return [*siblings()]


@pytest.mark.parametrize(
    "respell",
    [
        str.upper,
        lambda s: f"%{ord(s[0]):02x}{s[1:]}",
        lambda s: f"{s};a=1",
        lambda s: chr(ord(s[0]) + 0xFEE0) + s[1:],
        lambda s: f"./{s}",
        lambda s: f"x/../{s}",
        lambda s: "/" * 600 + s,
        lambda s: s + ";" + "a" * 3000,
    ],
    ids=["case", "percent", "parameters", "full width", "dot", "dots", "padded", "long parameters"],
)
def test_a_respelled_literal_is_no_id_of_a_less_severe_api(known_siblings, respell):
    assert len(known_siblings) > 30
    for match, place, other in known_siblings:
        segments = [*match.template]
        segments[place] = respell(segments[place])
        found = CATALOGUE.match("/".join((match.api.partition("/")[0], *segments)))
        worse = SEVERITIES.index(other.severity) > SEVERITIES.index(match.severity)
        assert found.api == (other.api if worse else match.api)
        assert SEVERITIES.index(found.severity) >= SEVERITIES.index(match.severity)


def test_a_key_that_may_have_been_cut_is_no_route_for_sure():
    users = "GET/open-apis/contact/v3/users"
    assert CATALOGUE.match(f"{users}{'/' * 4000}batch").api.endswith("users/batch")
    assert not CATALOGUE.match((f"{users}{'/' * 5000}batch")[:4096]).known
    assert not CATALOGUE.match(f"{users}{'/' * 5000}batch").known
    assert CATALOGUE.match(f"{users}/ou_1?{'x' * 5000}").api.endswith("users/:user_id")
    path = f"/open-apis/contact/v3/users{'/' * 600}batch"
    assert CATALOGUE.match("odd", "GET", path).api.endswith("users/batch")


def test_literal_segments_beat_placeholders():
    assert CATALOGUE.match("POST/open-apis/contact/v3/users/batch_get_id").api.endswith(
        "batch_get_id"
    )
    # Another method under the same literal is an id like any other.
    assert CATALOGUE.match("DELETE/open-apis/contact/v3/users/batch").api.endswith("/:user_id")


def test_legacy_paths_match_without_open_apis():
    found = CATALOGUE.match("POST/approval/openapi/v2/instance/approve")
    assert (found.known, found.category) == (True, "approval_action")


def test_method_and_path_are_the_fallback():
    found = CATALOGUE.match("something odd", "GET", "/open-apis/im/v1/chats/oc_1/members?a=1")
    assert found.api == "GET/open-apis/im/v1/chats/:chat_id/members"
    assert CATALOGUE.match("", "GET", "/open-apis/im/v1/chats").known
    disagreeing = CATALOGUE.match(
        "GET/open-apis/im/v1/chats", "POST", "/open-apis/contact/v3/users/ou_1"
    )
    assert disagreeing.api == "GET/open-apis/im/v1/chats"


def test_an_unknown_api_is_kept():
    found = CATALOGUE.match(
        "DELETE/open-apis/brand_new/v1/users/ou_abc/x/:y/{z}/7391/doxcn1a2b3c4d5e6f7g8"
    )
    assert found.api == "DELETE/open-apis/brand_new/v1/users/:id/x/:id/:id/:id/:id"
    assert (found.known, found.category, found.severity) == (False, "unknown", "high")
    uuid = CATALOGUE.match("GET/x/9cb3d23e-47f8-4d1e-9f4a-1c1d2c8b1f60/batch_get_tmp_download_url")
    assert uuid.api == "GET/x/:id/batch_get_tmp_download_url"
    assert CATALOGUE.match("").api == ""


@pytest.mark.parametrize(
    "api",
    [
        "POST/ec2.amazonaws.com/DescribeVolumes",
        "POST/lambda.amazonaws.com/UpdateFunctionCode20150331v2",
    ],
)
def test_a_service_of_another_log_stays_as_it_is(api):
    assert CATALOGUE.match(api).api == api


@pytest.mark.parametrize(
    ("api", "severity"),
    [
        ("POST/iam.example/CreateAccessKey", "high"),  # critical is only what was looked at
        ("POST/vault/v2/items/:id/credentials/rotate", "high"),
        ("GET/api/v1/namespaces/:id/secrets/:id", "high"),
        ("POST/ec2.example/DescribeSecurityGroups", "low"),
        ("POST/user.session.start", "medium"),
        ("POST/crew/v1/shifts/search", "none"),
        ("PUT/crew/v1/shifts/:id", "low"),
        ("DELETE/crew/v1/shifts/:id", "medium"),
        ("POST/s3.example/DeleteObjects", "medium"),
        ("", "unknown"),
    ],
)
def test_what_the_catalogue_does_not_know_is_rated_by_its_name(api, severity):
    found = CATALOGUE.match(api)
    assert (found.known, found.category, found.severity) == (False, "unknown", severity)


def test_what_the_guesses_rest_on_is_fingerprinted_to_its_last_word():
    # a store counts again when any of it changes; the repr of a pattern is cut
    for pattern in (_by_name._READING, _by_name._DELETING, *(row[0] for row in _by_name._NAMED)):
        assert pattern.pattern in _by_name.GUESSES


def test_who_rates_an_api_by_severity_alone_knows_it():
    found = Catalogue(severities={"GET/crew/v1/payslips": "none"}).match("GET/crew/v1/payslips")
    assert (found.category, found.severity) == ("other", "none")


@given(st.text(max_size=2000), st.text(max_size=20), st.text(max_size=200))
def test_any_text_gives_a_short_api(api_raw, method, path):
    found = CATALOGUE.match(api_raw, method, path)
    assert found.severity in (*SEVERITIES, "unknown")
    # Cutting at 512 characters bounds the key; ':id' can only lengthen a one-digit segment.
    assert len(found.api) <= 4 * 512 + len(method.upper())


# a segment of dots is no id, but the same place or the one above it
IDS = st.text("abcXYZ0189_-.", min_size=1, max_size=40).filter(lambda name: name.strip("."))


@given(st.sampled_from(APIS), IDS)
def test_any_id_in_any_api_is_canonical_again(match, name):
    written = spell(match.api, lambda _: name)
    found = CATALOGUE.match(written)
    assert found.known
    assert len(found.template) == len(match.template)


def test_sensitivity_is_what_the_first_pattern_says():
    rules = tomllib.loads((DATA / "sensitivity.toml").read_text(encoding="utf-8"))["pattern"]
    assert all(rule["severity"] in SEVERITIES for rule in rules)
    for match in APIS[::7]:
        first = next((r for r in rules if re.search(r["pattern"], match.api)), None)
        expected = (first["category"], first["severity"]) if first else ("other", "none")
        assert (match.category, match.severity) == expected


def test_sensitive_apis_are_high_and_critical():
    sensitive = CATALOGUE.sensitive_apis()
    assert sensitive == sorted(m.api for m in APIS if m.severity in SENSITIVE)
    assert len(sensitive) == 406
    assert "POST/open-apis/im/v1/messages" not in sensitive


def test_the_user_adds_patterns_and_overrides_severities(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(
        "[[pattern]]\ncategory = 'crown_jewels'\nseverity = 'critical'\npattern = '/finance_robot/'\n"
        "[severity]\n'get /open-apis/im/v1/chats/{chat_id}' = 'high'\n",
        encoding="utf-8",
    )
    own = load_catalogue(file)
    new = own.match("POST/open-apis/finance_robot/v1/pay")
    assert (new.known, new.category, new.severity) == (False, "crown_jewels", "critical")
    assert own.match("GET/open-apis/im/v1/chats/oc_9").severity == "high"
    assert "GET/open-apis/im/v1/chats/:chat_id" in own.sensitive_apis()
    assert CATALOGUE.match("GET/open-apis/im/v1/chats/oc_9").severity != "high"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[pattern]]\ncategory='a'\nseverity='severe'\npattern='x'", "use one of none, low"),
        ("[[pattern]]\ncategory='a'\nseverity='high'\npattern='('", "not a regular expression"),
        ("[[pattern]]\ncategory='a'\npattern='x'", "needs category, severity and pattern"),
        ("[[pattern]]\ncategory=1\nseverity='high'\npattern='x'", "must be text"),
        ("[pattern]\ncategory='a'", "double brackets"),
        ("severity = 'high'", "as a table"),
        ("[severity]\n'GET/x' = 3", "use one of"),
        ("[patterns]\na=1", "unknown table"),
        ("not toml", "not valid TOML"),
        ("a = " + "[" * 9999, "not valid TOML"),
        ("a = " + "9" * 9999, "not valid TOML"),
    ],
)
def test_a_bad_file_says_what_to_do(tmp_path, text, expected):
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=expected) as caught:
        load_catalogue(file)
    assert "own.toml" in str(caught.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_catalogue(tmp_path / "absent.toml")


def test_codes_have_known_classes():
    codes = load_codes()
    assert len(codes) == 2691
    assert set(codes.values()) <= set(OUTCOMES)
    rows = csv.DictReader((DATA / "error_codes.csv").read_text(encoding="utf-8").splitlines())
    assert sum(1 for _ in rows) == len(codes)


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        (0, 200, "ok"),
        (0, None, "ok"),
        (0, 0, "ok"),
        (99991672, 200, "permission"),
        (99991663, 400, "auth"),
        (99991400, 400, "rate_limit"),
        (99991401, 400, "permission"),
        (99992402, 200, "param"),
        (99992361, 400, "not_found"),
        (1780001, 500, "server"),
        (987654321, 200, "other"),
        (987654321, None, "other"),
        (987654321, 503, "server"),
        (None, 204, "ok"),
        (None, 302, "ok"),
        (None, 101, "other"),
        (None, 401, "auth"),
        (None, 403, "permission"),
        (None, 404, "not_found"),
        (None, 429, "rate_limit"),
        (None, 400, "param"),
        (None, 418, "param"),
        (None, 500, "server"),
        (403, 200, "permission"),
        (200, 200, "ok"),
        (None, 99991663, "auth"),
        (None, 0, "unknown"),
        (None, None, "unknown"),
        (None, -5, "other"),
        (0, 500, "server"),
        (0, 429, "rate_limit"),
        (0, 403, "permission"),
        (0, 404, "not_found"),
        (200, 500, "server"),
        (0, 302, "ok"),
        (0, 99991663, "ok"),
    ],
)
def test_outcomes(code, status, outcome):
    assert classify(code, status) == outcome


@given(st.none() | st.integers(), st.none() | st.integers())
def test_every_pair_has_an_outcome(code, status):
    outcome = classify(code, status)
    assert outcome in OUTCOMES
    # what the client of the API calls a contradiction is no success in a log either
    assert not (contradicts(code, status) and outcome == "ok")


def test_a_starter_loads_back_as_the_catalogue_it_proposes(tmp_path):
    used = [
        Usage("GET/open-apis/crew/v1/payslips", 40, 2),
        Usage("POST/open-apis/crew/v1/roles/:id/grant", 4, 1),
        Usage('GET/open-apis/a"b\\c\x7f/v1/x', 1, 1),
        Usage("", 1, 1),
    ]
    used = [row._replace(api=Catalogue.default().match(row.api).api) for row in used]
    file = tmp_path / "my_apis.toml"
    file.write_text(write_starter(used), encoding="utf-8")
    own = load_catalogue(file)
    for row in used:
        match = own.match(row.api)
        assert (match.category, match.severity) == propose_rating(row.api), row.api
        assert not match.known
    assert own.match("GET/open-apis/crew/v1/payslips").severity == "critical"
    assert own.digest() != Catalogue.default().digest()


@pytest.mark.parametrize(
    "text",
    ['[api]\n"GET/x" = "high"', '[api]\n"GET/x" = {severity = "high"}', "[[api]]\na = 1",
     '[api]\n"GET/x" = {category = "", severity = "high"}',
     '[api]\n"GET/x" = {category = "a", severity = "bad"}'],
)  # fmt: skip
def test_a_rating_that_is_none_is_refused(tmp_path, text):
    file = tmp_path / "my_apis.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_catalogue(file)


def test_the_command_lists_what_nobody_knows_and_leaves_out_what_was_never_there(tmp_path):
    def row(number, path, status):
        return {
            "id": f"{number}",
            "event_time": 1794369600 + number,
            "app_id": "cli_a",
            "api_key": f"GET{path}",
            "log_detail": {"path": path, "status_code": status},
        }

    rows = [row(n, "/open-apis/crew/v1/payslips", 200) for n in range(3)]
    rows += [row(9 + n, f"/open-apis/ghost/v1/route{n}", 404) for n in range(3)]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, rows)))
    done = CliRunner().invoke(main, ["catalogue", str(log)])
    assert done.exit_code == 0
    assert '"GET/open-apis/crew/v1/payslips" = { category = "payroll_read"' in done.stdout
    assert "ghost" not in done.stdout
    assert "1 APIs outside the catalogue, 3 of 6 calls" in done.stderr
