import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
import report_fixture as fixture

from audit_analytics import plots
from audit_analytics.plots.heatmap import _as_grid

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report():
    return fixture.make_gaps_report()


def _svg(ax, name="plot"):
    return plots.to_svg(ax.figure, name=name, label="A plot")


def _texts(svg):
    svg = svg.replace("<svg ", '<svg xmlns:xlink="x" xmlns="http://www.w3.org/2000/svg" ', 1)
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def test_timeline_marks_findings_and_gaps_in_the_zone_of_the_tenant(report):
    findings = fixture.make_report()["findings"]
    ax = plots.timeline(
        report["series"], findings=findings, zone="Asia/Shanghai", ax=plots.new_axes(1040, 290)
    )
    texts = _texts(_svg(ax))
    assert "Calls and errors an hour (Asia/Shanghai)" in texts
    assert [t for t in texts if t.endswith("Nov")][:2] == ["Mon 16 Nov", "Tue 17 Nov"]
    assert {str(f["rank"]) for f in findings} <= set(texts)
    assert "no data" in texts
    assert sum(bool(patch.get_hatch()) for patch in ax.patches) == 2


def test_timeline_without_gaps_names_none():
    ax = plots.timeline(fixture.make_report()["series"], ax=plots.new_axes(1040, 290))
    assert "no data" not in _texts(_svg(ax))


def test_many_findings_in_one_hour_become_one_stack():
    findings = [{"rank": i, "start_at": "2026-11-17T00:00:00Z"} for i in range(1, 51)]
    series = fixture.make_report()["series"]
    texts = _texts(_svg(plots.timeline(series, findings=findings, ax=plots.new_axes(1040, 290))))
    assert "1" in texts
    assert "+49" in texts


def test_timeline_takes_a_frame():
    hours = pd.date_range("2026-11-16", periods=5, freq="h", tz="UTC")
    frame = pd.DataFrame({"bucket_at": hours, "calls_count": [3, 4, 5, 6, 7]}).drop(index=2)
    ax = plots.timeline(frame, ax=plots.new_axes(400, 200))
    assert "no data" in _texts(_svg(ax))


def test_heatmap_says_what_its_shades_mean(report):
    ax = plots.week_heatmap(report["heatmap"], zone="Asia/Shanghai", ax=plots.new_axes(510, 232))
    texts = _texts(_svg(ax))
    assert "Calls by day and hour (Asia/Shanghai)" in texts
    assert {"Mon", "Sun", "00:00", "21:00", "0"} <= set(texts)
    assert any(text.endswith("+") for text in texts)


def test_heatmap_of_a_frame_counts_in_local_time():
    frame = pd.DataFrame(
        {"bucket_at": pd.to_datetime(["2026-11-15T16:00:00Z"]), "errors_count": [7]}
    )
    days, counts = _as_grid(frame, "errors", "Asia/Shanghai")
    assert days[0] == "Mon"
    assert counts[0, 0] == 7


def test_heatmap_hatches_hours_without_data(report):
    grid = {**report["heatmap"], "missing": report["series"]["missing"]}
    with_gaps = plots.week_heatmap(grid, ax=plots.new_axes(510, 232))
    without = plots.week_heatmap(report["heatmap"], ax=plots.new_axes(510, 232))
    assert any(patch.get_hatch() for patch in with_gaps.patches)
    assert not any(patch.get_hatch() for patch in without.patches)


@pytest.mark.parametrize("counts", [[[0] * 24] * 7, [[1] * 24] * 7, [[0] * 23 + [10**9]] * 7])
def test_heatmap_of_any_counts(counts):
    grid = {"rows": ["Mon"] * 7, "calls": counts}
    assert "<svg" in _svg(plots.week_heatmap(grid, ax=plots.new_axes(510, 232)))


def test_top_bars_show_calls_and_the_share_that_failed():
    frame = pd.DataFrame(
        {"calls_count": [2000, 10], "errors_count": [100, 0]}, index=["cli_a", "cli_b"]
    )
    texts = _texts(_svg(plots.top_bars(frame, title="Apps", ax=plots.new_axes(340, 100))))
    assert texts[:4] == ["cli_a", "2,000 · 5.0% failed", "cli_b", "10"]
    assert "Apps: calls in the week" in texts


def test_top_bars_of_nothing():
    assert "<svg" in _svg(plots.top_bars([], ax=plots.new_axes(340, 90)))


def test_finding_series_points_at_what_lies_above_the_range():
    series = fixture.make_finding(1)["series"]
    ax = plots.finding_series(
        series,
        window=("2026-11-19T05:00:00Z", "2026-11-19T07:00:00Z"),
        zone="Asia/Shanghai",
        ax=plots.new_axes(430, 160),
    )
    assert "Refused calls an hour (Asia/Shanghai)" in _texts(_svg(ax))
    above = [o > h for o, h in zip(series["observed"], series["high"], strict=True)]
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    assert len(dots.get_xdata()) == sum(above) >= 1


def test_finding_series_with_unknown_hours_and_its_own_low_end():
    series = {
        "start_at": "2026-11-15T16:00:00Z",
        "observed": [1, 2, 3],
        "expected": [None, 2, 2],
        "high": [None, 4, 4],
        "low": [None, 1, 1],
        "what": "calls an hour",
    }
    for data in (series, {k: v for k, v in series.items() if k != "low"}):
        svg = _svg(plots.finding_series(data, ax=plots.new_axes(430, 160)))
        assert "nan" not in svg


def test_hostile_names_are_text_in_the_svg():
    rows = [
        {"name": name, "calls_count": 9, "errors_count": 1} for name in fixture.HOSTILE.values()
    ]
    svg = _svg(plots.top_bars(rows, ax=plots.new_axes(340, 400)))
    texts = _texts(svg)
    assert r"bot$\foo$" in texts
    assert "<script>alert(1)</script>" in texts
    assert "通讯录助手" in texts
    assert "<script" not in svg
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202e\ud800-\udfff]", svg)
    assert max(map(len, texts)) < 60


def test_a_label_cannot_leave_its_attribute():
    svg = plots.to_svg(plots.new_axes(180, 90).figure, label='"><script>alert(1)</script>')
    assert "<script" not in svg
    assert _texts(svg) is not None


def test_svg_is_small_self_contained_and_recolourable(report):
    svg = _svg(plots.timeline(report["series"], ax=plots.new_axes(1040, 290)))
    assert len(svg) < 40_000
    assert svg.startswith("<svg role")
    assert not re.search(r"<style|<metadata|<\?xml|<!|http|Date", svg)
    bare = re.sub(r"var\(--plot-\w+,#[0-9a-f]{6}\)", "", svg)
    assert not re.search(
        r"#[0-9a-f]{6}\b(?!\w)", re.sub(r'(id|href)="[^"]*"|url\([^)]*\)', "", bare)
    )


def test_same_plot_same_bytes_and_ids_of_its_own(report):
    def draw(name):
        return _svg(plots.timeline(report["series"], ax=plots.new_axes(1040, 290)), name)

    assert draw("a") == draw("a")
    one, two = (set(re.findall(r' id="([^"]+)"', draw(name))) for name in "ab")
    assert one
    assert not one & two


def test_without_axes_a_notebook_gets_a_pyplot_figure_and_no_global_setting_changes():
    code = """
import matplotlib as mpl
mpl.use("agg")
import sys
before = dict(mpl.rcParams)
sys.path.insert(0, "tests/unit")
import report_fixture
from audit_analytics import plots
from audit_analytics.plots.heatmap import _as_grid
plots.new_axes(100, 100)
assert "matplotlib.pyplot" not in sys.modules
ax = plots.timeline(report_fixture.make_gaps_report()["series"])
import matplotlib.pyplot as plt
assert plt.gcf() is ax.figure
ax.figure.canvas.draw()
assert dict(mpl.rcParams) == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert mpl.rcParams["svg.fonttype"] == mpl.rcParamsDefault["svg.fonttype"]
