"""optillm's approaches: those that have an equal here, and the nearest to those that have not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["ALIASES", "APPROACHES", "LACKING", "Approach"]


@dataclass(frozen=True, slots=True)
class Approach:
    """A pipeline of the library with what optillm has otherwise, or steps of its own."""

    pipeline: str
    """The pipeline's name; empty if `changes` are whole steps."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments by step."""
    remark: str = ""
    votes: bool = False
    """Whether answers are compared, so that they must be read out of the texts."""


_READ_BY = "the answers vote here, read as `answer:` says"

APPROACHES: Mapping[str, Approach] = MappingProxyType(
    {
        "none": Approach("single"),
        "moa": Approach(
            "patched_moa",
            {
                "drafts": {"temperature": 1, "max_tokens": 4096},
                "feedback": {"op": "critique_all", "temperature": 0.1, "max_tokens": 512},
                "answer": {"temperature": 0.1, "max_tokens": 8192},
            },
            "it is patched_moa, with critiques of all drafts in one call; mixture_of_agents is "
            "that of several models",
        ),
        "bon": Approach(
            "best_of_n",
            {
                "drafts": {"n": 3, "temperature": 1, "max_tokens": 4096},
                "scored": {"temperature": 0.7},
            },
            "it asks for one grade from 0 to 10, best_of_n for four verdicts on each draft",
        ),
        "self_consistency": Approach(
            "self_consistency",
            {"drafts": {"n": 5, "temperature": 1, "max_tokens": 4096}},
            f"optillm groups texts that look alike; {_READ_BY}",
            votes=True,
        ),
        "majority_voting": Approach(
            "self_consistency",
            {"drafts": {"n": 6, "temperature": 0.6, "max_tokens": 4096}},
            f"it finds the answers by patterns of its own; {_READ_BY}",
            votes=True,
        ),
        "re2": Approach(
            "",
            {
                "answer": {
                    "op": "generate",
                    "prompt": "{question}\nRead the question again: {question}",
                }
            },
        ),
    }
)
"""What can be imported, by optillm's name."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"best_of_n": "bon", "mixture_of_agents": "moa", "patched_moa": "moa", "single": "none"}
)

_SEARCH = ("revision_chains", "refine_until_verified", "best_of_n")
_CODE = ("program_of_thought", "natural_language_programs")
_REFINE = ("self_refine", "refine_until_verified")
_SELECT = ("best_of_n", "pairwise_ranking")
_TOOLS = ("llm_compiler", "divide_then_aggregate")

LACKING: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "autothink": ("it steers a model's own activations", ("agreement_cascade",)),
        "cepo": ("it plans, then rates whole attempts", ("best_of_n", "mixture_of_agents")),
        "coc": ("models simulate the code that does not run", _CODE),
        "cot_reflection": ("it reflects within one reply", _REFINE),
        "deep_research": ("it searches the web in turns", _TOOLS),
        "deepthink": ("it lets a model choose its own steps", ("self_consistency", "self_refine")),
        "executecode": ("it runs code in a notebook", _CODE),
        "genselect": ("it chooses in one free reply", _SELECT),
        "json": ("the form of a reply is the operators' own matter", ()),
        "leap": ("it learns principles from examples", ("self_refine",)),
        "longcepo": ("it divides long documents", ("mixture_of_agents",)),
        "mars": ("its agents exchange strategies", ("mixture_of_agents", "verified_vote")),
        "mcp": ("tools are named in the file and granted by whoever runs it", _TOOLS),
        "mcts": ("there is no tree search", _SEARCH),
        "memory": ("nothing is kept between questions", ()),
        "plansearch": ("it searches among plans", _SEARCH),
        "privacy": ("questions are sent as they are", ()),
        "pvg": ("provers and verifiers play against each other", ("first_verified", "best_of_n")),
        "readurls": ("nothing is fetched into a question", _TOOLS),
        "router": ("a classifier of its own chooses the approach", ("agreement_cascade",)),
        "rstar": ("there is no tree search", _SEARCH),
        "rto": ("it goes to a description and back", _REFINE),
        "spl": ("nothing is learnt between questions", ()),
        "thinkdeeper": ("it forces a model to go on thinking", ("short_m_at_k",)),
        "web_search": ("it drives a browser", _TOOLS),
        "z3": ("there is no solver", _CODE),
    }
)
"""Why an approach cannot be imported, and the pipelines of the library that are nearest to it."""
