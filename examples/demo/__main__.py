"""`python -m demo up` shows the whole path once; `python -m demo down` removes all of it."""

import argparse
import sys
import time

from rich.markup import escape

from demo import chapters, doors, outcomes, prepare, system
from demo.example import NAMESPACE
from demo.screen import Screen
from demo.shell import CommandFailed


def main() -> int:
    """0 when every check passed, 1 when one did not or a command failed, 130 on Ctrl-C."""
    arguments = parse_arguments()
    screen = Screen()
    try:
        down(screen) if arguments.action == "down" else up(screen, arguments.flights)
    except (CommandFailed, RuntimeError, TimeoutError) as error:
        screen.console.print(f"\n[red]{escape(str(error))}[/]")
        return 1
    except KeyboardInterrupt:
        screen.console.print("Stopped; `make demo-down` removes what is there.")
        return 130
    return 1 if screen.failures else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("--flights", type=int, default=6000, help="how many to replay (default: 6000)")
    return parser.parse_args()


def up(screen: Screen, flights: int) -> None:
    """Set everything up, replay, show, change the weight; leave it running."""
    started = time.monotonic()
    screen.console.print("[bold]Turnout[/] · real flights, through a real Envoy, to two models on a real Kubernetes\n")
    bundles = prepare.prepare(screen)
    url = f"{system.gateway_url()}/v1/{NAMESPACE}/flight-delay/predict"
    replay = prepare.replay(screen, url, flights)
    chapters.nothing_lost(screen, replay)
    chapters.split(screen, replay)
    chapters.latency(screen, replay)
    chapters.one_record(screen, replay)
    chapters.change_weight(screen, replay, url)
    seen = [answer.question.flight for answer in replay.answers]
    doors.other_doors(screen, url, seen)
    doors.outage(screen, url, seen)
    outcomes.outcomes(screen, replay, url, bundles)
    conclude(screen, url, time.monotonic() - started)


def conclude(screen: Screen, url: str, seconds: float) -> None:
    """The verdict, and what to type next."""
    verdict = f"[red]{len(screen.failures)} checks failed[/]" if screen.failures else "[green]all checks passed[/]"
    screen.heading(f"{verdict} in {seconds:.0f} s. It is all still running; things to try:")
    for purpose, command in chapters.next_commands(url):
        screen.command(command, purpose)
    screen.show("[dim]`make demo-down` removes everything.[/]")


def down(screen: Screen) -> None:
    """Remove the example, the chart and the cluster."""
    if system.is_up():
        with screen.step("Example and chart") as step:
            step.note = system.remove(NAMESPACE)
    with screen.step("Cluster") as step:
        step.note = system.cluster_down(step.progress)


if __name__ == "__main__":
    sys.exit(main())
