import json
from typing import Any

import pytest
from click.testing import CliRunner

from polyarch.cli import cli
from polyarch.compiler.regions import REGIONS
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.spec import Spec


@pytest.fixture(scope="module")
def schema() -> Any:
    told = CliRunner().invoke(cli, ["schema"])
    assert told.exit_code == 0
    return json.loads(told.stdout)


def test_it_describes_the_keys_of_a_pipeline(schema: Any):
    assert schema["$schema"].endswith("2020-12/schema")
    assert list(schema["properties"]) == list(Spec.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "steps"]
    assert schema["properties"]["source"]["description"].startswith("The paper or system")


def test_a_step_is_one_of_the_operators(schema: Any):
    steps = schema["properties"]["steps"]["additionalProperties"]["oneOf"]
    expected = [f"#/$defs/step.{name}" for name in (*operator_names(), "pipeline", *REGIONS)]
    assert [step["$ref"] for step in steps] == expected


@pytest.mark.parametrize("name", operator_names())
def test_a_step_takes_its_operators_arguments(schema: Any, name: str):
    step = schema["$defs"][f"step.{name}"]
    assert step["properties"]["op"] == {"const": name}
    own = {"op", "from", "on_failure", "budget"}
    assert set(step["properties"]) == own | set(operator(name).model_fields)
    assert step["required"][0] == "op"
    assert step["additionalProperties"] is False


def test_what_may_be_written_in_short(schema: Any):
    for key in ("question", "output"):
        assert {"type": "string"} in schema["properties"][key]["anyOf"]
    models = schema["properties"]["models"]["additionalProperties"]
    assert {"type": "string"} in models["anyOf"]
    prompt = schema["$defs"]["step.fuse"]["properties"]["prompt"]["anyOf"]
    assert any(option.get("required") == ["file"] for option in prompt)
    assert "graph" not in schema["$defs"]["step.pipeline"]["properties"]


def test_every_reference_leads_somewhere(schema: Any):
    text = json.dumps(schema)
    for ref in {part.split('"')[0] for part in text.split('"$ref": "#/$defs/')[1:]}:
        assert ref in schema["$defs"]


def test_regions_hold_steps(schema: Any):
    step = schema["properties"]["steps"]["additionalProperties"]
    assert schema["$defs"]["step.loop"]["properties"]["steps"]["additionalProperties"] == step
    stages = schema["$defs"]["step.cascade"]["properties"]["stages"]["additionalProperties"]
    assert stages == {"$ref": "#/$defs/Stage"}
    (told, _) = schema["$defs"]["Stage"]["properties"]["steps"]["anyOf"]
    assert told["additionalProperties"] == step


def test_a_step_has_limits_or_names_an_account(schema: Any):
    budget = schema["$defs"]["step.vote"]["properties"]["budget"]
    assert budget["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/Allowance"}]
    allowance = schema["$defs"]["Allowance"]["properties"]
    assert set(allowance) == {"calls", "tokens", "usd", "seconds", "share", "on_budget"}
    assert allowance["share"]["description"].startswith("The part of every limit")
    budgets = schema["properties"]["budgets"]["additionalProperties"]
    assert budgets == {"$ref": "#/$defs/Allowance"}
