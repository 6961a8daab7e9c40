"""The values that a message accepts in a member that is an enumeration, read from its type."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import inspect


def accepted_values(kind: type[msgspec.Struct], path: str) -> tuple[str, ...]:
    """The values allowed at a path of a decoder's message, such as `$.feedback[0].outcome`; empty if any may be."""
    reached: list[inspect.Type] = [inspect.type_info(kind)]
    for name in re.findall(r"\.(\w+)", path):
        structs = [each for each in _parts(reached) if isinstance(each, inspect.StructType)]
        reached = [field.type for each in structs for field in each.fields if field.encode_name == name]
    return tuple(
        str(value) for each in _parts(reached) if isinstance(each, inspect.LiteralType) for value in each.values
    )


def _parts(types: list[inspect.Type]) -> Iterator[inspect.Type]:
    """The types themselves, those of a union, and those of a list's elements."""
    for each in types:
        if isinstance(each, inspect.UnionType):
            yield from _parts(list(each.types))
        elif isinstance(each, inspect.VarTupleType | inspect.ListType):
            yield from _parts([each.item_type])
        else:
            yield each
