from dispatch.backlog import Backlog, Scope


def backlog_of(**leases):
    backlog = Backlog()
    for name, (scope_id, ids) in leases.items():
        backlog.add(int(name[1:]), Scope(scope_id), ids)
    return backlog


def test_a_lease_is_finished_when_each_of_its_rows_was_dealt_with():
    backlog = backlog_of(l1=(7, [1, 2]), l2=(7, [3]))

    drawn = backlog.draw(backlog.turn()[0], 2)
    backlog.dealt_with(drawn)

    assert (drawn, backlog.take_finished(), len(backlog)) == ([1, 2], [1], 1)


def test_a_lease_without_rows_is_finished_at_once():
    assert backlog_of(l1=(7, [])).take_finished() == [1]


def test_finished_leases_are_handed_out_once():
    backlog = backlog_of(l1=(7, []))

    backlog.take_finished()

    assert backlog.take_finished() == []


def test_scopes_take_turns():
    backlog = backlog_of(l1=(7, [1]), l2=(8, [2]))

    assert [backlog.turn()[0].scope_id for _ in range(3)] == [8, 7, 8]


def test_a_backlog_without_scopes_has_no_turn():
    assert Backlog().turn() == []


def test_a_row_in_two_leases_is_worked_on_once():
    backlog = backlog_of(l1=(7, [1, 2]), l2=(7, [2, 3]))

    drawn = backlog.draw(backlog.turn()[0], 9)
    backlog.dealt_with(drawn)

    assert (drawn, sorted(backlog.take_finished())) == ([1, 2, 3], [1, 2])


def test_letting_a_scope_go_names_its_leases_and_forgets_its_rows():
    backlog = backlog_of(l1=(7, [1, 2]), l2=(8, [3]))

    assert (backlog.let_go(7), len(backlog), backlog.let_go(99)) == ([1], 1, [])


def test_rows_that_were_drawn_and_held_back_take_their_lease_with_them():
    backlog = backlog_of(l1=(7, [1, 2, 3]))
    drawn = backlog.draw(backlog.turn()[0], 1)

    assert (backlog.let_go_of_rows([*drawn, 99]), len(backlog)) == ([1], 0)


def test_a_row_that_nobody_drew_is_not_dealt_with():
    backlog = backlog_of(l1=(7, [1]))

    backlog.dealt_with([1, 99])

    assert backlog.take_finished() == []
