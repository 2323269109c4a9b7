"""What the models declare is what the migrations made."""

import pytest
from django.apps import apps
from django.db import connection


@pytest.mark.django_db
def test_every_declared_constraint_and_index_is_in_the_database():
    missing = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            made = connection.introspection.get_constraints(cursor, model._meta.db_table)
            declared = [*model._meta.constraints, *model._meta.indexes]
            missing += [f"{model.__name__}.{each.name}" for each in declared if each.name not in made]

    assert missing == []
