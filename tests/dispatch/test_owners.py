import os
import subprocess
import sys

import pytest
from django.db import connection

from dispatch import owners
from dispatch.models import Owner
from lifecycle.models import Lease

pytestmark = pytest.mark.django_db


def owner(**fields):
    return Owner.objects.create(**(owners.identity("twilio") | fields))


def age(instance, seconds):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dispatch_owner SET seen_at = now() - make_interval(secs => %s) WHERE id = %s",
            [seconds, instance.pk],
        )


def a_pid_that_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_beating_owner_is_alive():
    owner()

    assert (owners.alive("twilio"), owners.alive("lob"), owners.bury_the_dead()) == (1, 0, 0)


def test_an_owner_that_stopped_beating_is_ended():
    age(owner(), 4)

    assert (owners.alive("twilio"), owners.bury_the_dead(), owners.bury_the_dead()) == (0, 1, 0)


def test_an_owner_whose_process_is_gone_is_ended_at_once():
    owner(pid=a_pid_that_is_gone())

    assert owners.bury_the_dead() == 1


def test_a_zombie_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    owner(pid=process.pid)

    assert owners.bury_the_dead() == 1
    process.wait()


def test_a_process_of_another_host_is_judged_by_its_beat_alone():
    owner(host="elsewhere", pid=a_pid_that_is_gone())

    assert owners.bury_the_dead() == 0


def test_the_leases_of_the_dead_are_free_again():
    dead, living = owner(), owner()
    age(dead, 4)
    leases = [
        Lease.objects.create(account_id=1, queue="q", scope_id=1, ids=[1], owner=each.pk) for each in (dead, living)
    ]

    owners.bury_the_dead()

    assert [Lease.objects.get(pk=lease.pk).owner for lease in leases] == [None, living.pk]
