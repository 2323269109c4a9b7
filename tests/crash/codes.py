"""Codes made while the workers that make them are killed."""

import random
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Count
from django.db.models.functions import Upper

from campaigns_project.models import Job
from coupons import making
from coupons.models import Coupon, CouponCampaign
from launch.run import BEAT, WORKER
from tests.coupons.factories import CouponCampaignFactory
from tests.crash.world import kill


@dataclass
class Making:
    """So many codes, whose workers are killed `kills` times, at moments spread over the making."""

    world: object
    codes: int
    kills: int
    seed: int = 1
    seen: list = field(default_factory=list)
    verdict: dict = field(default_factory=dict)

    def run(self):
        drawn = random.Random(self.seed)
        self.world.keep("worker", WORKER)
        self.world.keep("beat", BEAT)
        self.campaign = CouponCampaignFactory(prefix="kill-")
        self.job = making.generate(self.campaign, self.codes, by=None)
        for moment in sorted(drawn.random() for _ in range(self.kills)):
            self.world.until(lambda moment=moment: self._made() >= moment * 0.9 * self.codes, within=300, what="codes")
            # In the middle of a slice, or between two.
            self.world.wait(drawn.random() * 0.5)
            for worker in self.world.members("worker"):
                kill(worker)
        self.world.until(lambda: Job.objects.filter(pk=self.job.pk, status="done").exists(), within=600, what="the end")
        self.verdict = self._verdict()
        return self

    def __str__(self):
        verdict = self.verdict or "as many as asked for, none double"
        return f"seed {self.seed}: {self.codes} codes, workers killed {self.kills} times, seen {self.seen}; {verdict}"

    def _made(self):
        """How many there are, as the job says; the table never says anything else."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT done, (SELECT coupon_count FROM coupons_couponcampaign WHERE id = %s) "
                "FROM campaigns_project_job WHERE id = %s",
                [self.campaign.pk, self.job.pk],
            )
            done, counted = cursor.fetchone()
        assert done == counted
        if not self.seen or self.seen[-1] != done:
            self.seen.append(done)
        return done

    def _verdict(self):
        """What is wrong, by name."""
        ours = Coupon.objects.filter(campaign=self.campaign)
        twice = ours.annotate(plain=Upper("code")).order_by().values("plain").annotate(n=Count("pk")).filter(n__gt=1)
        found = {
            "too many or too few": ours.count() - self.codes,
            "double": twice.count(),
            "counted wrongly": CouponCampaign.objects.get(pk=self.campaign.pk).coupon_count - self.codes,
            "reported as failed": Job.objects.get(pk=self.job.pk).failed,
        }
        return {name: n for name, n in found.items() if n}
