"""Where boxes and lines go."""

import re

from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.emit.arranged import HIGH, QUESTION, RESULT, WIDE, Box, arranged


@st.composite
def graphs(draw: st.DrawFn) -> list[Box]:
    """Steps that read, and wait for, steps before them."""
    boxes: list[Box] = []
    for number in range(draw(st.integers(1, 12))):
        before = [box.name for box in boxes]
        some = st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
        boxes.append(Box(f"s{number}", "op", draw(some), draw(some), draw(st.booleans())))
    return boxes


def ends(path: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a path begins, and where it ends but for the point of its arrow."""
    begin = re.match(r"M(\d+),(\d+)", path)
    points = re.findall(r"(\d+),(\d+)", path)
    further = re.search(r"H(\d+)$", path)
    assert begin is not None
    x, y = points[-1]
    return (int(begin[1]), int(begin[2])), (int(further[1]) if further else int(x), int(y))


@given(graphs())
def test_boxes_stand_apart_within_the_drawing_and_right_of_what_they_read(boxes: list[Box]) -> None:
    made = arranged(boxes, boxes[-1].name)
    assert set(made.spots) == {QUESTION, RESULT, *(box.name for box in boxes)}
    spots = list(made.spots.values())
    for number, one in enumerate(spots):
        assert 0 <= one.x <= made.width - WIDE
        assert 0 <= one.y <= made.height - HIGH
        for other in spots[:number]:
            assert abs(one.x - other.x) >= WIDE or abs(one.y - other.y) >= HIGH
    for box in boxes:
        for name in (*box.inputs, *box.waits_for):
            assert made.spots[name].x < made.spots[box.name].x


@given(graphs())
def test_no_line_runs_under_a_box(boxes: list[Box]) -> None:
    made = arranged(boxes, boxes[-1].name)
    for line in made.lines:
        for spot in made.spots.values():
            for x, y in ends(line.path):
                assert not (spot.x < x < spot.x + WIDE and spot.y < y < spot.y + HIGH)
            if further := re.search(r"(\d+),(\d+) H(\d+)$", line.path):
                left, y, right = map(int, further.groups())
                over = spot.x < right and left < spot.x + WIDE
                assert not (over and spot.y < y < spot.y + HIGH)


def test_lines_end_at_the_boxes_that_read() -> None:
    boxes = [Box("a", "op", ()), Box("b", "op", ("a",)), Box("c", "op", ("a",), ("b",))]
    made = arranged(boxes, "c")
    tips = [(line.tip, line.waits) for line in made.lines if line.tip is not None]
    for name, waits in (("a", False), ("b", False), ("c", False), ("c", True), (RESULT, False)):
        x, y = made.spots[name]
        assert ((x, y + HIGH // 2), waits) in tips
    assert len(tips) == 5


def test_a_step_with_a_question_of_its_own_is_not_drawn_behind_the_question() -> None:
    boxes = [Box("a", "op", ()), Box("b", "op", (), ("a",), asks_apart=True)]
    made = arranged(boxes, "b")
    assert len([line for line in made.lines if line.tip is not None]) == 3
