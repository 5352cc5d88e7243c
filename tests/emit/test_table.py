from polyarch.compiler.emit import EMITTERS

from .pipelines import ROUGH, VOTE, planned


def table(text: str, **options: int) -> list[str]:
    return EMITTERS["table"](planned(text, **options)).splitlines()


def test_the_whole_table():
    expected = """\
tiny_vote: Three draws vote.

step     operator  model   candidates  calls     prompt  completion  usd
────────────────────────────────────────────────────────────────────────
drafts   generate  solver           3      3      1–512       3–768    —
checked  verify    solver           3    3–6  309–8,286     3–1,536    —
answer   vote                       1      0          0           0    —
────────────────────────────────────────────────────────────────────────
total                               1    6–9  310–8,798     6–2,304    —

for a question of 1–512 tokens
critical path: 2–3 calls, one after another
prompt tokens: about 736 of 1,696 computed with a prefix cache (estimate)
budget: 40 calls, always enough for 6–9
budget: 60,000 tokens, always enough for 316–11,102
budget: 0.5 dollars, cannot bind: no price is known
budget: 30 seconds, known only by running
digest: DIGEST

note: prompts laid out as question, instructions, answers, to share prefixes: checked"""
    assert "\n".join(table(VOTE)) == expected.replace("DIGEST", planned(VOTE).digest)


def test_prices_and_several_models_are_shown():
    lines = table(ROUGH)
    assert 'a "model", other' in lines[4]
    assert lines[4].endswith("0.000005–0.0031")


def test_a_budget_that_may_end_a_run_and_one_that_is_too_little():
    lines = table(VOTE.replace("calls: 40, tokens: 60_000", "calls: 8, tokens: 20"))
    assert "budget: 8 calls, may end a run that needs 6–9" in lines
    assert "budget: 20 tokens, too little for 318–12,126" in lines


def test_a_budget_that_ends_with_the_best():
    text = VOTE.replace("calls: 40", "on_budget: best, calls: 40")
    assert "budget: at a limit, ends with the best answer so far" in table(text)


def test_budgets_of_steps_are_shown():
    text = VOTE.replace("op: verify", "op: verify, budget: judging").replace(
        "steps:", "budgets: {judging: {share: 0.25, seconds: 50}}\nsteps:"
    )
    lines = table(text)
    assert "budget of judging: 10 calls, always enough for 3–6" in lines
    assert "budget of judging: 50 seconds, known only by running" in lines
    told = "note: the budget of judging never binds at 50 seconds: one around it has 30"
    assert lines[-1] == told


def test_one_call_is_not_several():
    text = "name: x\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}"
    assert "critical path: 1 call" in table(text)
    assert "for a question of 1–9 tokens" in table(text, question_tokens=9)


def test_notes_of_passes_are_told():
    text = VOTE.replace(
        "  answer: {op: vote", "  loose: {op: generate}\n  answer: {from: checked, op: vote"
    )
    told = "note: step 'loose' never reaches the output and is dropped"
    assert told in table(text)


def test_identical_draws_are_told():
    lines = table(VOTE.replace("temperature: 0.8", "temperature: 0"))
    told = "note: step 'drafts' draws 3 times from solver at temperature 0: the draws are identical"
    assert lines[-1] == told


def test_members_that_draw_the_same_are_told_and_others_are_not():
    text = """
name: x
models: {a: {model: scripted/a, temperature: 0}, b: {model: scripted/b, temperature: 0}}
steps:
  drafts: {op: ensemble, members: [a, b, MORE]}
  best: {op: vote}
"""
    assert table(text.replace(", MORE", ""))[-1].startswith("digest")
    assert table(text.replace("MORE", "{model: a, prompt: 'Now {question}'}"))[-1].startswith(
        "digest"
    )
    assert "draws 2 times from a at" in table(text.replace("MORE", "a"))[-1]
