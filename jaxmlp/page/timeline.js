// The way through training: a slider with the learning curve as its track, and the network at each snapshot.

const FRAME_SECONDS = 0.6;

/** The scores as a line, as wide as the slider; the first network has none. */
function drawCurve(frames) {
  const scores = frames.map(({ score }) => score).filter((score) => score !== null);
  const low = lowest(scores);
  const span = highest(scores) - low || 1;
  const points = frames.flatMap(({ score }, i) =>
    score === null ? [] : [`${(100 * i) / Math.max(frames.length - 1, 1)},${29 - (28 * (score - low)) / span}`],
  );
  const line = graphic("polyline", { points: points.join(" ") });
  const size = { viewBox: "0 0 100 30", preserveAspectRatio: "none" };
  return graphic("svg", { ...size, class: "curve", "aria-hidden": "true" }, line);
}

function describeFrame({ epoch, score, measure }) {
  if (epoch === 0) return "Before training";
  const reached =
    score === null ? "" : `, validation ${measure} ${measure === "accuracy" ? percent(score) : short(score)}`;
  return `After ${epoch} epoch${epoch > 1 ? "s" : ""}${reached}`;
}

/** The section of the way; "" where no snapshots were kept. */
function makeTimeline(page, frames) {
  if (frames.length < 2) return "";
  const last = frames.length - 1;
  const text = element("span", { role: "status" });
  let timer = null;
  const slider = element("input", {
    type: "range",
    min: 0,
    max: last,
    value: last,
    "aria-label": "Training",
  });
  const play = button("Play", () => (timer ? stop() : start()));

  function show(index) {
    slider.value = index;
    text.textContent = describeFrame(frames[index]);
    slider.setAttribute("aria-valuetext", text.textContent);
    page.showNetworks(frames[index].networks, Number(index) === last);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function start() {
    play.textContent = "Pause";
    if (Number(slider.value) === last) show(0);
    timer = setInterval(() => {
      show(Number(slider.value) + 1);
      if (Number(slider.value) === last) stop();
    }, 1000 * FRAME_SECONDS);
  }

  slider.addEventListener("input", () => {
    stop();
    show(Number(slider.value));
  });
  text.textContent = describeFrame(frames[last]);
  const track = element("div", { class: "timeline" }, drawCurve(frames), slider);
  const title = element("h2", {}, "Its way through training");
  return element("section", {}, title, element("div", { class: "row" }, play, text), track);
}
