"""Mutation testing from the command line: `make mutants` judges a sample of each part, `make mutants-all` every mutant.

Prints the survivors as differences, the score of each part, and that of all parts with the same target: a sample of one
part is too small to tell. Ends with 1 if these miss their target, with 2 if a test fails without any mutant.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import click

from tests.mutants.accepted import Accepted, accepted
from tests.mutants.judging import Coverage, Verdict, judged, recorded_coverage
from tests.mutants.making import Mutant, mutants_of
from tests.mutants.parts import PARTS, Part, judging_files
from tests.support.running import ROOT


@dataclass(frozen=True)
class Result:
    """The outcomes of the mutants of a part. `accepted` counts those left out as equivalent, `every` all there are."""

    part: Part
    verdicts: Sequence[Verdict]
    accepted: int
    every: int

    @property
    def noticed(self) -> int:
        """The number of mutants that some test noticed."""
        return sum(each.is_noticed for each in self.verdicts)


def sample_of(part: Part, most: int | None, seed: int, known: Sequence[Accepted]) -> tuple[list[Mutant], int, int]:
    """The first mutants in the order of the seed; the number of accepted ones passed over, and of all mutants."""
    every = [mutant for module in part.modules() for mutant in mutants_of(str(module), (ROOT / module).read_text())]
    ordered = sorted(every, key=lambda mutant: (mutant.rank(seed), mutant.occurrence))
    passed: list[Mutant] = []

    def is_to_judge(mutant: Mutant) -> bool:
        if any(entry.matches(mutant) for entry in known):
            passed.append(mutant)
            return False
        return mutant.is_python

    chosen = list(islice(filter(is_to_judge, ordered), most))
    return chosen, len(passed), len(every)


def judge_part(part: Part, coverage: Coverage, most: int | None, seed: int, processes: int) -> Result:
    """Judge a part, and print each survivor as soon as it is known."""
    mutants, passed, every = sample_of(part, most, seed, accepted())
    started, verdicts = time.monotonic(), []
    for verdict in judged(mutants, coverage, processes):
        verdicts.append(verdict)
        if not verdict.is_noticed:
            click.echo(f"\n{verdict.outcome}: {verdict.mutant.operator}\n{verdict.mutant.diff}")
    result = Result(part, verdicts, passed, every)
    click.echo(f"{line_of(result)} in {time.monotonic() - started:.0f} s")
    return result


def line_of(result: Result) -> str:
    """The score of a part in one line."""
    outcomes = Counter(each.outcome for each in result.verdicts)
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    left_out = f"{result.accepted} accepted as equivalent; {result.every} in all"
    return f"{result.part.name:10}{_share(result.noticed, len(result.verdicts))}: {told or 'none'}; {left_out}"


def verdict_on(results: Sequence[Result], target: int) -> tuple[str, bool]:
    """The score of all parts with a target in one line, and whether they reach it together."""
    chosen = [result for result in results if result.part.target == target]
    noticed, judged_in_all = sum(each.noticed for each in chosen), sum(len(each.verdicts) for each in chosen)
    is_met = 100 * noticed >= target * judged_in_all
    names = ", ".join(each.part.name for each in chosen)
    line = f"together  {_share(noticed, judged_in_all)}, target {target} %: {names}{'' if is_met else '  MISSED'}"
    return line, is_met


def _share(noticed: int, of_all: int) -> str:
    return f"{100 * noticed / of_all if of_all else 100.0:5.1f} % of {of_all}"


@click.command()
@click.option("--most", type=click.IntRange(1), default=20, help="mutants of each part")
@click.option("--all", "is_all", is_flag=True, help="every mutant; takes hours")
@click.option("--seed", type=int, default=1, help="decides the sample")
@click.option("--part", "names", multiple=True, type=click.Choice([part.name for part in PARTS]), help="only this part")
@click.option("--processes", type=click.IntRange(1), default=os.cpu_count() or 1, help="mutants judged at once")
def main(most: int, is_all: bool, seed: int, names: tuple[str, ...], processes: int) -> None:
    """Judge mutants of the parts that decide."""
    parts = [part for part in PARTS if not names or part.name in names]
    try:
        coverage = recorded_coverage(judging_files(), click.echo)
        results = [judge_part(part, coverage, None if is_all else most, seed, processes) for part in parts]
    except ValueError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    together = [verdict_on(results, target) for target in sorted({part.target for part in parts}, reverse=True)]
    click.echo("\n" + "\n".join([*map(line_of, results), *(line for line, _ in together)]))
    sys.exit(0 if all(is_met for _, is_met in together) else 1)


if __name__ == "__main__":
    main()
