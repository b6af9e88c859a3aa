"""A cockpit on a page of its own, and somebody at its keys who is about as slow as a person."""

import base64
import random
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "pgcourse" / "display"
# What the page needs of a widget's model.
PAGE = """<!doctype html><meta charset="utf-8"><style>%s</style><div id="here"></div>
<script type="module">
    const code = await import("data:text/javascript;base64,%s");
    class Model {
        heard = {}; sent = [];
        constructor(state) { this.state = state; }
        get(name) { return this.state[name]; }
        set(name, value) {
            this.state[name] = value;
            for (const each of this.heard["change:" + name] ?? []) each();
        }
        save_changes() {}
        on(name, call) { (this.heard[name] ??= []).push(call); }
        off(name, call) { this.heard[name] = this.heard[name].filter((each) => each !== call); }
        send(content) { this.sent.push(content); }
    }
    window.physics = code.physics;
    window.show = (state) => {
        const el = document.getElementById("here");
        window.model = new Model(state);
        window.close_it = code.default.render({ model: window.model, el });
        window.it = el.querySelector(".drive").cockpit;
    };
    window.ready = true;
</script>"""
CAR, PENDULUM = "MountainCarContinuous-v0", "Pendulum-v1"
STARTS = {CAR: [[-0.5, 0.0], [-0.45, 0.0], [-0.58, 0.0]], PENDULUM: [[3.0, 0.5], [-1.0, 0.0]]}
LIMITS = {CAR: 999, PENDULUM: 200}


def cockpit(page, name, starts=None, **task):
    """Put a cockpit on an empty page."""
    code, style = ((SOURCE / f"drive.{kind}").read_bytes() for kind in ("js", "css"))
    page.set_content(PAGE % (style.decode(), base64.b64encode(code).decode()))
    page.wait_for_function("window.ready")
    task = {"name": name, "dim": 1, "limit": LIMITS[name], "starts": starts or STARTS[name]} | task
    page.evaluate("state => show(state)", {"task": task, "episodes": [], "count": 0})


def drive_car(page, rng, here="window.it"):
    """Drive one episode by the arrow keys, along the velocity, as slowly as a person.

    He sees which way the car goes a fifth of a second late, lets go of one key before he presses
    the other, and now and then takes his finger off for a moment.
    """
    page.keyboard.press(" ")
    held, seen, until = None, [], 0.0
    while page.evaluate(f"{here}.running"):
        now, speed = page.evaluate(f"[performance.now(), {here}.engine.state[1]]")
        seen.append((now, speed))
        late = now - rng.gauss(200, 40)
        then = next((v for at, v in reversed(seen) if at <= late), 0.0)
        if now >= until:
            wanted = "ArrowLeft" if then < -0.002 else "ArrowRight" if then > 0.002 else held
            if wanted is None:
                wanted = rng.choice(["ArrowLeft", "ArrowRight"])
            if rng.random() < 0.02:
                wanted = None
            if wanted != held and held:
                page.keyboard.up(held)
                held, until = None, now + rng.uniform(60, 160)
            elif wanted and not held:
                page.keyboard.down(wanted)
                held = wanted
            if wanted is None:
                until = now + rng.uniform(100, 400)
        page.wait_for_timeout(30)
    if held:
        page.keyboard.up(held)


def driver(seed):
    """Return a driver's random stream."""
    return random.Random(seed)
