from django.db import migrations


class Migration(migrations.Migration):
    # PostgreSQL tidies a page that it reads when less than the larger of a tenth and what is to be kept free is free.
    # Pages that are filled to the brim are tidied by every look at members who left since the last one, thousands in a
    # refresh; with room that nothing fills, VACUUM does it once.

    dependencies = [
        ('crm', '0020_a_trial_has_a_known_status'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE crm_segmentmember SET (fillfactor = 85);", "ALTER TABLE crm_segmentmember RESET (fillfactor);"
        ),
    ]
