import logging
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pandas as pd
import pytest
import report_fixture as fixture
from tenant import make_events, quiet_tenant

from audit_analytics import features, plots, schema
from audit_analytics.plots._week import _as_grid
from audit_analytics.rollup import rollup

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report():
    return fixture.make_gaps_report()


@pytest.fixture(scope="module")
def events():
    return make_events(quiet_tenant(apps=6, weeks=2))


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


def test_finding_series_has_the_weeks_before_beside_it_to_the_same_scale():
    series = fixture.make_finding(1)["series"]
    series["past"] = [
        {"week": f"2026-W{44 + n}", "observed": [n, *[0] * 166, 900 * n]} for n in range(3)
    ]
    ax = plots.finding_series(series, zone="Asia/Shanghai", ax=plots.new_axes(1000, 150))
    drawn = [line for line in ax.lines if line.get_linewidth() == 1.1]
    assert [line.get_ydata()[-1] for line in drawn] == [1800, 900, 0]
    ends = [(line.get_xdata()[0], line.get_xdata()[-1]) for line in drawn]
    assert all(left < right < 0 for left, right in ends)
    assert ends == sorted(ends, reverse=True)
    assert ax.get_ylim()[1] > 1800
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["W44", "W45", "W46"]


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


def test_timeline_draws_the_expected_band_and_the_findings_of_a_report(report):
    findings = pd.DataFrame(
        {"rank": [1], "start_at": pd.to_datetime(["2026-11-17T00:00:00Z"]), "title": ["x"]}
    )
    ax = plots.timeline(report["series"], findings=findings, ax=plots.new_axes(1040, 290))
    assert "expected range" in _texts(_svg(ax))
    assert [text.get_text() for text in ax.texts] == ["1"]


def test_many_days_are_marked_by_their_mondays():
    hours = pd.date_range("2026-10-12", "2026-11-16", freq="h", tz="UTC", inclusive="left")
    frame = pd.DataFrame({"bucket_at": hours, "calls_count": 1})
    ax = plots.timeline(frame, ax=plots.new_axes(1040, 290))
    assert [label.get_text()[:3] for label in ax.get_xticklabels()] == ["Mon"] * 5


def _cells(ax):
    return {
        (round(text.get_position()[1] - 0.5), round(text.get_position()[0] - 0.5)): text.get_text()
        for text in ax.texts
        if text.get_ha() == "center"
    }


def test_app_api_matrix_sets_calls_against_what_was_expected():
    rows = [
        {"app_id": "cli_a", "api": "GET/open-apis/x", "calls_count": 90, "expected": 0.0},
        {"app_id": "cli_b", "api": "GET/open-apis/x", "calls_count": 8, "expected": 7.6},
        {"app_id": "cli_b", "api": "GET/open-apis/y", "calls_count": 40, "expected": 10.0},
        {"app_id": "cli_c", "api": "GET/open-apis/y", "calls_count": 5, "expected": None},
        {"app_id": "cli_c", "api": "GET/open-apis/y", "calls_count": 1, "expected": None},
    ]
    for data in (rows, pd.DataFrame(rows)):
        ax = plots.app_api_matrix(data, ax=plots.new_axes(600, 200))
        assert [t.get_text() for t in ax.get_yticklabels()] == ["GET x", "GET y"]
        assert [t.get_text() for t in ax.get_xticklabels()] == ["cli_a", "cli_b", "cli_c"]
        assert _cells(ax) == {
            (0, 0): "90 / 0", (0, 1): "8 / 8", (1, 1): "40 / 10", (1, 2): "6 / ?",
        }  # fmt: skip
        shades = [mpl.colors.to_hex(box.get_facecolor()) for box in ax.patches]
        names = ["errors2", "calls2", "errors1", "calls0"]
        assert shades == [plots.COLOURS[name] for name in names]
    texts = _texts(_svg(ax))
    assert {"none expected", "more than expected"} <= set(texts)


def test_app_api_matrix_of_first_seen_pairs_shows_calls_and_the_largest(events):
    pairs = features.first_seen(events)["apis"]
    ax = plots.app_api_matrix(pairs, limit=3, ax=plots.new_axes(600, 200))
    assert ax.get_title(loc="left") == "Calls, by API and app"
    assert len(ax.get_xticklabels()) == 3
    assert " / " not in "".join(_cells(ax).values())
    largest = pairs.groupby("app_id", observed=True)["calls_count"].sum().nlargest(3)
    assert {t.get_text() for t in ax.get_xticklabels()} == set(largest.index)


def test_ip_app_matrix_shows_shared_addresses_alone(events):
    shared = pd.DataFrame(
        [
            ("198.51.100.7", "cli_a", 5), ("198.51.100.7", "cli_b", 7), ("198.51.100.7", "cli_a", 1),
            ("198.51.100.9", "cli_b", 3), ("198.51.100.9", "cli_c", 1), ("198.51.100.1", "cli_c", 9),
            ("", "cli_a", 4), ("", "cli_b", 4), ("", "cli_c", 4),
        ],
        columns=["ip", "app_id", "calls_count"],
    )  # fmt: skip
    ax = plots.ip_app_matrix(shared, ax=plots.new_axes(600, 200))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["198.51.100.7", "198.51.100.9"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["cli_b", "cli_a", "cli_c"]
    assert _cells(ax) == {(0, 0): "7", (0, 1): "6", (1, 0): "3", (1, 2): "1"}
    assert _texts(_svg(ax)).count("2 apps") == 2
    by_ip = plots.ip_app_matrix(rollup(events).by_ip, ax=plots.new_axes(600, 200))
    assert by_ip.get_title(loc="left").startswith("Calls from shared addresses")


def test_error_classes_are_stacked_and_named():
    classes = {"auth": [0, 9, 3], "server": [1, 0, 0], "param": [0, 0, 0]}
    data = {"bucket": "1h", "start_at": "2026-11-15T16:00:00Z", "classes": classes}
    ax = plots.error_classes(data, zone="Asia/Shanghai", ax=plots.new_axes(500, 200))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["auth", "server"]
    assert ax.get_title(loc="left") == "Errors an hour, by class (Asia/Shanghai)"
    assert ax.dataLim.ymax == 9


@pytest.mark.parametrize(("bucket", "name"), [("1D", "a day"), ("15min", "in 15 min")])
def test_error_classes_of_features_say_their_bucket(events, bucket, name):
    frame = features.per_api(events, bucket=bucket, zone="UTC", zero_fill=False)
    ax = plots.error_classes(frame, ax=plots.new_axes(500, 200))
    assert ax.get_title(loc="left") == f"Errors {name}, by class (UTC)"
    assert ax.dataLim.ymax == frame.groupby("bucket_at")["errors_count"].sum().max()


def test_new_networks_tells_the_tenants_from_the_apps_and_leaves_out_the_first_week():
    start = pd.Timestamp("2026-10-12T00:00Z")
    rows = [
        ("cli_a", "10.0.0.0/24", start), ("cli_b", "10.0.0.0/24", start + pd.Timedelta(days=9)),
        ("cli_b", "10.0.1.0/24", start + pd.Timedelta(days=9)),
        ("cli_a", "10.0.2.0/24", start + pd.Timedelta(days=20)),
        ("cli_a", "platform", start + pd.Timedelta(days=20)),
    ]  # fmt: skip
    pairs = pd.DataFrame(rows, columns=["app_id", "network", "first_at"])
    ax = plots.new_networks(pairs, zone="UTC", ax=plots.new_axes(500, 200))
    assert ax.get_title(loc="left") == "First contacts with a network, a day (UTC)"
    tenant, app = ([bar.get_height() for bar in bars] for bars in ax.containers)
    assert len(tenant) == 14
    assert [i for i, n in enumerate(tenant) if n] == [2, 13]
    assert [i for i, n in enumerate(app) if n] == [2]


def test_first_seen_timeline_has_a_row_an_app_with_its_count(events):
    pairs = features.first_seen(events)["apis"]
    ax = plots.first_seen_timeline(
        pairs, since=pairs["first_at"].min(), limit=4, zone="Asia/Shanghai",
        ax=plots.new_axes(700, 200),
    )  # fmt: skip
    counts = pairs["app_id"].astype("str").value_counts().sort_index()
    counts = counts.sort_values(ascending=False, kind="stable").head(4)
    assert [t.get_text() for t in ax.get_yticklabels()] == counts.index.tolist()
    assert [t.get_text() for t in ax.texts] == [str(n) for n in counts]


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.app_api_matrix([], ax=ax),
        lambda ax: plots.ip_app_matrix([], ax=ax),
        lambda ax: plots.error_classes(
            {"bucket": "1h", "start_at": "2026-11-15T16:00:00Z", "classes": {}}, ax=ax
        ),
        lambda ax: plots.new_networks({"days": [], "tenant": [], "app": []}, ax=ax),
        lambda ax: plots.error_classes(features.per_api(schema.EVENTS.empty()), ax=ax),
        lambda ax: plots.new_networks(
            features.first_seen(schema.EVENTS.empty())["networks"], ax=ax
        ),
        lambda ax: plots.first_seen_timeline(
            features.first_seen(schema.EVENTS.empty())["apis"], ax=ax
        ),
    ],
)
def test_plots_of_nothing(draw):
    svg = _svg(draw(plots.new_axes(500, 200)))
    assert "<svg" in svg
    assert not re.search(r"\bnan\b", svg)
    assert not re.search(r'"#[0-9a-f]{6}"', svg)


def test_hostile_names_are_text_in_every_matrix():
    names = list(fixture.HOSTILE.values())
    rows = [{"app_id": n, "api": n, "ip": m, "calls_count": 3} for n in names for m in names]
    for draw in (plots.app_api_matrix, plots.ip_app_matrix):
        svg = _svg(draw(rows, ax=plots.new_axes(1040, 400)))
        texts = _texts(svg)
        assert {r"bot$\foo$", "通讯录助手", "=cmd()"} <= set(texts)
        assert "<script" not in svg
        assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202e\ud800-\udfff]", svg)


def test_svg_needs_no_inline_style_and_draws_the_same_line():
    ax = plots.new_axes(200, 100, margins=(0, 0, 0, 0))
    ax.set_axis_off()
    ax.plot([0, 1, 2, 3, 4], [0, 0, 0, 4, 0], color=plots.COLOURS["calls"])
    ax.set_xlim(0, 4)
    ax.set_ylim(0, 4)
    svg = _svg(ax)
    assert "style" not in svg
    # two points on the way along the floor are gone, the peak is not
    assert 'd="M0 100l100 0 50-100 50 100"' in svg
    assert 'stroke="var(--plot-calls,#2a5f96)"' in svg


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
from audit_analytics import features, plots, schema
from audit_analytics.plots._week import _as_grid
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


def test_a_font_without_bold_letters_is_no_news_for_a_terminal(caplog):
    logger = logging.getLogger("matplotlib.font_manager")
    logger.warning("findfont: Failed to find font weight bold for WenQuanYi, now using 400.")
    logger.warning("findfont: Font family 'Nobody Sans' not found.")
    assert [record.getMessage()[:21] for record in caplog.records] == ["findfont: Font family"]
