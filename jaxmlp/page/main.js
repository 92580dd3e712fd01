// What stands in the page.

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

function makeDrawing(page) {
  const pad = makePad(page, page.setInputs);
  page.showImage = pad.show;
  const title = "Draw here, or drop a picture";
  const drawing = element("section", { class: "drawing" }, element("h2", {}, title), pad.node, makeSeen(page));
  return element("div", { class: "left" }, drawing, makeExamples(page));
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

/** Names stand within sentences. */
function isolateNames({ model, fields }) {
  model.class_names = model.class_names.map(isolate);
  model.target &&= isolate(model.target);
  fields?.forEach((field) => (field.name = isolate(field.name)));
}

function start() {
  readColours();
  const content = unpack(JSON.parse(document.getElementById("content").textContent));
  isolateNames(content);
  const page = makePage(content);
  const isTable = content.fields !== null;
  const first = isTable ? makePlane(page) : makeDrawing(page);
  const controls = isTable ? [makeFields(page), makeTruth(page, content.truth)] : [];
  const side = [makeAnswer(page), makeIdeas(page), ...controls, makeTimeline(page, content.timeline)];
  const parts = [first, element("div", { class: "side" }, ...side), makeNeurons(page)];
  const more = [makeConfusion(page), ...makeMembers(content.members), makeAbout(content.summary)];
  const main = document.getElementById("main");
  main.classList.toggle("table", isTable);
  main.replaceChildren(...parts, ...more);
  if (isTable) page.setRow(page.row);
  else page.update();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", page.recolour);
}

start();
