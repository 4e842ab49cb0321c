"""Traffic files made of published traces keep the statistics that were measured on them."""

import numpy as np
import pytest

from sim.profiles.catalogue import Catalogue
from sim.serving.traffic import LengthDistribution

# Mean and standard deviation of prompts and answers, and gap variation, measured on the files with plain Python.
MEASURED = {
    "azure-conversation": ((1154.7, 1108.8), (211.1, 162.9)),
    "azure-code": ((2047.8, 1973.8), (27.9, 59.9)),
    "mooncake-conversation": ((12035.1, 15800.3), (342.6, 249.9)),
}


@pytest.mark.parametrize("name", MEASURED)
def test_lengths_have_the_measured_mean_and_spread(name):
    traffic = Catalogue().workload(name)
    for lengths, (mean, std) in zip((traffic.input, traffic.output), MEASURED[name], strict=True):
        fit = LengthDistribution(lengths.median.median, lengths.sigma.median, lengths.maximum.median)
        assert float(fit.mean) == pytest.approx(mean, rel=0.02)
        assert np.sqrt(float(fit.mean_square) - float(fit.mean) ** 2) == pytest.approx(std, rel=0.03)
