// What stands in the page, and what all its parts share: the example, the neurons that are off, the answer.

function makePage({ model, fields }) {
  const watchers = [];
  const repainters = [];
  const recolourers = [];
  const page = {
    model,
    fields,
    row: fields?.map(({ start }) => start),
    inputs: null,
    network: 0,
    options: model.networks.map(() => ({})),
    // One is always looked at, so that nothing moves under the pointer when it comes to the first.
    pointed: { layer: 0, unit: 0 },
    pinned: false,
    message: null,
    truth: null,
    version: 0,
    traces: null,
  };
  page.watch = (watcher) => watchers.push(watcher);
  page.onRepaint = (repainter) => repainters.push(repainter);
  page.onColours = (recolourer) => recolourers.push(recolourer);
  page.notify = () => watchers.forEach((watcher) => watcher());
  page.repaint = () => repainters.forEach((repainter) => repainter());
  page.recolour = () => (readColours(), recolourers.forEach((recolourer) => recolourer()), page.repaint());

  page.dense = () => model.networks[page.network].layers.filter(({ kind }) => kind === "dense");
  page.isOff = (layer, unit) => page.options[page.network].off?.[layer]?.has(unit) ?? false;
  page.hasImages = (layer) => layer === 0 && !page.fields;

  page.update = () => {
    const { inputs, network } = page;
    page.scaled = inputs && scaleInputs(model, inputs);
    page.answer = inputs && predict(model, inputs, page.options);
    page.layers = inputs && forward(model.networks[network], page.scaled, page.options[network]);
    page.notify();
  };
  page.setInputs = (inputs, truth = null) => {
    page.message = null;
    page.truth = truth;
    page.inputs = inputs;
    page.update();
  };
  page.setRow = (row) => {
    page.row = row;
    page.setInputs(toInputs(page, row));
  };
  page.setField = (index, value) => page.setRow(page.row.with(index, value));
  page.tell = (message) => {
    page.message = message;
    page.notify();
  };

  function change(options) {
    page.options = options;
    page.version++;
    page.update();
  }
  const changeOne = (options) => change(page.options.map((own, i) => (i === page.network ? options : own)));
  page.switchUnit = (layer, unit, isOff) =>
    changeOne(withUnit(page.options[page.network], layer, unit, isOff));
  page.allOn = () => change(page.options.map(({ linear }) => ({ linear })));
  page.setLinear = (linear) => change(page.options.map((own) => ({ ...own, linear })));
  /** Other weights for the same networks. */
  page.showNetworks = (networks) => {
    model.networks = networks;
    page.version++;
    page.update();
    page.repaint();
  };
  page.choose = (network) => {
    page.network = network;
    page.pointed = { layer: 0, unit: 0 };
    page.pinned = false;
    page.update();
  };

  /** Look at a neuron; a click keeps it until the next one. */
  page.point = (layer, unit, click = false) => {
    const same = page.pointed?.layer === layer && page.pointed?.unit === unit;
    if (page.pinned && !click) return;
    page.pinned = click && !(same && page.pinned);
    page.pointed = { layer, unit };
    page.notify();
  };

  page.paintNeuron = (canvas, layer, unit) => {
    if (page.hasImages(layer)) paintWeights(canvas, page, unit);
    else if (page.traces && page.traces.layers[layer]?.values[unit])
      paintTrace(canvas, page.traces, layer, unit);
    else paintPlain(canvas);
  };
  page.legend = (layer) => {
    const tones = page.hasImages(layer) ? ["inhibits", "excites"] : page.fields ? ["below 0", "above 0"] : [];
    return tones.map((text, i) => element("span", { style: `--tone:var(--${i ? "orange" : "blue"})` }, text));
  };
  return page;
}

/** What the network sees of the drawing. */
function makeSeen(page) {
  const canvas = element("canvas");
  const text = element("p", { class: "muted" });
  const size = page.model.input_shape.slice(0, 2).join(" × ");
  page.watch(() => {
    const [height, width] = page.model.input_shape;
    if (page.inputs) paintInput(canvas, page.model, page.inputs);
    else paint(canvas, width, height, () => [255, 255, 255]);
    text.textContent = `What the network sees: ${size} pixels`;
  });
  return element("div", { class: "seen" }, canvas, text);
}

function makeDrawing(page, examples) {
  const pad = makePad(page, page.setInputs);
  const title = "Draw here, or drop a picture";
  const parts = [element("h2", {}, title), pad.node, makeSeen(page), makeExamples(page, examples, pad.show)];
  return element("section", { class: "drawing" }, ...parts);
}

/** Whether a network without activations would be linear in the columns themselves. */
function isPlain({ networks, preprocess }) {
  const isEmbedded = networks.some(({ layers }) => layers[0].kind === "periodic");
  return !isEmbedded && preprocess.quantiles.numbers.length === 0;
}

/** Things to try, which hold for this model. */
function makeIdeas(page) {
  const [first, ...others] = page.dense();
  if (!others.length) return "";
  const ideas = ["Switch neurons off, one after the other: when does the answer change?"];
  if (!page.fields) {
    ideas.push("Draw something that it takes for another class, and look at the neurons that misled it.");
    ideas.push("Switch off the neurons that look most like strokes, and then as many that look like static.");
  } else if (isPlain(page.model)) {
    ideas.push("Press “Without activations”: whatever the weights, the line stays straight.");
  }
  if (page.fields && first.activation === "relu") {
    ideas.push("Move the point across a neuron's line: on one side it is off and adds nothing.");
  }
  const list = element("ul", {}, ...ideas.map((idea) => element("li", {}, idea)));
  return element("section", { class: "wide" }, element("h2", {}, "Things to try"), list);
}

/** What the model is, as jaxmlp show tells it. */
function makeAbout(summary) {
  const lines = Object.entries(summary).map(([name, value]) =>
    element("p", { class: "about" }, `${name}: ${value}`),
  );
  return element(
    "section",
    { class: "wide" },
    element("details", {}, element("summary", {}, "About this network"), ...lines),
  );
}

function start() {
  readColours();
  const content = unpack(JSON.parse(document.getElementById("content").textContent));
  const page = makePage(content);
  const isTable = content.fields !== null;
  const side = [makeAnswer(page), isTable ? makeFields(page) : "", makeTimeline(page, content.timeline)];
  const first = isTable ? makePlane(page) : makeDrawing(page, content.examples);
  const parts = [first, element("div", { class: "side" }, ...side), makeNeurons(page)];
  const main = document.getElementById("main");
  main.classList.toggle("table", isTable);
  main.replaceChildren(...parts, makeMembers(content.members), makeIdeas(page), makeAbout(content.summary));
  if (isTable) page.setRow(page.row);
  else page.update();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.recolour);
}

start();
