// Whether a picture is like those that the network learnt from: what their principal components leave of it.

const UNFAMILIAR = "This is unlike the images that it learnt from, so that its answer may mean nothing. ";

/** The share of the squared distance from the mean that the components do not span. */
function leftOut({ mean, components }, values) {
  const away = Float64Array.from(values, (x, i) => x - mean[i]);
  const total = sumOf(away.map((x) => x * x));
  let spanned = 0;
  for (let start = 0; start < components.length; start += mean.length) {
    let share = 0;
    for (let i = 0; i < mean.length; i++) share += components[start + i] * away[i];
    spanned += share * share;
  }
  return 1 - spanned / Math.max(total, Number.MIN_VALUE);
}

const seemsUnfamiliar = (familiar, values) => leftOut(familiar, values) > familiar.limit;
