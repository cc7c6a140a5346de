"""The library under test, skipped with a reason where it cannot be run."""

import pytest

from tests.agreement.libraries import Library, parameters


@pytest.fixture(scope="session", params=parameters())
def library(request: pytest.FixtureRequest) -> Library:
    if reason := request.param.missing():
        pytest.skip(reason)
    return request.param
