// All hidden neurons, lit by their activation; one of them large, with what it adds to the answer and a switch.

const MOST_NEURONS = 1024;

/** Options with one neuron of a layer switched off, or on. */
function withUnit({ off = {}, ...others }, layer, unit, isOff) {
  const units = new Set(off[layer] ?? []);
  if (isOff) units.add(unit);
  else units.delete(unit);
  return { ...others, off: { ...off, [layer]: units } };
}

/** How much a neuron moves each logit, or each value: with it less without it. */
function contribution(page, layer, unit) {
  const { model, network, scaled } = page;
  const options = page.options[network];
  const outputs = (isOff) =>
    networkOutputs(model, model.networks[network], scaled, withUnit(options, layer, unit, isOff));
  const without = outputs(true);
  return Array.from(outputs(false), (value, i) => value - without[i]);
}

/** The weights of a neuron of the first layer as an image; colours are averaged. */
function paintWeights(canvas, page, unit) {
  const [height, width, channels = 1] = page.model.input_shape;
  const { weight, outputs } = page.dense()[0];
  const values = new Float64Array(height * width);
  for (let i = 0; i < height * width * channels; i++) {
    values[Math.floor(i / channels)] += weight[i * outputs + unit] / channels;
  }
  const most = largest(values) || 1;
  paint(canvas, width, height, (place) => diverging(values[place] / most));
}

function paintPlain(canvas) {
  paint(canvas, 1, 1, () => COLOURS.line);
}

function neuronButton(page, layer, unit) {
  const label = `Neuron ${unit + 1} of layer ${layer + 1}`;
  const canvas = element("canvas");
  page.paintNeuron(canvas, layer, unit);
  const point = () => page.point(layer, unit);
  const node = button(canvas, () => page.point(layer, unit, true), {
    class: "neuron",
    "aria-label": label,
    title: label,
  });
  node.addEventListener("pointerenter", point);
  node.addEventListener("focus", point);
  return node;
}

function light(node, page, layer, unit, most) {
  const value = page.layers ? page.layers[layer].values[unit] : 0;
  const isOff = page.isOff(layer, unit);
  node.style.setProperty("--lit", most ? Math.min(Math.abs(value) / most, 1) : 0);
  node.classList.toggle("below", value < 0);
  node.classList.toggle("off", isOff);
  node.setAttribute("aria-pressed", page.pointed.layer === layer && page.pointed.unit === unit);
}

/** A grid of one layer's neurons, and what lights them. */
function neuronGrid(page, layer) {
  const count = Math.min(page.dense()[layer].outputs, MOST_NEURONS);
  const nodes = Array.from({ length: count }, (_, unit) => neuronButton(page, layer, unit));
  const size = count <= 16 ? 88 : page.hasImages(layer) ? 52 : 30;
  const node = element("div", { class: "grid", style: `--size:${size}px` }, ...nodes);
  rove(nodes);
  const update = () => {
    const values = page.layers?.[layer].values ?? [];
    const most = largest(values);
    nodes.forEach((one, unit) => light(one, page, layer, unit, most));
  };
  return {
    node,
    update,
    repaint: () => nodes.forEach((one, unit) => page.paintNeuron(one.firstChild, layer, unit)),
  };
}

// ---- One neuron

/** What the rows of an answer, or of what is added to it, are called. */
function outputNames({ head, class_names: names, target }, count) {
  if (head === "regression")
    return Array.from({ length: count }, (_, i) => (count > 1 ? `output ${i + 1}` : (target ?? "value")));
  return head === "binary" ? [names[1]] : names;
}

function contributionBars(page, layer, unit) {
  const added = contribution(page, layer, unit);
  const names = outputNames(page.model, added.length);
  const most = Math.max(largest(added), 1e-9);
  const order = [...added.keys()];
  if (order.length > MOST_BARS)
    order.sort((a, b) => Math.abs(added[b]) - Math.abs(added[a])).splice(MOST_BARS);
  return order.flatMap((i) => {
    const share = (50 * Math.abs(added[i])) / most;
    const isNegative = added[i] < 0;
    const style = `left:${isNegative ? 50 - share : 50}%;width:${share}%`;
    const fill = element("div", { class: `fill ${isNegative ? "negative" : "positive"}`, style });
    return [
      element("div", { class: "name" }, names[i]),
      element("div", { class: "track" }, fill, element("div", { class: "middle" })),
      element("div", { class: "number" }, `${isNegative ? "−" : "+"}${short(Math.abs(added[i]))}`),
    ];
  });
}

/** To what a neuron adds: of several networks to its own answer alone. */
function describeAdded({ head, networks }) {
  const whose = networks.length > 1 ? "its network's" : "the";
  return `What it adds to ${whose} ${head === "regression" ? "value" : "score of each class"}`;
}

/** {node, update}: the neuron that is pointed at. */
function makeDetails(page) {
  const canvas = element("canvas");
  const legend = element("div", { class: "legend" });
  const title = element("h3");
  const state = element("p", { class: "muted" });
  const exciting = makeExciting(page);
  const weights = makeWeights(page);
  const bars = element("div", { class: "bars" });
  const heading = element("h3", {}, describeAdded(page.model));
  const flip = button("", () => {
    const { layer, unit } = page.pointed;
    page.switchUnit(layer, unit, !page.isOff(layer, unit));
  });
  const told = [
    title,
    state,
    exciting.look,
    element("div", { class: "row" }, flip),
    weights.node,
    heading,
    bars,
  ];
  const node = element(
    "div",
    { class: "details" },
    element("div", {}, canvas, legend, exciting.node),
    element("div", {}, ...told),
  );
  function update() {
    const { layer, unit } = page.pointed;
    const isOff = page.isOff(layer, unit);
    page.paintNeuron(canvas, layer, unit);
    legend.replaceChildren(...page.legend(layer));
    title.textContent = `Neuron ${unit + 1} of layer ${layer + 1}`;
    state.textContent = isOff
      ? "switched off"
      : page.layers
        ? `its activation: ${short(page.layers[layer].values[unit])}`
        : "its activation shows once there is something to see";
    flip.textContent = isOff ? "Switch it on" : "Switch it off";
    flip.setAttribute("aria-pressed", isOff);
    exciting.update();
    weights.update();
    heading.hidden = !page.scaled;
    bars.replaceChildren(...(page.scaled ? contributionBars(page, layer, unit) : []));
  }
  return { node, update };
}

// ---- The section

/** What stands above the grids: which network, whether activations are on, all on. */
function neuronTools(page) {
  const { networks } = page.model;
  const tools = [];
  if (networks.length > 1) {
    const names = networks.map(
      ({ count }, i) => `network ${i + 1}${count > 1 ? `, counts ${count} times` : ""}`,
    );
    tools.push(choice("Network", names, 0, page.choose));
  }
  tools.push(toggle("Without activations", page.setLinear), button("All neurons on", page.allOn));
  return element("div", { class: "row" }, ...tools);
}

/** How many a layer has, and how many of them are shown. */
const countNeurons = (outputs) =>
  `${outputs} neuron${outputs > 1 ? "s" : ""}${outputs > MOST_NEURONS ? `, the first ${MOST_NEURONS} of them here` : ""}`;

const POINT = "Point at one, or tap it, to look inside; a click holds it.";

/** What the grids show. */
function explain(page) {
  if (page.dense().length === 1) return "This network has no hidden neurons.";
  const shine = "frame shines with its activation, dashed where that is negative";
  if (page.fields) return `${page.axes ? "Each is a map of the plane; its" : "A neuron's"} ${shine}. ${POINT}`;
  return `Orange weights excite a neuron, blue ones inhibit it; its ${shine}. ${POINT}`;
}

/** How much is read right by the network as it is now, where that was measured. */
function describeEffect(page) {
  const { effects } = page;
  if (!effects || !page.isTrained || page.isChanged()) return "";
  const { linear, off = {} } = page.options[0];
  const gone = Object.entries(off).flatMap(([layer, units]) => [...units].map((unit) => `${layer} ${unit}`));
  const order = sortByStrokes(page).map((unit) => `0 ${unit}`);
  const number = page.neurons.num_strokes[0];
  const states = { whole: [], strokes: order.slice(-number), static: order.slice(0, number) };
  const isGone = (units) => units.length === gone.length && units.every((unit) => gone.includes(unit));
  const found = Object.keys(states).find((name) => isGone(states[name]));
  const name = linear ? found === "whole" && "linear" : found;
  return name ? `Of all ${triedOn(page.examples)}: like this it reads ${percent(effects[name])} right.` : "";
}

/** The section of all hidden neurons. */
function makeNeurons(page) {
  const about = [element("h2", {}, "Its hidden neurons"), element("p", { class: "muted" }, explain(page))];
  if (page.dense().length === 1) return element("section", { class: "neurons" }, ...about);
  const inner = element("div");
  const details = makeDetails(page);
  const effect = element("p", { role: "status" });
  let grids = [];
  let network = null;
  function build() {
    network = page.network;
    const hidden = page.dense().slice(0, -1);
    grids = hidden.map((_, layer) => neuronGrid(page, layer));
    const names = hidden.map(
      ({ outputs, activation }, i) => `Layer ${i + 1}: ${countNeurons(outputs)}, ${activation}`,
    );
    inner.replaceChildren(...grids.flatMap(({ node }, i) => [element("h3", {}, names[i]), node]));
  }
  page.watch(() => {
    if (network !== page.network) build();
    grids.forEach(({ update }) => update());
    details.update();
    effect.textContent = describeEffect(page);
  });
  page.onRepaint(() => {
    grids.forEach(({ repaint }) => repaint());
    details.update();
  });
  return element("section", { class: "neurons" }, ...about, neuronTools(page), effect, details.node, inner);
}
