"""The data that is stored, and the data that is not, on SQLite and PostgreSQL."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner, Result
from sqlalchemy import Connection, Engine, event, insert, inspect, select, text, update

from cds_service.cdshooks.messages import (
    AcceptedSuggestion,
    Card,
    CardSource,
    Coding,
    Feedback,
    FeedbackReason,
    ReasonCoding,
)
from cds_service.cli.main import main
from cds_service.database import migrate
from cds_service.database.connections import Database, create
from cds_service.database.insights import Filters, Outcomes, gather
from cds_service.database.schema import AUDIT, COMMENTS, FEEDBACK, ISSUED_CARDS, METADATA
from cds_service.database.store import AuditActor, FeedbackReceipt, KnownReasons, Store, purge
from cds_service.settings import Settings
from cds_service.telemetry.calls import CallSummary, IssuedCard
from tests.support.running import ROOT, eventually

HERE = AuditActor("ehr", str(uuid.UUID(int=1)))
SERVICE = "contrast-echo-claim-review"
NOW = datetime(2026, 3, 2, 15, 4, 5, 123456, tzinfo=UTC)


@pytest.fixture
def address(database_url: str) -> str:
    """The address with its driver."""
    return Settings(database_url=database_url).database_url


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    made = create(address)
    yield made
    made.dispose()


@pytest.fixture
def database(address: str, engine: Engine) -> Iterator[Database]:
    with engine.begin() as connection:
        migrate.upgrade(connection)
    made = Database(address)
    yield made
    made.close()


# A database on a busy machine may take its time.
MOST_SECONDS = 30.0


def rows(engine: Engine, table: Any) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


def stored(engine: Engine, table: str) -> list[dict[str, Any]]:
    """The rows of a table as it is, without the columns that later versions add."""
    with engine.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table}"))]
    return [{name: value for name, value in row.items() if name != "client"} for row in found]


def card(rule: str = "add-on-repeated") -> Card:
    source = CardSource(label="CMS", topic=Coding(system="https://a/b", code=rule))
    return Card(uuid=str(uuid.uuid4()), summary="x", indicator="warning", source=source)


def accepted(card: str, at: datetime = NOW) -> Feedback:
    suggestions = (AcceptedSuggestion(id="s-1"), AcceptedSuggestion(id="s-2"))
    return Feedback(card=card, outcome="accepted", outcome_timestamp=at, accepted_suggestions=suggestions)


def issued_card(card: Card) -> IssuedCard:
    return IssuedCard(card.uuid, card.source.topic.code if card.source.topic else "", card.indicator)


def overridden(card: str, comment: str | None = "Mrs Smith 👋") -> Feedback:
    reason = FeedbackReason(reason=ReasonCoding(code="later", system="https://a/c"), user_comment=comment)
    return Feedback(card=card, outcome="overridden", outcome_timestamp=NOW, override_reason=reason)


# --- cards, feedback, audit -----------------------------------------------------------------------------------------


def test_a_call_is_kept_with_its_cards_and_without_its_payload(database: Database, engine: Engine) -> None:
    one, other = card(), card("contrast-supply-missing")
    rules = ["contrast-supply-missing", "add-on-repeated", "add-on-repeated"]
    doubts = [("pair-conflict", "table"), ("add-on-repeated", "claim"), ("pair-conflict", "table")]
    call = CallSummary(
        service=SERVICE,
        hook_instance="ABC",
        findings=rules,
        not_checked=doubts,
        seconds=0.0025,
        cards=(issued_card(one), issued_card(other)),
    )
    store = Store(database)
    store.record_call(HERE, call)
    store.flush(MOST_SECONDS)
    issued = {row["card"]: row for row in rows(engine, ISSUED_CARDS)}
    assert {key: row["rule"] for key, row in issued.items()} == {
        one.uuid: "add-on-repeated",
        other.uuid: "contrast-supply-missing",
    }
    (entry,) = rows(engine, AUDIT)
    assert (entry["client"], entry["action"], entry["service"], entry["request"]) == (
        "ehr", "call", SERVICE, HERE.request,
    )  # fmt: skip
    assert entry["rules"] == ["add-on-repeated", "contrast-supply-missing"]
    assert len(entry["hook_instance"]) == 64
    assert entry["not_checked"] == [["add-on-repeated", "claim"], ["pair-conflict", "table"]]
    assert entry["milliseconds"] == 2.5
    store.record_call(HERE, CallSummary(service=SERVICE, hook_instance="abc"))
    store.flush(MOST_SECONDS)
    assert rows(engine, AUDIT)[1]["hook_instance"] == entry["hook_instance"], "one call, however it is written"


def test_what_was_not_understood_is_kept_by_kind_and_system(database: Database, engine: Engine) -> None:
    unclear = [("charge", "urn:x\0\ud800" + "y" * 300, 2), ("drug", "reference", 1), ("order", "Mrs Smith", 1)]
    store = Store(database)
    store.record_call(HERE, CallSummary(service=SERVICE, not_understood=unclear))
    store.flush(MOST_SECONDS)
    (entry,) = rows(engine, AUDIT)
    (kind, system, number), drug, order = entry["not_understood"]
    assert order == ["order", "not a URI", 1]
    assert (kind, number, drug) == ("charge", 2, ["drug", "reference", 1])
    assert system.startswith("urn:x?y")
    assert len(system) < 200


def test_feedback_is_kept_once_and_whole(database: Database, engine: Engine) -> None:
    store, one = Store(database), card()
    store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(one),)))
    store.flush(MOST_SECONDS)
    assert store.save_feedback(HERE, SERVICE, [accepted(one.uuid), overridden("unknown")]) == FeedbackReceipt(
        new_items=2, unknown_cards=1, own_cards=frozenset({one.uuid})
    )
    elsewhere = NOW.astimezone(datetime.strptime("-0500", "%z").tzinfo)
    assert store.save_feedback(HERE, SERVICE, [accepted(one.uuid, elsewhere), overridden("unknown")]).new_items == 0
    first, second = rows(engine, FEEDBACK)
    assert (first["outcome"], first["accepted_suggestions"], first["is_known_card"]) == (
        "accepted", ["s-1", "s-2"], True,
    )  # fmt: skip
    assert (second["reason_system"], second["reason_code"], second["is_known_card"]) == ("https://a/c", "later", False)
    assert first["outcome_at"].replace(tzinfo=UTC) == NOW
    assert rows(engine, COMMENTS) == [{"feedback": second["id"], "comment": "Mrs Smith 👋"}]
    assert [row["action"] for row in rows(engine, AUDIT)] == ["call", "feedback", "feedback"]


def test_feedback_without_items_is_a_call_and_nothing_else(database: Database, engine: Engine) -> None:
    assert Store(database).save_feedback(HERE, SERVICE, []) == FeedbackReceipt(0, 0)
    assert rows(engine, FEEDBACK) == []
    assert [row["action"] for row in rows(engine, AUDIT)] == ["feedback"]


def test_much_feedback_is_kept_in_few_statements(database: Database, engine: Engine) -> None:
    """Other writers wait for a call that writes: one statement for each item made them wait for seconds."""
    twice = [overridden("twice", "the first"), overridden("twice", "the second")]
    items = [*twice, overridden("later", None), overridden("later"), *(overridden(f"{n}", str(n)) for n in range(700))]
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        receipt = Store(database).save_feedback(HERE, SERVICE, items)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert (receipt.new_items, receipt.unknown_cards) == (702, len(items))
    assert sum("INSERT" in each for each in statements) == 3, "feedback, comments and the call"
    cards = {row["id"]: row["card"] for row in rows(engine, FEEDBACK)}
    comments = {cards[row["feedback"]]: row["comment"] for row in rows(engine, COMMENTS)}
    assert comments == {"twice": "the first"} | {str(n): str(n) for n in range(700)}


def test_feedback_counts_for_cards_of_its_client_only(database: Database, engine: Engine) -> None:
    """Whoever learns the id of another client's card changes nothing of what is counted for it."""
    store, one, before = Store(database), card(), card()
    store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(one), issued_card(before))))
    store.flush(MOST_SECONDS)
    with engine.begin() as connection:  # as stored by an earlier version
        connection.execute(update(ISSUED_CARDS).where(ISSUED_CARDS.c.card == before.uuid).values(client=None))
    stranger = AuditActor("stranger", HERE.request)
    receipt = store.save_feedback(stranger, SERVICE, [accepted(one.uuid, NOW + timedelta(days=1))])
    assert receipt == FeedbackReceipt(new_items=1, unknown_cards=1)
    assert store.save_feedback(HERE, SERVICE, [overridden(one.uuid)]).unknown_cards == 0
    assert store.save_feedback(stranger, SERVICE, [accepted(before.uuid)]).unknown_cards == 0
    today = datetime.now(UTC).date()
    with engine.connect() as connection:
        found = gather(connection, Filters(today - timedelta(days=1), today))
    assert found.total() == Outcomes(accepted=1, overridden=1, ignored=0)
    assert list(found.reasons.values()) == [1]
    known = {(row["card"], row["client"]): row["is_known_card"] for row in rows(engine, FEEDBACK)}
    assert known == {(one.uuid, "stranger"): False, (one.uuid, "ehr"): True, (before.uuid, "stranger"): True}


def test_comments_can_be_left_out(database: Database, engine: Engine) -> None:
    """Nor does any other text of a client's choice stay, wherever it is written."""
    ours = KnownReasons("https://ours", frozenset({"later"}))
    store, one = Store(database, keep_comments=False, reasons=ours), str(uuid.uuid4())
    codings = [
        ("later", None), ("later", "https://ours"), ("later", "Mrs Smith"), ("Mrs Smith", "https://ours"), ("x", None),
    ]  # fmt: skip
    for number, (code, system) in enumerate(codings):
        reason = FeedbackReason(reason=ReasonCoding(code=code, system=system, display="Smith"), user_comment="Smith")
        at = NOW + timedelta(seconds=number)
        item = Feedback(card=one, outcome="overridden", outcome_timestamp=at, override_reason=reason)
        store.save_feedback(HERE, SERVICE, [item])
    suggestion = AcceptedSuggestion(id="Mrs Smith")
    named = Feedback(card="Mrs Smith", outcome="accepted", outcome_timestamp=NOW, accepted_suggestions=(suggestion,))
    assert store.save_feedback(HERE, SERVICE, [named, named]).new_items == 1
    kept = rows(engine, FEEDBACK)
    assert [(row["reason_code"], row["reason_system"]) for row in kept] == [
        ("later", None), ("later", "https://ours"), ("other", None), ("other", None), ("other", None), (None, None),
    ]  # fmt: skip
    assert {row["card"] for row in kept[:-1]} == {one}
    assert rows(engine, COMMENTS) == []
    assert "Smith" not in str(kept)


def test_the_longest_texts_and_the_ends_of_the_calendar(database: Database, engine: Engine) -> None:
    reason = FeedbackReason(reason=ReasonCoding(code="ü" * 200, system="ü" * 500), user_comment="👋" * 100_000)
    for at in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        item = Feedback(card="👋" * 200, outcome="overridden", outcome_timestamp=at, override_reason=reason)
        assert Store(database).save_feedback(HERE, SERVICE, [item]).new_items == 1
    assert len(rows(engine, FEEDBACK)) == 2


def test_many_writers_at_once(address: str, database: Database, engine: Engine) -> None:
    others = [Database(address) for _ in range(3)]
    stores = [Store(each) for each in (database, *others)]
    items = [accepted(f"c{number % 50}") for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(stores[n % 4].save_feedback, HERE, SERVICE, [item]) for n, item in enumerate(items)]
        assert sum(job.result().new_items for job in jobs) == 50
    for other in others:
        other.close()
    assert len(rows(engine, FEEDBACK)) == 50


def test_who_reads_keeps_no_writer_waiting_and_waits_for_none(address: str, database: Database, engine: Engine) -> None:
    """As insights over a year of calls, which read for seconds."""
    other, is_held, may_end = Database(address), threading.Event(), threading.Event()

    def held(connection: Connection) -> int:
        found = gather(connection, Filters(date(2020, 1, 1), date(2020, 12, 31))).calls
        is_held.set()
        assert may_end.wait(MOST_SECONDS)
        return found

    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(database.read, held)
        assert is_held.wait(MOST_SECONDS)
        saved = pool.submit(Store(other).save_feedback, HERE, SERVICE, [accepted("c1")])
        assert saved.result(MOST_SECONDS).new_items == 1
        assert not reading.done()
        may_end.set()
        assert reading.result(MOST_SECONDS) == 0
    other.close()
    assert len(rows(engine, FEEDBACK)) == 1


# --- rows that are kept soon ----------------------------------------------------------------------------------------


def test_calls_of_a_database_that_is_away_are_kept_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.database.connections.PAUSE_SECONDS", 0.0)
    folder, lost = tmp_path / "later", list[int]()
    database = Database(f"sqlite:///{folder / 'x.sqlite3'}")
    store = Store(database, on_lost=lost.append)
    for _ in range(3):
        store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(card()),)))
        store.flush(MOST_SECONDS)
    folder.mkdir()
    store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(card()),)))
    store.flush(MOST_SECONDS)
    engine = create(f"sqlite:///{folder / 'x.sqlite3'}")
    assert len(rows(engine, AUDIT)) == len(rows(engine, ISSUED_CARDS)) == 4
    assert lost == []
    engine.dispose()
    database.close()


def test_the_oldest_go_where_too_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.database.connections.PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("cds_service.database.background_writer.MAX_WAITING", 3)
    folder, lost = tmp_path / "later", list[int]()
    database = Database(f"sqlite:///{folder / 'x.sqlite3'}")
    store = Store(database, on_lost=lost.append)
    for number in range(5):
        store.record_call(HERE, CallSummary(service=str(number)))
        store.flush(MOST_SECONDS)
    assert sum(lost) == 2
    folder.mkdir()
    store.record_call(HERE, CallSummary(service="last"))
    store.flush(MOST_SECONDS)
    engine = create(f"sqlite:///{folder / 'x.sqlite3'}")
    assert [row["service"] for row in rows(engine, AUDIT)] == ["2", "3", "4", "last"]
    engine.dispose()
    database.close()


# --- retention ------------------------------------------------------------------------------------------------------


def test_purge_removes_what_is_older_and_nothing_else(database: Database, engine: Engine) -> None:
    store, old, new = Store(database), card(), card()
    store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(old),)))
    store.save_feedback(HERE, SERVICE, [overridden(old.uuid)])
    long_ago = datetime.now(UTC) - timedelta(days=31)
    with engine.begin() as connection:
        for table, column in ((ISSUED_CARDS, "issued_at"), (FEEDBACK, "received_at"), (AUDIT, "at")):
            connection.execute(update(table).values({column: long_ago}))
    store.record_call(HERE, CallSummary(service=SERVICE, cards=(issued_card(new),)))
    store.save_feedback(HERE, SERVICE, [overridden(new.uuid)])
    with engine.begin() as connection:
        removed = purge(connection, datetime.now(UTC) - timedelta(days=30))
    assert removed == {"issued_cards": 1, "feedback": 1, "audit": 2}
    assert [row["card"] for row in rows(engine, ISSUED_CARDS)] == [new.uuid]
    assert [row["card"] for row in rows(engine, FEEDBACK)] == [new.uuid]
    assert len(rows(engine, COMMENTS)) == 1, "comments go with their feedback"
    assert len(rows(engine, AUDIT)) == 2


def command(url: str, *arguments: str, **environment: str) -> Result:
    settings = {"CDS_DATABASE_URL": url, "CDS_RETENTION_DAYS": None} | environment
    return CliRunner().invoke(main, ["database", *arguments], env=settings)


def test_the_commands(database_url: str, engine: Engine) -> None:
    behind = command(database_url, "current")
    assert (behind.exit_code, behind.stdout) == (1, "base (behind)\n")
    assert "cds-service database upgrade" in behind.stderr
    assert command(database_url, "upgrade", "0001").stdout == "at revision 0001\n"
    assert command(database_url, "upgrade").exit_code == 0
    assert command(database_url, "upgrade").exit_code == 0, "can be run again"
    current = command(database_url, "current")
    assert (current.exit_code, current.stdout) == (0, f"{head()} (current)\n")
    with engine.begin() as connection:
        connection.execute(insert(ISSUED_CARDS), _card_row("old", datetime.now(UTC) - timedelta(days=8)))
    assert command(database_url, "purge").exit_code == 2, "how old is said by nobody"
    assert "issued_cards: 0 removed" in command(database_url, "purge", "--days", "9").stdout
    assert "issued_cards: 1 removed" in command(database_url, "purge", CDS_RETENTION_DAYS="7").stdout
    assert command(database_url, "downgrade", "0001").exit_code == 1, "asks first"
    assert command(database_url, "downgrade", "0001", "--yes").stdout == "at revision 0001\n"
    unknown = command(database_url, "upgrade", "nothing")
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)


def test_the_commands_in_a_process_of_their_own(tmp_path: Path) -> None:
    line = [sys.executable, "-W", "error", "-m", "cds_service", "database", "upgrade"]
    environment = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'new.sqlite3'}", "PATH": "/usr/bin"}
    result = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert (result.stdout, result.stderr) == (f"at revision {head()}\n", "")


@pytest.mark.parametrize("url", ["postgresql://u:zyzzyva@127.0.0.1:1/x", "sqlite:////no/such/folder/x.sqlite3"])
def test_a_command_that_finds_no_database_says_so_in_words(url: str) -> None:
    result = command(url, "current")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: the database: ")
    assert "zyzzyva" not in result.output


def head() -> str:
    return max(path.stem[:4] for path in (ROOT / "cds_service/database/migrations/versions").glob("0*.py"))


def _card_row(card: str, at: datetime) -> dict[str, Any]:
    return {"card": card, "service": SERVICE, "rule": "r", "indicator": "info", "issued_at": at}


# --- migrations -----------------------------------------------------------------------------------------------------


def test_the_changes_lead_to_the_tables_that_the_program_uses(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate.upgrade(connection)
        assert migrate.state_of(connection) == "current"
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_up_and_down_with_data(engine: Engine) -> None:
    feedback = {
        "card": "c", "service": SERVICE, "is_known_card": True, "outcome": "accepted", "outcome_at": NOW,
        "accepted_suggestions": ["s"], "received_at": NOW,
    }  # fmt: skip
    with engine.begin() as connection:
        migrate.upgrade(connection, "0001")
        connection.execute(insert(ISSUED_CARDS), _card_row("c", NOW))
        key = connection.execute(insert(FEEDBACK).returning(FEEDBACK.c.id), feedback).scalar()
        connection.execute(insert(COMMENTS), {"feedback": key, "comment": "said"})
    before = [stored(engine, table) for table in ("issued_cards", "feedback", "feedback_comments")]
    for step, revision in (
        (migrate.upgrade, "0002"), (migrate.upgrade, "0003"), (migrate.downgrade, "0002"), (migrate.downgrade, "0001"),
        (migrate.upgrade, "0003"), (migrate.upgrade, "0004"), (migrate.downgrade, "0003"), (migrate.upgrade, "0005"),
        (migrate.downgrade, "0004"), (migrate.upgrade, "0005"),
    ):  # fmt: skip
        with engine.begin() as connection:
            step(connection, revision)
            assert inspect(connection).has_table("audit") == (revision > "0001")
            assert inspect(connection).has_table("used_tokens") == (revision > "0002")
            columns = inspect(connection).get_columns("audit") if revision > "0001" else []
            assert ("not_understood" in {each["name"] for each in columns}) == (revision > "0003")
            for table in ("issued_cards", "feedback"):
                columns = inspect(connection).get_columns(table)
                assert ("client" in {each["name"] for each in columns}) == (revision > "0004")
        assert [stored(engine, table) for table in ("issued_cards", "feedback", "feedback_comments")] == before
    with engine.begin() as connection:
        migrate.downgrade(connection, "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def test_tables_from_before_there_were_changes_are_taken_over(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate.upgrade(connection, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(insert(ISSUED_CARDS), _card_row("c", NOW))
    with engine.begin() as connection:
        migrate.upgrade(connection)
    assert len(rows(engine, ISSUED_CARDS)) == 1
    assert rows(engine, AUDIT) == []


def upgraded(address: str) -> str | None:
    """The revision of a database after its upgrade."""
    engine = create(address)
    with engine.begin() as connection:
        migrate.upgrade(connection)
        revision = migrate.revision_of(connection)
    engine.dispose()
    return revision


def test_several_that_upgrade_at_once_do_it_once(address: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(upgraded, [address] * 6)) == {head()}


def test_a_failed_change_leaves_the_database_as_it_was(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate.upgrade(connection, "0001")
        connection.execute(text("CREATE TABLE audit (x INTEGER)"))  # stands in the way
    with pytest.raises(Exception, match="audit"), engine.begin() as connection:
        migrate.upgrade(connection)
    with engine.connect() as connection:
        assert migrate.revision_of(connection) == "0001"
        assert "issued_cards_by_time" not in {each["name"] for each in inspect(connection).get_indexes("issued_cards")}


def test_a_database_of_a_later_version_is_used_as_it_is(address: str, engine: Engine) -> None:
    with engine.begin() as connection:
        migrate.upgrade(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert migrate.state_of(connection) == "ahead"
    later = Database(address)
    assert Store(later).save_feedback(HERE, SERVICE, [accepted("c")]).new_items == 1
    later.close()


def test_sqlite_is_upgraded_when_it_is_needed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert Store(database).save_feedback(HERE, SERVICE, [accepted("c")]).new_items == 1
    database.close()


def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    try:
        eventually(lambda: database.health().state == "up")  # a check that takes long is none
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("new.sqlite3*")}
        assert modes.pop("new.sqlite3") == 0o600
        assert set(modes.values()) <= {0o600}
    finally:
        database.close()


def test_several_databases_are_upgraded_at_once(tmp_path: Path) -> None:
    """A process may hold several: what Alembic keeps for a migration is the process's."""
    addresses = [f"sqlite:///{tmp_path / str(number)}.sqlite3" for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(upgraded, addresses)) == {head()}
