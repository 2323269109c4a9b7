import os
import shutil
import signal
import time

import psycopg
import pytest

from launch.postgres import Server


@pytest.fixture
def server(folder):
    server = Server(folder, test=True).start()
    yield server
    server.stop("immediate")


def ask(server, statement):
    with psycopg.connect(server.url, autocommit=True) as connection:
        return connection.execute(statement).fetchone()


def test_the_application_role_is_plain_and_owns_its_database(server):
    assert ask(server, "SELECT current_user, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user") == (
        "campaigns", False, False,
    )  # fmt: skip
    assert ask(server, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()") == (
        "campaigns",
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(server, "SET session_replication_role = replica")


@pytest.mark.parametrize("test, expected", [(True, ("off", True)), (False, ("on", False))])
def test_only_a_test_server_is_forgetful_and_lets_databases_be_made(folder, test, expected):
    server = Server(folder, test=test).start()
    try:
        fsync = ask(server, "SHOW fsync")
        assert (*fsync, *ask(server, "SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")) == expected
    finally:
        server.stop()


def test_a_running_server_is_adopted(server, folder):
    assert Server(folder, test=True).start().pid == server.pid


def test_a_second_start_keeps_address_and_data(server):
    url = server.url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    assert not server.alive()

    server.start()

    assert (server.url, ask(server, "SELECT n FROM kept")) == (url, (7,))


@pytest.mark.parametrize("blow", ["kill", "immediate"])
def test_it_comes_back_after_a_blow(server, blow):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    before = server.pid
    if blow == "kill":
        os.kill(before, signal.SIGKILL)
        while server.alive():
            time.sleep(0.01)
    else:
        server.stop("immediate")

    server.start()

    assert server.pid != before
    assert ask(server, "SELECT count(*) FROM kept") == (1000,)


def test_a_strangers_process_number_in_the_lock_file_does_not_stop_it(server):
    server.stop()
    (server.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{server.cluster}\n0\n{server.port}\n\n127.0.0.1\n")

    assert server.pid is None
    assert server.start().alive()


def test_a_very_long_path_is_no_trouble(folder):
    deep = folder.joinpath(*["a-folder-with-a-long-name"] * 6)
    server = Server(deep, test=True).start()
    server.stop()
    assert server.home == deep / "postgres"


def test_where_the_servers_account_cannot_go_the_cluster_moves_to_one_fixed_place(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = Server(closed, test=True)
    try:
        server.start().stop()
        root = os.geteuid() == 0
        assert (server.home == closed / "postgres") is not root
        assert Server(closed, test=True).home == server.home
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        if server.home.parent != closed:
            shutil.rmtree(server.home.parent)
