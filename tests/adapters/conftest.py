"""Fixtures for the tests of the probers."""

from __future__ import annotations

import pytest

from adapters.probing import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))
