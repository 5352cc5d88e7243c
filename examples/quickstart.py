"""A pipeline of the library as a Python callable: draw sixteen solutions, check them, vote."""

from polyarch.pipelines import verified_vote

QUESTION = (
    "Tom has 12 apples. Tom gives 2 to each of 3 friends. Ann has twice as many as Tom. "
    "How many apples does Ann have?"
)

with verified_vote:
    result = verified_vote(QUESTION, seed=1)
best = result.candidates[0]

print(QUESTION)
print("\nThe solution that won:")
print(best.text)
print("\nanswer:    ", result)
print("votes:     ", best.notes["votes"])
print("spent:     ", f"{result.usage.calls} calls, {result.usage.tokens} tokens")
print("made from: ", best.origin.key, "with scores", dict(best.scores))
