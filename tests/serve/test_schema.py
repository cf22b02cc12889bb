"""The server does what its OpenAPI document says, whatever is thrown at it."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance  # bytes that are made up are no image

EXAMPLES = 30


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_responses_match_the_openapi_document(client, mode):
    document = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    mode = schemathesis.GenerationMode[mode]
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 14
    for operation in operations:
        if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue

        @given(operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def answers_as_documented(case):
            case.call_and_validate(excluded_checks=[positive_data_acceptance] if case.method == "POST" else [])

        answers_as_documented()
