"""Every text is in every catalogue, with its placeholders; nothing in them is left over."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import audit_analytics
from audit_analytics.errors import ConfigError
from audit_analytics.language import (
    LANGUAGES,
    _,
    current_language,
    ngettext,
    say_day,
    say_number,
    say_time,
    use_language,
)

PACKAGE = Path(audit_analytics.__file__).parent
TRANSLATED = sorted(set(LANGUAGES) - {"en"})
PLACEHOLDER = re.compile(r"\{(\w+)\}|%\((\w+)\)s")
KEYWORDS = {**DEFAULT_KEYWORDS, "_": None, "mark": None}
METHODS = [("**.py", "python"), ("**/templates/**.j2", "jinja2")]


def read_catalogue(language):
    with (PACKAGE / "language" / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def extract_texts():
    found = extract_from_dir(PACKAGE, METHODS, keywords=KEYWORDS)
    return {message for _file, _line, message, _comments, _context in found}


def placeholders(text):
    return {a or b for a, b in PLACEHOLDER.findall(text)}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language):
    catalogue = read_catalogue(language)
    missing = []
    for text in sorted(extract_texts(), key=str):
        message = catalogue.get(text if isinstance(text, str) else text[0])
        strings = message and (
            message.string if isinstance(message.string, tuple) else (message.string,)
        )
        if not message or not all(strings) or message.fuzzy:
            missing.append(text)
    assert not missing


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language):
    ids = {message.id for message in read_catalogue(language) if message.id}
    assert ids <= extract_texts()


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_kept(language):
    for message in read_catalogue(language):
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        wanted = placeholders(ids[-1])
        assert all(placeholders(text) == wanted for text in strings), message.id


def test_numbers_and_dates_follow_the_language():
    at = datetime(2026, 11, 9, 18, 5, tzinfo=UTC)
    assert (say_number(1234.5, digits=1), say_day(date(2026, 11, 10)), say_time(at)) == (
        "1,234.5",
        "Tue 10 Nov",
        "18:05",
    )
    with use_language("zh"):
        assert say_day(date(2026, 11, 10)) == "11月10日周二"
        assert say_number(1234567) == "1,234,567"


def test_language_ends_with_its_block_even_after_an_error():
    with pytest.raises(RuntimeError), use_language("zh"):
        raise RuntimeError
    assert current_language() == "en"


def test_unknown_language_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'fr'.*zh"), use_language("fr"):
        pass


def test_text_of_a_value_is_never_a_template():
    assert _("on {day}", day="{0.__class__}") == "on {0.__class__}"
    assert ngettext("{n} call of {app}", "{n} calls of {app}", 1, app="{n}") == "1 call of {n}"
