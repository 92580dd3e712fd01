// Two things to try, which hold for this model.

/** Whether without activations the boundary, or the lines of a value, are straight in the columns themselves: an average
 * of curves is none, nor is what several classes leave of each other. */
function isPlain({ networks, preprocess, columns, head }) {
  const isEmbedded = networks.some(({ layers }) => layers[0].kind === "periodic");
  const isCyclic = (columns ?? []).some(({ cycles }) => cycles?.length);
  const isStraight = head === "regression" || (head === "binary" && networks.length === 1);
  return isStraight && !isEmbedded && !isCyclic && preprocess.quantiles.numbers.length === 0;
}

const NUMBER_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** Neurons off by what they look like. */
function strokesIdea(page) {
  const number = page.neurons.num_strokes[page.network];
  const off = (from, to) => () => page.switchOnly(0, sortByStrokes(page).slice(from, to));
  const many = number > 1 ? `${NUMBER_WORDS[number]} neurons` : "neuron";
  return [
    `Turn off the ${many} most like strokes, and then as many most like static: which does it need?`,
    element(
      "div",
      { class: "row" },
      button("Strokes off", off(-number)),
      button("Static off", off(0, number)),
      button("All on", page.allOn),
    ),
  ];
}

function drawingIdea(page) {
  const pair = page.examples && commonMistake(page.examples);
  const [one, other] = pair ? pair.map((label) => page.model.class_names[label]) : [];
  const what = pair
    ? `Draw “${one}” so that it reads “${other}”`
    : "Draw something that it takes for another class";
  return [`${what}, and look at the neurons that misled it.`];
}

/** Lists of what stands in each idea. */
function ideasFor(page) {
  const [first] = page.dense();
  const [line, bent] =
    page.model.head === "regression"
      ? ["all lines stay straight", "map"]
      : ["the line stays straight, or leaves the square", "boundary"];
  const ideas = [];
  if (!page.fields) {
    ideas.push(drawingIdea(page));
    if (sortByStrokes(page).length > 1) ideas.unshift(strokesIdea(page));
  }
  if (page.axes) {
    if (isPlain(page.model)) ideas.push([`Press “Without activations”: whatever the weights, ${line}.`]);
    if (first.activation === "relu")
      ideas.push([
        "Move the point across a neuron's line: on one side ReLU turns it off, and it adds nothing.",
      ]);
    ideas.push([`Drag a neuron's weight: its line turns, and the ${bent} bends with it.`]);
  }
  ideas.push(["Switch neurons off, one after the other: when does the answer change?"]);
  return ideas.slice(0, 2);
}

/** The section of them; "" where there is no hidden neuron. */
function makeIdeas(page) {
  if (page.dense().length === 1) return "";
  const ideas = ideasFor(page).map((idea) => element("li", {}, ...idea));
  const title = ideas.length > 1 ? "Two things to try" : "To try";
  return element("section", {}, element("h2", {}, title), element("ul", {}, ...ideas));
}
