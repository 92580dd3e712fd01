// Images of the data set to click: some of each class, and the worst mistakes.

function exampleButton(page, input, label, show) {
  const canvas = element("canvas");
  const name = page.model.class_names[label];
  paintInput(canvas, page.model, input);
  return button(canvas, () => show(input, name), {
    class: "example",
    title: name,
    "aria-label": `Example: ${name}`,
  });
}

function exampleGroup(page, { images, labels }, show) {
  const size = images.length / labels.length;
  const buttons = labels.map((label, i) =>
    exampleButton(page, images.subarray(i * size, (i + 1) * size), label, show),
  );
  return element("div", { class: "examples" }, ...buttons);
}

/** The section's part with examples; nothing where the data set was not at hand. */
function makeExamples(page, examples, show) {
  if (!examples) return "";
  const origin = examples.unseen ? "Test images, which it has never learnt from" : "Images of its data set";
  const node = element("div", {}, element("h3", {}, origin), exampleGroup(page, examples.typical, show));
  if (examples.mistakes.labels.length) {
    node.append(element("h3", {}, "Its worst mistakes"), exampleGroup(page, examples.mistakes, show));
  }
  return node;
}
