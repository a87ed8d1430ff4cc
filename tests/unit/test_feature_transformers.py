"""The tables as scikit-learn transformers.

Of ``check_estimator`` those checks are run that feed no numbers, by name below: a log is no
numeric matrix, and the tags say so, at which scikit-learn leaves out all others itself. What those
would hold (not fitted, names, set_output, pickle, fit returns self, fit changes nothing) is held
here on events.
"""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from tenant import EXPORT, READ, calls, local, make_events

from audit_analytics import features, schema
from audit_analytics.errors import ConfigError, InputError
from audit_analytics.features import ApiFeatures, AppFeatures, IpFeatures
from audit_analytics.rollup import rollup

CASES = [
    (AppFeatures, features.per_app, "app_id"),
    (IpFeatures, features.per_ip, "ip"),
    (ApiFeatures, features.per_api, "api"),
]
CLASSES = [case[0] for case in CASES]
CHECKS = [
    "check_parameters_default_constructible",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
]


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(0)
    at = local("2026-11-09 00:00") + pd.to_timedelta(rng.integers(0, 3 * 86400, 400), unit="s")
    usual = calls(
        "",
        at,
        app_id=rng.choice(["cli_a", "cli_b"], 400),
        ip=rng.choice(["10.0.0.1", "10.0.1.1"], 400),
        api=READ,
        outcome=rng.choice(list(schema.OUTCOMES), 400),
    )
    burst = local("2026-11-11 03:00") + pd.to_timedelta(np.arange(300), unit="s")
    return make_events(usual, calls("", burst, app_id="cli_b", ip="10.0.0.1", api=EXPORT))


@pytest.mark.parametrize("transformer", CLASSES)
@pytest.mark.parametrize("check", CHECKS)
def test_checks_of_scikit_learn_that_feed_no_numbers(transformer, check):
    getattr(estimator_checks, check)(transformer.__name__, transformer())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[2])
@pytest.mark.parametrize("counted", [False, True], ids=["events", "rollup"])
@pytest.mark.parametrize("zero_fill", [True, False])
def test_the_frame_is_the_function_s_table(events, case, counted, zero_fill):
    transformer, function, key = case
    source = rollup(events) if counted else events
    options = {"bucket": "6h", "zone": "Asia/Shanghai", "zero_fill": zero_fill}
    frame = transformer(**options).fit_transform(source)
    table = function(source, **options).set_index([key, "bucket_at"])
    assert frame.index.names == [key, "bucket_at"]
    assert frame.index.is_unique
    assert (frame.dtypes == "float64").all()
    assert np.isfinite(frame.to_numpy()).all()
    assert list(frame.columns) == list(table.columns)
    at = pd.MultiIndex.from_arrays(
        [table.index.get_level_values(0).astype("str"), table.index.get_level_values(1)]
    )
    expected = table.set_axis(at).reindex(frame.index).astype("Float64").fillna(0.0)
    assert (frame == expected).all(axis=None)
    assert len(frame) == len(table)


@pytest.mark.parametrize("transformer", CLASSES)
def test_fit_returns_the_transformer_and_changes_neither_it_nor_the_events(events, transformer):
    before, made = events.copy(), transformer(bucket="1D")
    assert made.fit(events) is made
    pd.testing.assert_frame_equal(events, before)
    assert made.get_params() == {"bucket": "1D", "zone": "Asia/Shanghai", "zero_fill": True}
    fitted = set(vars(made)) - set(made.get_params())
    assert fitted
    assert all(name.endswith("_") and not name.startswith("_") for name in fitted)
    assert not hasattr(clone(made), "columns_")


@pytest.mark.parametrize("transformer", CLASSES)
def test_names_are_the_columns_and_nothing_is_told_before_fit(events, transformer):
    made = transformer()
    with pytest.raises(NotFittedError):
        made.transform(events)
    with pytest.raises(NotFittedError):
        made.get_feature_names_out()
    frame = made.fit(events).transform(events)
    names = made.get_feature_names_out()
    assert names.dtype == object
    assert names.tolist() == frame.columns.tolist()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(made)).transform(events), frame)  # noqa: S301 - our own


@pytest.mark.parametrize("transformer", CLASSES)
def test_set_output(events, transformer):
    plain = transformer(bucket="1D").fit_transform(events)
    frame = transformer(bucket="1D").set_output(transform="pandas").fit_transform(events)
    pd.testing.assert_frame_equal(frame, plain)
    table = make_pipeline(transformer(bucket="1D"), StandardScaler()).set_output(transform="pandas")
    scaled = table.fit_transform(events)
    assert scaled.index.equals(plain.index)
    assert scaled.columns.equals(plain.columns)


def test_parameters_are_keywords_only():
    with pytest.raises(TypeError, match="positional"):
        AppFeatures("1h")
    assert repr(AppFeatures(bucket="1D")) == "AppFeatures(bucket='1D')"


def test_a_pipeline_finds_the_burst(events):
    model = make_pipeline(
        AppFeatures(bucket="1h"), StandardScaler(), IsolationForest(random_state=0)
    )
    counted = rollup(events)
    scores = pd.Series(model.fit(events).score_samples(events), model[0].transform(events).index)
    app, at = scores.idxmin()
    assert (app, at) == ("cli_b", local("2026-11-11 03:00"))
    np.testing.assert_array_equal(model.score_samples(counted), scores)
    # settings reach the step as in any pipeline
    daily = clone(model).set_params(appfeatures__bucket="1D").fit(counted)
    assert len(daily.predict(counted)) == 6


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"bucket": "7h"}, ConfigError, "no bucket"),
        ({"zone": "Asia/Shangai"}, ConfigError, "no time zone"),
        ({"bucket": "1min"}, InputError, "cannot be cut"),
    ],
)
def test_parameters_that_do_not_fit_are_told_when_they_are_used(events, options, error, says):
    made = AppFeatures(**options)
    with pytest.raises(error, match=says):
        made.fit(events).transform(rollup(events))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((3, 2)), "not ndarray; read a log"),
        ("data/sample", "not str; read a log"),
        (pd.DataFrame({"at": []}), "lacks api, app_id"),
    ],
)
def test_what_is_no_log_is_refused_in_fit_and_in_transform(events, given, says):
    with pytest.raises(InputError, match=says):
        AppFeatures().fit(given)
    with pytest.raises(InputError, match=says):
        AppFeatures().fit(events).transform(given)


def test_scikit_learn_is_loaded_when_a_transformer_is_used():
    code = (
        "import sys, audit_analytics as aa\n"
        "aa.features.per_app, dir(aa.features)\n"
        "assert 'sklearn' not in sys.modules\n"
        "aa.features.AppFeatures\n"
        "assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="per_user"):
        _ = features.per_user
