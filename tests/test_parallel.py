"""meshopt.parallel: order, errors, nesting, several callers, forks."""

import os
import threading
import time

import pytest
import torch

from meshopt import parallel


def test_results_are_in_order():
    with parallel.limit(3):
        assert parallel.run(lambda a, b: a * 10 + b, [(a, a + 1) for a in range(50)]) == [11 * a + 1 for a in range(50)]


def test_no_tasks_give_no_results():
    assert parallel.run(lambda: 1, []) == []


def test_limit_is_in_force_inside_the_context_only():
    before = parallel.threads()
    with parallel.limit(5):
        assert parallel.threads() == 5
        with parallel.limit(1):
            assert parallel.threads() == 1
        assert parallel.threads() == 5
    assert parallel.threads() == before == max(1, len(os.sched_getaffinity(0)))


def test_limit_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"), parallel.limit(0):
        pass


def test_one_thread_stays_on_the_caller():
    with parallel.limit(1):
        assert set(parallel.run(threading.get_ident, [()] * 5)) == {threading.get_ident()}


def test_two_threads_work_at_once():
    meet = threading.Barrier(2, timeout=10)
    with parallel.limit(2):
        assert sorted(parallel.run(meet.wait, [(), ()])) == [0, 1]  # would time out in turn


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_turns_come_in_order(threads):
    turns, order = parallel.Turns(9), []

    def work(k):
        with turns.of(k) as wait_for_turn:
            time.sleep(0.003 * ((9 - k) % 4))  # later ones are often ready first
            wait_for_turn()
            order.append(k)

    with parallel.limit(threads):
        parallel.run(work, [(k,) for k in range(9)])
    assert order == list(range(9))


def test_a_failing_task_leaves_its_turn():
    turns = parallel.Turns(4)

    def work(k):
        with turns.of(k) as wait_for_turn:
            if k == 1:
                raise ValueError("task 1")
            wait_for_turn()

    with parallel.limit(2), pytest.raises(ValueError, match="task 1"):
        parallel.run(work, [(k,) for k in range(4)])


def test_nested_calls_run_on_their_task_s_thread():
    def outer(k):
        inner = parallel.run(lambda j: (threading.get_ident(), 10 * k + j), [(j,) for j in range(4)])
        assert {ident for ident, _ in inner} == {threading.get_ident()}
        return [value for _, value in inner]

    with parallel.limit(2):
        assert parallel.run(outer, [(k,) for k in range(6)]) == [[10 * k + j for j in range(4)] for k in range(6)]


def test_callers_from_several_threads_do_not_disturb_each_other():
    results = {}

    def call(k):
        with parallel.limit(2):
            results[k] = parallel.run(lambda a: (time.sleep(0.001), k * 1000 + a)[1], [(a,) for a in range(20)])

    callers = [threading.Thread(target=call, args=(k,)) for k in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert results == {k: [k * 1000 + a for a in range(20)] for k in range(6)}


def test_first_error_in_order_is_raised_and_the_pool_survives():
    def fail(a):
        if a >= 3:
            time.sleep(0.02 / a)  # the later the faster
            raise KeyError(a)
        return a

    for count in (1, 2):
        with parallel.limit(count):
            with pytest.raises(KeyError, match="3"):
                parallel.run(fail, [(a,) for a in range(8)])
            assert parallel.run(fail, [(a,) for a in range(3)]) == [0, 1, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own():
    with parallel.limit(2):
        parallel.run(abs, [(-1,), (-2,)])
        child = os.fork()
        if child == 0:
            os._exit(0 if parallel.run(abs, [(-3,), (-4,)]) == [3, 4] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_torch_is_alone_for_a_while_and_then_as_before():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with parallel.single_torch():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), parallel.single_torch():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
