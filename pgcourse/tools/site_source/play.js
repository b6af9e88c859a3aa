// The playable pendulum: gymnasium's Pendulum-v1, and a trained actor and critic, in the page.
// It asks nobody for anything: the networks come from files beside this one (tools/play.py).
"use strict";

const Play = (() => {
  const DT = 0.05, MAX_SPEED = 8; // s, rad/s: as in gymnasium
  const GAME = { gravity: 10, limit: 2, noise: 0 }; // m/s², N m, of the action: as in training
  const HERE = document.currentScript.src.replace(/[^/]*$/, "play/");
  const clip = (x, low, high) => Math.min(high, Math.max(low, x));
  const wrapped = (angle) => angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));

  // One step. The torque is the motor's and the reader's; the angle is 0 when the rod is up.
  function step([angle, speed], torque, gravity = GAME.gravity) {
    speed += (1.5 * gravity * Math.sin(angle) + 3 * torque) * DT;
    speed = clip(speed, -MAX_SPEED, MAX_SPEED);
    return [angle + speed * DT, speed];
  }

  function floats(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 4 }, (_, k) => view.getFloat32(4 * k, true));
  }

  // The last layer's one number, before any tanh; ReLU between the layers.
  function network({ sizes, weights }) {
    const w = floats(weights);
    const rows = sizes.map((size) => new Float32Array(size));
    return (...input) => {
      rows[0].set(input);
      let at = 0;
      for (let layer = 1; layer < sizes.length; layer++) {
        const [x, y] = [rows[layer - 1], rows[layer]], last = layer === sizes.length - 1;
        const bias = at + x.length * y.length;
        for (let i = 0; i < y.length; i++) {
          let sum = w[bias + i];
          for (let j = 0; j < x.length; j++) sum += w[at++] * x[j];
          y[i] = last || sum > 0 ? sum : 0;
        }
        at += y.length;
      }
      return rows[rows.length - 1][0];
    };
  }

  function agent(data) {
    const mu = network(data.actor), q = network(data.critic);
    const act = (angle, speed) => Math.tanh(mu(Math.cos(angle), Math.sin(angle), speed));
    const value = (angle, speed) =>
      q(Math.cos(angle), Math.sin(angle), speed, act(angle, speed));
    return { act, value, q };
  }

  // The near-optimal control has no network: it tries 21 torques against a table of values.
  function table({ values, points, gamma }) {
    const v = floats(values);
    const value = (angle, speed) => {
      const x = ((wrapped(angle) + Math.PI) / (2 * Math.PI)) * (points - 1);
      const y = ((speed + MAX_SPEED) / (2 * MAX_SPEED)) * (points - 1);
      const i = Math.min(Math.floor(x), points - 2), j = Math.min(Math.floor(y), points - 2);
      const at = (a, b) => v[(i + a) * points + j + b];
      const left = at(0, 0) + (y - j) * (at(0, 1) - at(0, 0));
      const right = at(1, 0) + (y - j) * (at(1, 1) - at(1, 0));
      return left + (x - i) * (right - left);
    };
    const act = (angle, speed, gravity = GAME.gravity, limit = GAME.limit) => {
      let best = -Infinity, action = 0;
      for (let k = -10; k <= 10; k++) {
        const torque = (k / 10) * limit;
        const found = -0.001 * torque ** 2 + gamma * value(...step([angle, speed], torque, gravity));
        if (found > best) [best, action] = [found, k / 10];
      }
      return action;
    };
    return { act, value };
  }

  // A player's file calls back: a script, and not fetch, so that it works from a folder, too.
  const data = {}, waiting = {};
  function player(name) {
    waiting[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${HERE}${name}.js`;
      script.onload = () => resolve(data[name].values ? table(data[name]) : agent(data[name]));
      script.onerror = reject;
      document.head.append(script);
    });
    return waiting[name];
  }

  // Roles and colours of the course's pictures; the levels are those of the near-optimal values,
  // and the same for every player, so that a colour means the same number.
  const INK = "#1F2933", NOTE = "#3C4350", TORQUE = "#C2410C", AXIS = "#8A8F98";
  const LEVELS = [-260, -200, -170, -150, -130, -120, -100, -87, -59, -24, 0];
  const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173",
    "#898578", "#a59c74", "#c2b369", "#e0cb56", "#fee838"]; // prettier-ignore
  const PLAYERS = {
    untrained: {
      label: "untrained", color: "#8A8F98", text: "#5A616B", line: "#FFFFFF", rim: "#5A616B",
      dash: [2, 4], note: "Its networks are as they began: hardly any torque, and one value " +
        "for every state.",
    },
    half: {
      label: "half-trained", color: "#0072B2", note: "After 2,000 steps, 100 s of the " +
        "pendulum's time, half of them at random.",
    },
    trained: {
      label: "trained", color: "#0072B2", note: "After 12,000 steps, ten minutes of the " +
        "pendulum's time, as in chapter 03. It never met another gravity, nor your hand.",
    },
    optimal: {
      label: "near-optimal", color: "#222222", dash: [6, 3], note: "No network: it looks one " +
        "step ahead in a table of the best values, made for gravity 10 and torque 2.",
    },
  };
  const SLIDERS = {
    gravity: ["Gravity", 0, 20, 0.5, (x) => `${x} m/s²`],
    limit: ["Torque limit", 0, 4, 0.1, (x) => `${x} N m`],
    noise: ["Noise", 0, 1, 0.05, (x) => `${Math.round(100 * x)} %`],
  };
  const PUSH = { force: 4, steps: 4 }; // N at the rod's end, 0.2 s
  const HAND = { spring: 6, most: 8 }; // N/m, N: a rubber band from the rod's end to the pointer
  const TRAIL = 10, PATH = 120; // steps: poses behind the rod, line on the map
  const ANGLES = 73, SPEEDS = 49, FINE = 4; // points of the map, pixels between two of them
  const signed = (x, digits) => x.toFixed(digits).replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  class Pendulum {
    constructor(root) {
      this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      Object.assign(this, { root, ...GAME, running: !this.still, hand: null, push: null });
      Object.assign(this, { late: 0, frames: 0, maps: {}, dirty: true });
      this.build();
      this.hang();
      new ResizeObserver(() => (this.dirty = true)).observe(root);
      new IntersectionObserver(([seen]) => this.look(seen.isIntersecting)).observe(root);
    }

    // --- what the reader sees and touches

    build() {
      const canvas = (label, more = {}) =>
        element("canvas", { role: "img", "aria-label": label, ...more });
      this.rod = canvas("A pendulum that an agent balances. Arrow keys push it, space pauses.",
        { class: "play-rod", tabindex: 0 });
      this.map = canvas("Map of the value over angle and velocity, and the rod's path on it.",
        { class: "play-map" });
      this.note = element("p", { class: "play-note", "aria-live": "polite" });
      const choice = element("fieldset", {}, element("legend", {}, "Who acts?"));
      for (const [name, { label }] of Object.entries(PLAYERS)) {
        const radio = element("input", { type: "radio", name: "play-player", value: name });
        radio.onchange = () => this.choose(name);
        choice.append(element("label", {}, radio, label));
      }
      this.button = element("button", { type: "button" });
      this.button.onclick = () => this.run(!this.running);
      const buttons = element("div", { class: "play-buttons" }, this.button);
      for (const [text, act] of [
        ["Push left", () => this.pushed(-1)],
        ["Push right", () => this.pushed(1)],
        ["Let it hang", () => this.hang()],
        ["Reset sliders", () => this.settings(GAME)],
      ]) {
        const button = element("button", { type: "button" }, text);
        button.onclick = act;
        buttons.append(button);
      }
      const sliders = element("div", { class: "play-sliders" });
      this.sliders = {};
      for (const [name, [text, min, max, step, words]] of Object.entries(SLIDERS)) {
        const input = element("input", { type: "range", min, max, step });
        const shown = element("output", {});
        input.oninput = () => this.settings({ [name]: Number(input.value) });
        this.sliders[name] = { input, shown, words };
        sliders.append(element("label", {}, element("span", {}, text), input, shown));
      }
      this.root.replaceChildren(this.rod, this.map, choice, this.note, buttons, sliders);
      this.settings({});
      this.listen();
    }

    listen() {
      const place = (event) => { // in metres from the pivot, y up
        const box = this.rod.getBoundingClientRect();
        const { scale, middle } = this.geometry(box.width, box.height);
        return [(event.clientX - box.left - middle[0]) / scale,
          (middle[1] - (event.clientY - box.top)) / scale]; // prettier-ignore
      };
      this.rod.onpointerdown = (event) => {
        this.rod.setPointerCapture(event.pointerId);
        this.hand = place(event);
        this.run(true);
      };
      this.rod.onpointermove = (event) => this.hand && (this.hand = place(event));
      this.rod.onpointerup = this.rod.onpointercancel = () => (this.hand = null);
      // A finger on the rod's circle pulls the rod; beside it, it scrolls the page.
      this.rod.addEventListener("touchstart", (event) => {
        if (Math.hypot(...place(event.touches[0])) < 1.2) event.preventDefault();
      }, { passive: false }); // prettier-ignore
      this.rod.onkeydown = (event) => {
        const keys = { ArrowLeft: () => this.pushed(-1), ArrowRight: () => this.pushed(1),
          " ": () => this.run(!this.running) }; // prettier-ignore
        if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        keys[event.key]();
      };
    }

    look(seen) {
      this.seen = seen;
      if (!seen || this.asked) return;
      if (!this.name) this.choose("trained");
      this.asked = requestAnimationFrame((time) => this.frame(time));
    }

    run(running) {
      Object.assign(this, { running, dirty: true });
      this.button.textContent = running ? "Pause" : "Play";
    }

    pushed(side) {
      this.push = { force: side * PUSH.force, left: PUSH.steps };
      this.run(true);
    }

    hang() {
      this.place([Math.PI, 0]);
      this.run(this.running);
    }

    place(state) {
      Object.assign(this, { state, before: state, torque: 0, upright: 0, late: 0 });
      Object.assign(this, { past: [state], dirty: true });
    }

    settings(changed) {
      Object.assign(this, changed, { dirty: true });
      for (const [name, { input, shown, words }] of Object.entries(this.sliders)) {
        input.value = this[name];
        shown.textContent = words(this[name]);
      }
    }

    async choose(name) {
      this.name = name;
      this.root.querySelector(`[value=${name}]`).checked = true;
      this.note.textContent = PLAYERS[name].note;
      try {
        const found = await player(name);
        if (this.name === name) Object.assign(this, { player: found, shown: name, dirty: true });
      } catch {
        this.note.textContent = "The networks could not be loaded.";
      }
    }

    // --- what happens

    // The motor's torque, and that of the reader's hand and pushes; noise: this action's, or 0.
    torques([angle, speed], noise) {
      const action = clip(this.player.act(angle, speed, this.gravity, this.limit) + noise, -1, 1);
      const [x, y] = [Math.sin(angle), Math.cos(angle)];
      let force = [this.push ? this.push.force : 0, 0];
      if (this.hand) {
        const pull = [this.hand[0] - x, this.hand[1] - y];
        const size = HAND.spring * Math.hypot(...pull);
        const strength = HAND.spring * Math.min(1, HAND.most / (size || 1));
        force = [force[0] + strength * pull[0], strength * pull[1]];
      }
      return [this.limit * action, y * force[0] - x * force[1]];
    }

    step() {
      const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
      const [motor, reader] = this.torques(this.state, this.noise * normal);
      [this.before, this.torque] = [this.state, motor];
      this.state = step(this.state, motor + reader, this.gravity);
      this.past = [...this.past, this.state].slice(-PATH);
      if (this.push && --this.push.left <= 0) this.push = null;
      this.upright = Math.abs(wrapped(this.state[0])) < 0.2 ? this.upright + DT : 0;
    }

    // Where the agent would take the rod without noise and hand: drawn while it stands still.
    ahead() {
      const states = [this.state];
      while (states.length < PATH) {
        const [angle, speed] = states[states.length - 1];
        const action = this.player.act(angle, speed, this.gravity, this.limit);
        states.push(step([angle, speed], this.limit * action, this.gravity));
      }
      return states;
    }

    frame(time) {
      this.asked = this.seen ? requestAnimationFrame((next) => this.frame(next)) : 0;
      const passed = clip((time - (this.time ?? time)) / 1000, 0, 0.1); // a hidden page stands still
      this.time = time;
      if (!this.player) return;
      if (this.running) {
        for (this.late += passed; this.late >= DT; this.late -= DT) this.step();
      }
      if (this.grow() || this.running || this.dirty) this.draw();
      this.dirty = false;
      this.frames++;
    }

    // --- the map: a few columns of it in each frame, so that no frame is late

    grow() {
      const map = (this.maps[this.shown] ??= { columns: [], image: this.blank() });
      if (map.columns.length === ANGLES) return false;
      const until = performance.now() + 4;
      while (map.columns.length < ANGLES && performance.now() < until) {
        const angle = -Math.PI + (2 * Math.PI * map.columns.length) / (ANGLES - 1);
        const value = (_, j) => this.player.value(angle, MAX_SPEED * ((2 * j) / (SPEEDS - 1) - 1));
        map.columns.push(Array.from({ length: SPEEDS }, value));
        if (map.columns.length > 1) this.paint(map);
      }
      return true;
    }

    blank() {
      return element("canvas", { width: (ANGLES - 1) * FINE, height: (SPEEDS - 1) * FINE });
    }

    // The strip between the last two columns, bilinear, in flat colours.
    paint({ columns, image }) {
      const [left, right] = columns.slice(-2), context = image.getContext("2d");
      for (let x = 0; x < FINE; x++) {
        const column = left.map((value, j) => value + ((x + 0.5) / FINE) * (right[j] - value));
        for (let y = 0; y < image.height; y++) {
          const j = Math.floor(y / FINE), part = (y + 0.5) / FINE - j;
          const value = column[j] + part * (column[j + 1] - column[j]);
          const level = LEVELS.slice(1, -1).filter((bound) => value >= bound).length;
          context.fillStyle = CIVIDIS[level];
          context.fillRect((columns.length - 2) * FINE + x, image.height - 1 - y, 1, 1);
        }
      }
    }

    // --- drawing

    // Pixels per metre, and the pivot; a line of words is above it, two are below.
    geometry(width, height) {
      const scale = Math.min(width, height - 70) / 2.15;
      return { scale, middle: [width / 2, (height - 14) / 2] };
    }

    fresh(canvas) {
      const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
      const size = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = "#FFFFFF";
      context.fillRect(0, 0, width, height);
      context.lineCap = context.lineJoin = "round";
      this.font ??= getComputedStyle(this.root).fontFamily;
      const write = (text, x, y, { color = NOTE, align = "center", weight = "", size = 12 } = {}) => {
        Object.assign(context, { fillStyle: color, textAlign: align, textBaseline: "middle" });
        context.font = `${weight} ${size}px ${this.font}`;
        context.fillText(text, x, y);
      };
      return { context, width, height, write };
    }

    draw() {
      const style = PLAYERS[this.shown], part = this.running ? this.late / DT : 1;
      // Within a step the angle grows evenly: so does the picture.
      const mix = (k) => this.before[k] + part * (this.state[k] - this.before[k]);
      const now = [mix(0), mix(1)], ahead = this.running ? null : this.ahead();
      this.drawRod(style, now, ahead);
      this.drawMap(style, now, ahead);
    }

    drawRod(style, [angle], ahead) {
      const { context: c, width, height, write } = this.fresh(this.rod);
      const { scale, middle } = this.geometry(width, height);
      const tip = (a) => [middle[0] + scale * Math.sin(a), middle[1] - scale * Math.cos(a)];
      const line = (from, to, color, thick, dash = []) => {
        c.setLineDash(dash);
        Object.assign(c, { strokeStyle: color, lineWidth: thick });
        c.beginPath();
        c.moveTo(...from);
        c.lineTo(...to);
        c.stroke();
      };
      c.setLineDash([2, 3]);
      Object.assign(c, { strokeStyle: "#D5D9DE", lineWidth: 1 });
      c.beginPath();
      c.arc(...middle, scale, 0, 2 * Math.PI);
      c.stroke();
      const poses = ahead ? ahead.filter((_, k) => k % 4 === 3) : this.past.slice(-TRAIL, -1);
      poses.forEach(([a], k) => {
        c.globalAlpha = 0.06 + (0.24 * k) / poses.length;
        line(middle, tip(a), style.color, 6);
      });
      c.globalAlpha = 1;
      line(middle, tip(angle), style.color, 8);
      if (this.hand) {
        const hand = [middle[0] + scale * this.hand[0], middle[1] - scale * this.hand[1]];
        line(tip(angle), hand, INK, 1.5, [4, 3]);
      } else if (this.push) {
        const [x, y] = tip(angle), side = Math.sign(this.push.force);
        line([x - side * 40, y], [x - side * 10, y], INK, 3);
        line([x - side * 18, y - 6], [x - side * 10, y], INK, 3);
        line([x - side * 18, y + 6], [x - side * 10, y], INK, 3);
      }
      this.drawTorque(c, middle, scale * 0.34, line);
      c.fillStyle = INK;
      c.beginPath();
      c.arc(...middle, 3.5, 0, 2 * Math.PI);
      c.fill();
      write(style.label, middle[0], 14, { color: style.text ?? style.color, weight: "bold", size: 14 });
      const seconds = this.upright ? `up for ${this.upright.toFixed(0)} s` : "";
      const words = [`${signed((wrapped(angle) * 180) / Math.PI, 0)}°`, seconds].filter(Boolean);
      write(ahead ? "the next 6 s, a pose every 0.2 s" : words.join("   "), middle[0], height - 26);
      write(`arrow: torque ${signed(this.torque, 1)} N m`, middle[0], height - 10, { color: TORQUE });
    }

    drawTorque(c, middle, radius, line) {
      const turn = clip((this.torque / GAME.limit) * 1.9, -2.8, 2.8), side = Math.sign(turn);
      if (Math.abs(turn) < 0.1) return;
      c.setLineDash([]);
      Object.assign(c, { strokeStyle: TORQUE, lineWidth: 2.5 });
      c.beginPath();
      c.arc(...middle, radius, -Math.PI / 2, turn - Math.PI / 2, turn < 0);
      c.stroke();
      const at = (a, r) => [middle[0] + r * Math.sin(a), middle[1] - r * Math.cos(a)];
      const back = turn - side * Math.min(0.35, Math.abs(turn));
      for (const r of [radius - 5, radius + 5]) line(at(back, r), at(turn, radius), TORQUE, 2.5);
    }

    drawMap(style, now, ahead) {
      const { context: c, width, height, write } = this.fresh(this.map);
      const [left, top, right, bottom] = [30, 28, width - 54, height - 38];
      const x = (angle) => left + ((angle + Math.PI) / (2 * Math.PI)) * (right - left);
      const y = (speed) => bottom - ((speed + MAX_SPEED) / (2 * MAX_SPEED)) * (bottom - top);
      c.imageSmoothingEnabled = true;
      c.drawImage(this.maps[this.shown].image, left, top, right - left, bottom - top);
      const whose = this.shown === "optimal" ? "the best value" : "the critic's value";
      write(`Path over ${whose}`, left, 13, { align: "left", weight: "bold", size: 13, color: INK });
      ["hanging", "−90°", "up", "90°", "hanging"].forEach((text, k) => {
        const align = ["left", "center", "center", "center", "right"][k];
        write(text, left + (k * (right - left)) / 4, bottom + 12, { align, size: 11 });
      });
      for (const speed of [-8, -4, 0, 4, 8]) {
        write(signed(speed, 0), left - 6, y(speed), { align: "right", size: 11 });
      }
      write("angle; upwards: velocity (rad/s)", (left + right) / 2, height - 10);
      CIVIDIS.forEach((color, k) => {
        const size = (bottom - top) / CIVIDIS.length;
        c.fillStyle = color;
        c.fillRect(right + 6, bottom - (k + 1) * size, 8, size + 0.5);
      });
      LEVELS.forEach((level, k) => {
        const at = bottom - (k * (bottom - top)) / CIVIDIS.length;
        write(signed(level, 0), right + 17, at, { align: "left", size: 11 });
      });
      this.drawPath(c, style, [...(ahead ?? this.past.slice(0, -1)), ...(ahead ? [] : [now])], x, y);
      Object.assign(c, { fillStyle: style.color, strokeStyle: "#FFFFFF", lineWidth: 2 });
      c.setLineDash([]);
      c.beginPath();
      c.arc(x(wrapped(now[0])), y(now[1]), 6, 0, 2 * Math.PI);
      c.fill();
      c.stroke();
      Object.assign(c, { strokeStyle: AXIS, lineWidth: 0.8 });
      c.strokeRect(left, top, right - left, bottom - top);
    }

    // A line with a rim, broken where the angle jumps from one edge to the other.
    drawPath(c, style, states, x, y) {
      c.beginPath();
      let last = Infinity;
      for (const [angle, speed] of states) {
        const a = wrapped(angle);
        if (Math.abs(a - last) < Math.PI) c.lineTo(x(a), y(speed));
        else c.moveTo(x(a), y(speed));
        last = a;
      }
      c.setLineDash([]);
      Object.assign(c, { strokeStyle: style.rim ?? "#FFFFFF", lineWidth: 4 });
      c.stroke();
      c.setLineDash(style.dash ?? []);
      Object.assign(c, { strokeStyle: style.line ?? style.color, lineWidth: 2 });
      c.stroke();
    }
  }

  addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll(".play")) root.pendulum = new Pendulum(root);
  });
  return { data, player, step, network, table };
})();
