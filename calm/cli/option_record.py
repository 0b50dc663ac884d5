"""Commands that take a record of options: one parameter in Python, many on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, get_type_hints

Command = Callable[..., None]


def with_record(
    parameter: str, record: type[Any], names: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """Returns a decorator that gives a command the options of a record in place of a parameter.

    On the command line the options stand where the parameter stands in the function.

    Args:
        parameter: the command's, which gets the record.
        record: a dataclass whose every field is an option: annotated as typer reads it, and with a
            default.
        names: fields that are options; all of them where there are none. The command gets the
            defaults of the others.
    """
    hints = get_type_hints(record, include_extras=True)
    options = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(record)
        if not names or f.name in names
    ]

    def decorate(command: Command) -> Command:
        parameters: list[Parameter] = []
        for one in signature(command, eval_str=True).parameters.values():
            by_name = one.replace(kind=Parameter.KEYWORD_ONLY)
            parameters += options if one.name == parameter else [by_name]

        @wraps(command)
        def with_options(**values: Any) -> None:
            of_record = {option.name: values.pop(option.name) for option in options}
            command(**{parameter: record(**of_record)}, **values)

        with_options.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_options

    return decorate
