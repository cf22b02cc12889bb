"""The server does what its OpenAPI document says, whatever is thrown at it."""

from __future__ import annotations

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

import schemathesis
from hypothesis import HealthCheck, settings

from tfretrieval.serve.app import create_app

schema = schemathesis.pytest.from_fixture("document")


@pytest.fixture(scope="module")
def document(service):
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(service))


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_is_documented(case):
    case.call_and_validate()
