// Images of the data set to click: some of each class, and the worst mistakes.

const MOST_WORST = 12;

function exampleButton(page, input, label) {
  const canvas = element("canvas");
  const name = page.model.class_names[label];
  paintInput(canvas, page.model, input);
  return button(canvas, () => page.showImage(input, name), {
    class: "example",
    title: name,
    "aria-label": `Example: ${name}`,
  });
}

/** One of the images that Python packed. */
function packedButton(page, { images, labels }, place) {
  const size = images.length / labels.length;
  return exampleButton(page, images.subarray(place * size, (place + 1) * size), labels[place]);
}

function exampleGroup(page, packed, places) {
  return element("div", { class: "examples" }, ...places.map((place) => packedButton(page, packed, place)));
}

/** The section's part with examples; "" where the data set was not at hand. */
function makeExamples(page) {
  if (!page.examples) return "";
  const { typical, mistakes, unseen } = page.examples;
  const origin = unseen ? "Test images, which it has never learnt from" : "Images of its data set";
  const node = element("div", {}, element("h3", {}, origin));
  node.append(exampleGroup(page, typical, [...typical.labels.keys()]));
  const worst = [...mistakes.labels.keys()].slice(0, MOST_WORST);
  if (worst.length) node.append(element("h3", {}, "Its worst mistakes"), exampleGroup(page, mistakes, worst));
  return node;
}
