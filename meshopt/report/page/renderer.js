// WebGL 2: the mesh with its colours, normals, shape or errors, its edges, and the cameras as lines.

const MODES = { colours: 0, normals: 1, shaded: 2, error: 3 };

const SURFACE = {
  vertex: `#version 300 es
    uniform mat4 u_matrix;
    uniform vec3 u_low, u_size;
    in vec3 a_point, a_normal, a_color;
    in vec2 a_uv, a_error;
    out vec3 v_normal, v_color;
    out vec2 v_uv, v_error;
    void main() {
      gl_Position = u_matrix * vec4(u_low + u_size * a_point, 1.0);
      v_normal = a_normal;
      v_color = a_color;
      v_uv = a_uv;
      v_error = a_error;
    }`,
  fragment: `#version 300 es
    precision highp float;
    uniform int u_mode;
    uniform bool u_textured;
    uniform vec3 u_right, u_up, u_back;
    uniform sampler2D u_texture, u_ramp;
    in vec3 v_normal, v_color;
    in vec2 v_uv, v_error;
    out vec4 color;
    vec3 shaded(vec3 normal) {
      if (!gl_FrontFacing) return vec3(0.72, 0.25, 0.2) * (0.6 + 0.4 * abs(dot(normal, u_back)));
      float key = max(dot(normal, normalize(u_back + 0.5 * u_up - 0.6 * u_right)), 0.0);
      float fill = max(dot(normal, normalize(u_back - 0.2 * u_up + 0.9 * u_right)), 0.0);
      return vec3(0.14, 0.145, 0.16) + 0.62 * key * vec3(1.0, 0.98, 0.95) + 0.2 * fill * vec3(0.9, 0.95, 1.0);
    }
    void main() {
      vec3 normal = normalize(v_normal + vec3(1e-9));
      vec3 found;
      if (u_mode == 0) {
        found = u_textured ? texture(u_texture, v_uv).rgb : v_color;
      } else if (u_mode == 1) {
        found = 0.5 * normal + 0.5;
      } else if (u_mode == 2) {
        found = shaded(normal);
      } else {
        vec3 unknown = vec3(0.55, 0.575, 0.62);
        float level = v_error.x / max(v_error.y, 1e-3);
        found = v_error.y < 0.5 ? unknown : texture(u_ramp, vec2(level * 255.0 / 256.0 + 0.5 / 256.0, 0.5)).rgb;
      }
      color = vec4(found, 1.0);
    }`,
};

const LINES = {
  vertex: `#version 300 es
    uniform mat4 u_matrix;
    uniform vec3 u_low, u_size;
    in vec3 a_point;
    void main() {
      gl_Position = u_matrix * vec4(u_low + u_size * a_point, 1.0);
    }`,
  fragment: `#version 300 es
    precision highp float;
    uniform vec4 u_color;
    out vec4 color;
    void main() { color = vec4(u_color.rgb * u_color.a, u_color.a); }`,
};

// `scene`: header, and typed arrays by name. `cameras`: ends of lines, in world coordinates.
class Renderer {
  constructor(gl, scene, cameras, image) {
    this.gl = gl;
    this.scene = scene;
    this.surface = program(gl, SURFACE);
    this.lines = program(gl, LINES);
    this.placement = { u_low: scene.low, u_size: subtract(scene.high, scene.low) };
    this.textured = Boolean(image && scene.arrays.uv);
    this.mesh = this.meshArrays();
    this.edges = null; // made when they are asked for
    this.cameras = this.cameraArrays(cameras);
    this.ramp = texture(gl, { pixels: scene.ramp, width: 256, height: 1 });
    this.image = texture(gl, this.textured ? { image } : { pixels: new Uint8Array(3), width: 1, height: 1 });
  }

  meshArrays() {
    const { gl, surface } = this;
    const { points, normals, colors, uv, errors, faces } = this.scene.arrays;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    this.points = attribute(gl, surface, "a_point", points, 3);
    attribute(gl, surface, "a_normal", normals, 3);
    if (colors) attribute(gl, surface, "a_color", colors, 3);
    if (uv) attribute(gl, surface, "a_uv", uv, 2);
    if (errors) attribute(gl, surface, "a_error", errors, 2);
    elements(gl, faces);
    return { array, count: faces.length, type: indexType(gl, faces) };
  }

  edgeArrays() {
    const { gl, lines } = this;
    const ends = uniqueEdges(this.scene.arrays.faces, this.scene.arrays.points.length / 3);
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    point(gl, lines, this.scene.arrays.points);
    elements(gl, ends);
    return { array, count: ends.length, type: gl.UNSIGNED_INT };
  }

  cameraArrays(cameras) {
    const { gl, lines } = this;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    attribute(gl, lines, "a_point", new Float32Array(cameras), 3);
    return { array, count: cameras.length / 3 };
  }

  // What is drawn: `mode`, `wireframe`, `cameras`, and `ink`, the colour of cameras.
  draw(orbit, width, height, { mode, wireframe, cameras, ink }) {
    const { gl } = this;
    const matrix = orbit.matrix(width / height);
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.drawSurface(matrix, orbit.axes(), mode);
    if (wireframe) {
      this.edges ??= this.edgeArrays();
      this.drawLines(this.edges, matrix, this.placement, mode === "error" ? [1, 1, 1, 0.2] : [0, 0, 0, 0.25]);
    }
    if (cameras && this.cameras.count) {
      this.drawLines(this.cameras, matrix, { u_low: [0, 0, 0], u_size: [1, 1, 1] }, ink);
    }
  }

  drawSurface(matrix, [right, up, back], mode) {
    const { gl, surface } = this;
    gl.useProgram(surface);
    gl.uniformMatrix4fv(gl.getUniformLocation(surface, "u_matrix"), false, matrix);
    vectors(gl, surface, { ...this.placement, u_right: right, u_up: up, u_back: back });
    gl.uniform1i(gl.getUniformLocation(surface, "u_mode"), MODES[mode]);
    gl.uniform1i(gl.getUniformLocation(surface, "u_textured"), Number(this.textured));
    gl.uniform1i(gl.getUniformLocation(surface, "u_texture"), 0);
    gl.uniform1i(gl.getUniformLocation(surface, "u_ramp"), 1);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.image);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.ramp);
    gl.enable(gl.POLYGON_OFFSET_FILL); // edges lie before the faces
    gl.polygonOffset(1, 1);
    gl.bindVertexArray(this.mesh.array);
    gl.drawElements(gl.TRIANGLES, this.mesh.count, this.mesh.type, 0);
    gl.disable(gl.POLYGON_OFFSET_FILL);
  }

  drawLines({ array, count, type }, matrix, placement, color) {
    const { gl, lines } = this;
    gl.useProgram(lines);
    gl.uniformMatrix4fv(gl.getUniformLocation(lines, "u_matrix"), false, matrix);
    vectors(gl, lines, placement);
    gl.uniform4fv(gl.getUniformLocation(lines, "u_color"), color);
    gl.bindVertexArray(array);
    if (type) gl.drawElements(gl.LINES, count, type, 0);
    else gl.drawArrays(gl.LINES, 0, count);
  }
}

// Both ends of every edge, each edge once.
function uniqueEdges(faces, count) {
  const keys = new Float64Array(faces.length);
  for (let i = 0; i < faces.length; i += 1) {
    const [a, b] = [faces[i], faces[i % 3 === 2 ? i - 2 : i + 1]];
    keys[i] = Math.min(a, b) * count + Math.max(a, b);
  }
  keys.sort();
  const ends = [];
  for (let i = 0; i < keys.length; i += 1) {
    if (i === 0 || keys[i] !== keys[i - 1]) ends.push(Math.floor(keys[i] / count), keys[i] % count);
  }
  return new Uint32Array(ends);
}

function program(gl, { vertex, fragment }) {
  const made = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) || "no WebGL program");
  return made;
}

// A buffer for an attribute; whole numbers are shares of the largest.
function attribute(gl, made, name, values, size) {
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  point(gl, made, values, name, size);
  return buffer;
}

function point(gl, made, values, name = "a_point", size = 3) {
  const types = { Uint16Array: gl.UNSIGNED_SHORT, Uint8Array: gl.UNSIGNED_BYTE, Int8Array: gl.BYTE, Float32Array: gl.FLOAT };
  const place = gl.getAttribLocation(made, name);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, size, types[values.constructor.name], !(values instanceof Float32Array), 0, 0);
}

function elements(gl, indices) {
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
}

function indexType(gl, indices) {
  return indices instanceof Uint16Array ? gl.UNSIGNED_SHORT : gl.UNSIGNED_INT;
}

function vectors(gl, made, values) {
  for (const [name, value] of Object.entries(values)) gl.uniform3fv(gl.getUniformLocation(made, name), value);
}

function texture(gl, { image, pixels, width, height }) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  if (image) {
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
    gl.generateMipmap(gl.TEXTURE_2D);
  } else {
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, width, height, 0, gl.RGB, gl.UNSIGNED_BYTE, pixels);
  }
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, image ? gl.LINEAR_MIPMAP_LINEAR : gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}
