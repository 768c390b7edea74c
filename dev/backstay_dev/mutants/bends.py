"""What a scan makes of a file: one edit at each place where a condition, a number or an early return could be wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FLIPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SWAPPED: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
_LEAVES: Final = (ast.Return, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Bend:
    """One edit of a file: what stands at this line becomes something else."""

    line: int
    old: str
    new: str
    text: str
    """The whole file with the edit. It has as many lines as before, so that places stay what they are."""


def bends(source: str) -> list[Bend]:
    """Every edit of a file, in the order of lines; none twice."""
    lines = source.encode().splitlines(keepends=True)
    found: dict[str, Bend] = {}
    for node, new in _edits(ast.parse(source)):
        bend = _bend(lines, node, new)
        if bend.old != bend.new:
            found.setdefault(bend.text, bend)
    return sorted(found.values(), key=lambda bend: bend.line)


def _bend(lines: list[bytes], node: ast.expr | ast.stmt, new: str) -> Bend:
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    starts = sum(map(len, lines[:first])) + node.col_offset
    ends = sum(map(len, lines[:last])) + (node.end_col_offset or 0)
    whole = b"".join(lines)
    # An expression may be in the midst of another: brackets keep it one, and let it take as many lines as before.
    written = f"({new}{chr(10) * (last - first)})" if isinstance(node, ast.expr) else new + "\n" * (last - first)
    text = (whole[:starts] + written.encode() + whole[ends:]).decode()
    return Bend(node.lineno, ast.unparse(node), new, text)


def _edits(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in _outside_texts(tree):
        match node:
            case ast.If() | ast.While() | ast.IfExp():
                yield from ((node.test, word) for word in ("True", "False"))
            case ast.comprehension():
                yield from ((test, word) for test in node.ifs for word in ("True", "False"))
        if isinstance(node, ast.If) and len(node.body) > 1 and isinstance(node.body[-1], _LEAVES):
            yield node.body[-1], "pass"
        if isinstance(node, ast.expr):
            yield from ((node, new) for new in _others(node))


def _outside_texts(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those in f-strings, whose places Python 3.11 does not know, and types."""
    yield tree
    for name, field in ast.iter_fields(tree):
        if name in ("annotation", "returns"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _outside_texts(child)


def _others(node: ast.expr) -> Iterator[str]:
    """What could stand in the place of an expression."""
    match node:
        case ast.Compare():
            for place, op in enumerate(node.ops):
                ops = [*node.ops[:place], _FLIPPED[type(op)](), *node.ops[place + 1 :]]
                yield ast.unparse(ast.Compare(node.left, ops, node.comparators))
        case ast.BoolOp():
            yield ast.unparse(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
            for place in range(len(node.values)):
                rest = [*node.values[:place], *node.values[place + 1 :]]
                yield ast.unparse(ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])
        case ast.UnaryOp(op=ast.Not()):
            yield ast.unparse(node.operand)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            yield from (repr(number + 1), repr(number - 1))
        case ast.Call(func=ast.Name(id=name)) if name in _SWAPPED:
            yield ast.unparse(ast.Call(ast.Name(_SWAPPED[name]), node.args, node.keywords))
