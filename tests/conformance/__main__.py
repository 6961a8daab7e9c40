"""Runs the tests that name sentences, and prints what each sentence came to, as a Markdown table.

Exit code 1 where a sentence that applies is not met: no test names it, or one that does fails.
"""

import sys
from collections import defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import pytest

from tests.conformance import TESTS, Sentence, named_by, sentences


@dataclass
class Recorder:
    """A pytest plugin that notes which tests name a sentence, and which tests passed."""

    tests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    passed: dict[str, bool] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the sentences that each test names."""
        for item in items:
            for sentence in named_by(item):
                self.tests[sentence].append(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test passed where it was called and no part of it went wrong."""
        good = report.passed if report.when == "call" else not report.failed and not report.skipped
        self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and good


def status(sentence: Sentence, recorder: Recorder) -> str:
    """The result of a sentence."""
    if not sentence.applies:
        return f"not applicable: {sentence.not_applicable}"
    tests = recorder.tests[sentence.id]
    return "verified" if tests and all(recorder.passed.get(test, False) for test in tests) else "not met"


def row(sentence: Sentence, recorder: Recorder) -> str:
    """A sentence as a line of the table."""
    names = dict.fromkeys(test.rpartition("::")[2].partition("[")[0] for test in recorder.tests[sentence.id])
    cells = (
        sentence.id,
        sentence.level,
        sentence.says,
        status(sentence, recorder),
        ", ".join(f"`{each}`" for each in names),
    )
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Run the tests, print the table on standard output and everything else on standard error."""
    recorder = Recorder()
    with redirect_stdout(sys.stderr):
        pytest.main(["-q", "-p", "no:cacheprovider", *TESTS], plugins=[recorder])
    known = sentences()
    print("| sentence | level | what it asks | status | test |\n|---|---|---|---|---|")
    print("\n".join(row(sentence, recorder) for sentence in known))
    statuses = [status(sentence, recorder).partition(":")[0] for sentence in known]
    counts = {each: statuses.count(each) for each in ("verified", "not applicable", "not met")}
    print(f"\n{len(known)} sentences: " + ", ".join(f"{count} {each}" for each, count in counts.items()))
    return 1 if counts["not met"] or not all(recorder.passed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
