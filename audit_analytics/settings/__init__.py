"""Settings: what a user can set, and where it is read from.

In come the command line, the environment and TOML files; out goes one frozen :class:`Settings`.
No other room reads the environment or a config file, and nothing but a secret's own room sees a
secret in the clear.
"""

from audit_analytics.settings._loading import (
    DEFAULT_FILE,
    find_beside,
    load_settings,
    parse_toml,
    settle,
)
from audit_analytics.settings._model import PREFIX, RedactionSettings, Settings, SyncSettings
from audit_analytics.settings._section import DeliverSettings, check_network, name_nearest, refuse
from audit_analytics.settings._thresholds import RuleSettings

__all__ = [
    "DEFAULT_FILE",
    "PREFIX",
    "DeliverSettings",
    "RedactionSettings",
    "RuleSettings",
    "Settings",
    "SyncSettings",
    "check_network",
    "find_beside",
    "load_settings",
    "name_nearest",
    "parse_toml",
    "refuse",
    "settle",
]
