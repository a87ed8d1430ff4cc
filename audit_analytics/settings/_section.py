"""What the sections of the settings have in common: frozen, no unknown name, errors in our words.

Secrets come from a setting of their own or from a file, never from the command line.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from audit_analytics.errors import ConfigError
from audit_analytics.settings._refusal import refuse

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


class Section(BaseModel):
    """A part of the settings with a name of its own; a wrong value is a ConfigError."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    section: ClassVar[str] = ""
    hides_values: ClassVar[bool] = False

    if not TYPE_CHECKING:  # the fields' own types stand in the signature a checker sees

        def __init__(self, **values: Any) -> None:  # noqa: ANN401 - of every type a field has
            try:
                super().__init__(**values)
            except ValidationError as error:
                text = refuse(error, type(self), section=self.section)
                raise ConfigError(f"setting {text}") from None

    def read_secret(self, name: str) -> SecretStr | None:
        """Return a secret, from its own setting or from the file it is mounted as."""
        full = f"{self.section}.{name}"
        return read_secret(full, getattr(self, name), getattr(self, f"{name}_file"))


def check_network(network: str) -> None:
    """Refuse what is no network and no address.

    Parameters
    ----------
    network : str
        As somebody wrote it.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> check_network("203.0.113.0/24")
    """
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise ValueError(
            f"cannot be {network!r}; give networks or addresses such as 203.0.113.0/24"
        ) from None
