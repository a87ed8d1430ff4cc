"""What takes the place of something slow that a test is not about."""


class Flat:
    """A detector that finds nothing, in the forest's place."""

    def fit(self, X):  # noqa: N803
        pass

    def score_samples(self, X):  # noqa: N803
        return X[:, 0] * 0.0
