// The cockpit that `drive` shows (cockpit.py): a task on a canvas, steered by keys, pointer, finger.
// The car and the pendulum run here; any other task runs in the kernel, which sends pictures.

const { fround, cos, sin, PI } = Math;
const clip = (x, low, high) => Math.min(high, Math.max(low, x));
const wrapped = (angle) => angle - 2 * PI * Math.floor((angle + PI) / (2 * PI));
const signed = (x, digits = 1) => x.toFixed(digits).replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");

// One step of gymnasium's physics: from state and action in [-1, 1] to the next state, the reward
// and whether the episode has terminated.
export const physics = {
  // In float32, as gymnasium keeps the car's state.
  "MountainCarContinuous-v0": ([x, v], action) => {
    const push = fround(fround(action) * fround(0.0015));
    v = fround(v + fround(push - fround(0.0025 * cos(fround(3 * x)))));
    v = clip(v, -fround(0.07), fround(0.07));
    x = clip(fround(x + v), -fround(1.2), fround(0.6));
    if (x === -fround(1.2) && v < 0) v = 0;
    const terminated = x >= fround(0.45) && v >= 0;
    return { state: [x, v], reward: (terminated ? 100 : 0) - 0.1 * action ** 2, terminated };
  },
  // The angle is 0 when the rod is up; a positive torque turns it to the right.
  "Pendulum-v1": ([angle, speed], action) => {
    const torque = fround(2 * action);
    const reward = -(wrapped(angle) ** 2 + 0.1 * speed ** 2 + 0.001 * torque ** 2);
    speed = clip(speed + (15 * sin(angle) + fround(3 * torque)) * 0.05, -8, 8);
    return { state: [angle + speed * 0.05, speed], reward, terminated: false };
  },
};

// Roles and colours of the course's pictures; who drives here is a teacher.
const COLORS = {
  light: { paper: "#FFFFFF", ink: "#1F2933", note: "#3C4350", soft: "#EEF0F3", line: "#8A8F98",
    teacher: "#E69F00", push: "#C2410C", met: "#009E73" },
  dark: { paper: "#14181D", ink: "#F1F3F5", note: "#C4CAD1", soft: "#252B32", line: "#7C848E",
    teacher: "#F0B429", push: "#FF8A4C", met: "#2CC79A" },
}; // prettier-ignore
const BODY = [[-13, 4], [-13, 10], [-8, 11], [-5, 17], [5, 17], [8, 11], [13, 10], [13, 4]];
const STEPS = 64; // a pointer's action is a multiple of 1/64, which rounding leaves alone
const FRAME = 1000 / 30; // ms between two pictures

function pen(c, color) {
  const path = (points, close) => {
    c.beginPath();
    points.forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y)));
    if (close) c.closePath();
  };
  return {
    fill(points, name) { path(points, true); c.fillStyle = color[name]; c.fill(); },
    line(points, name, width) {
      path(points);
      Object.assign(c, { strokeStyle: color[name], lineWidth: width, lineCap: "round" });
      c.stroke();
    },
    dot(x, y, radius, name) {
      c.beginPath();
      c.arc(x, y, radius, 0, 2 * PI);
      c.fillStyle = color[name];
      c.fill();
    },
  }; // prettier-ignore
}

const pictures = {
  "MountainCarContinuous-v0"(draw, width, height, [x], action) {
    const scale = width / 1.92, size = clip(width / 360, 0.8, 1.5);
    const across = (x) => (x + 1.26) * scale;
    const up = (x, above = 0) => height * 0.56 - sin(3 * x) * height * 0.3 - above;
    const road = Array.from({ length: 97 }, (_, k) => -1.26 + k / 50).map((x) => [across(x), up(x)]);
    draw.fill([...road, [width, height], [0, height]], "soft");
    draw.line(road, "line", 1.5);
    const pole = [across(0.45), up(0.45)], at = (dx, dy) => [pole[0] + dx * size, pole[1] - dy * size];
    draw.line([pole, at(0, 36)], "met", 2);
    draw.fill([at(0, 36), at(15, 30), at(0, 24)], "met");
    // The car stands on the slope: along it and, upwards, across.
    const slope = Math.atan2(up(x - 0.01) - up(x + 0.01), 0.02 * scale);
    const place = ([a, b]) => [
      across(x) + size * (a * cos(slope) - b * sin(slope)),
      up(x) - size * (a * sin(slope) + b * cos(slope)),
    ];
    draw.fill(BODY.map(place), "teacher");
    for (const wheel of [-7.5, 7.5]) draw.dot(...place([wheel, 4]), 3.5 * size, "note");
    if (action) {
      const tip = 34 * action, back = tip - 8 * Math.sign(action);
      draw.line([[0, 25], [tip, 25]].map(place), "push", 3);
      draw.line([[back, 31], [tip, 25], [back, 19]].map(place), "push", 3);
    }
  },
  "Pendulum-v1"(draw, width, height, [angle], action) {
    const length = Math.min(width, height) * 0.42, middle = [width / 2, height / 2 - 6];
    const at = (a, r) => [middle[0] + r * sin(a), middle[1] - r * cos(a)];
    for (let k = 0; k < 60; k++) draw.dot(...at((k * PI) / 30, length), 0.8, "line");
    draw.line([middle, at(angle, length)], "teacher", 9);
    draw.dot(...middle, 4, "ink");
    if (action) {
      const turn = 1.9 * action, back = turn - 0.35 * clip(turn * 3, -1, 1), r = length * 0.36;
      draw.line(Array.from({ length: 25 }, (_, k) => at((turn * k) / 24, r)), "push", 3);
      draw.line([at(back, r - 6), at(turn, r), at(back, r + 6)], "push", 3);
    }
  },
};

// Where the physics run in the page: states and actions of finished episodes go to the kernel.
class Page {
  constructor(model, told) {
    const { name, starts, limit } = model.get("task");
    Object.assign(this, { model, told, starts, limit, next: this.count(model) });
    Object.assign(this, { move: physics[name], paint: pictures[name] });
    Object.assign(this, { dt: name === "Pendulum-v1" ? 50 : FRAME, smooth: name === "Pendulum-v1" });
    this.place();
    this.changed = () => told({});
    model.on("change:episodes", this.changed);
  }
  close() {
    this.model.off("change:episodes", this.changed);
  }
  count(model = this.model) {
    return model.get("episodes").length;
  }
  place() {
    this.state = this.before = this.starts[this.next % this.starts.length];
    Object.assign(this, { states: [this.state], actions: [], score: 0 });
  }
  start() {
    this.place();
    this.next++;
    this.told({ step: 0, score: 0 });
  }
  stop() {
    this.place();
  }
  step([action]) {
    const { state, reward, terminated } = this.move(this.state, action);
    [this.before, this.state] = [this.state, state];
    this.states.push(state);
    this.actions.push([action]);
    this.score += reward;
    const step = this.actions.length, truncated = step === this.limit;
    const end = terminated ? "terminated" : truncated ? "truncated" : "";
    if (end) {
      const { states, actions } = this;
      this.save([...this.model.get("episodes"), { states, actions }]);
    }
    this.told({ step, score: this.score, end });
  }
  undo() {
    this.save(this.model.get("episodes").slice(0, -1));
  }
  save(episodes) {
    this.model.set("episodes", episodes);
    this.model.save_changes();
  }
  draw(c, color, width, height, part, action) {
    const mix = (k) => this.before[k] + part * (this.state[k] - this.before[k]);
    const now = this.smooth ? [mix(0), mix(1)] : this.state;
    this.paint(pen(c, color), width, height, now, action[0]);
  }
}

// Where they run in the kernel: an action goes there, and the next waits for the picture.
class Kernel {
  constructor(model, told) {
    Object.assign(this, { model, told, dt: 1000 / model.get("task").fps, waiting: false });
    this.heard = async (news, buffers) => {
      if (news.kind === "frame") {
        const old = this.picture;
        this.picture = await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" }));
        old?.close();
      }
      this.waiting = false;
      told(news);
    };
    this.changed = () => told({});
    model.on("msg:custom", this.heard);
    model.on("change:count", this.changed);
    this.ask("look");
  }
  close() {
    this.model.off("msg:custom", this.heard);
    this.model.off("change:count", this.changed);
  }
  count() {
    return this.model.get("count");
  }
  ask(kind, more = {}) {
    this.model.send({ kind, ...more });
  }
  start() {
    this.waiting = true;
    this.ask("start");
  }
  stop() {
    this.ask("stop");
  }
  undo() {
    this.ask("undo");
  }
  step(action) {
    this.waiting = true;
    this.ask("step", { action });
  }
  draw(c, color, width, height) {
    if (!this.picture) return;
    const { width: w, height: h } = this.picture, scale = Math.min(width / w, (height - 18) / h);
    c.drawImage(this.picture, (width - w * scale) / 2, 0, w * scale, h * scale);
  }
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

class Cockpit {
  constructor(model, el) {
    this.task = model.get("task");
    Object.assign(this, { model, keys: new Set(), hand: null, running: false, away: false });
    Object.assign(this, { late: 0, frames: 0, numbers: { step: 0, score: 0 } });
    this.build(el);
    const told = (news) => this.told(news);
    this.engine = physics[this.task.name] && this.task.starts ? new Page(model, told) : new Kernel(model, told);
    this.say(`Start, then steer: ${this.task.dim > 1 ? "arrow" : "left and right arrow"} keys, or press on the picture and move.`);
    this.told({});
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
    this.watch = () => this.draw();
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", this.watch);
  }

  build(el) {
    const label = `${this.task.name}: arrow keys or the pointer steer, space starts, escape stops.`;
    this.canvas = element("canvas", { tabindex: 0, role: "application", "aria-label": label });
    this.canvas.style.touchAction = this.task.dim > 1 ? "none" : "pan-y";
    this.numbersLine = element("p", { class: "drive-numbers" });
    this.note = element("p", { class: "drive-note", role: "status" });
    const button = (text, act) => {
      const made = element("button", { type: "button" }, text);
      made.onclick = act;
      return made;
    };
    this.buttons = {
      start: button("Start", () => this.start()),
      stop: button("Stop", () => this.stop()),
      undo: button("Undo the last episode", () => this.undo()),
    };
    const bar = element("div", { class: "drive-buttons" }, ...Object.values(this.buttons));
    // JupyterLab's shortcuts keep out: an arrow key steers, and selects no other cell.
    this.root = element("div", { class: "drive", "data-lm-suppress-shortcuts": "true" },
      this.canvas, this.numbersLine, bar, this.note); // prettier-ignore
    this.root.cockpit = this; // for tests
    el.append(this.root);
    this.listen();
  }

  listen() {
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const part = (x, size) => clip((2.5 * x) / size - 1.25, -1, 1); // full force before the rim
      this.hand = [part(event.clientX - box.left, box.width), -part(event.clientY - box.top, box.height)];
    };
    this.canvas.onpointerdown = (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.canvas.focus({ preventScroll: true });
      place(event);
    };
    this.canvas.onpointermove = (event) => this.hand && place(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => (this.hand = null);
    this.root.onkeydown = (event) => {
      event.stopPropagation(); // from notebooks that listen further out
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const onCanvas = event.target === this.canvas;
      if (/^Arrow/.test(event.key) && (onCanvas || this.running)) this.keys.add(event.key);
      else if (event.key === "Escape") this.stop();
      else if (event.key === " " && onCanvas) this.start();
      else return;
      event.preventDefault();
    };
    this.root.onkeyup = (event) => this.keys.delete(event.key);
    // A driver who looks elsewhere finds the task as he left it.
    this.root.addEventListener("focusin", () => (this.away = false));
    this.root.addEventListener("focusout", (event) => {
      this.keys.clear();
      if (!this.root.contains(event.relatedTarget)) this.away = true;
      if (this.away && this.running) this.say("It waits: press on the picture to go on.");
    });
  }

  // Keys push with full force; without them the pointer pushes as far as it is from the middle.
  action() {
    const side = (more, less) => this.keys.has(more) - this.keys.has(less);
    const keys = [side("ArrowRight", "ArrowLeft"), side("ArrowUp", "ArrowDown")].slice(0, this.task.dim);
    if (keys.some(Boolean) || !this.hand) return keys;
    return this.hand.slice(0, this.task.dim).map((x) => Math.round(x * STEPS) / STEPS);
  }

  start() {
    if (this.running) return;
    Object.assign(this, { running: true, away: false, late: 0, time: null, drawn: 0 });
    this.canvas.focus({ preventScroll: true });
    this.say("");
    this.engine.start();
    this.asked = requestAnimationFrame((time) => this.frame(time));
  }

  stop() {
    if (!this.running) return;
    this.engine.stop();
    this.rest("Stopped: this episode is not kept.");
    this.numbers = { step: 0, score: 0 };
    this.told({});
    this.buttons.start.focus({ preventScroll: true });
  }

  undo() {
    if (this.running || !this.engine.count()) return;
    this.engine.undo();
    this.say("The last episode is forgotten.");
    if (!this.engine.count()) this.canvas.focus({ preventScroll: true });
  }

  rest(text) {
    this.running = false;
    cancelAnimationFrame(this.asked);
    this.say(text);
  }

  say(text) {
    this.note.textContent = text;
  }

  // What the engine has to say: numbers, the end of an episode, an error, or only a new count.
  told({ step, score, end, text }) {
    if (!this.engine) return; // it is being made
    if (step !== undefined && this.running) this.numbers = { step, score };
    if (text) this.rest(text);
    if (end && this.running) {
      const how = end === "terminated" ? `ended after ${step} steps` : `cut at its limit, ${step} steps`;
      this.rest(`Recorded: ${how}, return ${signed(score)}. Space starts the next.`);
    }
    const count = this.engine.count(), { step: now, score: so } = this.numbers;
    const most = this.task.limit ? ` of ${this.task.limit}` : "";
    this.numbersLine.textContent = `score ${signed(so)} · step ${now}${most} · recorded ${count}`;
    this.buttons.start.disabled = this.running;
    this.buttons.stop.disabled = !this.running;
    this.buttons.undo.disabled = this.running || !count;
    if (!this.running) this.draw();
  }

  frame(time) {
    if (!this.running) return;
    this.asked = requestAnimationFrame((next) => this.frame(next));
    const passed = clip(time - (this.time ?? time), 0, 100); // a hidden page stands still
    this.time = time;
    if (this.away) return;
    const { engine } = this;
    this.late = engine.waiting ? Math.min(this.late + passed, engine.dt) : this.late + passed;
    while (this.running && !engine.waiting && this.late >= engine.dt) {
      this.late -= engine.dt;
      engine.step(this.action());
    }
    if (time - this.drawn > FRAME - 8) { // of a screen with 60 a second, every other
      this.drawn = time;
      this.draw();
    }
  }

  // Dark is what stands on a dark page, whoever made it dark.
  dark() {
    for (let at = this.root; at; at = at.parentElement ?? at.getRootNode().host) {
      const [r, g, b, a = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g).map(Number);
      if (a > 0.5) return 0.3 * r + 0.6 * g + 0.1 * b < 128;
    }
    return this.scheme?.matches ?? false;
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas, ratio = devicePixelRatio || 1;
    if (!width || !this.engine) return;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    const name = this.dark() ? "dark" : "light", color = COLORS[name], c = this.canvas.getContext("2d");
    this.root.dataset.look = name;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = color.paper;
    c.fillRect(0, 0, width, height);
    const action = this.running ? this.action() : [0];
    const part = this.running ? clip(this.late / this.engine.dt, 0, 1) : 1;
    this.engine.draw(c, color, width, height, part, action);
    // How far to which side it pushes: where the pointer is, or all the way.
    const draw = pen(c, color), middle = width / 2, y = height - 9, half = width * 0.4;
    draw.line([[middle - half, y], [middle + half, y]], "line", 2);
    draw.line([[middle, y - 4], [middle, y + 4]], "line", 2);
    draw.dot(middle + half * action[0], y - 4 * (action[1] ?? 0), 6, "push");
    this.frames++;
  }

  close() {
    this.rest("");
    this.engine.close();
    this.resized.disconnect();
    this.scheme.removeEventListener("change", this.watch);
  }
}

export default {
  render({ model, el }) {
    const cockpit = new Cockpit(model, el);
    return () => cockpit.close();
  },
};
