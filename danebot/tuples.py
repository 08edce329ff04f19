"""``NamedTuple`` as `typing` has it, made in a third of the time.

`typing` compiles every annotation of every class, 100 microseconds each; a start makes more than a
hundred.  Here annotations stay the text that they are, for `typing.get_type_hints` to resolve.  A
generic one is `typing`'s own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import namedtuple

    class _Maker(type):
        """Makes of a class body what `typing.NamedTuple` would."""

        def __new__(cls, name: str, _: object, body: dict[str, Any]) -> type:
            fields = body["__annotations__"]
            given = [field for field in fields if field in body]
            if given != list(fields)[len(fields) - len(given) :]:
                raise TypeError(f"{name}: a field without a default follows {given[0]}")
            defaults = [body.pop(field) for field in given]
            made = namedtuple(  # noqa: PYI024 - type checkers see typing's
                name, fields, defaults=defaults, module=body.pop("__module__")
            )
            for key, value in body.items():
                setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
