import json
from pathlib import Path

import polyarch
from polyarch.compiler.emit import EMITTERS

from .pipelines import ROUGH, VOTE, planned


def test_it_holds_what_a_machine_wants():
    plan = planned(VOTE)
    told = json.loads(EMITTERS["json"](plan))
    assert told["digest"] == plan.digest
    assert told["polyarch"] == polyarch.__version__
    limits = {"calls": 40, "tokens": 60000, "usd": 0.5, "seconds": 30.0}
    assert told["budgets"][""].items() >= limits.items()
    assert told["total"]["calls"] == {"low": 6, "high": 9}
    assert told["output"] == {"from": "answer", "keep": 1}
    drafts, checked, answer = told["steps"]
    assert drafts["arguments"]["n"] == 3
    assert drafts["chunk"] == 3
    assert checked["from"] == ["drafts"]
    assert checked["gives"]["scores"] == ["verify"]
    assert "{candidate}" in checked["prompts"][0]
    assert answer["models"] == []


def test_it_is_sorted_and_equal_for_equal_plans():
    text = EMITTERS["json"](planned(ROUGH))
    assert text == EMITTERS["json"](planned(ROUGH))
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_it_holds_no_path(tmp_path: Path):
    file = tmp_path / "x.yaml"
    file.write_text(VOTE)
    text = EMITTERS["json"](polyarch.load(file).plan)
    assert str(tmp_path) not in text
    assert text == EMITTERS["json"](planned(VOTE))
