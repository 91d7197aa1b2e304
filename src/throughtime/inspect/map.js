"use strict";
(() => {
  const part = (id) => document.getElementById(id);
  // What goes wrong is shown, on the page and in its root, where tests look for it.
  const fail = (message) => {
    document.documentElement.dataset.failure = message;
    part("failure").textContent = `This page failed: ${message}`;
    part("failure").hidden = false;
  };
  window.addEventListener("error", (event) => fail(event.message));
  window.addEventListener("unhandledrejection", (event) => fail(String(event.reason)));
  document.addEventListener("securitypolicyviolation", (event) => fail(`blocked ${event.violatedDirective}`));

  const map = JSON.parse(part("data").textContent);
  const count = map.words.length, near = map.near;
  const xs = Float64Array.from({ length: count }, (_, i) => map.points[2 * i]);
  const ys = Float64Array.from({ length: count }, (_, i) => map.points[2 * i + 1]);
  const reach = { x: 1e-9 + xs.reduce((a, b) => Math.max(a, Math.abs(b)), 0), y: 1e-9 + ys.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
  // Control characters are written out; what is long is cut on the map, and whole in the panel.
  const shown = map.words.map((word) => word.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  const labels = shown.map((word) => { const letters = [...word]; return letters.length > 32 ? letters.slice(0, 31).join("") + "…" : word; });
  const numberOf = new Map(map.words.map((word, i) => [word, i]));
  const folded = map.words.map((word) => word.toLowerCase());

  const canvas = part("canvas"), pen = canvas.getContext("2d");
  const view = { x: 0, y: 0, zoom: 1 };
  let width = 1, height = 1, ratio = 1, base = 1;  // base: pixels of a unit of the map at zoom 1
  let chosen = -1, hovered = -1, colour = "cluster";
  const LARGEST = 2000, SMALLEST = 0.4, FONT = 13, FAMILY = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
  const active = () => (hovered >= 0 ? hovered : chosen);
  const nearOf = (i) => map.neighbours.slice(i * near, (i + 1) * near);
  const acrossOf = (i) => width / 2 + (xs[i] - view.x) * base * view.zoom;
  const downOf = (i) => height / 2 - (ys[i] - view.y) * base * view.zoom;

  // ---- colours ----
  const ink = {};
  const LEVELS = 21;  // of the colours of a bias
  const extreme = map.lean ? map.lean.limit : 1;
  const levels = map.lean ? map.lean.values.map((v) => Math.round((Math.max(-1, Math.min(1, v / extreme)) + 1) / 2 * (LEVELS - 1))) : [];
  const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const blend = (one, other, share) => "#" + channels(one).map((v, i) => Math.round(v + (channels(other)[i] - v) * share).toString(16).padStart(2, "0")).join("");
  const diverging = (t) => (t < 0.5 ? blend(ink.low, ink.middle, t * 2) : blend(ink.middle, ink.high, t * 2 - 1));
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["page", "field", "ink", "soft", "line", "mark", "low", "middle", "high", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]) {
      ink[name] = style.getPropertyValue(`--${name}`).trim();
    }
  };
  const kindOf = (i) => (colour === "bias" ? levels[i] : map.members[i]);
  const kinds = () => (colour === "bias" ? LEVELS : map.clusters.length);
  const colourOf = (kind) => (colour === "bias" ? diverging(kind / (LEVELS - 1)) : ink[`c${kind % 8}`]);
  const shapeOf = (kind) => (colour === "bias" ? 0 : Math.floor(kind / 8));  // eight colours, then eight more as squares, as triangles

  const trace = (pen, shape, x, y, r) => {
    if (shape === 0) { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, 2 * Math.PI); }
    else if (shape === 1) { pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r); }
    else { pen.moveTo(x, y - 1.25 * r); pen.lineTo(x + 1.15 * r, y + 0.8 * r); pen.lineTo(x - 1.15 * r, y + 0.8 * r); pen.closePath(); }
  };
  // Dots are written into the picture pixel by pixel: twenty thousand calls of a canvas are slow without a graphics card.
  // A mask holds what a dot covers: for each pixel across, down and a share, from four by four points.
  const masks = new Map();
  const isInside = [
    (x, y, r) => x * x + y * y <= r * r,
    (x, y, r) => Math.abs(x) <= 0.9 * r && Math.abs(y) <= 0.9 * r,
    (x, y, r) => y <= 0.8 * r && y >= -1.25 * r + Math.abs(x) * 2.05 / 1.15,
  ];
  const maskOf = (shape, radius) => {
    const key = `${shape} ${radius}`;
    if (!masks.has(key)) {
      const mask = [], reach = Math.ceil(1.3 * radius);
      for (let y = -reach; y <= reach; y++) {
        for (let x = -reach; x <= reach; x++) {
          let share = 0;
          for (let k = 0; k < 16; k++) if (isInside[shape](x + (k % 4 - 1.5) / 4, y + ((k >> 2) - 1.5) / 4, radius)) share += 1 / 16;
          if (share > 0) mask.push(x, y, share);
        }
      }
      masks.set(key, mask);
    }
    return masks.get(key);
  };

  // ---- drawing ----
  // Where the dots are on the screen, and which lie in each square of a grid: a list threaded through `after`.
  const across = new Float64Array(count), down = new Float64Array(count), after = new Int32Array(count), SIDE = 16;
  let heads = new Int32Array(0), columns = 0, lines = 0;
  const locate = () => {
    columns = Math.ceil(width / SIDE); lines = Math.ceil(height / SIDE);
    if (heads.length !== columns * lines) heads = new Int32Array(columns * lines);
    heads.fill(-1);
    for (let i = 0; i < count; i++) {
      const x = across[i] = acrossOf(i), y = down[i] = downOf(i);
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const square = Math.floor(y / SIDE) * columns + Math.floor(x / SIDE);
      after[i] = heads[square]; heads[square] = i;
    }
  };
  const dotsUnder = (left, top, right, bottom) => {
    let under = 0;
    for (let row = Math.max(0, Math.floor(top / SIDE)); row <= Math.min(lines - 1, Math.floor(bottom / SIDE)); row++) {
      for (let column = Math.max(0, Math.floor(left / SIDE)); column <= Math.min(columns - 1, Math.floor(right / SIDE)); column++) {
        for (let i = heads[row * columns + column]; i >= 0; i = after[i]) {
          if (across[i] > left && across[i] < right && down[i] > top && down[i] < bottom) under++;
        }
      }
    }
    return under;
  };
  const dotRadius = () => {
    const first = Math.max(1.2, Math.min(4.2, 0.072 * Math.sqrt(width * height / count)));
    return Math.round(2 * Math.min(6, first * Math.max(0.8, view.zoom ** 0.3))) / 2;
  };
  let picture = null, pixels = null;
  const drawDots = (faded) => {
    if (picture?.width !== canvas.width || picture?.height !== canvas.height) {
      picture = pen.createImageData(canvas.width, canvas.height);
      pixels = new Uint8ClampedArray(picture.data.buffer);
    }
    const [red, green, blue] = channels(ink.field), wide = canvas.width, high = canvas.height;
    new DataView(picture.data.buffer).setUint32(0, (red << 24 | green << 16 | blue << 8 | 255) >>> 0);
    const whole = new Uint32Array(picture.data.buffer);
    whole.fill(whole[0]);
    const radius = dotRadius() * ratio, strength = faded ? 0.28 : 0.88, reach = Math.ceil(1.3 * radius);
    const dots = Array.from({ length: kinds() }, (_, kind) => ({ mask: maskOf(shapeOf(kind), radius), tint: channels(colourOf(kind)) }));
    for (let i = count - 1; i >= 0; i--) {  // the frequent ones on top
      const x = Math.round(across[i] * ratio), y = Math.round(down[i] * ratio);
      if (x < -reach || y < -reach || x >= wide + reach || y >= high + reach) continue;
      const { mask, tint } = dots[kindOf(i)];
      for (let k = 0; k < mask.length; k += 3) {
        const column = x + mask[k], row = y + mask[k + 1];
        if (column < 0 || row < 0 || column >= wide || row >= high) continue;
        const at = 4 * (row * wide + column), share = strength * mask[k + 2];
        pixels[at] += (tint[0] - pixels[at]) * share;
        pixels[at + 1] += (tint[1] - pixels[at + 1]) * share;
        pixels[at + 2] += (tint[2] - pixels[at + 2]) * share;
      }
    }
    pen.putImageData(picture, 0, 0);
  };
  const widths = new Map();
  const widthOf = (i, bold) => {
    const key = bold ? -1 - i : i;
    if (!widths.has(key)) widths.set(key, pen.measureText(labels[i]).width);
    return widths.get(key);
  };
  // Rectangles that are taken, by rows as high as a label.
  const taken = { rows: new Map(), step: FONT + 6 };
  const isFree = (x0, y0, x1, y1) => {
    for (let row = Math.floor(y0 / taken.step) - 1; row <= Math.floor(y1 / taken.step); row++) {
      for (const r of taken.rows.get(row) ?? []) if (r[0] < x1 && x0 < r[2] && r[1] < y1 && y0 < r[3]) return false;
    }
    return true;
  };
  const take = (x0, y0, x1, y1) => {
    const row = Math.floor(y0 / taken.step);
    if (!taken.rows.has(row)) taken.rows.set(row, []);
    taken.rows.get(row).push([x0, y0, x1, y1]);
  };
  // Of the free places at a word's dot the one that hides the fewest dots: right, left, above, below.
  const placeOf = (i, radius, bold) => {
    const x = across[i], y = down[i], half = FONT / 2 + 2, gap = radius + 3;
    if (!isFree(x - 1, y - 1, x + 1, y + 1)) return null;  // cheap: its dot lies under a label
    const w = widthOf(i, bold);
    let best = null, fewest = Infinity;
    for (const [left, middle] of [[x + gap, y], [x - gap - w, y], [x - w / 2, y - gap - half], [x - w / 2, y + gap + half]]) {
      if (bold && (left < 0 || left + w > width)) continue;
      if (!isFree(left - 3, middle - half, left + w + 3, middle + half)) continue;
      const hidden = dotsUnder(left - 2, middle - half, left + w + 2, middle + half);
      if (hidden < fewest) { best = [left, middle, w]; fewest = hidden; }
      if (hidden === 0) break;
    }
    return best;
  };
  const write = (i, [left, middle, w], style) => {
    take(left - 3, middle - FONT / 2 - 2, left + w + 3, middle + FONT / 2 + 2);
    pen.globalAlpha = style.alpha;
    pen.strokeText(labels[i], left, middle);
    pen.fillStyle = style.colour;
    pen.fillText(labels[i], left, middle);
    pen.globalAlpha = 1;
  };
  const drawLabels = (lit) => {
    const radius = dotRadius(), others = { alpha: lit.length ? 0.45 : 1, colour: lit.length ? ink.soft : ink.ink };
    taken.rows.clear();
    pen.textBaseline = "middle"; pen.textAlign = "left"; pen.direction = "ltr"; pen.lineJoin = "round";
    pen.strokeStyle = ink.field; pen.lineWidth = 3.5;
    for (const i of lit) {
      pen.font = `600 ${i === lit[0] ? FONT + 2 : FONT}px ${FAMILY}`;
      const x = across[i], y = down[i], w = pen.measureText(labels[i]).width;
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const flipped = x + radius + 7 + w > width;
      const place = i === lit[0] ? [flipped ? x - radius - 7 - w : x + radius + 7, y, w] : placeOf(i, radius + 2, true);
      if (place) write(i, place, { alpha: 1, colour: ink.ink });
    }
    const done = new Set(lit);
    pen.font = `${FONT}px ${FAMILY}`;
    let written = lit.length;
    let failed = 0;  // words in a row that found no place: on a full map the rest will find none either
    for (let i = 0; i < count && written < 600 && failed < 1000; i++) {
      const x = across[i], y = down[i];
      if (x < -160 || y < -12 || x > width + 160 || y > height + 12 || done.has(i)) continue;
      const place = placeOf(i, radius, false);
      failed = place ? 0 : failed + 1;
      if (place) { write(i, place, others); written++; }
    }
    return written;
  };
  const drawLines = (lit) => {
    const radius = dotRadius();
    pen.strokeStyle = ink.mark;
    lit.slice(1).forEach((other, place) => {
      pen.globalAlpha = 0.35 + 0.5 * (1 - place / near);
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.moveTo(across[lit[0]], down[lit[0]]);
      pen.lineTo(across[other], down[other]);
      pen.stroke();
    });
    pen.globalAlpha = 1;
    for (const i of lit.slice().reverse()) {
      const x = across[i], y = down[i];
      pen.beginPath(); pen.arc(x, y, radius + (i === lit[0] ? 4.5 : 2.5), 0, 2 * Math.PI);
      pen.fillStyle = ink.field; pen.fill();
      pen.lineWidth = i === lit[0] ? 2.5 : 1.5; pen.stroke();
      pen.beginPath(); trace(pen, shapeOf(kindOf(i)), x, y, radius + 0.5);
      pen.fillStyle = colourOf(kindOf(i)); pen.fill();
    }
  };
  let waiting = false;
  const draw = () => { if (!waiting) { waiting = true; requestAnimationFrame(paint); } };
  const paint = () => {
    waiting = false;
    if (!ink.page) return;  // before the beginning
    const began = performance.now();
    const lit = active() >= 0 ? [active(), ...nearOf(active())] : [];
    locate();
    drawDots(lit.length > 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (lit.length) drawLines(lit);
    canvas.dataset.labels = drawLabels(lit);
    canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
  };

  // ---- moving ----
  const fit = () => {
    const box = canvas.parentElement.getBoundingClientRect(), dense = Math.min(3, window.devicePixelRatio || 1);
    if (box.width === width && box.height === height && dense === ratio) return;
    width = Math.max(1, box.width); height = Math.max(1, box.height); ratio = dense;
    canvas.width = Math.max(1, Math.round(width * ratio)); canvas.height = Math.max(1, Math.round(height * ratio));
    const marginX = Math.min(60, width / 8), marginY = Math.min(36, height / 8);
    base = Math.min((width / 2 - marginX) / reach.x, (height / 2 - marginY) / reach.y);
    paint();  // at once, for a canvas that gets another size is empty
  };
  let flight = 0, writing = 0;
  const moved = () => { draw(); clearTimeout(writing); writing = setTimeout(() => writeHash(false), 250); };
  const zoomAt = (factor, x = width / 2, y = height / 2) => {
    const zoom = Math.max(SMALLEST, Math.min(LARGEST, view.zoom * factor));
    const was = 1 / (base * view.zoom), is = 1 / (base * zoom);
    view.x += (x - width / 2) * (was - is); view.y -= (y - height / 2) * (was - is); view.zoom = zoom;
    cancelAnimationFrame(flight);
    moved();
  };
  const shift = (right, down) => {
    view.x = Math.max(-3, Math.min(3, view.x - right / (base * view.zoom)));
    view.y = Math.max(-3, Math.min(3, view.y + down / (base * view.zoom)));
    cancelAnimationFrame(flight);
    moved();
  };
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  let begun = false;
  const flyTo = (x, y, zoom) => {
    cancelAnimationFrame(flight);
    const from = { ...view }, began = performance.now();
    const step = () => {
      const t = still.matches || !begun ? 1 : Math.min(1, (performance.now() - began) / 350), ease = 1 - (1 - t) ** 3;
      view.x = from.x + (x - from.x) * ease; view.y = from.y + (y - from.y) * ease;
      view.zoom = from.zoom * (zoom / from.zoom) ** ease;
      if (t < 1) { draw(); flight = requestAnimationFrame(step); } else moved();
    };
    step();
  };
  const showAll = () => flyTo(0, 0, 1);
  // Centres on a word, so near that half of its neighbours fill the map.
  const flyToWord = (i) => {
    const far = nearOf(i).map((j) => Math.hypot(xs[i] - xs[j], ys[i] - ys[j])).sort((a, b) => a - b);
    const most = far[Math.floor(far.length / 2)] ?? 0;
    flyTo(xs[i], ys[i], Math.max(1.5, Math.min(60, 0.34 * Math.min(width, height) / (base * most + 1e-9))));
  };

  // ---- choosing ----
  const signed = (value, digits) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
  const tell = (text) => { part("told").textContent = text; };
  const showWord = () => {
    const i = active();
    part("chosen").hidden = i < 0;
    if (i < 0) return;
    part("word").textContent = shown[i];
    const facts = [`${(i + 1).toLocaleString("en")} of ${count.toLocaleString("en")} by frequency`, `cluster ${map.members[i] + 1}`];
    if (map.lean) facts.push(`leans to ${map.lean.values[i] < 0 ? map.lean.low : map.lean.high}, ${signed(map.lean.values[i], 3)}`);
    part("about").textContent = facts.join(" · ");
    part("neighbours").replaceChildren(...nearOf(i).map((j, place) => {
      const item = document.createElement("li"), button = document.createElement("button"), word = document.createElement("bdi"), cosine = document.createElement("span");
      button.type = "button"; button.dataset.number = j; word.textContent = shown[j];
      cosine.textContent = (map.cosines[i * near + place] / 1000).toFixed(3);
      button.append(word, cosine); item.append(button);
      return item;
    }));
  };
  const choose = (i, { fly = false, keep = true } = {}) => {
    chosen = i; hovered = -1;
    showWord(); draw();
    tell("");
    part("spoken").textContent = i < 0 ? "No word is chosen." : `${shown[i]}. Nearest: ${nearOf(i).map((j) => shown[j]).join(", ")}.`;
    if (i >= 0 && window.innerWidth <= 760) part("panel").scrollTop = 0;
    if (keep) writeHash(true);
    if (fly && i >= 0) flyToWord(i);
  };
  const hover = (i) => {
    if (i === hovered) return;
    hovered = i;
    canvas.classList.toggle("over", i >= 0);
    showWord(); draw();
  };
  const wordAt = (x, y, within) => {
    let best = -1, least = within * within;
    for (let i = 0; i < count; i++) {
      const dx = acrossOf(i) - x, dy = downOf(i) - y, far = dx * dx + dy * dy;
      if (far < least) { least = far; best = i; }
    }
    return best;
  };

  // ---- the address: #word=king&colour=bias&view=0.1,0.2,3 ----
  const writeHash = (step) => {
    const said = [];
    if (chosen >= 0) said.push("word=" + encodeURIComponent(map.words[chosen]));
    if (colour !== "cluster") said.push("colour=" + colour);
    if (view.zoom !== 1 || view.x !== 0 || view.y !== 0) said.push("view=" + [view.x.toFixed(4), view.y.toFixed(4), view.zoom.toPrecision(4)].join(","));
    const hash = "#" + said.join("&");
    if (hash === (location.hash || "#")) return;
    history[step ? "pushState" : "replaceState"](null, "", hash);
  };
  const readHash = () => {
    const said = new Map();
    for (const piece of location.hash.slice(1).split("&")) {
      const cut = piece.indexOf("=");
      try { if (cut > 0) said.set(piece.slice(0, cut), decodeURIComponent(piece.slice(cut + 1))); } catch { /* not an address of ours */ }
    }
    setColour(said.get("colour") === "bias" && map.lean ? "bias" : "cluster");
    const word = said.get("word"), i = word === undefined ? -1 : numberOf.get(word) ?? -1;
    const [x, y, zoom] = (said.get("view") ?? "").split(",").map(Number);
    const viewed = [x, y, zoom].every(Number.isFinite) && zoom >= SMALLEST && zoom <= LARGEST && Math.abs(x) <= 3 && Math.abs(y) <= 3;
    choose(i, { fly: !viewed, keep: false });
    if (viewed) { cancelAnimationFrame(flight); Object.assign(view, { x, y, zoom }); draw(); }
    if (word !== undefined && i < 0) tell(`“${word}” is not on this map.`);
  };

  // ---- legend ----
  const setColour = (to) => {
    colour = to;
    for (const input of document.getElementsByName("colour")) input.checked = input.value === to;
    drawLegend(); draw();
  };
  const drawLegend = () => {
    const leaning = colour === "bias";
    part("legend-title").textContent = leaning ? "Lean: cosine with the direction of the pairs" : "Clusters by k-means, each with words near its centre";
    part("scale").hidden = !leaning; part("groups").hidden = leaning;
    part("legend-note").textContent = leaning
      ? `From ${map.lean.pairs} pairs of words. The colours end at ±${extreme.toFixed(3)}, which 99 % of the words are within.`
      : "";
    if (leaning) {
      const brush = part("gradient").getContext("2d");
      for (let x = 0; x < 256; x++) { brush.fillStyle = diverging(x / 255); brush.fillRect(x, 0, 1, 12); }
      part("low").textContent = `${map.lean.low} −${extreme.toFixed(2)}`; part("high").textContent = `${map.lean.high} +${extreme.toFixed(2)}`;
      return;
    }
    part("groups").replaceChildren(...map.clusters.map(([size, central], kind) => {
      const item = document.createElement("li"), dot = document.createElement("canvas"), words = document.createElement("bdi"), number = document.createElement("span");
      dot.width = dot.height = 26; dot.setAttribute("aria-hidden", "true");
      const brush = dot.getContext("2d");
      brush.fillStyle = colourOf(kind); brush.beginPath(); trace(brush, shapeOf(kind), 13, 13, 10); brush.fill();
      words.textContent = central.join(", "); number.textContent = size.toLocaleString("en");
      item.append(dot, words, number);
      return item;
    }));
  };

  // ---- search ----
  const search = part("search"), found = part("found");
  let at = -1, listed = [];
  const closeList = () => { found.hidden = true; at = -1; search.setAttribute("aria-expanded", "false"); search.removeAttribute("aria-activedescendant"); };
  const matches = (text) => {
    const low = text.toLowerCase(), ranks = [[], [], [], []];
    for (let i = 0; i < count; i++) {
      const place = folded[i].indexOf(low);
      if (place >= 0) ranks[map.words[i] === text ? 0 : folded[i] === low ? 1 : place === 0 ? 2 : 3].push(i);
    }
    return ranks.flat();
  };
  const suggest = () => {
    const text = search.value.trim();
    if (!text) { listed = []; closeList(); tell(""); return; }
    const all = matches(text);
    listed = all.slice(0, 8);
    found.replaceChildren(...listed.map((i, place) => {
      const item = document.createElement("li"), word = document.createElement("bdi");
      item.id = `found-${place}`; item.setAttribute("role", "option"); item.dataset.place = place;
      word.textContent = shown[i]; item.append(word);
      return item;
    }));
    closeList();
    if (listed.length) { found.hidden = false; search.setAttribute("aria-expanded", "true"); mark(0); }
    tell(all.length ? `${all.length.toLocaleString("en")} ${all.length === 1 ? "word matches" : "words match"}` : `No word of this map has “${text}” in it.`);
  };
  const mark = (place) => {
    at = place;
    [...found.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
    search.setAttribute("aria-activedescendant", `found-${at}`);
    found.children[at].scrollIntoView({ block: "nearest" });
  };
  const accept = (place) => { const i = listed[place]; search.value = ""; closeList(); choose(i, { fly: true }); };
  search.addEventListener("input", suggest);
  search.addEventListener("focus", () => { if (search.value) suggest(); });
  search.addEventListener("blur", closeList);
  search.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && listed.length && at >= 0) accept(at);
    else if (event.key === "ArrowDown" && at >= 0) mark((at + 1) % listed.length);
    else if (event.key === "ArrowUp" && at >= 0) mark((at + listed.length - 1) % listed.length);
    else if (event.key === "Escape" && search.value) { search.value = ""; suggest(); event.stopPropagation(); }
    else return;
    event.preventDefault();
  });
  found.addEventListener("pointerdown", (event) => {
    const item = event.target.closest("li");
    event.preventDefault();  // or the search would lose the focus, and the list close, before the click
    if (item) accept(Number(item.dataset.place));
  });
  part("neighbours").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    choose(Number(button.dataset.number), { fly: true });
    part("neighbours").querySelector("button")?.focus({ preventScroll: true });
  });
  part("clear").addEventListener("click", () => { choose(-1); canvas.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hover(-1); choose(-1); }
    else if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey) { event.preventDefault(); search.focus(); }
  });
  for (const input of document.getElementsByName("colour")) input.addEventListener("change", () => { setColour(input.value); writeHash(false); });

  // ---- pointers and keys on the map ----
  const pointers = new Map();
  let travelled = 0;
  const spot = (event) => { const box = canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
  const spread = () => { const [a, b] = [...pointers.values()]; return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, far: Math.hypot(a.x - b.x, a.y - b.y) || 1 }; };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    if (pointers.size === 0) travelled = 0;
    pointers.set(event.pointerId, spot(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = spot(event), last = pointers.get(event.pointerId);
    if (!last) { if (event.pointerType === "mouse") hover(wordAt(here.x, here.y, 12)); return; }
    const before = pointers.size === 2 ? spread() : null;
    pointers.set(event.pointerId, here);
    travelled += Math.hypot(here.x - last.x, here.y - last.y);
    if (travelled < 4) return;
    canvas.classList.add("moving");
    hover(-1);
    if (before) { const after = spread(); shift(after.x - before.x, after.y - before.y); zoomAt(after.far / before.far, after.x, after.y); }
    else if (pointers.size === 1) shift(here.x - last.x, here.y - last.y);
  });
  const released = (event) => {
    const here = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    canvas.classList.remove("moving");
    if (here && event.type === "pointerup" && travelled < 4) choose(wordAt(here.x, here.y, event.pointerType === "mouse" ? 12 : 24));
  };
  canvas.addEventListener("pointerup", released);
  canvas.addEventListener("pointercancel", released);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1), here = spot(event);
    zoomAt(Math.exp(Math.max(-1, Math.min(1, -pixels * (event.ctrlKey ? 0.01 : 0.0018)))), here.x, here.y);
  }, { passive: false });
  const keys = {
    ArrowLeft: () => shift(60, 0), ArrowRight: () => shift(-60, 0), ArrowUp: () => shift(0, 60), ArrowDown: () => shift(0, -60),
    "+": () => zoomAt(1.4), "=": () => zoomAt(1.4), "-": () => zoomAt(1 / 1.4), 0: showAll, Home: showAll,
    Enter: () => choose(wordAt(width / 2, height / 2, Infinity)),
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  part("nearer").addEventListener("click", () => zoomAt(1.5));
  part("farther").addEventListener("click", () => zoomAt(1 / 1.5));
  part("all").addEventListener("click", showAll);

  // ---- begin ----
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", () => { readColours(); drawLegend(); draw(); });
  part("colouring").hidden = !map.lean;
  new ResizeObserver(fit).observe(canvas.parentElement);
  window.addEventListener("hashchange", readHash);
  readColours();
  fit();
  readHash();
  begun = true;
  if (!location.hash && map.colour === "bias") setColour("bias");
  paint();
  document.documentElement.dataset.ready = "yes";
})();
