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
  document.addEventListener("securitypolicyviolation", (event) => fail(`blocked ${event.violatedDirective}`));

  const packed = JSON.parse(part("data").textContent);
  const items = [...document.querySelectorAll("main > ol > li")];
  let head = -1;  // -1: the mean of all
  let active = null, pinned = null;  // {item, side, place}

  // ---- weights ----
  const unpack = (i) => {
    const [heads, down, across, text] = packed[i];
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const mean = new Float32Array(down * across);
    for (let k = 0; k < bytes.length; k++) mean[k % mean.length] += bytes[k] / 255 / heads;
    return { heads, down, across, bytes, mean };
  };
  const pairs = new Map();  // of what was looked at so far: all of a large page would be much
  const pairOf = (item) => {
    if (!pairs.has(item)) {
      const side = (name) => [...item.querySelectorAll(`[data-side=${name}] > span`)];
      pairs.set(item, { ...unpack(items.indexOf(item)), source: side("source"), target: side("target") });
    }
    return pairs.get(item);
  };
  const weightOf = (pair, which, t, s) => {
    const place = t * pair.across + s;
    return which < 0 || which >= pair.heads ? pair.mean[place] : pair.bytes[which * pair.mean.length + place] / 255;
  };

  // ---- light ----
  const spans = ({ item, side, place }) => {
    const pair = pairOf(item), from = pair[side], onto = side === "target" ? pair.source : pair.target;
    const weights = onto.map((_, i) => (side === "target" ? weightOf(pair, head, place, i) : weightOf(pair, head, i, place)));
    return { pair, one: from[place], onto, weights };
  };
  const clear = () => {
    if (!active) return;
    const { pair, one, onto } = spans(active);
    one.classList.remove("active");
    for (const span of onto) span.style.removeProperty("--weight");
    active.item.querySelector("article > .told").replaceChildren();
    const last = active.item;
    active = null;
    outline(last, pair);
  };
  const show = (what) => {
    clear();
    active = what ?? pinned;
    if (!active) return;
    const { pair, one, onto, weights } = spans(active);
    const most = Math.max(...weights, 1e-9);
    one.classList.add("active");
    // The strongest is the darkest; its number is told below. What is faint stays a little visible.
    onto.forEach((span, i) => span.style.setProperty("--weight", Math.sqrt(weights[i] / most) * Math.min(1, 0.35 + most)));
    const order = weights.map((_, i) => i).filter((i) => weights[i] >= 0.01).sort((a, b) => weights[b] - weights[a]).slice(0, 5);
    tell(active, one, order.map((i) => [onto[i], weights[i]]));
    outline(active.item, pair);
  };
  const isolated = (span) => { const bdi = document.createElement("bdi"); bdi.textContent = span.textContent; return bdi; };
  const tell = ({ item, side }, one, found) => {
    const line = [isolated(one), side === "target" ? " looked at " : " was looked at by "];
    found.forEach(([span, weight], i) => line.push(i ? ", " : "", isolated(span), ` ${Math.round(100 * weight)}\u00a0%`));
    item.querySelector("article > .told").replaceChildren(...(found.length ? line : [...line, "nothing for 1 % or more"]));
  };

  // ---- matrices ----
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["page", "mark", "deep"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };
  const isMirrored = (pair) => pair.source.length > 0 && getComputedStyle(pair.source[0].parentElement).direction === "rtl";
  const draw = (canvas, pair, which) => {
    const ratio = window.devicePixelRatio || 1, { cell } = canvas, mirrored = isMirrored(pair);
    const width = pair.across * cell, height = pair.down * cell;
    canvas.width = width * ratio; canvas.height = height * ratio;
    canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d"), ink = colours();
    pen.scale(ratio, ratio);
    pen.fillStyle = ink.page; pen.fillRect(0, 0, width, height);
    const x = (s) => (mirrored ? pair.across - 1 - s : s) * cell, gap = cell > 6 ? 1 : 0;
    for (let t = 0; t < pair.down; t++) {
      for (let s = 0; s < pair.across; s++) {
        const weight = weightOf(pair, which, t, s);
        if (weight < 0.004) continue;
        pen.fillStyle = `rgb(${ink.deep} / ${weight.toFixed(3)})`;
        pen.fillRect(x(s), t * cell, cell - gap, cell - gap);
      }
    }
    if (!active || pairOf(active.item) !== pair) return;
    pen.strokeStyle = ink.mark; pen.lineWidth = 1.5;
    if (active.side === "target") pen.strokeRect(0.75, active.place * cell + 0.25, width - 1.5, cell - 1.5);
    else pen.strokeRect(x(active.place) + 0.25, 0.75, cell - 1.5, height - 1.5);
  };
  const outline = (item, pair) => {
    for (const canvas of item.querySelectorAll("canvas")) draw(canvas, pair, canvas.which);
  };
  const fill = (item) => {
    const box = item.querySelector(".matrices"), pair = pairOf(item);
    if (box.children.length || !pair.across) return;
    const many = pair.heads > 1 ? [-1, ...Array(pair.heads).keys()] : [0];
    for (const which of many) {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas");
      canvas.which = which;
      canvas.cell = Math.max(2, Math.min(14, Math.floor((pair.heads > 1 ? 300 : 640) / Math.max(pair.across, pair.down))));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Weights of ${which < 0 ? "all heads on average" : `head ${which + 1}`}: units of the source across, of the target down`);
      figure.append(canvas);
      if (pair.heads > 1) {
        const caption = document.createElement("figcaption");
        caption.textContent = which < 0 ? "mean" : `head ${which + 1}`;
        figure.append(caption);
      }
      figure.classList.toggle("chosen", which === head);
      box.append(figure);
      draw(canvas, pair, which);
    }
  };
  const open = (item, wanted) => {
    item.querySelector(".open").setAttribute("aria-expanded", wanted);
    item.querySelector(".matrices").hidden = !wanted;
  };
  const near = new IntersectionObserver((seen) => {  // the matrices of hundreds of pairs are drawn as they come into sight
    for (const { target, isIntersecting } of seen) if (isIntersecting) { near.unobserve(target); fill(target); }
  }, { rootMargin: "400px" });

  // ---- who is pointed at ----
  const unitAt = (element) => {
    const span = element?.closest?.(".units > span");
    if (!span) return null;
    const item = span.closest("li"), side = span.parentElement.dataset.side;
    return { item, side, place: pairOf(item)[side].indexOf(span), span };
  };
  const cellAt = (event) => {
    const canvas = event.target, item = canvas.closest("li"), pair = pairOf(item), cell = canvas.cell;
    const s = Math.floor((event.offsetX) / cell), t = Math.floor(event.offsetY / cell);
    return t >= 0 && t < pair.down && s >= 0 && s < pair.across ? { item, side: "target", place: t } : null;
  };
  const same = (one, other) => Boolean(one && other && one.item === other.item && one.side === other.side && one.place === other.place);
  const main = document.querySelector("main");
  main.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") { const unit = unitAt(event.target); if (unit) show(unit); } });
  main.addEventListener("pointerout", (event) => { if (event.pointerType !== "touch" && (unitAt(event.target) || event.target.matches("canvas"))) show(null); });
  main.addEventListener("pointermove", (event) => { if (event.target.matches("canvas")) { const cell = cellAt(event); if (!same(cell, active)) show(cell); } });
  main.addEventListener("focusin", (event) => { const unit = unitAt(event.target); if (unit && event.target.matches(":focus-visible")) show(unit); });
  main.addEventListener("focusout", (event) => { if (unitAt(event.target)) show(null); });
  main.addEventListener("click", (event) => {
    const unit = unitAt(event.target), button = event.target.closest(".open");
    if (unit) { pinned = same(unit, pinned) ? null : unit; show(pinned); }
    else if (button) { open(button.closest("li"), button.getAttribute("aria-expanded") !== "true"); fill(button.closest("li")); }
  });
  const rove = (line, place) => {
    const units = line.children, next = units[Math.max(0, Math.min(units.length - 1, place))];
    for (const unit of units) unit.tabIndex = -1;
    next.tabIndex = 0; next.focus();
  };
  main.addEventListener("keydown", (event) => {
    const unit = unitAt(event.target);
    if (event.key === "Escape") { pinned = null; show(null); return; }
    if (!unit || event.altKey || event.ctrlKey || event.metaKey) return;
    const line = unit.span.parentElement, forward = getComputedStyle(line).direction === "rtl" ? -1 : 1;
    const steps = { ArrowRight: forward, ArrowLeft: -forward, Home: -Infinity, End: Infinity };
    if (event.key in steps) rove(line, unit.place + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") unit.span.click();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {  // to what it looked at most, or what did at it
      const { onto, weights } = spans(unit);
      if (onto.length) rove(onto[0].parentElement, weights.indexOf(Math.max(...weights)));
    } else return;
    event.preventDefault();
  });

  // ---- above the pairs ----
  for (const radio of document.querySelectorAll("[name=head]")) {
    radio.addEventListener("change", () => {
      const now = active;
      clear();
      head = radio.value === "mean" ? -1 : Number(radio.value) - 1;
      for (const canvas of document.querySelectorAll("canvas")) canvas.parentElement.classList.toggle("chosen", canvas.which === head);
      show(now);
    });
  }
  part("every").addEventListener("click", () => {
    const wanted = part("every").getAttribute("aria-pressed") !== "true";
    part("every").setAttribute("aria-pressed", wanted);
    for (const item of items) { open(item, wanted); if (wanted) near.observe(item); else near.unobserve(item); }
  });
  part("search").addEventListener("input", () => {
    const wanted = part("search").value.trim().toLowerCase();
    let left = 0;
    for (const item of items) {
      item.hidden = wanted !== "" && ![...item.querySelectorAll(".units")].some((line) => line.textContent.toLowerCase().includes(wanted));
      left += !item.hidden;
    }
    part("found").textContent = wanted === "" ? "" : `${left} of ${items.length}`;
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const [item, pair] of pairs) outline(item, pair); });

  for (const item of items) {
    for (const line of item.querySelectorAll(".units")) {
      [...line.children].forEach((unit, i) => { unit.tabIndex = i ? -1 : 0; unit.setAttribute("role", "button"); });
    }
    const [heads, , across] = packed[items.indexOf(item)];
    item.querySelector(".open").hidden = !(heads && across);
  }
  part("tools").hidden = items.length === 0;
  document.documentElement.dataset.ready = items.length;
})();
