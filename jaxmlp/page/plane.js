// The plane of two columns: what the model says everywhere in it, its boundary, its neurons' lines, one example.

const TRACE_SIZE = 40;
const MOST_LINES = 24;
const MOST_LOOKED_AT = 20;
// Products of numbers for a map at once, and for one that is finer, once nothing moves.
const QUICK = 1.5e7;
const FINE = 1.5e8;

// ---- The section

/** The point, moved by pointer and keys; `move` is called with its shares of the way along both axes. */
function makePoint(map, move, at) {
  const node = element("button", {
    type: "button",
    class: "point",
    "aria-label": "The example; move it with arrow keys",
  });
  const keep = (shares) => shares.map((share) => Math.min(Math.max(share, 0), 1));
  node.addEventListener("keydown", (event) => {
    if (!STEPS[event.key]) return;
    event.preventDefault();
    const size = event.shiftKey ? 0.1 : 0.01;
    const [across, down] = STEPS[event.key];
    const [x, y] = at();
    move(keep([x + size * across, y - size * down]));
  });
  let held = false;
  const follow = (event) => {
    const box = map.getBoundingClientRect();
    move(keep([(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]));
  };
  map.addEventListener("pointerdown", (event) => {
    held = true;
    map.setPointerCapture(event.pointerId);
    follow(event);
  });
  map.addEventListener("pointermove", (event) => held && follow(event));
  for (const name of ["pointerup", "pointercancel"]) map.addEventListener(name, () => (held = false));
  return node;
}

function axisOf(page, index, numeric, choose, vertical) {
  const field = page.fields[index];
  const names = numeric.map((i) => page.fields[i].name);
  const label = vertical ? "Column upwards" : "Column to the right";
  const middle =
    numeric.length > 2
      ? choice(label, names, numeric.indexOf(index), (i) => choose(numeric[i]))
      : element("span", {}, field.name);
  const parts = [told(field, field.low), middle, told(field, field.high)];
  return element(
    "div",
    { class: `axis${vertical ? " vertical" : ""}` },
    ...(vertical ? parts.reverse() : parts),
  );
}

/** The two numbers whose ends are answered most differently, among the first MOST_LOOKED_AT. */
function tellingAxes(page, numeric) {
  const answer = (index, value) => predict(page.model, toInputs(page, page.row.with(index, value))).mean;
  const spread = (index) => {
    const [low, high] = ["low", "high"].map((end) => answer(index, page.fields[index][end]));
    return Math.max(...low.map((value, i) => Math.abs(value - high[i])));
  };
  const looked = numeric.slice(0, MOST_LOOKED_AT).map((index) => [spread(index), index]);
  return looked
    .sort((a, b) => b[0] - a[0])
    .slice(0, 2)
    .map(([, index]) => index)
    .sort((a, b) => a - b);
}

/** Why there is no boundary, where one class leads everywhere in the plane; else "". */
function describeSides({ model, fields }, label, leads) {
  const isAhead = leads.every((lead) => lead > 0);
  if (model.head === "regression" || !(isAhead || leads.every((lead) => lead < 0))) return "";
  const names = model.class_names;
  const told =
    isAhead || names.length > 2
      ? `${names[label]} leads ${isAhead ? "everywhere" : "nowhere"}`
      : `${names[1 - label]} leads everywhere`;
  const hint = fields.length > 2 ? "other values of the other columns may change that" : "the boundary lies outside";
  return `${told} in this square: ${hint}.`;
}

/** The map with what stands along its sides. */
const framed = (map, across, up) => [up, map, element("span"), across];

/** The section of the plane; "" where the table has not two numbers. */
function makePlane(page) {
  const numeric = [...page.fields.keys()].filter((i) => page.fields[i].kind !== "category");
  if (numeric.length < 2) return "";
  const axes = tellingAxes(page, numeric);
  page.axes = axes;
  const canvas = makeMap("What the model says everywhere in the square of two columns");
  const map = element("div", { class: "map" }, canvas);
  const frame = element("div", { class: "frame" });
  const { model } = page;
  const sizeFor = (budget) => clip(Math.round(Math.sqrt(budget / numProducts(model))), 9, 121);
  let label = model.head === "binary" ? 1 : 0;
  let answers = null;
  const note = element("p", { class: "muted", role: "status" });
  let known = "";
  let timer = null;

  const shares = () =>
    axes.map((i) => (page.row[i] - page.fields[i].low) / (page.fields[i].high - page.fields[i].low));
  const point = makePoint(map, (places) => page.setRow(rowAt(page, axes, places)), shares);
  map.append(point);

  function draw() {
    if (!answers) return;
    const context = canvas.getContext("2d");
    drawAnswers(context, page, answers);
    drawNeuronLines(context, page, page.traces);
    note.textContent = describeSides(page, label, answers.leads);
  }

  function refine() {
    answers = answersIn(page, axes, sizeFor(FINE), label);
    page.traces = tracesIn(page, axes, TRACE_SIZE);
    draw();
    page.repaint();
  }

  /** A quick map at once, a finer one later: the answer to the point itself must not wait. */
  function compute() {
    clearTimeout(timer);
    const size = sizeFor(QUICK);
    answers = answersIn(page, axes, size, label);
    if (!page.traces || size > TRACE_SIZE) page.traces = tracesIn(page, axes, Math.min(size, TRACE_SIZE));
    draw();
    timer = setTimeout(refine, 120);
  }

  /** What the heights depend on: all but the point itself. */
  const key = () =>
    JSON.stringify([axes, label, page.network, page.version, page.row.map((x, i) => !axes.includes(i) && x)]);

  function update() {
    const [x, y] = shares();
    point.style.left = `${100 * x}%`;
    point.style.top = `${100 * (1 - y)}%`;
    if (known === key()) return draw();
    known = key();
    if (!timer) timer = setTimeout(() => (compute(), page.repaint()));
    else compute();
  }

  function choose(place, index) {
    if (axes[1 - place] === index) axes[1 - place] = axes[place];
    axes[place] = index;
    layOut();
    page.notify();
  }

  function layOut() {
    const [across, up] = [0, 1].map((i) =>
      axisOf(page, axes[i], numeric, (index) => choose(i, index), i === 1),
    );
    frame.replaceChildren(...framed(map, across, up));
  }

  layOut();
  page.watch(update);
  page.onColours(draw);
  const classes =
    model.class_names.length > 2
      ? [choice("Class", model.class_names, label, (i) => ((label = i), page.notify()))]
      : [];
  const shown =
    model.head === "regression"
      ? `Orange is a high ${model.target ?? "value"}, blue a low one; lines join equal values.`
      : `Orange is where ${classes.length ? "this class" : model.class_names[1]} is likely; on the thick line ${classes.length ? "no class leads" : "both are as likely"}.`;
  const lines = hasLines(page)
    ? "On each thin line a neuron of the first layer changes sign; dashed is that of the neuron shown large."
    : "On the dashed line the neuron shown large changes sign.";
  const title = element("h2", {}, "What it says everywhere");
  return element(
    "section",
    { class: "plane" },
    title,
    element("p", { class: "muted" }, `${shown} ${lines} Drag the point.`),
    ...classes,
    frame,
    note,
  );
}
