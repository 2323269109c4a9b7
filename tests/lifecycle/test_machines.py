"""Every machine is the drawn one, and the guard inside PostgreSQL holds it against everybody."""

import pgtrigger
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import isolate_apps

from accounts.models import Account
from lifecycle.guard import guarded, guarded_models
from lifecycle.transition import Lifecycle
from tests.factories import AccountFactory
from tests.lifecycle.graphs import DRAWN, STATES, beside, force, status_of


def test_every_model_with_a_status_is_drawn():
    assert set(guarded_models()) == set(DRAWN)


@pytest.mark.parametrize("model", DRAWN)
def test_a_machine_is_the_drawn_one(model):
    drawn = DRAWN[model]

    assert set(model.machine.pairs) == {(s, target) for s, targets in drawn.edges.items() for target in targets}
    assert set(model.machine.born) == drawn.born
    assert {value for value, _ in model._meta.get_field("status").choices} == set(drawn.edges)


@pytest.mark.parametrize("model", DRAWN)
def test_every_verb_says_what_it_means(model):
    assert all(edge.doc for edge in model.machine.edges.values())


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "state"), STATES)
def test_postgresql_refuses_every_undeclared_edge(model, state):
    row = DRAWN[model].factory(status=state)

    for target in set(DRAWN[model].edges) - DRAWN[model].edges[state] - {state}:
        with pytest.raises(IntegrityError, match="illegal_transition"), transaction.atomic():
            force(row, target)

    assert status_of(row) == state


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "state"), STATES)
def test_a_row_is_born_only_where_it_may_be(model, state):
    row = DRAWN[model].factory()
    columns = {f.attname: getattr(row, f.attname) for f in model._meta.concrete_fields if not f.primary_key}
    twin = model(**{**columns, "status": state, **beside(model, state)})
    model.objects.filter(pk=row.pk)._raw_delete(row._state.db)

    if state in DRAWN[model].born:
        twin.save()
        assert status_of(twin) == state
    else:
        with pytest.raises(IntegrityError, match="illegal_birth"), transaction.atomic():
            twin.save()


@pytest.mark.django_db
def test_no_setting_switches_the_guard_off():
    account = AccountFactory()

    with pgtrigger.ignore(), pytest.raises(IntegrityError, match="illegal_transition"), transaction.atomic():
        force(account, "closed")
    with connection.cursor() as cursor:
        names = ",".join(trigger.get_pgid(Account) for trigger in Account._meta.triggers)
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{names}}}"])
    with pytest.raises(IntegrityError, match="illegal_transition"), transaction.atomic():
        force(account, "closed")


@isolate_apps("accounts")
def test_a_model_without_a_way_on_cannot_be_guarded():
    class Stone(Lifecycle):
        class Meta:
            app_label = "accounts"

    with pytest.raises(TypeError, match="Stone declares no transition"):
        guarded(born=["here"])(Stone)


def test_history_is_read_as_a_sentence():
    move = Account.machine.moves(row_id=7, verb="suspend", source="active", target="suspended")

    assert str(move) == "7: active → suspended (suspend)"


@pytest.mark.django_db
@pytest.mark.parametrize("model", DRAWN)
def test_history_has_one_index_by_row_and_number(model):
    table = model.machine.moves._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        indexes = [definition.partition("USING ")[2] for (definition,) in cursor.fetchall()]

    assert indexes == ["btree (row_id, id)"]
