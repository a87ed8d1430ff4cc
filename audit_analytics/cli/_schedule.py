"""The command ``schedule``: files that run the report every Monday, with this machine's paths."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from audit_analytics.cli._common import CONFIG, VERBOSE, reports_errors

CRON = """\
# Into the crontab of a user of its own: crontab -e. The secrets lie in secrets.env, lines of
# export NAME=value that only this user can read (chmod 600). Run once by hand: sync --since 35d.
# A cron that does not know CRON_TZ (Debian's) goes by the machine's clock: write its hours then.
CRON_TZ={zone}
*/10 * * * * cd {folder} && . ./secrets.env && {program} sync {store}{config} --wait 5m
30 7 * * 1   cd {folder} && . ./secrets.env && {program} weekly {store} --out {out}{config} --deliver >/dev/null
"""

SERVICE = """\
# /etc/systemd/system/audit-analytics.service, run as a user that exists only while it runs.
# Its store and reports lie in /var/lib/audit-analytics.
[Unit]
Description=Weekly report on the Feishu/Lark OpenAPI audit log
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
# A sync that fails is no reason for silence: weekly then says what is missing.
ExecStart=-{program} sync data/store --since 35d --wait 10m
ExecStart={program} weekly data/store --out reports --deliver
TimeoutStartSec=12h
Environment=AUDIT_ANALYTICS_TENANT_ZONE={zone}
Environment=AUDIT_ANALYTICS_APP_ID=cli_0123456789abcdef
Environment=AUDIT_ANALYTICS_APP_SECRET_FILE=%d/app-secret
Environment=AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL_FILE=%d/webhook-url
Environment=AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET_FILE=%d/webhook-secret
Environment=XDG_STATE_HOME=%S/audit-analytics MPLCONFIGDIR=%C/audit-analytics
LoadCredential=app-secret:/etc/audit-analytics/app-secret
LoadCredential=webhook-url:/etc/audit-analytics/webhook-url
LoadCredential=webhook-secret:/etc/audit-analytics/webhook-secret
DynamicUser=yes
StateDirectory=audit-analytics
CacheDirectory=audit-analytics
WorkingDirectory=%S/audit-analytics
UMask=0077
ProtectSystem=strict
# the program must not lie in a home then
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""

TIMER = """\
# /etc/systemd/system/audit-analytics.timer, which makes up for a Monday the machine was off:
# systemctl enable --now audit-analytics.timer
[Unit]
Description=Weekly report on the Feishu/Lark OpenAPI audit log, on Monday

[Timer]
OnCalendar=Mon *-*-* 07:30:00 {zone}
RandomizedDelaySec=5m
Persistent=true

[Install]
WantedBy=timers.target
"""

CI = """\
# .github/workflows/audit.yml, in a private repository: the report holds your ids.
name: weekly audit report
on:
  schedule:
    - cron: "{minute} {hour} * * {weekday}" # UTC: Monday 07:30 in {zone} (the winter's time)
  workflow_dispatch:
permissions:
  contents: read
concurrency: weekly-audit-report
jobs:
  report:
    runs-on: ubuntu-latest
    timeout-minutes: 350
    env:
      AUDIT_ANALYTICS_TENANT_ZONE: {zone}
      AUDIT_ANALYTICS_APP_ID: ${{{{ vars.AUDIT_APP_ID }}}}
      AUDIT_ANALYTICS_APP_SECRET: ${{{{ secrets.AUDIT_APP_SECRET }}}}
      AUDIT_ANALYTICS_DELIVER__WEBHOOK_URL: ${{{{ secrets.AUDIT_WEBHOOK_URL }}}}
      AUDIT_ANALYTICS_DELIVER__WEBHOOK_SECRET: ${{{{ secrets.AUDIT_WEBHOOK_SECRET }}}}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - uses: actions/cache@v4
        with:
          path: data/store
          key: store-${{{{ github.run_id }}}}
          restore-keys: store-
      - run: pip install ".[ocsf]"
      - run: audit-analytics sync data/store --since 35d --wait 10m
      - run: audit-analytics weekly data/store --out reports --deliver
"""


@click.command()
@click.argument("kind", type=click.Choice(["cron", "systemd", "ci"]))
@click.option("--store", type=click.Path(path_type=Path), default=Path("data/store"))
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"))
@CONFIG
@VERBOSE
@reports_errors
def schedule(*, kind: str, store: Path, out: Path, config: Path | None) -> None:
    """Print the files that write and deliver the report every Monday at 07:30.

    With the paths of this machine and the tenant's zone; for systemd a service and its timer.
    """
    from audit_analytics.settings import load_settings

    zone = load_settings(config).tenant_zone
    for text in _render_schedule(kind, zone=zone, store=store, out=out, config=config):
        click.echo(text)


def _render_schedule(
    kind: str, *, zone: str, store: Path, out: Path, config: Path | None = None
) -> list[str]:
    """Write the files of a schedule: ``cron``, ``systemd`` or ``ci``."""
    program = shutil.which("audit-analytics") or str(Path(sys.argv[0]).resolve())
    if kind == "ci":
        return [CI.format(zone=zone, **_in_utc(zone))]
    if kind == "systemd":
        # a space ends a word there, and % begins a specifier
        quoted = program.replace("%", "%%").replace(" ", "\\x20")
        return [SERVICE.format(program=quoted, zone=zone), TIMER.format(zone=zone)]
    values = {"folder": Path.cwd(), "program": program, "store": store, "out": out}
    # cron ends a command at a %
    words = {name: shlex.quote(str(value)).replace("%", r"\%") for name, value in values.items()}
    given = f" --config {shlex.quote(str(config))}".replace("%", r"\%") if config else ""
    return [CRON.format(zone=zone, config=given, **words)]


def _in_utc(zone: str) -> dict[str, int]:
    """Return when Monday 07:30 is in UTC, on a Monday in January; cron counts from Sunday."""
    from datetime import UTC, datetime

    from audit_analytics.dates.buckets import load_zone

    at = datetime(2026, 1, 5, 7, 30, tzinfo=load_zone(zone)).astimezone(UTC)
    return {"minute": at.minute, "hour": at.hour, "weekday": at.isoweekday() % 7}
