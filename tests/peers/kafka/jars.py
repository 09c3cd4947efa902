"""Apache Kafka's jars, fetched once into the cache."""

import os
import tempfile
from pathlib import Path

from tests.cluster import hashing
from tests.cluster.paths import cache_root
from tests.cluster.prerequisites import ensure
from tests.cluster.progress import step
from tests.cluster.shell import run

POM = Path(__file__).with_name("pom.xml")


def jars() -> Path:
    """The folder of all jars that pom.xml asks for, and of those that these need."""
    ensure({"java": "default-jre-headless"})
    target = cache_root() / "peers" / f"kafka-{hashing.key(POM.read_text())}"
    if not target.exists():
        ensure({"mvn": "maven"})
        target.parent.mkdir(parents=True, exist_ok=True)
        with step("fetching Apache Kafka"), tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _fetch(Path(scratch) / "jars").rename(target)
    return target


def _fetch(folder: Path) -> Path:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    run(["mvn", "--quiet", "--batch-mode", "--file", str(POM), *goal], env=dict(os.environ))
    return folder
