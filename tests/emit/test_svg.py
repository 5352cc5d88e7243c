from xml.etree import ElementTree

from polyarch.compiler.emit import EMITTERS

from .pipelines import ROUGH, VOTE, planned

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(EMITTERS["svg"](planned(text)))


def test_every_step_is_a_box_with_its_operator_and_what_comes_out():
    root = drawn(VOTE)
    boxes = root.findall(f"{SVG}g[@class='step']")
    texts = [[line.text for line in box.iter(f"{SVG}text")] for box in boxes]
    assert texts == [
        ["drafts", "generate", "3 candidates · solver"],
        ["checked", "verify", "3 candidates · solver"],
        ["answer", "vote", "1 candidate"],
    ]
    assert root.get("aria-label") == "The graph of tiny_vote"


def test_names_are_text_whatever_is_in_them():
    root = drawn(ROUGH)
    assert not list(root.iter(f"{SVG}script"))
    assert 'a "model"' in " ".join(line.text or "" for line in root.iter(f"{SVG}text"))


def test_it_is_dark_where_the_screen_is():
    (style,) = drawn(VOTE).findall(f"{SVG}style")
    assert "prefers-color-scheme: dark" in (style.text or "")
