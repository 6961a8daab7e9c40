"""The command line `cds-service`."""


def examples(*arguments: str) -> str:
    """The last paragraph of a command's help: one example per line, in the form that click does not rewrap."""
    title = "Example:" if len(arguments) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  cds-service {each}" for each in arguments)])
