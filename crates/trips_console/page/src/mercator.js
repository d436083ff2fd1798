// The projection of web maps: the world is a square from 0 to 1.

const TILE = 256;

export function project([lon, lat]) {
  const sine = Math.sin((Math.max(-85.05, Math.min(85.05, lat)) * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export function unproject([x, y]) {
  const lat = (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
  return [(x - 0.5) * 360, lat];
}

/** Where the eye is: `center` in the world, `zoom` as on web maps, the size of the window in pixels. */
export class Camera {
  constructor() {
    Object.assign(this, { center: [0.5, 0.42], zoom: 1, width: 300, height: 300 });
  }

  get scale() {
    return TILE * 2 ** this.zoom;
  }

  toScreen(point) {
    return this.worldToScreen(project(point));
  }

  worldToScreen([x, y]) {
    return [(x - this.center[0]) * this.scale + this.width / 2, (y - this.center[1]) * this.scale + this.height / 2];
  }

  toWorld([x, y]) {
    return [this.center[0] + (x - this.width / 2) / this.scale, this.center[1] + (y - this.height / 2) / this.scale];
  }

  toPlace(pixel) {
    return unproject(this.toWorld(pixel));
  }

  move([dx, dy]) {
    this.center = [this.center[0] - dx / this.scale, this.center[1] - dy / this.scale];
    this.keep();
  }

  /** Zooms so that the place below `pixel` stays there. */
  zoomAt(pixel, step) {
    const before = this.toWorld(pixel);
    this.zoom = Math.max(0, Math.min(18, this.zoom + step));
    const after = this.toWorld(pixel);
    this.center = [this.center[0] + before[0] - after[0], this.center[1] + before[1] - after[1]];
    this.keep();
  }

  /** Shows all of west, south, east, north. */
  fit([west, south, east, north]) {
    const [left, bottom] = project([west, south]);
    const [right, top] = project([east, north]);
    this.center = [(left + right) / 2, (top + bottom) / 2];
    const spans = [this.width / Math.max(right - left, 1e-7), this.height / Math.max(bottom - top, 1e-7)];
    this.zoom = Math.max(0, Math.min(15, Math.log2((0.86 * Math.min(...spans)) / TILE)));
    this.keep();
  }

  keep() {
    this.center = this.center.map((value) => Math.max(0, Math.min(1, value)));
  }

  /** West, south, east, north of the window, inside the world. */
  bounds() {
    const [west, north] = this.toPlace([0, 0]);
    const [east, south] = this.toPlace([this.width, this.height]);
    const lon = (value) => Math.max(-180, Math.min(180, value));
    return [lon(west), south, lon(east), north];
  }

  /** Metres that a pixel is wide in the middle of the window. */
  metres() {
    const lat = (unproject(this.center)[1] * Math.PI) / 180;
    return (40_075_017 * Math.cos(lat)) / this.scale;
  }
}
