"""The values at a path, through lists and blocks that are absent."""

from __future__ import annotations

from policies.framework.expectations import Misshapen, values_at


def test_a_path_through_lists_and_missing_blocks() -> None:
    props = {"a": [{"b": 1}, {}, "odd"], "c": []}
    assert values_at(props, "a.b") == [("a[0].b", 1), ("a[1].b", None), ("a[2]", Misshapen("odd"))]
    assert values_at(props, "c.b") == [("c.b", None)]
    assert values_at(props, "d?.b") == []
