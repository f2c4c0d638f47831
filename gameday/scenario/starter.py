"""The files that `gameday init` writes: a small project with comments, to be made one's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PROJECT = """\
# Where things are. One file a project; every scenario below this folder uses it.
# All keys: docs/project-file.md, or `gameday schema project` for your editor.
gameday: 1

environments:
  local:                            # meant unless you say `--env`
    targets:
      # `url` is where the load goes. `proxy`, `listen` and `upstream` make a target breakable:
      # gameday opens a Toxiproxy proxy that listens at `listen` and sends traffic on to `upstream`.
      # Whoever calls the target has to be told to call `listen` instead.
      shop:
        url: "http://127.0.0.1:8000"
        probe: "http:/healthz"      # how gameday looks at it: http:/path, postgres, redis or tcp
      payments:
        proxy: payments
        listen: "127.0.0.1:18080"
        upstream: "127.0.0.1:8080"
        probe: "http:/healthz"

    # Without `toxiproxy` gameday starts a server of its own; without `alerts` it evaluates the
    # built-in alerts below. With them it uses yours:
    # toxiproxy: {url: "http://127.0.0.1:8474"}
    # alerts:
    #   prometheus: {url: "http://127.0.0.1:9090"}
    #   alertmanager: {url: "http://127.0.0.1:9093"}

services:
  shop:
    tier: 1
    slos:
      availability: 99.9%           # of requests are good ...
      latency: "99% < 2s"           # ... and good in time

# Built-in alerts, evaluated each second on the requests of the load.
alerts:
  CheckoutSlow:
    when: checkout p90 > 500ms over 5s for 5s
    labels: {severity: page, service: shop}
    runbook: runbooks/first.md
    receiver: pager

runbooks: [runbooks]                # folders in which runbooks lie
# runbook_hosts: [wiki.example.org] # hosts from which a linked runbook may be fetched
"""

_SCENARIO = """\
# What breaks, under which load, and what should be noticed.
# All keys: docs/scenario.md, or `gameday schema scenario` for your editor.
gameday: 1
id: first
title: Payments answers 800 ms late
service: shop
owner: team-checkout
tags: [dependency]
hypothesis: >
  When payments answers 800 ms late, no checkout fails and 90 % of them finish within 2 s;
  CheckoutSlow pages within 30 s, and resolves within 30 s after payments is well again.

load:
  target: shop
  arrivals: 50/s                    # so many visitors come, whatever the shop does
  timeout: 5s                       # a request that takes longer has failed
  journeys:
    browse:
      weight: 3                     # three of four visitors
      steps: [{get: /products, expect: {status: 200}}]
    checkout:
      weight: 1
      steps: [{post: /checkout, json: {sku: A1}, expect: {status: 200}}]

phases: {baseline: 30s, fault: 60s, recovery: 45s}

faults:
  - id: late
    target: payments
    toxic: {type: latency, latency: 800ms, jitter: 50ms}

expect:
  baseline: [errors < 1%, p95 < 300ms]         # if this does not hold, nothing is broken
  fault:    [errors < 1%, checkout p90 < 2s]
  recovery: [steady within 30s]                # the baseline's conditions hold again
  alerts:
    - alert: CheckoutSlow
      labels: {severity: page}
      fires_within: 30s
      resolves_within: 30s
      receiver: pager
      runbook: runbooks/first.md
  quiet: [{severity: page}]                    # no other page may fire
  runbooks: [{path: runbooks/first.md}]

stop_when: [errors > 50% for 10s]              # ends the run at once and takes the fault out

# `gameday run --profile smoke`: any part may differ.
profiles:
  smoke:
    phases: {baseline: 15s, fault: 30s, recovery: 30s}
"""

_RUNBOOK = """\
# Checkout is slow

## Meaning

Nine of ten checkouts take longer than half a second, for at least five seconds.

## Impact

Customers wait for their confirmation. Orders are not lost.

## Diagnosis

1. Look at the latency of payments. Is it higher than yesterday at this time?
2. Look at the errors of checkout. If they rise as well, this is more than slowness: escalate.

## Mitigation

1. Switch checkout to deferred payment.
2. Tell the team that runs payments.
3. Watch the latency of checkout: below half a second for a minute means that it is over.
"""


def starter_files() -> Mapping[str, str]:
    """Relative path -> text of each file. They pass `gameday check` as they are."""
    return MappingProxyType(
        {
            "gameday.yaml": _PROJECT,
            "scenarios/first.yaml": _SCENARIO,
            "runbooks/first.md": _RUNBOOK,
        }
    )
