"""When the runner is killed or stopped, the faults go, and stay away."""

from __future__ import annotations

import signal

import pytest
from crash_runner import CALL_MS
from crash_support import Scene, end_process, slow_relay, wait_until
from promise_support import OFF_WITHIN_S

from gameday.adapters.toxiproxy.lease import recover_target
from gameday.adapters.toxiproxy.state import LEASE
from gameday.errors import RefusedError
from gameday.journal import read
from gameday.model.debts import ledger_of
from gameday.model.event import Phase
from gameday.recovery import find_dirty_runs, recover_run
from gameday.sentinel import owner

LONG_AFTER_S = 2 * CALL_MS / 1000


def assert_toxics_go(scene: Scene) -> None:
    wait_until("no toxic is left", lambda: _no_toxic(scene), OFF_WITHIN_S)
    wait_until("nothing of the run is left", scene.off, 2 * LONG_AFTER_S + OFF_WITHIN_S)
    assert scene.sentinel_ended()
    assert scene.off()


def _no_toxic(scene: Scene) -> bool:
    payments = scene.client.proxies().get("payments")
    return payments is None or (payments.enabled and not payments.toxics)


def assert_journal_tells(scene: Scene) -> None:
    found = read(scene.run_dir / "journal.jsonl")
    assert found.problem is None
    assert ledger_of(found.events).dirty == ()
    took_over = [e for e in found.events if e.kind == "sentinel.took_over"]
    assert len(took_over) == 1
    closers = ("fault.revert", "target.close")
    paid = [e for e in found.events if e.kind in closers and e.phase is Phase.OK]
    assert paid
    assert all(e.data["read_back"] for e in paid)


def test_killed_with_its_group(scene: Scene) -> None:
    assert scene.start("hold") == "hold"
    assert not scene.client.proxies()["payments"].enabled
    scene.signal(signal.SIGKILL)
    assert_toxics_go(scene)
    assert_journal_tells(scene)


def test_stopped_is_as_good_as_killed(one_scene: Scene) -> None:
    assert one_scene.start("hold") == "hold"
    one_scene.signal(signal.SIGSTOP)
    assert_toxics_go(one_scene)
    assert_journal_tells(one_scene)
    assert one_scene.runner is not None
    assert one_scene.runner.wait(60) == -signal.SIGKILL  # it cannot go on later


def test_killed_between_delete_and_create(one_scene: Scene) -> None:
    """The proxy is away at that moment; it is owed a create."""
    scene = one_scene
    scene.client.create("payments", listen=scene.listen, upstream=scene.upstream, enabled=True)
    assert scene.start("between") == "between"
    assert "payments" not in scene.client.proxies()
    scene.signal(signal.SIGKILL)
    wait_until("the proxy is back", lambda: "payments" in scene.client.proxies(), OFF_WITHIN_S)
    assert scene.sentinel_ended()
    assert_journal_tells(scene)
    found = scene.client.proxies()
    assert set(found) == {"payments"}
    assert found["payments"].enabled
    assert found["payments"].toxics == ()


def test_an_inject_that_lands_late_is_taken_out_again(one_scene: Scene) -> None:
    scene = one_scene
    scene.client.create("payments", listen=scene.listen, upstream=scene.upstream, enabled=True)
    port = int(scene.server.url.rpartition(":")[2])
    with slow_relay(port, hold_back=b"/toxics ") as relay:
        assert scene.start("inflight", f"http://127.0.0.1:{relay.port}") == "inflight"
        assert relay.held.wait(60)  # `add toxic` has left the runner
        scene.signal(signal.SIGKILL)
        wait_until("the sentinel took over", lambda: _paid_once(scene), OFF_WITHIN_S)
        relay.let_go.set()  # and now it reaches the server
        assert relay.passed.wait(60)
    assert scene.sentinel_ended()
    found = scene.client.proxies()
    assert set(found) == {"payments"}
    assert found["payments"].toxics == ()
    events = read(scene.run_dir / "journal.jsonl").events
    assert ledger_of(events).dirty == ()
    assert [e for e in events if e.data.get("found")]  # it was seen to land, and is on record


def _paid_once(scene: Scene) -> bool:
    events = read(scene.run_dir / "journal.jsonl").events
    return any(e.kind == "fault.revert" and e.phase is Phase.OK for e in events)


def test_a_clean_end_ends_the_sentinel_and_leaves_the_journal_alone(one_scene: Scene) -> None:
    assert one_scene.start("clean") == "done True"
    assert one_scene.sentinel_ended()
    found = read(one_scene.run_dir / "journal.jsonl")
    assert found.complete
    assert not [e for e in found.events if e.kind.startswith("sentinel.")]
    assert find_dirty_runs(one_scene.run_dir.parent) == []


def test_a_lease_that_the_runner_could_not_give_back_is_given_back(one_scene: Scene) -> None:
    one_scene.start("leased")
    wait_until("nothing of the run is on the server", one_scene.off, 120)
    assert one_scene.sentinel_ended()
    assert owner.read(one_scene.run_dir).after == ()


def test_a_run_that_ends_dirty_is_cleaned_all_the_same(one_scene: Scene) -> None:
    assert one_scene.start("dirty") == "done False"
    assert_toxics_go(one_scene)
    assert_journal_tells(one_scene)


def test_recover_by_hand_after_runner_and_sentinel_died(one_scene: Scene) -> None:
    scene = one_scene
    assert scene.start("nosentinel") == "hold"
    with pytest.raises(RefusedError, match="still under way"):
        recover_run(scene.run_dir)
    assert find_dirty_runs(scene.run_dir.parent) == []
    scene.signal(signal.SIGKILL)
    assert scene.runner is not None
    scene.runner.wait(60)
    (dirty,) = find_dirty_runs(scene.run_dir.parent)
    assert set(dirty.dirty) == {"slow", "dead", "pay"}
    assert dirty.how == "gameday recover run-1"
    report = recover_run(scene.run_dir)
    assert report.clean, report
    assert scene.off()
    assert find_dirty_runs(scene.run_dir.parent) == []
    size = (scene.run_dir / "journal.jsonl").stat().st_size
    assert recover_run(scene.run_dir).clean  # once more is fine, and adds nothing
    assert (scene.run_dir / "journal.jsonl").stat().st_size == size


def test_recover_needs_no_journal(scene: Scene) -> None:
    scene.client.create("foreign", listen="127.0.0.1:0", upstream="127.0.0.1:1", enabled=True)
    assert scene.start("nosentinel") == "hold"
    with pytest.raises(RefusedError, match="held by run `run-1`"):
        recover_target(scene.server.url)
    scene.signal(signal.SIGKILL)
    assert scene.runner is not None
    scene.runner.wait(60)
    assert LEASE in scene.client.proxies()
    report = recover_target(scene.server.url)
    assert report.clean, report
    assert set(scene.client.proxies()) == {"foreign"}


def test_recover_without_a_journal_puts_back_a_proxy_that_is_away(scene: Scene) -> None:
    scene.client.create("payments", listen=scene.listen, upstream=scene.upstream, enabled=True)
    assert scene.start("between") == "between"
    sentinel = owner.read(scene.run_dir).sentinel
    assert sentinel is not None
    assert end_process(sentinel)
    scene.signal(signal.SIGKILL)
    assert scene.runner is not None
    scene.runner.wait(60)
    assert "payments" not in scene.client.proxies()
    assert recover_target(scene.server.url).clean
    found = scene.client.proxies()
    assert set(found) == {"payments"}
    assert found["payments"].enabled
    assert found["payments"].toxics == ()
