"""A few mutated documents of each kind; ``scripts/fuzz`` tries as many as there is time for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzzing import TARGETS, documents, seeds


@pytest.mark.parametrize("kind", TARGETS)
def test_documents_of_our_own_hold_every_property(kind: str) -> None:
    for document in seeds(kind):
        TARGETS[kind](document)


@pytest.mark.parametrize("kind", TARGETS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.data())
def test_mutated_documents_hold_every_property(kind: str, drawn: Any) -> None:
    TARGETS[kind](drawn.draw(documents(kind)))
