"""The long form of the crash tests: `python -m bench.soak [--seeds 5] [--people 10000] [--kills 50]`, and for webhooks
`python -m bench.soak --webhooks 100`, or `--burst 5000`: so many a second for ten seconds, to the one web process of
`bin/run`; `--codes 1000000 --kills 10` makes codes while their workers are killed.

With `--channel sms`, `email` or `push` it is a marketing campaign whose sender alone is killed; of e-mail and push
exactly the calls in flight at a kill are unknown at the end.

One line a seed, then a verdict by the sandbox's own log. Bounded: each seed ends by itself; all stays on loopback.
"""

import argparse
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")


def kill_web(world_of, kills):
    """Webhooks that were acknowledged are stored, once each, however often the web process is killed."""
    from tests.crash.webhooks import Deliveries

    with world_of() as world:
        world.keep_web()
        deliveries = Deliveries(world, seed=1, kills=kills).run()
        verdict = deliveries.verdict()
    print(f"{deliveries}; {verdict or 'acknowledged = stored'}")
    return 1 if verdict else 0


def burst(world_of, rate):
    """A burst of webhooks: what was acknowledged is stored, and nobody is told anything but 200 or an honest 503."""
    from tests.crash.bursts import Burst

    with world_of() as world:
        world.keep_web()
        told = Burst(world, rate=rate).run()
        verdict = told.verdict()
    print(f"{told}; {verdict or 'acknowledged = stored'}")
    return 1 if verdict else 0


def make_codes(world_of, asked):
    """Codes are as many as were asked for, however often the workers that make them are killed."""
    from tests.crash.codes import Making

    good = 0
    for seed in range(1, asked.seeds + 1):
        with world_of() as world:
            making = Making(world, asked.codes, asked.kills, seed).run()
        print(making, flush=True)
        good += not making.verdict
    print(f"{good} of {asked.seeds} seeds: exactly as many as asked for, none double")
    return 0 if good == asked.seeds else 1


def main():
    parser = argparse.ArgumentParser(description="Kill everything during a send, again and again.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--crashes", type=int, default=1)
    parser.add_argument("--webhooks", type=int, metavar="KILLS", help="instead: kill web so often at 200 webhooks/s")
    parser.add_argument("--burst", type=int, metavar="RATE", help="instead: so many webhooks a second for ten seconds")
    parser.add_argument("--codes", type=int, metavar="N", help="instead: make so many codes, killing their workers")
    parser.add_argument("--channel", choices=["whatsapp", "sms", "email", "push"], default="whatsapp")
    asked = parser.parse_args()

    import django

    django.setup()
    if asked.channel != "whatsapp":
        return soak_channel(asked)
    from tests.crash.chaos import Chaos
    from tests.crash.world import World

    if asked.webhooks:
        return kill_web(World, asked.webhooks)
    if asked.burst:
        return burst(World, asked.burst)
    if asked.codes:
        return make_codes(World, asked)
    good = 0
    for seed in range(1, asked.seeds + 1):
        with World() as world:
            world.open_the_house()
            chaos = Chaos(world, seed, asked.people, asked.kills, asked.stops, asked.crashes).run()
        print(chaos, flush=True)
        good += chaos.verdict == {} and max(chaos.back, default=0) <= 5
    print(f"{good} of {asked.seeds} seeds: nobody lost, nobody doubled, nobody unknown, claimed rows back in 5 s")
    return 0 if good == asked.seeds else 1


def soak_channel(asked):
    from tests.crash.channels import SANDBOXED, Killing
    from tests.crash.world import World

    good = 0
    for seed in range(1, asked.seeds + 1):
        with World() as world:
            world.reset()
            world.settings(SANDBOXED[asked.channel], latency_ms=100, callback_loss=0.2, callback_dup=0.1)
            done = Killing(world, asked.channel, asked.people, asked.kills, seed).run()
        print(done, flush=True)
        good += done.verdict == {}
    print(f"{good} of {asked.seeds} seeds: nobody lost, nobody doubled, unknown exactly what nobody can be asked about")
    return 0 if good == asked.seeds else 1


if __name__ == "__main__":
    sys.exit(main())
