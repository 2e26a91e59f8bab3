/** Alternatives to the rate that is tested, as shares of it, and how much is staked on each. */
const STAKES: readonly (readonly [share: number, weight: number])[] = [
  [0, 0.5],
  [1 / 8, 0.2],
  [1 / 4, 0.2],
  [1 / 2, 0.1],
];
const HALVINGS = 50;

/**
 * The natural logarithm of the evidence that the error rate is below `rate`, after `errors` wrong of `judged`: how many
 * times its stake a gambler has who bets on lower rates at odds that are fair at `rate`. Whatever the true rate, if it
 * is `rate` or more the gambler ever reaches `1 / alpha` with a probability of at most `alpha`, so it may be looked at
 * after every observation.
 * Source: Ville's inequality for a mixture of likelihood ratios; Ramdas et al., "Game-theoretic statistics and safe
 * anytime-valid inference", Statistical Science 38 (2023).
 */
export function logEvidence(errors: number, judged: number, rate: number): number {
  const gains = STAKES.map(([share, weight]) => {
    const fromErrors = errors === 0 ? 0 : errors * Math.log(share);
    return Math.log(weight) + fromErrors + (judged - errors) * Math.log((1 - share * rate) / (1 - rate));
  });
  const largest = Math.max(...gains);
  return largest + Math.log(gains.reduce((sum, gain) => sum + Math.exp(gain - largest), 0));
}

/**
 * An upper bound of the error rate that holds, with a probability of at least `1 - alpha`, at every moment at once. It
 * is never below the Clopper-Pearson bound, which holds at one moment fixed before: with no error, 1 % at 95 % takes 329
 * observations instead of 299.
 */
export function errorBound(errors: number, judged: number, alpha: number): number {
  const enough = -Math.log(alpha);
  let low = 0;
  let high = 1;
  for (let n = 0; n < HALVINGS; n++) {
    const middle = (low + high) / 2;
    // The evidence against a rate grows with the rate.
    if (logEvidence(errors, judged, middle) < enough) low = middle;
    else high = middle;
  }
  return high;
}
