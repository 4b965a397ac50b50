/** Values of the attributes of CLEVR objects (arXiv:1612.06890), in the order of CLEVR's metadata. */
export const SHAPES = ['cube', 'sphere', 'cylinder'] as const;
/** Colors of CLEVR. */
export const COLORS = ['gray', 'red', 'blue', 'green', 'brown', 'purple', 'cyan', 'yellow'] as const;
/** Sizes of CLEVR. */
export const SIZES = ['small', 'large'] as const;
/** Materials of CLEVR. */
export const MATERIALS = ['rubber', 'metal'] as const;

/** Shape of an object. */
export type Shape = (typeof SHAPES)[number];
/** Color of an object. */
export type Color = (typeof COLORS)[number];
/** Size of an object. */
export type Size = (typeof SIZES)[number];
/** Material of an object. */
export type Material = (typeof MATERIALS)[number];

/** Attributes of an object. */
export interface ObjectAttributes {
  /** Size. */
  readonly size: Size;
  /** Color. */
  readonly color: Color;
  /** Material. */
  readonly material: Material;
  /** Shape. */
  readonly shape: Shape;
}

/** Names of the attributes, in the order of CLEVR's texts: a small red metal cube. */
export const ATTRIBUTES = ['size', 'color', 'material', 'shape'] as const;
/** Name of an attribute of an object. */
export type Attribute = (typeof ATTRIBUTES)[number];

/** Values by attribute. */
export const VALUES: { readonly [A in Attribute]: readonly ObjectAttributes[A][] } = {
  size: SIZES,
  color: COLORS,
  material: MATERIALS,
  shape: SHAPES,
};

/** Linear RGB reflectances: CLEVR's hues, spread so that no two look alike under any of the lamps. */
export const COLOR_ALBEDO: Readonly<Record<Color, readonly [r: number, g: number, b: number]>> = {
  gray: [0.19, 0.19, 0.195],
  red: [0.5, 0.045, 0.045],
  blue: [0.05, 0.13, 0.68],
  green: [0.04, 0.25, 0.03],
  brown: [0.23, 0.095, 0.03],
  purple: [0.3, 0.05, 0.56],
  cyan: [0.05, 0.62, 0.62],
  yellow: [0.86, 0.72, 0.05],
};

/** Radius on the ground in scene units: the radius of spheres and cylinders, half the diagonal of a cube. */
export const SIZE_RADIUS: Readonly<Record<Size, number>> = { small: 0.35, large: 0.7 };
