"""Train the two bundles and render everything that `kubectl apply` needs: `python build.py --out build`."""

import argparse
import time
from pathlib import Path

from flight_delay import cache, manifests
from flight_delay.bundles import Bundle


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    built = cache.cached_bundles()
    manifests.write(built, arguments.out, manifests.Images(arguments.redis_image, arguments.python_image))
    for bundle in built:
        print(describe(bundle))
    print(
        f"AUC and Brier on {built[0].replay.n:,} flights of July to December, which neither was trained on; ± is 95 %"
    )
    print(f"{time.monotonic() - started:.1f} s; next: kubectl apply --server-side -f {arguments.out}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder to write (default: build)")
    images = manifests.Images()
    parser.add_argument("--redis-image", default=images.redis, help=f"has redis-server and redis-cli ({images.redis})")
    parser.add_argument("--python-image", default=images.python, help=f"has python3 ({images.python})")
    return parser.parse_args()


def describe(bundle: Bundle) -> str:
    """One line per bundle: digest, packed size, quality on the replay."""
    q = bundle.replay
    return (
        f"{bundle.name:<10}  {bundle.archive.stat().st_size / 1024:5.1f} KiB  "
        f"AUC {q.auc:.4f} ± {q.auc_margin:.4f}  Brier {q.brier:.4f} ± {q.brier_margin:.4f}  {bundle.digest}"
    )


if __name__ == "__main__":
    main()
