"""Secrets: from a setting of their own or from a file, never from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from audit_analytics.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def read_secret(name: str, value: SecretStr | None, path: Path | None) -> SecretStr | None:
    """Return a secret from its own setting or from the file it is mounted as, less the last newline.

    None if neither is set. Both at once, an empty secret or a file that cannot be read is refused.

    Examples
    --------
    >>> read_secret("app_secret", SecretStr("hunter2"), None)
    SecretStr('**********')
    """
    if value is not None and path is not None:
        raise ConfigError(f"setting {name}: is given itself and as a file; keep one of them")
    if path is not None:
        try:
            value = SecretStr(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise ConfigError(
                f"setting {name}_file: {path} cannot be read ({reason}); check the path and its mode"
            ) from None
    if value is not None and not value.get_secret_value():
        raise ConfigError(f"setting {name}: is empty; set it, or leave it out")
    return value
