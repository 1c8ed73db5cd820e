"""Lets alerts of a conflict come and go in the programs that people run.

    python -m tools.monitoring

Debian's Prometheus, node_exporter and Alertmanager are started on loopback, on
free ports, with a temporary folder and our rules, whose times are made
short. Then our command writes the file that node_exporter reads, three times: of a
host with a conflict, of one in order, and of one that cannot be read. Each time it is
awaited what Prometheus has scraped and Alertmanager was told. All are stopped, and
nothing is left. ``make monitoring``; ten seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.monitoring.services import (
    NotThereError,
    Services,
    ask,
    free_port,
    wait_for,
)

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
SYSFS = ROOT / "tests" / "fixtures" / "sysfs"
RULES = ROOT / "deploy" / "monitoring" / "iommu-inspect.rules.yml"
# What is written, with what the command ends, and which alerts there are then.
STATES = (
    ("half-a-group", 1, {"IommuGroupConflict"}),
    ("groups-of-one", 0, set[str]()),
    ("no-iommu-mode", 1, {"IommuAuditBlocked"}),
    ("there-is-no-such", 4, {"IommuAuditCannotTell"}),
)
_CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alerts}"]}}]}}]
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
"""
_ALERTS = """\
route: {receiver: nobody, group_wait: 0s, group_interval: 1s}
receivers: [{name: nobody}]
"""


def main() -> int:
    """Run it all; the status is 0 if every alert came and went as it should."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="iommu-inspect-monitoring-") as name:
        try:
            _run(Path(name))
        except NotThereError as error:
            print(f"monitoring: {error}", file=sys.stderr)
            return 1
    if Path(name).exists():
        print(f"monitoring: {name} is still there", file=sys.stderr)
        return 1
    print(f"all as it should be, in {time.monotonic() - begun:.1f} s; nothing is left")
    return 0


def _run(folder: Path) -> None:
    node, alerts, prometheus = free_port(), free_port(), free_port()
    texts, written = folder / "texts", folder / "run"
    texts.mkdir()
    written.mkdir()
    file = written / "iommu-inspect.prom"
    # As deploy/systemd/iommu-inspect.tmpfiles has it.
    (texts / file.name).symlink_to(file)
    rules = folder / "rules.yml"
    rules.write_text(re.sub(r"for: \d+m", "for: 1s", RULES.read_text()))
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        _CONFIGURATION.format(rules=rules, alerts=alerts, node=node)
    )
    (folder / "alertmanager.yml").write_text(_ALERTS)
    with Services(folder) as services:
        services.start(
            "prometheus-node-exporter",
            *("--collector.disable-defaults", "--collector.textfile"),
            f"--collector.textfile.directory={texts}",
            f"--web.listen-address=127.0.0.1:{node}",
        )
        services.start(
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address=127.0.0.1:{alerts}",
            *("--cluster.listen-address=", "--log.level=warn"),
        )
        services.start(
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            *("--rules.alert.resend-delay=1s", "--log.level=warn"),
        )
        wait_for(
            "Prometheus and Alertmanager answer",
            lambda: bool(_value(prometheus, "vector(1)") and _told(alerts) is not None),
            services,
        )
        for state in STATES:
            _live_through(state, file, prometheus, alerts, services)


def _live_through(
    state: tuple[str, int, set[str]],
    file: Path,
    prometheus: int,
    alerts: int,
    services: Services,
) -> None:
    source, code, wanted = state
    words = ("--format", "metrics", "--output", str(file))
    begun = int(time.time())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "iommu_inspect", "audit", *words),
            *("--from", str(SYSFS / source)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    print(f"audit of {source}: exit code {done.returncode}")
    if done.returncode != code:
        raise NotThereError(f"{code} was expected: {done.stderr}")
    wait_for(
        "the metrics of this audit are scraped, and the file is read without error",
        lambda: (
            _value(prometheus, "iommu_inspect_exit_code") == str(code)
            and _value(prometheus, f"iommu_inspect_audit_timestamp_seconds>={begun}")
            is not None
            and _value(prometheus, "node_textfile_scrape_error") == "0"
        ),
        services,
    )
    names = ", ".join(sorted(wanted)) or "no alert"
    wait_for(f"Alertmanager has {names}", lambda: _told(alerts) == wanted, services)


def _value(port: int, query: str) -> str | None:
    """Return the value of a query that has one; ``None`` if it has none, or many."""
    answer = ask(port, "/api/v1/query", query=query)
    found = answer["data"]["result"] if answer else []
    return str(found[0]["value"][1]) if len(found) == 1 else None


def _told(port: int) -> set[str] | None:
    """Return the names of the alerts that Alertmanager has now."""
    answer = ask(port, "/api/v2/alerts")
    return None if answer is None else {a["labels"]["alertname"] for a in answer}


if __name__ == "__main__":
    sys.exit(main())
