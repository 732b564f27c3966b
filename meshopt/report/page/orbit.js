// Where the viewer's eye is: it circles a target at some azimuth, elevation and distance. Matrices are column by column.

const FIELD_OF_VIEW = (30 * Math.PI) / 180;
const FARTHEST = 4; // times the distance at which the mesh fills the view
const STEEPEST = 1.55; // radians; straight up there would be no up

class Orbit {
  // `centre` and `radius` of a sphere around what is to be seen.
  constructor(centre, radius) {
    this.centre = centre;
    this.radius = radius;
    this.reset();
  }

  reset() {
    Object.assign(this, this.home());
  }

  // A little to the right and above of the front.
  home() {
    return { azimuth: 0.45, elevation: 0.25, distance: this.farthest() / FARTHEST, target: [...this.centre] };
  }

  farthest() {
    return (FARTHEST * 1.1 * this.radius) / Math.sin(FIELD_OF_VIEW / 2);
  }

  // The place from which the camera in direction `towards` looks at the centre.
  towards([x, y, z]) {
    const elevation = Math.asin(Math.max(-1, Math.min(1, y)));
    return { ...this.home(), azimuth: Math.atan2(x, z), elevation: clamp(elevation, -STEEPEST, STEEPEST) };
  }

  turn(right, up) {
    this.azimuth -= right;
    this.elevation = clamp(this.elevation + up, -STEEPEST, STEEPEST);
  }

  zoom(factor) {
    this.distance = clamp(this.distance * factor, 0.05 * this.radius, this.farthest());
  }

  // Moves what is seen by shares of the picture's height.
  move(right, up) {
    const size = 2 * this.distance * Math.tan(FIELD_OF_VIEW / 2);
    const [x, y] = this.axes();
    this.target = this.target.map((value, k) => value - size * (right * x[k] + up * y[k]));
  }

  // Right, up and back of the eye.
  axes() {
    const [sa, ca] = [Math.sin(this.azimuth), Math.cos(this.azimuth)];
    const [se, ce] = [Math.sin(this.elevation), Math.cos(this.elevation)];
    return [
      [ca, 0, -sa],
      [-sa * se, ce, -ca * se],
      [sa * ce, se, ca * ce],
    ];
  }

  // World to clip space for a picture of this aspect (width / height); narrow ones show no less from side to side.
  matrix(aspect) {
    const [x, y, z] = this.axes();
    const eye = this.target.map((value, k) => value + this.distance * z[k]);
    const scale = 1 / Math.tan(FIELD_OF_VIEW / 2) / Math.max(1, 1 / aspect);
    const far = this.distance + 6 * this.radius + length(subtract(this.target, this.centre));
    const near = far / 2000;
    const a = (far + near) / (near - far);
    const b = (2 * far * near) / (near - far);
    const rows = [
      [...x.map((v) => (v * scale) / Math.max(aspect, 1e-6)), (-dot(x, eye) * scale) / Math.max(aspect, 1e-6)],
      [...y.map((v) => v * scale), -dot(y, eye) * scale],
      [...z.map((v) => v * a), -dot(z, eye) * a + b],
      [...z.map((v) => -v), dot(z, eye)],
    ];
    return new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column])));
  }
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function subtract(a, b) {
  return a.map((value, k) => value - b[k]);
}

function length(a) {
  return Math.sqrt(dot(a, a));
}

// Where a matrix takes a point: x and y in [-1, 1] across the picture, and whether it is before the eye.
function project(matrix, point) {
  const clip = [0, 1, 3].map((row) => dot([matrix[row], matrix[4 + row], matrix[8 + row]], point) + matrix[12 + row]);
  return { x: clip[0] / clip[2], y: clip[1] / clip[2], before: clip[2] > 0 };
}
