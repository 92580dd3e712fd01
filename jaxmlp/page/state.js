// What all parts of the page share: the example, the neurons that are off, the weights, the answer.

/** The neuron of the first layer with the largest value. */
function strongest([{ values }]) {
  const most = largest(values);
  return { layer: 0, unit: values.findIndex((value) => Math.abs(value) === most) };
}

function makePage({ model, fields, neurons, effects, examples, familiar }) {
  const watchers = [];
  const repainters = [];
  const recolourers = [];
  const page = {
    model,
    fields,
    neurons,
    effects,
    examples,
    // The weights without what was dragged.
    given: model.networks,
    row: fields?.map(({ start }) => start),
    inputs: null,
    network: 0,
    options: model.networks.map(() => ({})),
    // One is always looked at, so that nothing moves under the pointer when it comes to the first.
    pointed: { layer: 0, unit: 0 },
    pinned: false,
    message: null,
    truth: null,
    remark: "",
    isUnfamiliar: false,
    isTrained: true,
    isFresh: true,
    version: 0,
    traces: null,
    axes: null,
    showImage: null,
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
    page.isUnfamiliar = Boolean(inputs && familiar && seemsUnfamiliar(familiar, page.scaled));
    page.answer = inputs && predict(model, inputs, page.options);
    page.layers = inputs && forward(model.networks[network], page.scaled, page.options[network]);
    if (page.isFresh && page.layers && page.dense().length > 1) page.pointed = strongest(page.layers);
    page.notify();
  };
  page.setInputs = (inputs, truth = null, remark = "") => {
    page.message = null;
    page.remark = remark;
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
  /** These units of a layer off, and all others on. */
  page.switchOnly = (layer, units) =>
    changeOne({ ...page.options[page.network], off: { [layer]: new Set(units) } });
  page.allOn = () => change(page.options.map(({ linear }) => ({ linear })));
  page.setLinear = (linear) => change(page.options.map((own) => ({ ...own, linear })));
  function setNetworks(networks) {
    model.networks = networks;
    page.version++;
    page.update();
    page.repaint();
  }
  /** Other weights for the same networks, which are those of the end of training or not. */
  page.showNetworks = (networks, isTrained) => {
    page.given = networks;
    page.isTrained = isTrained;
    setNetworks(networks);
  };
  /** One number of a dense layer of the chosen network. */
  page.setWeight = (layer, name, place, value) => {
    const old = page.dense()[layer];
    const own = model.networks[page.network];
    const layers = own.layers.map((one) =>
      one === old ? { ...one, [name]: one[name].with(place, value) } : one,
    );
    setNetworks(model.networks.with(page.network, { ...own, layers }));
  };
  page.isChanged = () => model.networks !== page.given;
  page.resetWeights = () => setNetworks(page.given);
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
    page.isFresh = false;
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
    const tones = page.hasImages(layer) ? ["inhibits", "excites"] : page.axes ? ["below 0", "above 0"] : [];
    return tones.map((text, i) => element("span", { style: `--tone:var(--${i ? "orange" : "blue"})` }, text));
  };
  return page;
}
