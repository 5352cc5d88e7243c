import pytest
from click.testing import CliRunner, Result

from polyarch.cli import cli
from polyarch.compiler.registry import operator, operator_names


def ops(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ops", *arguments])


def test_every_operator_is_listed_with_its_first_line():
    told = ops().stdout.splitlines()
    assert [line.split()[0] for line in told] == list(operator_names())
    assert "vote          Let the candidates' answers vote." in told


@pytest.mark.parametrize("name", operator_names())
def test_every_operator_is_explained(name: str):
    told = ops(name)
    assert told.exit_code == 0
    assert told.stdout.startswith(f"{name}: ")
    for field in operator(name).model_fields:
        assert f"\n  {field} " in told.stdout


def test_arguments_have_types_defaults_and_what_they_are_for():
    told = ops("vote").stdout
    assert "  min_votes  whole number ≥ 2, default 2\n" in told
    assert "  stop_at    number > 0.5 and < 1 or exact, default none\n" in told
    assert '  otherwise  one of plurality, first, none, default "plurality"\n' in told
    assert "What is made of the scores before they weigh" in told
    assert "Reads candidates in order, and decides." in told


def test_prompts_are_shown():
    told = ops("critique").stdout
    assert "a prompt may name {candidate}, {question}, and the fields of a record" in told
    assert "\ndefault prompt\n" in told
    assert "  {candidate}\n" in told
    assert "Reads candidates one at a time, as they come." in told
    assert "Reads the question alone, and draws candidates." in ops("ensemble").stdout
    assert (
        "members      list of a model or the arguments of generate, required"
        in ops("ensemble").stdout
    )


def test_a_mistyped_operator_gives_the_nearest():
    told = ops("vot")
    assert (told.exit_code, told.stderr) == (
        1,
        "error: no operator 'vot'; did you mean \"vote\"?\n",
    )
