// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright: (c) 2026, darwin.jail contributors
"use strict";
// Shows what is in the element "data". What comes from jails becomes text, by textContent alone.
const report = JSON.parse(document.getElementById("data").textContent);
const columns = [
  ["mac", "Mac"], ["jail", "Jail"], ["macos", "macOS"], ["build", "Build"], ["age_days", "Age"], ["size", "Size"],
  ["drift", "Drift"], ["services", "Services"], ["health", "Health"], ["host_drift", "Host drift"],
];
const worst = ["unknown", "critical", "warning", "ok"];
const lists = [
  ["libraries", "Missing libraries"], ["killed", "Files that will be killed"], ["changed", "Changed system files"],
  ["missing", "Missing system files"], ["kept", "Changed configuration, which is kept"],
  ["damaged", "Damaged programs and libraries"], ["foreign", "What others put there"], ["mounts", "Mounts"],
  ["jobs", "launchd jobs"], ["service_states", "Services"],
];
const sorting = { by: "health", down: false };
const opened = new Set();
const at = (id) => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function bytes(count) {
  let unit = 0;
  for (; count >= 1000 && unit < 4; unit++) count /= 1000;
  return (unit ? count.toFixed(1) : count) + " " + ["bytes", "kB", "MB", "GB", "TB"][unit];
}

function shown(jail, key) {
  const value = jail[key];
  if (value === null || value === "") return "";
  if (key === "age_days") return value + (value === 1 ? " day" : " days");
  if (key === "size") return bytes(value);
  return String(value);
}

// -- the table

function compare(one, other) {
  const [a, b] = [one[sorting.by], other[sorting.by]];
  const unknown = (value) => value === null || value === "";
  if (unknown(a) || unknown(b)) return unknown(a) - unknown(b);
  let order;
  if (sorting.by === "health") order = worst.indexOf(a) - worst.indexOf(b);
  else if (typeof a === "number") order = a - b;
  else order = a.localeCompare(b, "en", { numeric: true });
  return sorting.down ? -order : order;
}

function wanted(jail) {
  const health = at("health").value;
  if (health && jail.health !== health) return false;
  const text = [jail.mac, jail.jail, jail.path, jail.macos, jail.build, jail.services, jail.health, jail.host_drift,
    ...jail.said];
  const searched = text.join("\n").toLowerCase();
  return at("words").value.toLowerCase().split(/\s+/).every((word) => searched.includes(word));
}

function row(jail) {
  const made = element("tr");
  // In what it lags behind has a column of its own.
  const said = jail.said.filter((why) => !jail.host_drift.includes(why));
  for (const [key, label] of columns) {
    const text = shown(jail, key);
    let cell;
    if (key === "jail") {
      const open = opened.has(jail);
      cell = element("td", { "data-label": label, class: key },
        element("button", { type: "button", class: "open", "aria-expanded": open, onclick: () => toggle(jail) }, text));
    } else if (key === "health") {
      cell = element("td", { "data-label": label }, element("span", { class: "health " + jail.health }, text),
        ...said.slice(0, 2).map((why) => element("div", { class: "dim" }, why.slice(0, 200))));
    } else {
      const number = ["age_days", "size", "drift"].includes(key);
      cell = element("td", text ? { "data-label": label, class: number ? "number" : key } : {}, text);
    }
    made.append(cell);
  }
  return made;
}

function toggle(jail) {
  if (!opened.delete(jail)) opened.add(jail);
  draw();
  for (const button of document.querySelectorAll("button.open")) if (button.textContent === jail.jail) button.focus();
}

function draw() {
  at("columns").replaceChildren(...columns.map(([key, label]) => {
    const order = sorting.by === key ? { "aria-sort": sorting.down ? "descending" : "ascending" } : {};
    const sort = () => {
      sorting.down = sorting.by === key && !sorting.down;
      sorting.by = key;
      draw();
      at("columns").children[columns.findIndex((one) => one[0] === key)].firstChild.focus();
    };
    return element("th", { scope: "col", ...order }, element("button", { type: "button", onclick: sort }, label));
  }));
  const rows = report.jails.filter(wanted).sort(compare);
  at("count").textContent = rows.length + " of " + report.jails.length + " jails";
  at("jails").replaceChildren(...rows.flatMap((jail) => opened.has(jail) ? [row(jail), detail(jail)] : [row(jail)]));
  for (const map of document.querySelectorAll(".map")) map.arrange();
}

// -- one jail

function detail(jail) {
  const parts = [element("section", {}, element("h2", {}, jail.jail + " on " + jail.mac),
    element("p", { class: "dim" }, jail.path + (jail.built ? ", built " + jail.built : "")),
    element("ul", {}, ...jail.said.map((why) => element("li", {}, why))))];
  if (jail.places.length) parts.push(treemap(jail));
  for (const [key, label] of lists) {
    const total = jail[key + "_total"];
    if (!total) continue;
    const items = jail[key].map(([what, why]) => element("li", {}, element("code", {}, what), why ? " " + why : ""));
    if (total > items.length) items.push(element("li", { class: "dim" }, "and " + (total - items.length) + " more"));
    parts.push(element("details", {}, element("summary", {}, label + " (" + total + ")"), element("ul", {}, ...items)));
  }
  return element("tr", { class: "detail" }, element("td", { colspan: columns.length }, ...parts));
}

// Nodes of a directory tree. Whatever is in the list, the directories above it are, too.
function tree(places) {
  const nodes = new Map();
  for (const [path, size, directory] of places) {
    const node = { path, size, directory, children: [], name: path.slice(path.lastIndexOf("/") + 1) || "/" };
    nodes.set(path, node);
    let above = path;
    while (above !== "/" && above) {
      above = above.slice(0, above.lastIndexOf("/")) || "/";
      if (nodes.has(above)) break;
    }
    if (path !== "/" && nodes.has(above)) Object.assign(node, { above: nodes.get(above) }).above.children.push(node);
  }
  return nodes.get("/");
}

function treemap(jail) {
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Directories above, in " + jail.jail });
  const map = element("div", { class: "map", role: "group", "aria-label": "Sizes in " + jail.jail });
  let here = tree(jail.places);
  map.arrange = () => {
    const above = [];
    for (let node = here; node; node = node.above) above.unshift(node);
    crumbs.replaceChildren(...above.map((node) => element("button",
      { type: "button", onclick: () => enter(node), ...(node === here ? { "aria-current": "true" } : {}) },
      node.name + " " + bytes(node.size))));
    map.replaceChildren(...tiles(here, map.clientWidth, map.clientHeight, enter));
  };
  function enter(node) {
    here = node;
    map.arrange();
    crumbs.lastChild.focus();
  }
  const groups = Object.entries(jail.sizes).filter(([, size]) => size > 0).sort((a, b) => b[1] - a[1]);
  const summed = groups.map(([group, size]) => group.replace("_", " ") + " " + bytes(size)).join(", ");
  return element("section", {}, element("h2", {}, "Where the gigabytes are"), element("p", { class: "dim" }, summed),
    crumbs, map);
}

function tiles(here, width, height, enter) {
  const rest = here.size - here.children.reduce((sum, node) => sum + node.size, 0);
  const nodes = here.children.map((node, hue) => ({ ...node, node, hue: (hue * 47 + 210) % 360 }));
  if (rest > 0) nodes.push({ name: here.children.length ? "others" : here.name, size: rest, hue: 0, children: [] });
  nodes.sort((a, b) => b.size - a.size);
  return squarified(nodes, width, height).map(([node, x, y, w, h]) => {
    const said = node.name + ", " + bytes(node.size);
    // What has no room is only in the title.
    const lines = w < 52 ? 0 : Math.floor((h - 8) / 16);
    const label = [node.name, bytes(node.size)].slice(0, Math.max(0, lines)).map((line) => element("span", {}, line));
    const tile = node.children.length
      ? element("button", { type: "button", class: "tile", title: said, "aria-label": said, onclick: () => enter(node.node) }, ...label)
      : element("div", { class: node.node ? "tile" : "tile rest", title: said }, ...label);
    if (node.node) tile.style.setProperty("--hue", node.hue);
    for (const [side, value] of Object.entries({ left: x, top: y, width: w, height: h })) tile.style[side] = value + "px";
    return tile;
  });
}

// Rectangles as square as can be: a strip is filled along the shorter side as long as that makes it better.
function squarified(nodes, width, height) {
  const placed = [];
  let [x, y, w, h, left, begin] = [0, 0, width, height, nodes.reduce((sum, node) => sum + node.size, 0), 0];
  const ugly = (strip, sum) => {
    const thick = sum / left * Math.max(w, h);
    return Math.max(...strip.map((node) => {
      const long = node.size / sum * Math.min(w, h);
      return Math.max(long / thick, thick / long);
    }));
  };
  while (begin < nodes.length && left > 0) {
    let end = begin + 1;
    let sum = nodes[begin].size;
    while (end < nodes.length
      && ugly(nodes.slice(begin, end + 1), sum + nodes[end].size) <= ugly(nodes.slice(begin, end), sum)) sum += nodes[end++].size;
    const thick = sum / left * Math.max(w, h);
    let along = 0;
    for (const node of nodes.slice(begin, end)) {
      const long = node.size / sum * Math.min(w, h);
      placed.push(w >= h ? [node, x, y + along, thick, long] : [node, x + along, y, long, thick]);
      along += long;
    }
    if (w >= h) [x, w] = [x + thick, w - thick];
    else [y, h] = [y + thick, h - thick];
    left -= sum;
    begin = end;
  }
  return placed;
}

at("about").textContent = "Made " + report.made + ". " + worst.map((health) =>
  report.jails.filter((jail) => jail.health === health).length + " " + health).join(", ") + ".";
at("asked").addEventListener("submit", (event) => event.preventDefault());
at("words").addEventListener("input", draw);
at("health").addEventListener("change", draw);
addEventListener("resize", () => document.querySelectorAll(".map").forEach((map) => map.arrange()));
draw();
