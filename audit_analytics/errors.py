"""The exceptions of this package; every message says what is wrong, where, and what to do.

::

    AuditAnalyticsError            everything raised on purpose
    ├── ConfigError                a setting is unknown or out of range          exit code 2
    ├── InputError                 a path, folder or file is not a usable log    exit code 2
    ├── DataIncompleteError        the log lacks what the task needs             exit code 3
    └── RemoteError                the API or a webhook refused or failed        exit code 4
"""

__all__ = ["AuditAnalyticsError", "ConfigError", "DataIncompleteError", "InputError", "RemoteError"]


class AuditAnalyticsError(Exception):
    """Base of every exception this package raises on purpose; `exit_code` is the command line's."""

    exit_code = 1


class ConfigError(AuditAnalyticsError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_code = 2


class InputError(AuditAnalyticsError):
    """A path, a folder or a file cannot be read as an audit log."""

    exit_code = 2


class DataIncompleteError(AuditAnalyticsError):
    """The log was read, but does not hold what the task needs."""

    exit_code = 3


class RemoteError(AuditAnalyticsError):
    """The API or a webhook refused a request or could not be reached."""

    exit_code = 4
