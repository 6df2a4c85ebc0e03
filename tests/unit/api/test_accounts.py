"""Signing in: right and wrong passwords, limits on guessing, sessions and their end."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from gateway.api.accounts import (
    MAX_SESSIONS,
    SESSION_S,
    Accounts,
    PersonSession,
    SignInError,
    TooManyFailuresError,
)
from gateway.config.users import UserConfig
from gateway.store.sign_ins import SignIn

PASSWORD = "correct horse"
HOME = "192.0.2.1"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def accounts() -> Accounts:
    users = {"op1": UserConfig(password=SecretStr(PASSWORD), name="Olivia"), "op2": user("other horse")}
    return Accounts(users)


def user(password: str) -> UserConfig:
    return UserConfig(password=SecretStr(password))


def guess(accounts: Accounts, who: str, address: str, now: float, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(SignInError):
            accounts.sign_in(who, "wrong", address, now)


def test_the_right_password_opens_a_session(accounts: Accounts) -> None:
    session, token, ended = accounts.sign_in("op1", PASSWORD, HOME, 100.0)
    assert (session.user, session.name, session.expires_s) == ("op1", "Olivia", 100.0 + SESSION_S)
    assert ended == []
    assert accounts.session_of(token, 101.0) is session
    assert accounts.session_of(token, 100.0 + SESSION_S - 1) is session
    assert accounts.session_of(token, 100.0 + SESSION_S) is None


def test_a_person_without_a_name_is_called_as_they_sign_in(accounts: Accounts) -> None:
    assert accounts.sign_in("op2", "other horse", HOME, 0.0)[0].name == "op2"


@pytest.mark.parametrize(
    ("who", "password"),
    [
        ("op1", "wrong"),
        ("op1", ""),
        ("op1", "other horse"),
        ("op1", PASSWORD + " "),
        ("op3", PASSWORD),
        ("", ""),
    ],
)
def test_anything_else_does_not(accounts: Accounts, who: str, password: str) -> None:
    with pytest.raises(SignInError, match="wrong name or password"):
        accounts.sign_in(who, password, HOME, 0.0)


@pytest.mark.parametrize("token", ["", "ps_", "ps_made-up", "\ud800"])
def test_a_made_up_token_is_nobodys(accounts: Accounts, token: str) -> None:
    accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    assert accounts.session_of(token, 1.0) is None


def test_signing_out_ends_one_session(accounts: Accounts) -> None:
    first, token, _ = accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    second, another, _ = accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    assert accounts.sign_out(token) is first
    assert accounts.sign_out(token) is None
    assert accounts.session_of(token, 1.0) is None
    assert accounts.session_of(another, 1.0) is second


def test_one_session_too_many_ends_the_oldest_of_the_same_person(accounts: Accounts) -> None:
    _, others, _ = accounts.sign_in("op2", "other horse", HOME, 0.0)
    opened: list[tuple[PersonSession, str]] = []
    for now in range(MAX_SESSIONS + 1):
        session, token, ended = accounts.sign_in("op1", PASSWORD, HOME, float(now))
        opened.append((session, token))
    assert ended == [opened[0][0]]
    assert accounts.session_of(opened[0][1], 20.0) is None
    assert accounts.session_of(opened[1][1], 20.0) is opened[1][0]
    assert accounts.session_of(others, 20.0) is not None


def test_guessing_from_one_address_is_stopped_even_with_the_right_password(accounts: Accounts) -> None:
    for who in ("op1", "op2", "nobody", "op1", "op2") * 2:
        guess(accounts, who, HOME, 0.0)
    with pytest.raises(TooManyFailuresError):
        accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    accounts.sign_in("op1", PASSWORD, "192.0.2.2", 0.0)
    accounts.sign_in("op1", PASSWORD, HOME, 31.0)


def test_guessing_one_name_from_many_addresses_is_stopped(accounts: Accounts) -> None:
    for host in range(20):
        guess(accounts, "op1", f"198.51.100.{host}", 0.0)
    with pytest.raises(TooManyFailuresError):
        accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    accounts.sign_in("op2", "other horse", HOME, 0.0)


def test_strangers_do_not_lock_a_person_out_of_their_own_place(accounts: Accounts) -> None:
    accounts.sign_in("op1", PASSWORD, HOME, 0.0)
    for host in range(20):
        guess(accounts, "op1", f"198.51.100.{host}", 0.0)
    accounts.sign_in("op1", PASSWORD, HOME, 0.0)


def test_failures_are_forgiven_by_success(accounts: Accounts) -> None:
    for _ in range(3):
        guess(accounts, "op1", HOME, 0.0, times=9)
        accounts.sign_in("op1", PASSWORD, HOME, 0.0)


def test_guessing_with_endless_names_and_addresses_takes_no_endless_memory(accounts: Accounts) -> None:
    def guess_of(count: int) -> None:
        guess(accounts, f"name{count}", f"address{count}", 0.0)

    for count in range(5000):
        guess_of(count)
    tracemalloc.start()
    for count in range(5000, 10_000):
        guess_of(count)
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 8192 counted names and addresses were replaced by as many: what was traced is theirs.
    assert grown_bytes < 8192 * 512
    accounts.sign_in("op1", PASSWORD, HOME, 0.0)


def kept(session: PersonSession, expires_at: datetime) -> SignIn:
    return SignIn(session.digest, session.id, session.user, session.proof, expires_at)


def test_a_session_outlives_the_process_until_its_own_end(accounts: Accounts) -> None:
    session, token, _ = accounts.sign_in("op1", PASSWORD, HOME, 100.0)
    left = kept(session, NOON + timedelta(hours=1))
    later = Accounts({"op1": UserConfig(password=SecretStr(PASSWORD), name="Olive")})
    later.restore([left], 5.0, NOON)
    found = later.session_of(token, 6.0)
    assert found is not None
    assert (found.id, found.user, found.name, found.expires_s) == (session.id, "op1", "Olive", 3605.0)
    assert later.session_of(token, 7.0) is found
    assert later.session_of(token + "x", 7.0) is None
    assert later.session_of(token, 3605.0) is None


def test_a_changed_password_or_a_person_who_is_gone_ends_what_was_kept(accounts: Accounts) -> None:
    session, token, _ = accounts.sign_in("op1", PASSWORD, HOME, 100.0)
    left = kept(session, NOON + timedelta(hours=1))
    for users in ({"op1": user("battery staple")}, {"op2": user(PASSWORD)}):
        later = Accounts(users)
        later.restore([left], 5.0, NOON)
        assert later.session_of(token, 6.0) is None


def test_what_is_kept_opens_nothing_and_can_be_signed_out(accounts: Accounts) -> None:
    session, token, _ = accounts.sign_in("op1", PASSWORD, HOME, 100.0)
    left = kept(session, NOON + timedelta(hours=1))
    assert PASSWORD not in repr(left)
    assert token not in repr(left)
    for thief in (left.digest, left.proof, left.id, f"ps_{left.digest}"):
        assert accounts.session_of(thief, 101.0) is None
    later = Accounts({"op1": user(PASSWORD)})
    later.restore([left], 5.0, NOON)
    assert later.sign_out(token) is not None
    assert later.session_of(token, 6.0) is None


def test_kept_sessions_count_towards_the_most_a_person_may_have(accounts: Accounts) -> None:
    made = [accounts.sign_in("op1", PASSWORD, HOME, float(now))[:2] for now in range(MAX_SESSIONS)]
    later = Accounts({"op1": user(PASSWORD)})
    later.restore([kept(each, NOON + timedelta(hours=1)) for each, _ in made], 5.0, NOON)
    _, _, ended = later.sign_in("op1", PASSWORD, HOME, 6.0)
    assert [each.id for each in ended] == [made[0][0].id]
    assert later.session_of(made[0][1], 7.0) is None
    assert later.session_of(made[1][1], 7.0) is not None
