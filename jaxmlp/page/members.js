// Every member of a sweep as it learnt; one of them with its setting.

const CURVES_WIDTH = 600;
const CURVES_HEIGHT = 200;

/** The points of one curve; members that ended early have no more. */
function curvePoints(curve, epochs, low, high) {
  const across = (epoch) => (CURVES_WIDTH * (epoch - epochs[0])) / Math.max(epochs.at(-1) - epochs[0], 1);
  const up = (value) => CURVES_HEIGHT * (1 - (value - low) / (high - low || 1));
  const known = curve.map((value, i) => [value, epochs[i]]).filter(([value]) => value !== null);
  return known.map(([value, epoch]) => `${across(epoch).toFixed(1)},${up(value).toFixed(1)}`).join(" ");
}

/** From what the better half of the members soon leaves behind, since the good ones lie close together, to the best. */
function scoreRange(curves) {
  const known = curves.map((curve) => curve.filter((value) => value !== null)).filter((curve) => curve.length);
  const better = known.sort((a, b) => highest(b) - highest(a)).slice(0, Math.ceil(known.length / 2));
  const values = better.flat().sort((a, b) => a - b);
  return [values[Math.floor(values.length / 10)], values.at(-1)];
}

/** The setting of a member in words. */
function describeMember({ settings, curves, measure }, member, tell) {
  const words = Object.entries(settings).map(
    ([name, column]) =>
      `${name.replaceAll("_", " ")} ${typeof column[member] === "number" ? short(column[member]) : column[member]}`,
  );
  const reached = curves[member].filter((value) => value !== null);
  const score = reached.length ? `, ${measure} ${tell(reached.at(-1))}` : "";
  return `Member ${member}${score}${words.length ? `: ${words.join(", ")}` : ""}`;
}

/** What an ensemble was after one of its epochs. */
function describeGrowth({ epochs, loss, networks }, place) {
  return `After epoch ${epochs[place]}: ${networks[place]} network${networks[place] > 1 ? "s" : ""}, held out loss ${short(loss[place])}`;
}

/** The section of the ensemble as it grew: a slider with its loss as the track. */
function makeGrowth(growth) {
  const last = growth.epochs.length - 1;
  const text = element("p", { role: "status" });
  const slider = element("input", {
    type: "range",
    min: 0,
    max: last,
    "aria-label": "Epoch of the ensemble",
  });
  const show = () => {
    text.textContent = describeGrowth(growth, Number(slider.value));
    slider.setAttribute("aria-valuetext", text.textContent);
  };
  slider.addEventListener("input", show);
  slider.value = last;
  show();
  const track = element(
    "div",
    { class: "timeline" },
    drawCurve(growth.loss.map((score) => ({ score }))),
    slider,
  );
  return element("section", { class: "wide" }, element("h2", {}, "The ensemble as it grew"), text, track);
}

/** The sections of all members and of their ensemble; none where the record is not that of a sweep. */
function makeMembers(members) {
  if (!members) return [];
  return [showMembers(members), members.growth ? makeGrowth(members.growth) : ""];
}

function showMembers(members) {
  const { curves, epochs, measure } = members;
  const [low, high] = scoreRange(curves);
  const tell = measure === "accuracy" ? percent : short;
  const text = element("p", { role: "status" }, "Point at a curve to see its setting.");
  const size = { viewBox: `0 0 ${CURVES_WIDTH} ${CURVES_HEIGHT}`, preserveAspectRatio: "none" };
  const lines = curves.map((curve) => graphic("polyline", { points: curvePoints(curve, epochs, low, high) }));
  const plot = graphic("svg", { ...size, class: "curve members", "aria-hidden": "true" }, ...lines);
  const names = curves.map((_, member) => `member ${member}`);
  const chooser = choice("Member", ["all members", ...names], 0, (place) => show(place - 1));

  function show(member) {
    chooser.value = member + 1;
    lines.forEach((line, i) => line.classList.toggle("shown", i === member));
    text.textContent = member < 0 ? "" : describeMember(members, member, tell);
  }

  lines.forEach((line, member) => line.addEventListener("pointerenter", () => show(member)));
  const axis = element(
    "div",
    { class: "axis" },
    `epoch ${epochs[0]}`,
    element("span", {}, `held out ${measure} from ${tell(low)} to ${tell(high)}; what is lower is cut off`),
    `epoch ${epochs.at(-1)}`,
  );
  const title = element("h2", {}, curves.length > 1 ? `The ${curves.length} members of its sweep` : "The member of its sweep");
  return element(
    "section",
    { class: "wide" },
    title,
    element("div", { class: "row" }, chooser),
    text,
    plot,
    axis,
  );
}
