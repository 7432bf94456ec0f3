import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.measures import divergence_bounds, entropy_bounds, temper

LOWEST_FLOAT = -3.4028234663852886e38
KEPT = (1, 2, 3, 5, 10, 20)


def entropy(p):
    p = np.asarray(p)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


@st.composite
def distributions(draw, min_size=2, max_size=60):
    weights = draw(st.lists(st.floats(1e-6, 1.0), min_size=min_size, max_size=max_size))
    p = np.array(weights)
    return np.sort(p / p.sum())[::-1]


class TestEntropy:
    def test_by_hand(self):
        lower, upper = entropy_bounds(np.log([0.5, 0.2]), vocab_size=5)
        h = -(0.5 * math.log(0.5) + 0.2 * math.log(0.2))
        # r = 0.3: one piece of 0.2 and one of 0.1; at most 0.1 for each of three
        assert lower == pytest.approx(h - 0.2 * math.log(0.2) - 0.1 * math.log(0.1))
        assert upper == pytest.approx(h + 0.3 * math.log(3 / 0.3))

    def test_a_sampled_token_joins_and_the_cap_stays(self):
        lower, upper = entropy_bounds(np.log([0.5, 0.2]), vocab_size=6, sampled=math.log(0.05))
        h = -(0.5 * math.log(0.5) + 0.2 * math.log(0.2) + 0.05 * math.log(0.05))
        assert lower == pytest.approx(h - 0.2 * math.log(0.2) - 0.05 * math.log(0.05))
        assert upper == pytest.approx(h + 0.25 * math.log(3 / 0.25))

    def test_a_sampled_sentinel_says_nothing(self):
        values = np.log([0.5, 0.2])
        assert entropy_bounds(values, 9, sampled=-9999.0) == entropy_bounds(values, 9)

    def test_without_a_vocabulary_there_is_no_upper_bound(self):
        assert entropy_bounds(np.log([0.5, 0.2]))[1] is None

    def test_a_whole_row_is_exact(self):
        p = np.array([0.7, 0.2, 0.1])
        assert entropy_bounds(np.log(p), 3) == pytest.approx((entropy(p), entropy(p)))

    def test_an_empty_list_knows_nothing(self):
        assert entropy_bounds([], 8) == (0, pytest.approx(math.log(8)))
        assert entropy_bounds([]) == (0, None)

    def test_mass_above_one_leaves_nothing_unseen(self):
        lower, upper = entropy_bounds(np.log([0.8, 0.3]), 10)
        h = -(0.8 * math.log(0.8) + 0.3 * math.log(0.3))
        assert (lower, upper) == pytest.approx((h, h))
        far_above = np.array([0.9, 0.6, 0.01])
        assert entropy_bounds(np.log(far_above))[0] == pytest.approx(entropy(far_above))

    @pytest.mark.parametrize("tiny", [-700.0, -800.0, -5000.0])
    def test_a_smallest_probability_of_nothing_keeps_the_order(self, tiny):
        lower, upper = entropy_bounds([math.log(0.9), tiny], 100)
        assert math.isfinite(lower)
        assert lower <= upper

    def test_a_vocabulary_smaller_than_the_list_is_an_error(self):
        with pytest.raises(ValueError, match="vocabulary of 1"):
            entropy_bounds([-1.0, -2.0], 1)

    @given(distributions(), st.sampled_from(KEPT))
    def test_the_interval_holds_the_entropy_of_the_whole(self, p, k):
        k = min(k, len(p))
        lower, upper = entropy_bounds(np.log(p[:k]), len(p))
        exact = entropy(p)
        assert lower <= exact + 1e-9
        assert upper >= exact - 1e-9
        assert entropy_bounds(np.log(p[:k]))[0] <= exact + 1e-9

    @given(distributions(min_size=5), st.sampled_from(KEPT), st.data())
    def test_and_with_a_sampled_token_outside_the_list(self, p, k, data):
        k = min(k, len(p) - 1)
        sampled = data.draw(st.integers(k, len(p) - 1))
        lower, upper = entropy_bounds(np.log(p[:k]), len(p), sampled=math.log(p[sampled]))
        assert lower <= entropy(p) + 1e-9
        assert upper >= entropy(p) - 1e-9

    @given(distributions(), st.randoms())
    def test_order_does_not_matter(self, p, random):
        values = np.log(p)[: max(1, len(p) // 2)].tolist()
        shuffled = random.sample(values, len(values))
        assert entropy_bounds(shuffled, 99) == pytest.approx(entropy_bounds(values, 99))

    @given(distributions(), st.sampled_from([-9999.0, LOWEST_FLOAT, -math.inf, math.nan]))
    def test_sentinels_count_as_not_returned(self, p, sentinel):
        values = np.log(p[:3])
        assert entropy_bounds([sentinel, *values, sentinel], 99) == entropy_bounds(values, 99)


def kl_of(p, q):
    there = p > 1e-9
    with np.errstate(divide="ignore"):
        return float((p[there] * np.log(p[there] / q[there])).sum())


def jsd_of(p, q):
    return (kl_of(p, (p + q) / 2) + kl_of(q, (p + q) / 2)) / 2


def tv_of(p, q):
    return float(np.abs(p - q).sum()) / 2


DIVERGENCES = (kl_of, jsd_of, tv_of)


class TestDivergence:
    def test_by_hand(self):
        bounds = divergence_bounds({"a": 0.5, "b": 0.3}, {"a": 0.2, "c": 0.6})
        # q has at most 0.2 of b, p at most 0.2 of c; then nothing is left for the rest
        p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
        mean = (p + q) / 2
        assert bounds.tv == pytest.approx(np.abs(p - q).sum() / 2)
        assert bounds.kl == pytest.approx((p * np.log(p / q)).sum())
        jsd = ((p * np.log(p / mean)).sum() + (q * np.log(q / mean)).sum()) / 2
        assert bounds.jsd == pytest.approx(jsd)
        # the other ends: b, c and the two rests are four places with nothing in common
        assert bounds.tv_hi == pytest.approx((0.3 + 0.3 + 0.6 + 0.2 + 0.2) / 2)
        of_a = 0.5 * math.log(0.5 / 0.35) + 0.2 * math.log(0.2 / 0.35)
        assert bounds.jsd_hi == pytest.approx((of_a + 1.3 * math.log(2)) / 2)

    def test_a_token_that_is_nearly_all_of_one_side_is_little_of_the_other(self):
        bounds = divergence_bounds({"a": 0.99}, {"b": 0.99})
        assert bounds.tv == pytest.approx(0.98)
        assert bounds.kl == pytest.approx(0.98 * math.log(99))
        assert bounds.jsd == pytest.approx(0.99 * math.log(1.98) + 0.01 * math.log(0.02))
        assert (bounds.jsd_hi, bounds.tv_hi) == (math.log(2), 1)

    def test_what_is_not_known_can_be_anything(self):
        assert divergence_bounds({}, {}) == (0, 0, 0, math.log(2), 1)
        # nothing says which other tokens have the rest
        assert divergence_bounds({"a": 0.3}, {"b": 0.3})[:3] == (0, 0, 0)

    def test_a_sampled_token_behind_the_list_caps_nothing(self):
        p, q = {"a": 0.5, "z": 1e-9}, {"b": 0.4, "c": 0.3}
        assert divergence_bounds(p, q).tv > divergence_bounds(p, q, most_unseen=(0.5, None)).tv

    def test_what_the_other_side_excludes_is_infinitely_far(self):
        bounds = divergence_bounds({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 0.0})
        assert bounds.kl == math.inf
        assert bounds.jsd < math.log(2)

    def test_a_rest_that_is_rounding_does_not_make_it_infinite(self):
        bounds = divergence_bounds({"a": 0.4, "b": 0.6 - 1e-12}, {"a": 0.5, "b": 0.5})
        assert math.isfinite(bounds.kl)

    def test_a_rest_that_q_does_not_have_makes_it_infinite(self):
        assert divergence_bounds({"a": 0.4, "b": 0.4}, {"a": 0.5, "b": 0.5}).kl == math.inf

    def test_a_rest_lost_in_rounding_does_not(self):
        bounds = divergence_bounds({"a": 0.4, "b": 0.4}, {"a": 0.5, "b": 0.5001})
        assert bounds.kl == math.inf
        # where the numbers are from 32-bit sums, q can have what it seems to lack
        bounds = divergence_bounds({"a": 0.4, "b": 0.4}, {"a": 0.5, "b": 0.5001}, rounding=3e-4)
        expected = 0.4 * math.log(0.4 / 0.5) + 0.4 * math.log(0.4 / 0.5001)
        expected += (0.2 - 3e-4) * math.log((0.2 - 3e-4) / 3e-4)
        assert bounds.kl == pytest.approx(expected, abs=1e-3)

    def test_whole_rows_of_32_bits_are_not_infinitely_far(self):
        whole = np.random.default_rng(0).dirichlet(np.full(5000, 0.1))
        logs = [np.log(whole * (1 - 3e-4)), np.log(whole[::-1] * (1 + 3e-4))]
        p, q = (dict(enumerate(np.exp(x.astype(np.float32).astype(float)))) for x in logs)
        assert math.isfinite(divergence_bounds(p, q).kl)
        assert divergence_bounds(p, q).jsd < math.log(2)

    def test_whole_rows_of_32_bits_have_their_values(self):
        rng = np.random.default_rng(1)
        logs = [np.log(rng.dirichlet(np.full(3000, 0.3)) + 1e-13) + 2e-4 for _ in range(2)]
        p, q = (np.exp(x.astype(np.float32).astype(float)) for x in logs)
        bounds = divergence_bounds(dict(enumerate(p)), dict(enumerate(q)))
        assert bounds.kl == pytest.approx(kl_of(p, q), abs=1e-3)
        assert bounds.jsd == bounds.jsd_hi == pytest.approx(jsd_of(p, q), abs=1e-3)
        assert bounds.tv == bounds.tv_hi == pytest.approx(tv_of(p, q), abs=1e-3)

    def test_log_probabilities_are_refused(self):
        with pytest.raises(ValueError, match="log probabilities"):
            divergence_bounds({"a": -0.5}, {"a": 0.5})

    def test_a_nan_counts_as_not_listed(self):
        with_nan = divergence_bounds({"a": 0.5, "b": math.nan}, {"a": 0.2, "b": 0.3})
        assert with_nan == divergence_bounds({"a": 0.5}, {"a": 0.2, "b": 0.3})

    @given(distributions(), st.sampled_from(KEPT))
    def test_of_itself_is_zero(self, p, k):
        row = dict(enumerate(p[:k]))
        assert max(divergence_bounds(row, row)[:3]) < 1e-15
        # a probability near 1 can be a 32-bit one by chance: these are none
        found = divergence_bounds(row, row, rounding=0)
        assert found.tv_hi == pytest.approx(max(0, 1 - p[:k].sum()))

    @given(st.data(), st.integers(2, 30), st.sampled_from(KEPT), st.sampled_from(KEPT))
    def test_the_exact_values_lie_between_the_bounds(self, data, size, k_p, k_q):
        weights = st.lists(st.floats(1e-6, 1.0), min_size=size, max_size=size)
        p, q = (np.array(data.draw(weights)) for _ in range(2))
        p, q = p / p.sum(), q / q.sum()
        mean = (p + q) / 2
        kl = float((p * np.log(p / q)).sum())
        jsd = float((p * np.log(p / mean)).sum() + (q * np.log(q / mean)).sum()) / 2
        tv = float(np.abs(p - q).sum()) / 2
        listed_p = {int(i): p[i] for i in np.argsort(-p)[:k_p]}
        listed_q = {int(i): q[i] for i in np.argsort(-q)[:k_q]}
        bounds = divergence_bounds(listed_p, listed_q)
        assert 0 <= bounds.kl <= kl + 1e-9
        assert 0 <= bounds.jsd <= jsd + 1e-9
        assert 0 <= bounds.tv <= tv + 1e-9
        assert jsd - 1e-9 <= bounds.jsd_hi <= math.log(2)
        assert tv - 1e-9 <= bounds.tv_hi <= 1
        coarse = [0.0, 0.0, 0.0]
        for i, f in enumerate(DIVERGENCES):
            in_both = sorted(listed_p.keys() & listed_q.keys())
            rest = [max(0.0, 1 - side[in_both].sum()) for side in (p, q)]
            coarse[i] = f(np.append(p[in_both], rest[0]), np.append(q[in_both], rest[1]))
        assert (np.array(bounds[:3]) >= np.array(coarse) - 1e-9).all()
        backwards = divergence_bounds(listed_q, listed_p)
        assert (backwards.jsd, backwards.tv) == pytest.approx((bounds.jsd, bounds.tv), abs=1e-12)


class TestTemper:
    def test_by_hand(self):
        lower, upper = temper(np.log([0.5, 0.3]), 2, vocab_size=4)
        weights = np.sqrt([0.5, 0.3])
        np.testing.assert_allclose(upper, weights / (weights.sum() + math.sqrt(0.2)))
        np.testing.assert_allclose(lower, weights / (weights.sum() + 2 * math.sqrt(0.1)))

    def test_temperature_one_changes_nothing(self):
        lower, upper = temper(np.log([0.5, 0.3]), 1)
        np.testing.assert_allclose(lower, [0.5, 0.3])
        np.testing.assert_allclose(upper, [0.5, 0.3])

    def test_zero_is_greedy(self):
        lower, upper = temper(np.log([0.3, 0.5, 0.1]), 0, 100)
        assert lower.tolist() == upper.tolist() == [0, 1, 0]

    def test_at_zero_ties_share(self):
        lower, upper = temper(np.log([0.25, 0.25]), 0, 100)
        assert upper.tolist() == [0.5, 0.5]
        assert lower.tolist() == [0.25, 0.25]
        assert temper(np.log([0.4, 0.4, 0.1]), 0)[0].tolist() == [0.5, 0.5, 0]

    def test_near_zero_comes_near_greedy(self):
        lower, upper = temper(np.log([0.5, 0.3]), 1e-4, 100)
        np.testing.assert_allclose([lower, upper], [[1, 0], [1, 0]], atol=1e-12)

    def test_a_whole_row_is_exact(self):
        lower, upper = temper(np.log([0.5, 0.3, 0.2]), 1.7, 3)
        np.testing.assert_allclose(lower, upper)
        assert upper.sum() == pytest.approx(1)
        np.testing.assert_allclose(*temper(np.log([0.7, 0.2, 0.1]), 3.0))

    def test_an_endless_vocabulary_can_take_all(self):
        lower, upper = temper(np.log([0.5, 0.3]), 2)
        assert lower.tolist() == [0, 0]
        assert (upper > 0).all()
        assert (temper(np.log([0.5, 0.3]), 0.5)[0] > 0).all()

    def test_sentinels_stay_missing(self):
        lower, upper = temper([math.log(0.5), -9999.0], 2, 10)
        assert np.isnan(lower).tolist() == np.isnan(upper).tolist() == [False, True]
        assert np.isnan(temper([LOWEST_FLOAT], 2)[0]).all()
        assert temper([], 2)[0].shape == (0,)

    @pytest.mark.parametrize("temperature", [-0.1, math.nan])
    def test_no_such_temperature(self, temperature):
        with pytest.raises(ValueError, match="temperature"):
            temper([-1.0], temperature)

    def test_a_mass_that_was_lost_in_rounding_can_weigh_much_on_many_tokens(self):
        p = np.array([0.6, 0.4 - 1e-13])
        lower, upper = temper(np.log(p), 8, 50_000)
        even = 49_998 ** (7 / 8) * 1e-12 ** (1 / 8)
        np.testing.assert_allclose(lower, p ** (1 / 8) / ((p ** (1 / 8)).sum() + even))
        np.testing.assert_allclose(upper, p ** (1 / 8) / (p ** (1 / 8)).sum())
        rounded = temper(np.log(p), 2, 50_000, rounding=1e-4)
        assert (rounded[0] < temper(np.log(p), 2, 50_000)[0] - 0.1).all()
        # at lower temperatures it is nothing
        np.testing.assert_allclose(*temper(np.log(p), 0.5, 50_000, rounding=1e-4), rtol=1e-3)

    def test_pieces_by_hand(self):
        # r = 0.3 with nothing above 0.2: one piece of 0.2 and one of 0.1
        p = np.array([0.5, 0.2])
        lower, upper = temper(np.log(p), 0.5, 5, math.log(0.2))
        np.testing.assert_allclose(lower, p**2 / ((p**2).sum() + 0.2**2 + 0.1**2))
        np.testing.assert_allclose(upper, p**2 / ((p**2).sum() + 3 * 0.1**2))

    @pytest.mark.parametrize("temperature", [2.0, 20.0])
    def test_what_rounding_leaves_over_of_whole_pieces_is_no_piece(self, temperature):
        # two more thirds: 1 - 1/3 is not quite twice 1/3
        lower, upper = temper([math.log(1 / 3)], temperature, 3, math.log(1 / 3))
        np.testing.assert_allclose([lower, upper], 1 / 3, rtol=1e-9)

    @given(distributions(), st.sampled_from(KEPT), st.floats(0.05, 20))
    def test_what_is_known_of_unseen_tokens_narrows_the_interval(self, p, k, temperature):
        k = min(k, len(p))
        log_weights = np.log(p) / temperature
        exact = np.exp(log_weights - log_weights.max())
        exact = (exact / exact.sum())[:k]
        for vocab_size in (len(p), None):
            wide = temper(np.log(p[:k]), temperature, vocab_size)
            lower, upper = temper(np.log(p[:k]), temperature, vocab_size, math.log(p[k - 1]))
            assert (lower <= exact + 1e-9).all()
            assert (upper >= exact - 1e-9).all()
            assert (lower >= wide[0] - 1e-9).all()
            assert (upper <= wide[1] + 1e-9).all()

    @given(distributions(), st.sampled_from(KEPT), st.floats(0.05, 20))
    def test_the_interval_holds_the_exact_value(self, p, k, temperature):
        k = min(k, len(p))
        log_weights = np.log(p) / temperature
        exact = np.exp(log_weights - log_weights.max())
        exact = (exact / exact.sum())[:k]
        for vocab_size in (len(p), None):
            lower, upper = temper(np.log(p[:k]), temperature, vocab_size)
            assert (lower <= exact + 1e-9).all()
            assert (upper >= exact - 1e-9).all()
