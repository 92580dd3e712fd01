// What excites a neuron: the images that do so most, and whether its weights look like strokes or like static.

/** Of the chosen network's first layer, Moran's I of each neuron as it was trained. */
const autocorrelations = (page) => page.neurons?.autocorrelation[page.network] ?? [];

/** Its neurons, from the most like static to the most like strokes. */
function sortByStrokes(page) {
  const values = autocorrelations(page);
  const known = [...values.keys()].filter((unit) => values[unit] !== null);
  return known.sort((a, b) => values[a] - values[b]);
}

/** Stroke or static, in words; "" where it is not known. */
function describeLook(page, layer, unit) {
  const value = layer === 0 && page.isTrained ? (autocorrelations(page)[unit] ?? null) : null;
  if (value === null) return "";
  const order = sortByStrokes(page);
  const limit = page.neurons.static_limit;
  const rank = `more like strokes than ${order.indexOf(unit)} of the ${order.length} in its layer`;
  const word = value > limit ? rank : `static, as random weights are, and ${rank}`;
  return `It is ${word}: neighbouring weights are alike to ${value.toFixed(2)} (Moran's I: 0 for static, 1 for a smooth picture; random weights stay below ${limit.toFixed(2)}).`;
}

/** {node, look, update}: the images that excite the pointed-at neuron most, to click; stroke or static, in words. */
function makeExciting(page) {
  const heading = element(
    "h3",
    {},
    page.examples?.unseen ? "Training images that excite it most" : "What excites it most",
  );
  const images = element("div", { class: "examples" });
  const node = element("div", { class: "exciting" }, heading, images);
  const look = element("p", { class: "muted" });
  let shown = null;
  function update() {
    const { layer, unit } = page.pointed;
    const key = `${page.network} ${layer} ${unit} ${page.isTrained}`;
    if (shown === key) return;
    shown = key;
    look.textContent = describeLook(page, layer, unit);
    const rows = (page.isTrained && page.neurons?.exciting[page.network]?.[layer]?.[unit]) || [];
    node.hidden = rows.length === 0;
    images.replaceChildren(...rows.map((row) => packedButton(page, page.neurons, row)));
  }
  return { node, look, update };
}
