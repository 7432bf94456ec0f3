import pytest

from nbchat import frames, plots
from tests.frames.made import run_of
from tests.plots.drawn import ODD, draw, legend


def paid(model, cost_usd, at_s=0, **facts):
    run = run_of(usage={"prompt_tokens": 3, "completion_tokens": 11}, cost_usd=cost_usd, **facts)
    run.completion.model = model
    run.id = f"{1_700_000_000_000 + at_s * 1000:012x}{run.id[12:]}"
    return run


class TestCost:
    def test_each_model_has_a_line_of_its_sum_as_time_goes_on(self):
        runs = [paid("a", 0.25, 20), paid("b", 0.5, 5), paid("a", 0.5, 10)]
        ax = plots.cost(runs)
        assert [list(line.get_ydata()) for line in ax.get_lines()] == [[0.5, 0.75], [0.5]]
        (first, second), _ = (line.get_xdata() for line in ax.get_lines())
        assert (second - first).astype("timedelta64[s]").astype(int) == 10
        assert legend(ax) == ["a: $0.75", "b: $0.5"]
        assert ax.get_title() == "Cost: 3 runs, 1.25 US dollars"

    def test_runs_of_unknown_cost_make_it_a_lower_bound(self):
        ax = plots.cost([paid("a", 0.5), paid("a", None)])
        assert ax.get_title() == "Cost: 2 runs, at least 0.5 US dollars\n1 of unknown cost"

    def test_many_models_share_a_line(self):
        ax = plots.cost([paid(f"m{k}", 1 + k) for k in range(30)])
        assert len(ax.get_lines()) == 9
        assert sum(line.get_ydata()[-1] for line in ax.get_lines()) == sum(range(1, 31))

    def test_ids_of_another_make_are_drawn_too(self):
        run = paid("a", 0.5)
        run.id = "mine"
        draw(plots.cost(run))


class TestLatency:
    def test_a_run_is_a_point(self):
        ax = plots.latency([paid("a", 0, ttft_s=0.5, elapsed_s=2.5), paid("b", 0)])
        (line,) = ax.get_lines()
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (0.5, 5.0)
        assert legend(ax) == ["a: 0.5 s, 5 tokens/s"]
        assert ax.get_title() == "Latency: 2 runs\n1 without times"


@pytest.mark.long
@pytest.mark.parametrize("draws", [plots.cost, plots.latency])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_runs_and_any_model_can_be_drawn(draws, count):
    runs = [
        paid(ODD[k % len(ODD)], k / 7, at_s=k, ttft_s=k / 10, elapsed_s=1 + k) for k in range(count)
    ]
    draw(draws(runs))


@pytest.mark.parametrize("draws", [plots.cost, plots.latency])
def test_a_usage_frame_gives_the_same_figure(draws):
    runs = [paid("a", 0.5, ttft_s=0.5, elapsed_s=2.5)]
    ours, theirs = draws(runs), draws(frames.usage(runs))
    assert ours.get_title() == theirs.get_title()
    assert [list(a.get_ydata()) for a in ours.get_lines()] == [
        list(b.get_ydata()) for b in theirs.get_lines()
    ]
