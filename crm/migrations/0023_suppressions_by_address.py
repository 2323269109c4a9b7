"""Suppressions are found by account, channel and address; the account alone led plans astray."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_approvals_of_any_id'),
        ('crm', '0022_codes_of_a_pool'),
    ]

    operations = [
        migrations.AlterField(
            model_name='suppression',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account'),
        ),
    ]
