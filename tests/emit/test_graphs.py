from polyarch.compiler.emit import EMITTERS

from .pipelines import ROUGH, VOTE, planned


def test_mermaid():
    assert (
        EMITTERS["mermaid"](planned(VOTE))
        == """\
flowchart LR
  question(["question"])
  n0["<b>drafts</b><br/>generate<br/>solver"]
  n1["<b>checked</b><br/>verify<br/>solver"]
  n2["<b>answer</b><br/>vote"]
  result(["tiny_vote"])
  question --> n0
  n0 -->|"3"| n1
  n1 -->|"3"| n2
  n2 -->|"1"| result
"""
    )


def test_dot():
    assert (
        EMITTERS["dot"](planned(VOTE))
        == """\
digraph "tiny_vote" {
  rankdir=LR;
  node [shape=box];
  question [label="question", shape=oval];
  n0 [label="drafts\\ngenerate\\nsolver"];
  n1 [label="checked\\nverify\\nsolver"];
  n2 [label="answer\\nvote"];
  result [label="tiny_vote", shape=oval];
  question -> n0;
  n0 -> n1 [label="3"];
  n1 -> n2 [label="3"];
  n2 -> result [label="1"];
}
"""
    )


def test_names_cannot_break_out_of_their_labels():
    assert "a #34;model#34;" in EMITTERS["mermaid"](planned(ROUGH))
    assert r"ensemble\na \"model\"\nother" in EMITTERS["dot"](planned(ROUGH))
