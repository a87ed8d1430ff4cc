"""Language: what a reader sees, in the reader's language.

In come English texts, numbers and dates; out they go in the language chosen once per run with
:func:`use_language`. No other room formats a number for a reader or knows a catalogue.
"""

from audit_analytics.language.labels import Said, label_entity, name_owner, use_labels
from audit_analytics.language.translation import (
    HTML_CODES,
    LANGUAGES,
    _,
    current_language,
    join_sentences,
    list_weekdays,
    mark,
    ngettext,
    say_date,
    say_day,
    say_moment,
    say_number,
    say_time,
    translations,
    use_language,
)

__all__ = [
    "HTML_CODES",
    "LANGUAGES",
    "Said",
    "_",
    "current_language",
    "join_sentences",
    "label_entity",
    "list_weekdays",
    "mark",
    "name_owner",
    "ngettext",
    "say_date",
    "say_day",
    "say_moment",
    "say_number",
    "say_time",
    "translations",
    "use_labels",
    "use_language",
]
