import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from polyarch.cli import cli
from polyarch.compiler.holes import FORMS, LITERAL
from polyarch.compiler.regions import REGIONS
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.spec import Spec

HOLE = {"$ref": "#/$defs/hole"}


@pytest.fixture(scope="module")
def schema() -> Any:
    told = CliRunner().invoke(cli, ["schema"])
    assert told.exit_code == 0
    return json.loads(told.stdout)


def test_it_describes_the_keys_of_a_pipeline(schema: Any):
    assert schema["$schema"].endswith("2020-12/schema")
    assert list(schema["properties"]) == [*Spec.model_fields, "where", "search"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "steps"]
    assert schema["properties"]["source"]["description"].startswith("The paper or system")


def test_a_step_is_one_of_the_operators(schema: Any):
    step, hole = schema["properties"]["steps"]["additionalProperties"]["anyOf"]
    assert hole == {"$ref": "#/$defs/hole.step"}
    steps = step["oneOf"]
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
    models, hole = schema["properties"]["models"]["additionalProperties"]["anyOf"]
    assert hole == HOLE
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
    assert stages == {"anyOf": [{"$ref": "#/$defs/Stage"}, HOLE]}
    (told, _) = schema["$defs"]["Stage"]["properties"]["steps"]["anyOf"]
    assert told["additionalProperties"] == step


def test_a_step_has_limits_or_names_an_account(schema: Any):
    budget = schema["$defs"]["step.vote"]["properties"]["budget"]
    assert budget["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/Allowance"}, HOLE]
    allowance = schema["$defs"]["Allowance"]["properties"]
    assert set(allowance) == {"calls", "tokens", "usd", "seconds", "share", "on_budget"}
    assert allowance["share"]["description"].startswith("The part of every limit")
    budgets = schema["properties"]["budgets"]["additionalProperties"]
    assert budgets == {"anyOf": [{"$ref": "#/$defs/Allowance"}, HOLE]}


def test_a_hole_may_stand_where_a_value_does(schema: Any):
    generate = schema["$defs"]["step.generate"]["properties"]
    assert generate["n"]["anyOf"][-1] == HOLE
    members = schema["$defs"]["step.ensemble"]["properties"]["members"]
    assert members["anyOf"][-1] == HOLE
    assert members["anyOf"][0]["items"]["anyOf"][-1] == HOLE
    forms = schema["$defs"]["hole"]["anyOf"]
    heads = [set(form["required"]) for form in forms]
    needed = [set(keys) for name, (keys, _) in FORMS.items() if name != "repeat"]
    assert heads == [*needed, {LITERAL}]
    repeat = schema["$defs"]["hole.step"]["anyOf"][-1]["properties"]["repeat"]
    assert repeat["required"] == ["times", "steps"]
    assert (
        repeat["properties"]["steps"]["additionalProperties"]
        == (schema["properties"]["steps"]["additionalProperties"])
    )


@pytest.mark.parametrize("name", ["archon", "quickstart"])
def test_the_open_pipelines_fit_the_schema(schema: Any, name: str):
    jsonschema = pytest.importorskip("jsonschema")
    path = Path(__file__).parents[2] / "pipelines" / "open" / f"{name}.yaml"
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
