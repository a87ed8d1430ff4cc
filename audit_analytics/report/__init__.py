"""Report: one dict, many files: HTML, Markdown, JSON, two of CSV, and OCSF where it is installed.

In comes what one week's judgement found, out goes the dict and what is written from it. Every
output escapes for its own format (:mod:`audit_analytics.report.escape`); nothing is judged, and no
output says what the dict does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit_analytics.files import write_together

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_report"]


def write_report(
    report: dict[str, Any], out_dir: Path, *, ocsf: bool | None = None
) -> dict[str, Path]:
    """Write the report in every format; the same report gives the same bytes.

    Each file is written beside its name and moved into place once all are ready, so that a reader
    never sees half a file, and a failure leaves the old report whole. They tell who called what
    from where, so only their owner may read them.

    Parameters
    ----------
    report : dict
        The report.
    out_dir : pathlib.Path
        Folder for the files; made if it does not exist.
    ocsf : bool, optional
        Whether findings.ocsf.jsonl is written too; if its extra is installed, unless given. An
        older one that is not written anew is removed: it would tell of another run.

    Returns
    -------
    dict of str to pathlib.Path
        Path of each file by its name.

    Raises
    ------
    OSError
        The folder or a file cannot be written.
    ConfigError
        `ocsf` is asked for, and its extra is not installed.
    """
    from audit_analytics.report.csv_file import render_csv, render_evidence  # noqa: PLC0415 - importing stays cheap
    from audit_analytics.report.html import render_html  # noqa: PLC0415
    from audit_analytics.report.json_file import render_json  # noqa: PLC0415
    from audit_analytics.report.markdown import render_markdown  # noqa: PLC0415
    from audit_analytics.report.ocsf import FILE_NAME as ocsf_name  # noqa: N811, PLC0415
    from audit_analytics.report.ocsf import check_ocsf, render_ocsf  # noqa: PLC0415

    texts = {
        "report.html": render_html(report),
        "report.md": render_markdown(report),
        "findings.json": render_json(report),
        "findings.csv": render_csv(report),
        "evidence.csv": render_evidence(report),
    }
    if check_ocsf(required=ocsf):
        texts[ocsf_name] = render_ocsf(report)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_together(out_dir, {name: text.encode() for name, text in texts.items()})
    if ocsf_name not in texts:
        (out_dir / ocsf_name).unlink(missing_ok=True)
    return {name: out_dir / name for name in texts}
