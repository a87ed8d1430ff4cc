import json
import re
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regex_steps import CountingPattern, count_patterns

from audit_analytics import redact
from audit_analytics.redact import hash_objects, hash_personal, mask_prose, mask_text

SECRET_KEYS = [
    "app_secret",
    "appSecret",
    "client_secret",
    "secret",
    "password",
    "passwd",
    "new_password",
    "token",
    "access_token",
    "tenant_access_token",
    "refresh_token",
    "app_ticket",
    "ticket",
    "Authorization",
    "cookie",
    "private_key",
    "encrypt_key",
    "key_material",
    "code_verifier",
    "auth_code",
    "mobile",
    "mobiles",
    "emails",
    "email",
    "phone_number",
    "id_card",
    "idCardNumber",
    "captcha",
    "session_key",
]
SECRET = st.from_regex(r"[A-Za-z0-9]{12,24}", fullmatch=True).map(lambda s: f"Zq{s}")


def nest(value, depth):
    for _ in range(depth):
        value = json.dumps({"before": 1, "payload": value, "after": "kept"})
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"app_id":"cli_1","app_secret":"x"}', '{"app_id":"cli_1","app_secret":"***"}'),
        ("grant_type=a&refresh_token=ur-1&x=2", "grant_type=a&refresh_token=***&x=2"),
        ('{"mobiles":["138","139]"],"n":1}', '{"mobiles":***,"n":1}'),
        ('{"code":99991663,"msg":"no"}', '{"code":99991663,"msg":"no"}'),
        ("?code=4711&state=x", "?code=***&state=x"),
        ("{'password': 'a b', 'x': 1}", "{'password': '***', 'x': 1}"),
        (
            '{"payload":"{\\"secret\\":\\"s\\",\\"y\\":2}"}',
            '{"payload":"{\\"secret\\":\\"***\\",\\"y\\":2}"}',
        ),
        ('{"password":"cut in the mid', '{"password":"***'),
        ("sent to ann@example.com today", "sent to *** today"),
        ("got t-g1044qeGEDXTB6NDJOGV4JQCYDGHRBAR back", "got *** back"),
        ("nothing to hide, tokens counted", "nothing to hide, tokens counted"),
        ('{"app\\u005fsecret":"x"}', '{"app_secret":"***"}'),
        ("app%5Fsecret=x&b=%41", "app_secret=***&b=A"),
        ('{"name":"\\u5bc6\\u0041"}', '{"name":"\\u5bc6\\u0041"}'),
        ('{"\u5bc6\u7801":"x"}', '{"\u5bc6\u7801":"***"}'),
    ],
)
def test_masking(text, expected):
    assert mask_text(text) == expected


@given(
    st.sampled_from(SECRET_KEYS),
    SECRET,
    st.text(max_size=6),
    st.integers(0, 3),
    st.sampled_from(["plain", "list", "object"]),
)
def test_a_secret_in_json_in_json_never_survives(key, secret, around, depth, shape):
    value = around + secret + around
    held = {"plain": value, "list": [around, value, 7], "object": {"a": {"b": [value]}}}[shape]
    text = nest(json.dumps({"first": "kept", key: held, "last": around}), depth)
    assert secret not in mask_text(text)


@given(st.sampled_from(SECRET_KEYS), SECRET, st.integers(0, 2), st.integers(0, 40))
def test_cut_text_hides_what_is_left_of_a_secret(key, secret, depth, dropped):
    text = nest(json.dumps({"a": 1, key: secret}), depth)
    cut = text[: max(len(text) - dropped, 0)]
    masked = mask_text(cut)
    assert secret[:6] not in masked or secret[:6] not in cut


@given(
    st.sampled_from(SECRET_KEYS), SECRET, st.dictionaries(st.text(max_size=5), st.text(max_size=5))
)
def test_a_secret_in_a_query_string_never_survives(key, secret, others):
    assert secret not in mask_text(urlencode({**others, key: secret}))
    assert secret not in mask_text(f"{key}: {secret}")


@given(SECRET)
def test_a_bare_token_never_survives(secret):
    for text in (
        f"Bearer {secret}",
        f"t-{secret}{secret}",
        f"x u-{secret}{secret}.",
        f"a-{secret * 2}",
    ):
        assert secret not in mask_text(text)


@given(st.text())
def test_any_text_is_masked_without_error_and_once(text):
    masked = mask_text(text)
    assert mask_text(masked).count("***") >= masked.count("***")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the password for ann is hunter2, call me", "the password for ann is ***, call me"),
        ("password hunter2", "password ***"),
        ("my secret key is 'two words' here", "my secret key is ***' here"),
        ("\u5bc6\u7801\u662fabc \u8c22\u8c22", "\u5bc6\u7801\u662f*** \u8c22\u8c22"),
        ("got Zq81hT0pS3cr3tV4lue back", "got *** back"),
        ('{"id":"739184","api_key":"GET/open-apis/im/v1/chats/:chat_id"}',) * 2,
        ('{"api_key":"POST/open-apis/auth/v3/tenant_access_token/internal"}',) * 2,
        ('{"path":"/open-apis/drive/v1/files/boxcnAb12Cd34Ef56Gh78"}',) * 2,
        ('"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY="', '"***"'),
        ("token refused in line 7", "token refused in line 7"),
    ],
)
def test_sentences_that_name_a_secret(text, expected):
    assert mask_prose(text) == expected


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "secret",
        'secret:"',
        "token=",
        "token:[",
        "a@",
        "a.",
        "eyJ",
        '"secret":"\\',
        "\\",
        "\\u",
        "key is ",
        "+a1A",
        "token:[\\",
        "[{",
    ],
)
def test_hostile_text_costs_linear_work(monkeypatch, unit):
    patterns = count_patterns(monkeypatch, redact)
    walked = [0]
    find_closing = redact._find_closing

    def count_closing(text, start, quote):
        end = find_closing(text, start, quote)
        walked[0] += (end if end >= 0 else len(text)) - start
        return end

    monkeypatch.setattr(redact, "_find_closing", count_closing)
    costs = []
    for size in (500, 2000):
        before = walked[0] + sum(pattern.steps for pattern in patterns)
        text = "token:[" + unit * (size // len(unit))
        masked = redact.mask_prose(redact.mask_text(text))
        costs.append(walked[0] + sum(pattern.steps for pattern in patterns) - before)
        assert len(masked) <= len(text) + 3
    # four times the text: sixteen times the steps would be quadratic
    assert costs[1] < 6 * costs[0]


def test_steps_are_counted_where_they_are_quadratic():
    costs = []
    for size in (100, 400):
        pattern = CountingPattern(re.compile("a+b"))
        assert pattern.search("a" * size) is None
        costs.append(pattern.steps)
    assert costs[1] > 10 * costs[0]


def test_personal_hashes_depend_on_the_key():
    assert hash_personal("a@b.cn", "k1") == hash_personal("a@b.cn", "k1")
    assert hash_personal("a@b.cn", "k1") != hash_personal("a@b.cn", "k2")
    assert hash_personal("\ud800", "k" * 100) != hash_personal("", "k" * 100)


def test_object_hashes_are_stable_and_keyed():
    # A stored log is compared with next week's: the hash may never change.
    assert hash_objects(["/open-apis/contact/v3/users/ou_1"]).tolist() == [-1944267973853941311]
    assert hash_objects(["a"], key="0" * 16)[0] != hash_objects(["a"])[0]
    assert hash_objects([]).shape == (0,)
