import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.kernel import Kernel, KernelDiedError

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel(env={"NBCHAT_TRIAL": "yes"}) as kernel:
        yield kernel


def test_a_cell_gives_its_reply_messages_and_result(kernel: Kernel) -> None:
    done = kernel.execute("print('hello')\n1 + 1")
    assert done.status == "ok"
    assert [message.type for message in done.messages] == [
        "status",
        "execute_input",
        "stream",
        "execute_result",
        "status",
    ]
    first, second = done.final_outputs()
    assert first == {"output_type": "stream", "name": "stdout", "text": "hello\n"}
    assert second["data"] == {"text/plain": "2"}
    assert done.text == "hello\n\n2"


def test_message_sizes_grow_with_what_is_shown(kernel: Kernel) -> None:
    small, large = (
        kernel.execute(f"print('x' * {count})").display_messages[0] for count in (1, 10_001)
    )
    assert large.size - small.size == 10_000
    assert small.size > 300  # header, parent and signature count too


def test_a_failed_cell_is_marked_and_its_error_kept(kernel: Kernel) -> None:
    done = kernel.execute("1 / 0")
    assert done.status == "error"
    assert [error["ename"] for error in done.errors] == ["ZeroDivisionError"]
    assert "\x1b" not in done.text
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        kernel.run("1 / 0")


def test_the_python_is_this_one_with_the_given_environment(kernel: Kernel) -> None:
    assert kernel.value("__import__('sys').executable") == repr(sys.executable)
    assert kernel.value("__import__('os').environ['NBCHAT_TRIAL']") == "'yes'"


def test_variables_that_choose_a_profile_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-outside")
    with Kernel() as kernel:
        assert kernel.value("__import__('os').environ.get('OPENAI_API_KEY')") == "None"


def test_the_cell_id_reaches_the_kernel_as_jupyterlab_sends_it(kernel: Kernel) -> None:
    kernel.run(
        "seen = []\n"
        "get_ipython().events.register('pre_run_cell', lambda info: seen.append(info.cell_id))"
    )
    kernel.execute("1", cell_id="abc-123")
    assert "abc-123" in kernel.value("seen")


def test_updates_of_a_display_end_in_place(kernel: Kernel) -> None:
    done = kernel.execute(
        "from IPython.display import Markdown, display\n"
        "h = display(Markdown('one'), display_id=True)\n"
        "print('after')\n"
        "h.update(Markdown('two')); h.update(Markdown('three'))"
    )
    assert len(done.of_type("update_display_data")) == 2
    first, second = done.final_outputs()
    assert first["data"]["text/markdown"] == "three"
    assert second["text"] == "after\n"
    assert done.text == "three\nafter\n"


def test_a_display_can_be_updated_from_another_cell(kernel: Kernel) -> None:
    shown = kernel.execute("h = display('old', display_id=True)")
    other = kernel.execute("h.update('new')")
    assert shown.text == "'new'"
    assert other.final_outputs() == []


def test_clearing_with_wait_happens_at_the_next_output(kernel: Kernel) -> None:
    begin = "from IPython.display import clear_output, display\ndisplay(1)\n"
    assert kernel.run(begin + "clear_output(wait=True)") == "1"
    assert kernel.run(begin + "clear_output(wait=True); display(2)") == "2"
    assert kernel.run(begin + "clear_output()") == ""


def test_stream_pieces_join_and_carriage_returns_overwrite(kernel: Kernel) -> None:
    code = "import sys\nfor n in range(3): print(f'\\rstep {n}', end='', flush=True)\nprint()"
    (output,) = kernel.execute(code).final_outputs()
    assert output["text"] == "step 2\n"


def test_interrupt_reaches_a_cell_that_runs_in_the_background(kernel: Kernel) -> None:
    running = kernel.start("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    running.wait_for(lambda cell: "begun" in cell.text)
    assert running.status == "running"
    kernel.interrupt()
    assert running.wait().errors[0]["ename"] == "KeyboardInterrupt"


def test_cells_can_be_queued_and_waited_for_in_any_order(kernel: Kernel) -> None:
    first, second = kernel.start("print(1)"), kernel.start("print(2)")
    assert second.wait().text == "2\n"
    assert first.wait().text == "1\n"


def test_late_messages_of_a_thread_belong_to_their_cell(kernel: Kernel) -> None:
    done = kernel.execute(
        "import threading, time\n"
        "h = display('early', display_id=True)\n"
        "def later(): time.sleep(0.2); h.update('late')\n"
        "threading.Thread(target=later).start()"
    )
    assert done.wait_for(lambda cell: cell.text == "'late'").status == "ok"


def test_questions_of_a_cell_are_answered(kernel: Kernel) -> None:
    done = kernel.execute("import getpass\nprint(getpass.getpass('Key: '))", answers=["sk-1"])
    assert (done.prompts, done.text) == (["Key: "], "sk-1\n")


def test_completion_and_inspection_go_through_the_kernel(kernel: Kernel) -> None:
    kernel.run("a_long_name = 1")
    assert kernel.complete("a_lon")["matches"] == ["a_long_name"]
    assert "int" in kernel.inspect("a_long_name")["data"]["text/plain"]


def test_a_restart_forgets_every_variable() -> None:
    with Kernel() as kernel:
        kernel.run("x = 1")
        pid = kernel.pid
        kernel.restart()
        assert kernel.pid != pid
        assert kernel.execute("x").errors[0]["ename"] == "NameError"


def test_a_cell_whose_kernel_is_killed_says_so() -> None:
    with Kernel() as kernel:
        running = kernel.start("import time; time.sleep(60)")
        time.sleep(0.1)
        os.kill(kernel.pid, signal.SIGKILL)
        with pytest.raises(KernelDiedError):
            running.wait()


def test_a_cell_that_takes_too_long_fails_with_what_it_shows(kernel: Kernel) -> None:
    with pytest.raises(TimeoutError, match="half"):
        kernel.execute("import time\nprint('half', flush=True)\ntime.sleep(60)", timeout=1)
    kernel.interrupt()
