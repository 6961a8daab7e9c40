"""Measures the CPU time of answers over the golden questions: `python -m tests.bench.ask`."""

import time
from statistics import median, quantiles

from cds_service.settings import Settings
from cds_service.wiring import create_advisor, create_asker
from tests.ask.test_questions import ANSWERED, DECLINED

ROUNDS = 5


def main() -> None:
    """Print median, 95th percentile and maximum in milliseconds of CPU time, of the best round of each question."""
    asker = create_asker(create_advisor(Settings(mode="development")))
    questions = [golden["ask"] for golden in (*ANSWERED, *DECLINED)]
    best = dict.fromkeys(questions, float("inf"))
    for _ in range(ROUNDS):
        for question in questions:
            started = time.process_time()
            asker.ask(question)
            best[question] = min(best[question], time.process_time() - started)
    milliseconds = sorted(1000 * seconds for seconds in best.values())
    high = quantiles(milliseconds, n=20)[-1]
    print(f"{len(questions)} questions: median {median(milliseconds):.1f} ms, 95 % {high:.1f} ms, ", end="")
    print(f"slowest {milliseconds[-1]:.1f} ms: {max(best, key=lambda each: best[each])!r}")


if __name__ == "__main__":
    main()
