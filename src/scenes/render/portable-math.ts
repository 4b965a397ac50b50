/**
 * Functions with bit-identical results on every platform. ECMAScript specifies `+ - * /` and `Math.sqrt` exactly, but
 * leaves `Math.sin`, `Math.pow` and others to the engine. Scenes use these functions instead, so that a seed gives the
 * same pixels everywhere.
 */

/** Cosine and sine of an angle in degrees, with an error below 1e-15 (Taylor series up to 45°). */
export const cosSinDegrees = (degrees: number): readonly [cos: number, sin: number] => {
  const turns = Math.round(degrees / 90);
  const x = ((degrees - turns * 90) * Math.PI) / 180;
  const x2 = x * x;
  let cos = 1;
  let sin = 1;
  for (let n = 16; n >= 2; n -= 2) {
    cos = 1 - (x2 / (n * (n - 1))) * cos;
    sin = 1 - (x2 / (n * (n + 1))) * sin;
  }
  sin *= x;
  switch (((turns % 4) + 4) % 4) {
    case 0:
      return [cos, sin];
    case 1:
      return [-sin, cos];
    case 2:
      return [-cos, -sin];
    default:
      return [sin, -cos];
  }
};

/** Cube root of a number in [0, 1] by Newton's method. */
const cubeRoot = (x: number): number => {
  if (x <= 0) return 0;
  let y = Math.sqrt(Math.sqrt(x)); // x^(1/4), never below the root for x <= 1 and within a factor of 1.5 for 8-bit use
  for (let i = 0; i < 40; i++) y = (2 * y + x / (y * y)) / 3;
  return y;
};

/** The sRGB transfer function, from linear light in [0, 1] to a display value in [0, 1]. */
export const linearToSrgb = (x: number): number => {
  if (x <= 0.0031308) return 12.92 * x;
  const root12 = cubeRoot(Math.sqrt(Math.sqrt(x))); // x^(1/12)
  const root4 = root12 * root12;
  return 1.055 * root4 * root4 * root12 - 0.055; // x^(1/2.4) = x^(5/12)
};

/** Integer power by repeated squaring. */
export const integerPower = (x: number, exponent: number): number => {
  let result = 1;
  let base = x;
  for (let e = exponent; e > 0; e >>= 1) {
    if (e & 1) result *= base;
    base *= base;
  }
  return result;
};
