import pytest

from nbchat import frames, plots
from tests.frames.made import run_of
from tests.plots.drawn import draw, heights


class TestUsage:
    def test_prompt_and_completion_stand_on_each_other(self):
        details = {
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5},
        }
        run = run_of(usage={"prompt_tokens": 10, "completion_tokens": 20} | details)
        ax = plots.usage([run, run])
        assert [bars.get_label() for bars in ax.containers] == [
            "prompt, cached",
            "prompt",
            "reasoning",
            "completion",
        ]
        assert [bars[1].get_height() for bars in ax.containers] == [4, 6, 5, 15]
        assert [bars[1].get_y() for bars in ax.containers] == [0, 4, 10, 15]
        assert ax.get_title() == "Usage: 2 runs, 60 tokens"
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("run", "tokens")

    def test_unknown_usage_is_a_question_mark(self):
        ax = plots.usage([run_of(usage={"prompt_tokens": 1, "completion_tokens": 1}), run_of()])
        assert [(t.get_text(), t.xy) for t in ax.texts] == [("?", (1, 0))]
        assert "1 unknown" in ax.get_title()

    def test_known_cost_is_in_the_title(self):
        run = run_of(usage={"prompt_tokens": 1, "completion_tokens": 1}, cost_usd=0.25)
        assert "0.5 US dollars" in plots.usage([run, run]).get_title()
        assert "dollars" not in plots.usage([run, run_of()]).get_title()

    @pytest.mark.long
    def test_any_number_of_runs_can_be_drawn(self):
        run = run_of(usage={"prompt_tokens": 1, "completion_tokens": 1})
        for count in (0, 1, 300):
            draw(plots.usage([run] * count))
        assert len(plots.usage([run] * 300).get_xticks()) <= 20

    def test_a_frame_gives_the_same_figure(self):
        run = run_of(usage={"prompt_tokens": 3, "completion_tokens": 4})
        assert heights(plots.usage(frames.usage(run))) == heights(plots.usage(run)) == [3]
