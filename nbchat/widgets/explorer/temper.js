// The next token at another temperature and top_p, from the log probabilities that were returned.
// The first part is `nbchat.measures.temper` in JavaScript: a test holds the two against each other.

const NO_MASS = 1e-12;

/** @param {number[]} values */
function logSumExp(values) {
  const highest = Math.max(...values);
  if (!Number.isFinite(highest)) return highest;
  return highest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - highest), 0));
}

/**
 * Give ln of what the unseen mass weighs: as one lump, and as equal tokens (endless without V).
 *
 * @param {number} unseen
 * @param {number | null} vocabSize
 * @param {number} count
 * @param {number} temperature
 */
function tailWeights(unseen, vocabSize, count, temperature) {
  if (unseen < NO_MASS || vocabSize === count) return [-Infinity, -Infinity];
  const lump = Math.log(unseen) / temperature;
  if (temperature === 1) return [lump, lump];
  const growth = 1 - 1 / temperature;
  const even = lump + growth * (vocabSize === null ? Infinity : Math.log(vocabSize - count));
  return [Math.min(lump, even), Math.max(lump, even)];
}

/**
 * Give the distribution at `temperature`, of which the smallest set with the share `topP` is kept.
 *
 * `logprobs`: those of the list at temperature 1, likely to unlikely, without sentinels;
 * `vocabSize`: V or null. Gives `{tokens: [[low, high], …], unseen: [low, high]}`, probabilities:
 * intervals, because of the unseen mass only its size is known. No unseen token is likelier than
 * the last one of the list.
 *
 * @param {number[]} logprobs
 * @param {number} temperature
 * @param {number} topP
 * @param {number | null} vocabSize
 * @returns {{ tokens: Interval[], unseen: Interval }}
 */
function tempered(logprobs, temperature, topP, vocabSize = null) {
  if (logprobs.length === 0) return { tokens: [], unseen: [0, 1] };
  const unseen = Math.max(0, 1 - logprobs.reduce((sum, value) => sum + Math.exp(value), 0));
  if (temperature === 0) return greedy(logprobs, unseen, vocabSize);
  const scaled = logprobs.map((value) => value / temperature);
  const highest = Math.max(...scaled);
  const weights = scaled.map((value) => Math.exp(value - highest));
  const tails = tailWeights(unseen, vocabSize, logprobs.length, temperature);
  const seen = Math.exp(logSumExp(scaled) - highest);
  const [least, most] = tails.map((tail) => seen + Math.exp(tail - highest));
  // no share at all keeps the likeliest token alone
  if (topP === 0) return { tokens: weights.map((_, place) => (place === 0 ? [1, 1] : [0, 0])), unseen: [0, 0] };
  return kept(weights, least, most, topP);
}

/**
 * @param {number[]} logprobs
 * @param {number} unseen
 * @param {number | null} vocabSize
 * @returns {{ tokens: Interval[], unseen: Interval }}
 */
function greedy(logprobs, unseen, vocabSize) {
  const highest = Math.max(...logprobs);
  const ties = logprobs.filter((value) => value === highest).length;
  // an unseen token can only tie where all of the list do
  let room = ties < logprobs.length ? 0 : Math.floor(unseen / Math.exp(highest) + 1e-9);
  if (vocabSize !== null) room = Math.min(room, vocabSize - logprobs.length);
  const tokens = logprobs.map((value) => /** @type {Interval} */ (value === highest ? [1 / (ties + room), 1 / ties] : [0, 0]));
  return { tokens, unseen: [0, room / (ties + room)] };
}

/**
 * Keep the smallest set with the share topP. `least` and `most` bound the weight of the whole
 * vocabulary; a token is kept while those before it have not reached topP of that.
 *
 * @param {number[]} weights
 * @param {number} least
 * @param {number} most
 * @param {number} topP
 * @returns {{ tokens: Interval[], unseen: Interval }}
 */
function kept(weights, least, most, topP) {
  /** @type {number[]} */
  const sums = [];
  for (const weight of weights) sums.push((sums.at(-1) ?? 0) + weight);
  const seen = sums[sums.length - 1];
  const last = weights[weights.length - 1];
  const size = (/** @type {number} */ whole) => {
    if (topP >= 1) return Infinity;
    const place = sums.findIndex((sum) => sum >= topP * whole * (1 - NO_MASS));
    return place < 0 ? Infinity : Math.max(1, place + 1);
  };
  const [fewest, greatest] = [size(least), size(most)];
  // beyond the list the set ends with a token that is no likelier than the last one listed
  const widest = topP >= 1 ? most : Math.min(most, topP * most + last);
  const tokens = weights.map((weight, place) => {
    const isSure = place < fewest;
    const high = fewest === Infinity ? weight / (topP * least) : weight / sums[Math.max(fewest, place + 1) - 1];
    const low = !isSure ? 0 : weight / (greatest === Infinity ? widest : sums[greatest - 1]);
    return /** @type {Interval} */ ([low, place < greatest ? Math.min(1, high) : 0]);
  });
  return {
    tokens,
    unseen: [
      fewest === Infinity ? Math.max(0, 1 - seen / (topP * least)) : 0,
      greatest === Infinity ? Math.max(0, 1 - seen / widest) : 0,
    ],
  };
}
