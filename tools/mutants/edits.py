"""Small wrong edits of Python source: each is what a careless hand might write instead."""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Enums = dict[str, tuple[str, ...]]  # the members of each enumeration, by its name
Alternatives = Iterator[ast.AST | None]  # None takes a statement out

_OTHER: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_SIGNS: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_TURNED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SHAPES = ("bool", "dict", "frozenset", "isinstance", "iter", "len", "list", "set", "sorted", "str")
_KEPT = frozenset((*_SHAPES, "timedelta", "tuple"))
_SKIPPED = ("annotation", "returns", "decorator_list", "bases")
_BODIES = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Mutant:
    """One edit: where, what stands there, and what is put in its place.

    ``line`` to ``last`` are the lines of its statement, without the statements in that.
    """

    path: Path
    line: int
    last: int
    where: str
    was: str
    now: str
    tree: ast.Module
    node: ast.AST
    parent: ast.AST
    other: ast.AST

    @property
    def name(self) -> str:
        """The edit in words that stay when lines are added above."""
        return f"{self.where or self.path.stem}: {self.was} => {self.now}"

    @property
    def constants(self) -> tuple[str, ...]:
        """The names that the statement gives a value, if it stands at the top of the module."""
        inside = (
            node for one in self.tree.body if one.lineno == self.line for node in ast.walk(one)
        )
        names = (node for node in inside if isinstance(node, ast.Name))
        return tuple(node.id for node in names if isinstance(node.ctx, ast.Store))

    def compiled(self) -> types.CodeType:
        """Compile the module with the edit."""
        _put(self.parent, self.node, self.other)
        try:
            code: types.CodeType = compile(self.tree, str(self.path), "exec")
        finally:
            _put(self.parent, self.other, self.node)
        return code


def _put(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list):
            value[:] = [new if one is old else one for one in value]


def enums(paths: list[Path]) -> Enums:
    """Return the members of all enumerations that are defined in files."""
    found: Enums = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(b) for b in node.bases):
                names = [s.targets[0] for s in node.body if isinstance(s, ast.Assign)]
                found[node.name] = tuple(n.id for n in names if isinstance(n, ast.Name))
    return {name: members for name, members in found.items() if len(members) > 1}


def mutants(path: Path, known: Enums) -> Iterator[Mutant]:
    """Yield every mutant of a file, in the order of its lines.

    Texts, annotations, defaults and the bodies of classes outside functions are left alone.
    """
    tree = ast.parse(path.read_text())
    for node, parents in list(_nodes(tree)):
        where, fixed = _place(parents)
        if fixed:
            continue
        statement = _statement(node, parents)
        last = _head_end(statement)
        for found in _alternatives(node, parents, known):
            was, now = _words(node, found)
            other = ast.fix_missing_locations(ast.copy_location(_own(found), node))
            yield Mutant(
                path, statement.lineno, last, where, was, now, tree, node, parents[-1], other
            )


def _words(node: ast.AST, other: ast.AST | None) -> tuple[str, str]:
    """An edit in words; of a call that only lacks a keyword, that alone."""
    match node, other:
        case ast.Call(func=one), ast.Call(func=two) if one is two:
            gone = next(word for word in node.keywords if word not in other.keywords)
            return f"{ast.unparse(one)}(..., {' '.join(ast.unparse(gone).split())})", "not said"
    was = " ".join(ast.unparse(node).split())
    return was, " ".join(ast.unparse(other).split()) if other is not None else "nothing"


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Every node that may be changed, with those around it, outermost first."""
    todo: list[tuple[ast.AST, tuple[ast.AST, ...]]] = [(tree, ())]
    while todo:
        node, parents = todo.pop()
        if parents:
            yield node, parents
        if isinstance(node, ast.JoinedStr) or _only_for_types(node) or _is_strict(node):
            continue
        inner = [
            (child, (*parents, node))
            for name, value in ast.iter_fields(node)
            if name not in _SKIPPED
            for child in (value if isinstance(value, list) else [value])
            if isinstance(child, ast.AST)
        ]
        todo.extend(reversed(inner))


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _is_strict(node: ast.AST) -> bool:
    """Whether it is ``strict=True``, whose absence is tried, and says the same as False."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _place(parents: tuple[ast.AST, ...]) -> tuple[str, bool]:
    """The function that holds a node, "" at the top of a module; and whether it is out of reach."""
    names: list[str] = []
    for at, parent in enumerate(parents):
        if isinstance(parent, ast.FunctionDef):
            inner = parents[at + 1] if at + 1 < len(parents) else None
            return ".".join((*names, parent.name)), inner is None or inner is parent.args
        if isinstance(parent, ast.ClassDef):
            names.append(parent.name)
    return "", bool(names) or len(parents) == 1 or not isinstance(parents[1], ast.Assign)


def _statement(node: ast.AST, parents: tuple[ast.AST, ...]) -> ast.stmt:
    return next(one for one in (node, *reversed(parents)) if isinstance(one, ast.stmt))


def _head_end(statement: ast.stmt) -> int:
    """The last line of a statement without the statements in it."""
    for name in _BODIES:
        inner = getattr(statement, name, None)
        if inner:
            return max(statement.lineno, int(inner[0].lineno) - 1)
    if isinstance(statement, ast.Match):
        return statement.cases[-1].body[0].lineno
    return statement.end_lineno or statement.lineno


def _alternatives(node: ast.AST, parents: tuple[ast.AST, ...], known: Enums) -> Alternatives:
    parent = parents[-1]
    condition = _is_condition(node, parent)
    if condition:
        yield ast.Constant(value=True)
        if not isinstance(parent, ast.comprehension):
            yield ast.Constant(value=False)
    match node:
        case ast.Compare(ops=[_]):
            yield from _comparisons(node, parent, condition=condition)
        case ast.BoolOp():
            yield from _operands(node, whole=isinstance(parent, ast.BoolOp) or not condition)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if not condition:
            yield operand
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in known.get(name, ()):
            yield _with(node, attr=known[name][known[name].index(attr) - 1])
        case ast.match_case(guard=None):
            yield _with(node, guard=ast.Constant(value=False))
        case ast.stmt():
            yield from _statements(node, parents)
        case ast.expr():
            yield from _values(node)


def _values(node: ast.expr) -> Alternatives:
    match node:
        case ast.BinOp():
            yield from _sums(node)
        case ast.Call():
            yield from _calls(node)
        case ast.Constant():
            yield from _constants(node)


def _comparisons(node: ast.Compare, parent: ast.AST, *, condition: bool) -> Alternatives:
    """The bound itself in or out; and the opposite, where nothing else amounts to that."""
    others = _OTHER[type(node.ops[0])]
    if condition or isinstance(parent, ast.BoolOp | ast.UnaryOp):
        others = others[:-1]
    yield from (_with(node, ops=[other()]) for other in others)


def _operands(node: ast.BoolOp, *, whole: bool) -> Alternatives:
    if whole:
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for left_out in range(len(node.values)):
        rest = node.values[:left_out] + node.values[left_out + 1 :]
        yield rest[0] if len(rest) == 1 else _with(node, values=rest)


def _sums(node: ast.BinOp) -> Alternatives:
    sign = _SIGNS.get(type(node.op))
    if sign is not None:
        yield _with(node, op=sign())
    yield node.left
    if not isinstance(node.op, ast.Sub | ast.Div):
        yield node.right


def _constants(node: ast.Constant) -> Alternatives:
    match node.value:
        case bool() as value:
            yield _with(node, value=not value)
        case int() as value:
            yield _with(node, value=value + 1)
        case float() as value:
            yield _with(node, value=value * 2 or 1.0)


def _is_condition(node: ast.AST, parent: ast.AST) -> bool:
    match parent:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            return test is node
        case ast.comprehension(ifs=ifs):
            return any(node is one for one in ifs)
        case ast.match_case(guard=guard):
            return guard is node
    return False


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def _calls(node: ast.Call) -> Alternatives:
    """The opposite function; one keyword less; the first argument instead of what is made of it."""
    match node.func:
        case ast.Name(id=name) if name in _TURNED:
            yield _with(node, func=ast.Name(id=_TURNED[name], ctx=ast.Load()))
        case ast.Name(id=name) if name.islower() and node.args and name not in _KEPT:
            if not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
                yield node.args[0]
    for left_out in range(len(node.keywords)):
        rest = node.keywords[:left_out] + node.keywords[left_out + 1 :]
        yield _with(node, keywords=rest)


def _statements(node: ast.stmt, parents: tuple[ast.AST, ...]) -> Alternatives:
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Expr() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Raise():
            yield None
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(value=ast.Constant(value=None))
        case ast.Assign(targets=[ast.Name(id=name)]):
            if _assigned(name, parents) > 1:
                yield None
        case ast.Assign():
            yield None


def _assigned(name: str, parents: tuple[ast.AST, ...]) -> int:
    """How often the function gives a name a value, its parameter included."""
    function = next((one for one in parents if isinstance(one, ast.FunctionDef)), None)
    if function is None:
        return 0
    stores = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    parameters = [n for n in ast.walk(function.args) if isinstance(n, ast.arg) and n.arg == name]
    return sum(isinstance(n.ctx, ast.Store) for n in stores) + len(parameters)


def _own(found: ast.AST | None) -> ast.AST:
    """A node that stands nowhere else in the tree, so that its place there may be taken."""
    return copy.copy(found) if found is not None else ast.Pass()
