"""Where the calls of a finding came from, and whether anybody called from there before.

What an app did decides little as long as nobody says from where: the same fourteen calls are a
release from its own server, and a stolen secret from an address that was never seen.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pandas as pd

from audit_analytics import schema
from audit_analytics.cases import Hit
from audit_analytics.dates.weeks import Week
from audit_analytics.language import _, label_entity
from audit_analytics.language.wording import list_names

LEAST_PAST: Final = pd.Timedelta(days=7)
"""A log with less of it before the week knows too little to call an address new."""


@dataclass(frozen=True)
class Whence:
    """Tells where calls came from.

    Parameters
    ----------
    by_ip : pandas.DataFrame
        Table :data:`audit_analytics.schema.CALLS_BY_IP`, over the whole log.
    week : Week
        The report week.
    """

    by_ip: pd.DataFrame
    week: Week

    def say(self, first: Hit, groups: pd.DataFrame) -> str:
        """Say where the calls of a finding came from.

        Parameters
        ----------
        first : Hit
            Its first reason.
        groups : pandas.DataFrame
            Counts of what that is about, by :data:`audit_analytics.cases.EVIDENCE_GROUPS`.

        Returns
        -------
        str
            A sentence that names up to three addresses, those of new networks (/24, IPv6 /48) first;
            empty where most calls have no address. Of an address, whether its network is new.
        """
        placed = groups[~groups["network"].isin(schema.NO_PLACE)]
        most = 2 * placed["calls_count"].sum() > groups["calls_count"].sum()
        if not most or first.entity_type not in ("app", "ip"):
            return ""
        strange = placed[self.find_strange(placed["network"])]
        if first.entity_type == "ip":
            told = len(strange) == len(placed)
            return (
                _("Nobody in the tenant called from its network before this week.") if told else ""
            )
        if not self._can_tell or "network" in first.where:
            # nobody knows what is new, or it was said
            return _("From {ips}.", ips=_name(placed))
        if strange.empty:
            return self._say_known(first.entity, placed, groups)
        return _say_part(
            strange,
            groups,
            _("From {ips}, where nobody in the tenant called from before this week."),
            _(
                "{n} of {calls} calls came from {ips}, where nobody in the tenant called from before "
                "this week."
            ),
        )

    def find_strange(self, networks: pd.Series) -> pd.Series:
        """Find networks that nobody in the tenant called from before the week.

        Parameters
        ----------
        networks : pandas.Series of str
            Networks, as the table has them.

        Returns
        -------
        pandas.Series of bool
            False for what is no place, and everywhere in a log too young to tell.
        """
        if not self._can_tell:
            return pd.Series(data=False, index=networks.index)
        return ~networks.isin(self._networks | {*schema.NO_PLACE})

    def _say_known(self, app: str, placed: pd.DataFrame, groups: pd.DataFrame) -> str:
        own = self._networks_of_apps.get(app)
        if own is None:
            return _("From {ips}, where other apps call from as well.", ips=_name(placed))
        new = placed[~placed["network"].isin(own)]
        if new.empty:
            return _("From {ips}, as before.", ips=_name(placed))
        return _say_part(
            new,
            groups,
            _("From {ips}, new to this app but not to the tenant."),
            _("{n} of {calls} calls came from {ips}, new to this app but not to the tenant."),
        )

    @cached_property
    def _before(self) -> pd.DataFrame:
        before = self.by_ip["bucket_at"] < self.week.start_at
        return self.by_ip.loc[before, ["app_id", "network"]].drop_duplicates()

    @cached_property
    def _can_tell(self) -> bool:
        return bool(self.week.start_at - self.by_ip["bucket_at"].min() >= LEAST_PAST)

    @cached_property
    def _networks(self) -> frozenset[str]:
        return frozenset(map(str, self._before["network"].unique()))

    @cached_property
    def _networks_of_apps(self) -> dict[str, frozenset[str]]:
        own = self._before.groupby("app_id", observed=True)["network"]
        return {str(app): frozenset(map(str, names)) for app, names in own}


def _say_part(part: pd.DataFrame, groups: pd.DataFrame, whole: str, some: str) -> str:
    count, calls = int(part["calls_count"].sum()), int(groups["calls_count"].sum())
    told = whole if count == calls else some
    return told.format(n=f"{count:,}", calls=f"{calls:,}", ips=_name(part))


def _name(groups: pd.DataFrame) -> str:
    """Name addresses, those with most calls first."""
    calls = groups.groupby("ip", observed=True)["calls_count"].sum()
    ranked = sorted(calls.items(), key=lambda row: (-row[1], str(row[0])))
    return list_names([label_entity(str(ip), "ip") for ip, _calls in ranked])
