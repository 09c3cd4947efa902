"""What goes wrong with what was typed."""

from pydantic import ValidationError


class CommandError(Exception):
    """Nothing can be answered; the text says what to correct."""


def invalid(what: str, error: ValidationError) -> CommandError:
    """An object that breaks its schema, with the fields and the remedies."""
    told = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)[:5])
    return CommandError(f"{what}: {'; '.join(told)}")
