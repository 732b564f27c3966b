// The 3D view: reads the scene out of the page, and answers to mouse, touch, keys and buttons.

const FRUSTUM = { distance: 1.6, depth: 0.13, width: 0.11 }; // of a drawn camera, in radii of the mesh
const MOVE_SECONDS = 0.35;

class Viewer {
  constructor(root, gl, scene, image) {
    this.root = root;
    this.scene = scene;
    this.stage = root.querySelector(".stage");
    this.canvas = root.querySelector("canvas");
    this.state = { mode: firstPressed(root, "mode"), wireframe: false, cameras: true, ink: [0, 0, 0, 1] };
    const centre = scene.low.map((value, k) => (value + scene.high[k]) / 2);
    const radius = reach(scene, centre) || 1;
    this.orbit = new Orbit(centre, radius);
    this.frusta = scene.cameras.map((camera) => frustum(camera, centre, radius));
    this.restart(gl, image);
    this.labels = this.frusta.map(({ name }) => this.label(name));
    this.setUpButtons();
    this.setUpPointers();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault()); // it may come back
    this.canvas.addEventListener("webglcontextrestored", () => this.restart(gl, image));
    new ResizeObserver(() => this.ask()).observe(this.stage);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.ask());
  }

  restart(gl, image) {
    this.renderer = new Renderer(gl, this.scene, this.frusta.flatMap(({ lines }) => lines), image);
    this.ask();
  }

  // Draws before the next frame; once, however often it is asked.
  ask() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = undefined;
      this.draw();
    });
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.state.ink = inkOf(this.stage);
    this.renderer.draw(this.orbit, this.canvas.width, this.canvas.height, this.state);
    this.placeLabels(width, height);
  }

  label(name) {
    const text = document.createElement("span");
    text.textContent = name;
    this.root.querySelector(".labels").append(text);
    return text;
  }

  placeLabels(width, height) {
    const matrix = this.orbit.matrix(width / height);
    this.labels.forEach((text, i) => {
      const { x, y, before } = project(matrix, this.frusta[i].top);
      const inside = before && Math.abs(x) < 1 && Math.abs(y) < 1;
      text.hidden = !(this.state.cameras && inside);
      const half = text.offsetWidth / 2;
      const middle = clamp(((x + 1) / 2) * width, half, width - half); // whole, where the camera is half outside
      text.style.transform = `translate(${middle - half}px, ${((1 - y) / 2) * height}px) translateY(-120%)`;
    });
  }

  setUpButtons() {
    const on = (selector, act) => {
      for (const button of this.root.querySelectorAll(selector)) button.addEventListener("click", () => act(button));
    };
    on("button[data-mode]", (button) => this.show(button.dataset.mode));
    on("button[data-toggle]", (button) => this.toggle(button.dataset.toggle));
    on("button[data-action=reset]", () => this.go(this.orbit.home()));
    for (const button of document.querySelectorAll("button[data-camera]")) {
      button.addEventListener("click", () => {
        this.go(this.orbit.towards(this.scene.cameras[Number(button.dataset.camera)].towards));
        if (!this.root.contains(button)) this.root.scrollIntoView({ behavior: still() ? "auto" : "smooth" });
      });
    }
    const full = this.root.querySelector("button[data-action=fullscreen]");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen()));
  }

  show(mode) {
    this.state.mode = mode;
    for (const button of this.root.querySelectorAll("button[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    for (const legend of this.root.querySelectorAll(".legend")) legend.hidden = legend.dataset.mode !== mode;
    this.ask();
  }

  toggle(key) {
    this.state[key] = !this.state[key];
    this.root.querySelector(`button[data-toggle=${key}]`).setAttribute("aria-pressed", String(this.state[key]));
    this.ask();
  }

  // Moves the eye there, unless motion is not wanted: then it is there at once.
  go(place) {
    const { azimuth, elevation, distance, target } = this.orbit;
    const turn = Math.atan2(Math.sin(place.azimuth - azimuth), Math.cos(place.azimuth - azimuth)); // the shorter way
    const began = performance.now();
    const step = (now) => {
      const t = still() ? 1 : Math.min((now - began) / (1000 * MOVE_SECONDS), 1);
      const share = t * t * (3 - 2 * t);
      const mix = (a, b) => a + share * (b - a);
      this.orbit.azimuth = azimuth + share * turn;
      this.orbit.elevation = mix(elevation, place.elevation);
      this.orbit.distance = mix(distance, place.distance);
      this.orbit.target = target.map((value, k) => mix(value, place.target[k]));
      this.ask();
      this.moving = t < 1 ? requestAnimationFrame(step) : undefined;
    };
    cancelAnimationFrame(this.moving);
    this.moving = requestAnimationFrame(step);
  }

  // One finger or the left button turns, the right one or Shift moves, two fingers move and zoom.
  setUpPointers() {
    const { canvas } = this;
    const fingers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      cancelAnimationFrame(this.moving);
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const after = [event.clientX, event.clientY];
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      fingers.set(event.pointerId, after);
      this.drag(before, after, other, event.shiftKey || (event.buttons & 6) !== 0);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => this.go(this.orbit.home()));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  drag(before, after, other, moves) {
    const size = this.stage.clientHeight;
    const [right, down] = [(after[0] - before[0]) / size, (after[1] - before[1]) / size];
    if (other) {
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      this.orbit.zoom(apart(before) / apart(after));
      this.orbit.move(right / 2, -down / 2);
    } else if (moves) {
      this.orbit.move(right, -down);
    } else {
      this.orbit.turn(4 * right, 4 * down);
    }
    this.ask();
  }

  // The page scrolls on, unless the view has been clicked or Ctrl is held.
  wheel(event) {
    if (document.activeElement !== this.canvas && !event.ctrlKey) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    this.orbit.zoom(Math.exp(clamp(pixels, -200, 200) / 600));
    this.ask();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow && event.shiftKey) this.orbit.move(0.05 * arrow[0], 0.05 * arrow[1]);
    else if (arrow) this.orbit.turn(-0.12 * arrow[0], 0.12 * arrow[1]);
    else if (event.key === "+" || event.key === "=") this.orbit.zoom(1 / 1.15);
    else if (event.key === "-") this.orbit.zoom(1.15);
    else if (event.key === "0") this.go(this.orbit.home());
    else return;
    event.preventDefault();
    this.ask();
  }
}

// A drawn camera: lines, its name, and the point above which the name stands. All stand at one distance.
function frustum({ name, axes, towards, perspective, aspect }, centre, radius) {
  const [right, up, back] = axes;
  const place = centre.map((value, k) => value + FRUSTUM.distance * radius * towards[k]);
  const at = (x, y, z) => place.map((value, k) => value + radius * (x * right[k] + y * up[k] - z * back[k]));
  const [w, h] = [FRUSTUM.width * Math.min(1, aspect), FRUSTUM.width / Math.max(1, aspect)];
  const corners = [[-w, -h], [w, -h], [w, h], [-w, h]];
  const narrow = perspective ? 0 : 1; // an orthographic one sees along parallel lines
  const front = corners.map(([x, y]) => at(x, y, FRUSTUM.depth));
  const rear = corners.map(([x, y]) => at(narrow * x, narrow * y, 0));
  const lines = corners.flatMap((_, i) => [
    ...rear[i], ...front[i], ...front[i], ...front[(i + 1) % 4], ...rear[i], ...rear[(i + 1) % 4],
  ]);
  const roof = [at(-0.4 * w, 1.15 * h, FRUSTUM.depth), at(0.4 * w, 1.15 * h, FRUSTUM.depth), at(0, 1.5 * h, FRUSTUM.depth)];
  roof.forEach((corner, i) => lines.push(...corner, ...roof[(i + 1) % 3])); // which side is up
  return { name, lines, top: at(0, 1.5 * h, FRUSTUM.depth) };
}

// How far the mesh's points are from its centre, at most.
function reach({ low, high, arrays }, centre) {
  const unit = subtract(high, low).map((value) => value / 65535);
  let most = 0;
  for (let i = 0; i < arrays.points.length; i += 3) {
    const [x, y, z] = [0, 1, 2].map((k) => low[k] + unit[k] * arrays.points[i + k] - centre[k]);
    most = Math.max(most, x * x + y * y + z * z);
  }
  return Math.sqrt(most);
}

function firstPressed(root, key) {
  return root.querySelector(`button[data-${key}][aria-pressed=true]`).dataset[key];
}

function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// The colour of the text, as WebGL takes it.
function inkOf(part) {
  const [red, green, blue] = getComputedStyle(part).color.match(/[\d.]+/g).map(Number);
  return [red / 255, green / 255, blue / 255, 0.9];
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function readScene() {
  const header = JSON.parse(document.getElementById("scene").textContent);
  const { buffer } = bytesOf(document.getElementById("scene-data").textContent);
  const types = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, uint32: Uint32Array };
  const arrays = Object.fromEntries(
    Object.entries(header.arrays).map(([name, { type, offset, length: count }]) => [name, new types[type](buffer, offset, count)]),
  );
  return { ...header, arrays, ramp: bytesOf(header.ramp) };
}

async function setUpViewer() {
  const root = document.querySelector(".viewer");
  const gl = root.querySelector("canvas").getContext("webgl2", { antialias: true });
  if (!gl) throw new Error("no WebGL 2");
  const image = document.getElementById("scene-texture");
  if (image) await image.decode();
  root.hidden = false;
  new Viewer(root, gl, readScene(), image);
  root.dataset.ready = "true";
}

document.documentElement.classList.add("script");
setUpViewer().catch((error) => {
  console.warn(error);
  document.querySelector(".viewer").hidden = true;
  document.getElementById("no-webgl").hidden = false;
  for (const button of document.querySelectorAll(".card button[data-camera]")) button.hidden = true;
});
