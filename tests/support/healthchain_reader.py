"""Reads answers of CDS Hooks with HealthChain's models, in the environment that has it; imports nothing of ours.

Each line of standard input is a pair of a model's name and an answer, each line of output what was read of it, without
what was not sent. It ends with exit code 1 and pydantic's words at the first answer that is refused.
"""

import json
import sys

from healthchain.models import (  # type: ignore[import-not-found, unused-ignore]  # only in an environment of its own
    CDSResponse,
    CDSServiceInformation,
)

MODELS = {"Response": CDSResponse, "Discovery": CDSServiceInformation}


def main() -> None:
    """Read until the input ends."""
    for line in sys.stdin:
        name, answer = json.loads(line)
        read = MODELS[name].model_validate(answer)
        sys.stdout.write(json.dumps(read.model_dump(mode="json", exclude_unset=True)) + "\n")


if __name__ == "__main__":
    main()
