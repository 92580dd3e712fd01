// The answer: a bar for each class with a dot for each network's own opinion, or a value with its interval.

const MOST_BARS = 12;

/** The classes whose bars are shown: all, or of very many the likeliest. */
function shownClasses(mean) {
  const order = [...mean.keys()];
  return order.length <= MOST_BARS ? order : order.sort((a, b) => mean[b] - mean[a]).slice(0, MOST_BARS);
}

function dots(values, shareOf, nameOf) {
  if (values.length < 2) return [];
  return values.map((value, network) => {
    const title = `network ${network + 1}: ${nameOf(value)}`;
    return element("span", {
      class: "dot",
      title,
      style: `left:${100 * Math.min(Math.max(shareOf(value), 0), 1)}%`,
    });
  });
}

function classBars(model, { mean, members }) {
  // Before there is an answer, rows without numbers hold its place.
  const best = mean.indexOf(Math.max(...mean));
  return shownClasses(mean).flatMap((label) => {
    const strong = label === best ? " best" : "";
    const opinions = members.map((row) => row[label]);
    const fill = element("div", { class: "fill", style: `width:${100 * (mean[label] || 0)}%` });
    return [
      element("div", { class: `name${strong}` }, model.class_names[label]),
      element("div", { class: "track" }, fill, ...dots(opinions, (share) => share, percent)),
      element("div", { class: `number${strong}` }, Number.isNaN(mean[label]) ? "" : percent(mean[label])),
    ];
  });
}

function valueRows(model, { mean, members }) {
  return mean.flatMap((value, output) => {
    const { shift, scale } = model.targets ?? { shift: [value], scale: [1] };
    const share = (x) => 0.5 + (x - at(shift, output)) / at(scale, output) / 6;
    const margin = model.margins ? at(model.margins, output) : null;
    const [left, right] =
      margin === null ? [share(value), share(value)] : [share(value - margin), share(value + margin)];
    const ends = [left, right].map((x) => Math.min(Math.max(x, 0), 1));
    const style = `left:${100 * ends[0]}%;width:max(3px,${100 * (ends[1] - ends[0])}%)`;
    const fill = element("div", { class: "fill", style });
    const opinions = members.map((row) => row[output]);
    return [
      element("div", { class: "name" }, outputNames(model, mean.length)[output]),
      element("div", { class: "track" }, fill, ...dots(opinions, share, short)),
      element("div", { class: "number" }, short(value, margin ?? 0)),
    ];
  });
}

function verdictOf(model, { mean }) {
  if (model.head !== "regression") {
    const best = mean.indexOf(Math.max(...mean));
    return `${model.class_names[best]}, ${percent(mean[best])}`;
  }
  const [value] = mean;
  const margin = model.margins?.[0] ?? 0;
  const [middle, low, high] = [value, value - margin, value + margin].map((x) => short(x, margin));
  const name = mean.length > 1 ? `${outputNames(model, mean.length)[0]}: ` : "";
  return `${name}${middle}${margin ? `, most likely ${low} to ${high}` : ""}`;
}

/** The section that tells the page's answer, again after each change. */
function makeAnswer(page) {
  const verdict = element("p", { class: "verdict", role: "status" });
  const bars = element("div", { class: "bars" });
  const note = element("p", { class: "muted" });
  page.watch(() => {
    const { model, answer, message } = page;
    verdict.textContent = message ?? (answer ? verdictOf(model, answer) : "Draw something");
    const blank = { mean: model.class_names.map(() => NaN), members: [] };
    bars.replaceChildren(...(model.head === "regression" ? valueRows : classBars)(model, answer ?? blank));
    const several = answer && model.networks.length > 1;
    const meaning =
      model.head === "regression" && model.margins ? "The bar should hold 90 % of what is measured. " : "";
    const truth = page.truth ? `Its label says ${page.truth}. ` : "";
    const doubt = page.isUnfamiliar ? UNFAMILIAR : "";
    const dots = several ? `Each dot is what one of ${model.networks.length} networks says.` : "";
    note.textContent = answer ? page.remark + doubt + truth + meaning + dots : "";
  });
  return element("section", { class: "answer" }, element("h2", {}, "What it says"), verdict, bars, note);
}
