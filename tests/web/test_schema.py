"""The OpenAPI document: what it says is so, and nothing that it allows makes the service fail."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import sampled_from
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from phasegate.web import openapi
from phasegate.web.endpoints import ENDPOINTS
from tests.support.commands import RUN, Night
from tests.support.service import Served, served

EXAMPLES = 12
# The others judge what a description allows; that 2xx, 400 and 404 depend on the plan, no description can say.
CHOSEN = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method", "ignored_auth")  # fmt: skip
DOCUMENT: Any = openapi.document()
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, one in DOCUMENT["paths"].items()
    for method in one
    if not path.endswith("-phase3")
]


# Names that the plan knows, so that what is generated around them is not refused before it is looked at.
STEERED: list[dict[str, Any]] = [
    {"run": RUN, "step": step, "date": "", "trigger_id": "", "lease": "", "message": None, "completed_at": None,
     "sequence": None, "yes": True, "missing": [], "rows": None} for step in ("odds", "gamebook")
]  # fmt: skip


def properties(operation: str) -> set[str]:
    """Return the fields that the body of an operation may have."""
    method, _, path = operation.partition(" ")
    schema = DOCUMENT["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    return {*DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("schema")
    Night(folder, None)  # type: ignore[arg-type]
    with served(folder) as one:
        yield one


def test_the_document_is_openapi_3_1_and_is_served(standing: Served) -> None:
    assert standing.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    used = {*re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT))}
    assert used == {*schemas}


def test_every_route_is_described_and_every_description_has_a_route(standing: Served) -> None:
    described = {*DOCUMENT["paths"]}
    assert {one.path for one in ENDPOINTS} <= described
    for path in described:
        assert standing.get(path.replace("{step}", "odds")).status_code != 404, path


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda one: one.value)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_that_the_document_allows_or_forbids_makes_it_fail(
    standing: Served, operation: str, mode: GenerationMode
) -> None:
    method, _, path = operation.partition(" ")
    chosen = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ in CHOSEN]
    assert len(checks) == len(CHOSEN)
    if mode is GenerationMode.NEGATIVE and not chosen.body:
        return  # nothing that could be wrong
    answers: list[int] = []

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=chosen.as_strategy(generation_mode=mode), steered=sampled_from([{}, *STEERED]))
    def check(case: schemathesis.Case[Any], steered: dict[str, Any]) -> None:
        if isinstance(case.body, dict) and mode is GenerationMode.POSITIVE:
            case.body.update({name: value for name, value in steered.items() if name in properties(operation)})
        answer = case.call(base_url=standing.url, headers=standing.headers("operator"))
        answers.append(answer.status_code)
        assert "Traceback" not in answer.text
        # what a check has found, or could not evaluate, is an answer and no failure of the server
        unfit = answer.status_code == 503 and answer.json()["exit_code"] in (1, 2) and "checks" in answer.json()
        case.validate_response(answer, checks=[one for one in checks if not (unfit and one.__name__ == CHOSEN[0])])

    check()
    assert answers
    if operation in ("POST /complete", "POST /begin") and mode is GenerationMode.POSITIVE:
        assert {200, 400} <= {*answers}
