"""Arithmetic over parameters' names, for linked values: ``16 * bsu``, ``max(4, cfu // 4)``."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Expression"]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "round": round, "int": int}


class Expression:
    """A number computed from parameters: ``+ - * / // % **``, parentheses, min, max, round, int.

    Raises ``ValueError`` for anything else, naming it.
    """

    def __init__(self, text: str):
        self.text = text
        try:
            self._tree = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"{text!r} is no arithmetic expression") from error
        self.names = frozenset(self._check(self._tree))

    def __call__(self, values: Mapping[str, Any]) -> int | float:
        """Return the value; whole numbers stay whole, also after an exact division."""
        try:
            value = self._value(self._tree, values)
        except (ArithmeticError, TypeError) as error:
            raise ValueError(f"{self.text!r} cannot be computed: {error}") from error
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    def _check(self, node: ast.AST) -> set[str]:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return set()
        if isinstance(node, ast.Name):
            return {node.id}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self._check(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self._check(node.left) | self._check(node.right)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in _FUNCTIONS
            and node.args
            and not node.keywords
        ):
            return set().union(*map(self._check, node.args))
        raise ValueError(
            f"{self.text!r}: {ast.unparse(node)!r} is not understood; use numbers, parameters, "
            f"+ - * / // % ** and {', '.join(_FUNCTIONS)}"
        )

    def _value(self, node: ast.AST, values: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.UnaryOp):
            return -self._value(node.operand, values)
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            return _BINARY[type(node.op)](left, right)
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)  # _check let nothing else pass
        return _FUNCTIONS[node.func.id](*(self._value(a, values) for a in node.args))
